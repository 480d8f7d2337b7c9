/* What the system says with SIGBUS of a mapped file: its end came nearer, or the disk does not give it. */
#define _GNU_SOURCE
#include "cm_memory.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More mappings than any program of ours has; of others nothing is known. */
enum { MOST = 1024 };

static struct {
  /* NULL: free; to the slot itself: being filled. */
  _Atomic(const char *) base;
  size_t count;
  char *path;
} mappings[MOST];

static struct sigaction previous;

static void say(const char *text) {
  ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
  (void)ignored;
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  const char *place = info->si_addr;
  for (int i = 0; info->si_code > 0 && i < MOST; i++) {
    const char *base = atomic_load(&mappings[i].base);
    if (!base || base == (const char *)&mappings[i] || place < base || (size_t)(place - base) >= mappings[i].count) continue;
    /* Threads that compute together meet the same end: one says so. */
    static atomic_flag said = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&said)) pause();
    say("stitch: ");
    say(mappings[i].path);
    say(": the file was cut short, or its disk cannot read it, while it was in use; put it back and start again\n");
    _exit(2);
  }
  /* Not ours. A fault happens again as soon as this returns; what somebody sent has to be sent again. */
  sigaction(number, &previous, NULL);
  if (info->si_code <= 0) raise(number);
}

void cm_watch_mappings(void) {
  static atomic_flag installed = ATOMIC_FLAG_INIT;
  if (atomic_flag_test_and_set(&installed)) return;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  action.sa_sigaction = on_bus_error;
  sigaction(SIGBUS, &action, &previous);
}

void cm_watch_mapping(const void *base, size_t count, const char *path) {
  for (int i = 0; i < MOST; i++) {
    const char *empty = NULL;
    if (!atomic_compare_exchange_strong(&mappings[i].base, &empty, (const char *)&mappings[i])) continue;
    mappings[i].count = count;
    mappings[i].path = strdup(path);
    /* Without memory for its name it is not watched. */
    atomic_store(&mappings[i].base, mappings[i].path ? base : NULL);
    return;
  }
}

void cm_forget_mapping(const void *base) {
  for (int i = 0; i < MOST; i++) {
    if (atomic_load(&mappings[i].base) != base) continue;
    char *path = mappings[i].path;
    atomic_store(&mappings[i].base, NULL);
    free(path);
    return;
  }
}
