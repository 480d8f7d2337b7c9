/* Another program in the terminal: the user's editor. */
#define _GNU_SOURCE
#include "ct_internal.h"
#include "cterminal.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Signals from the keyboard are for the command while it runs. Ctrl-Z must stop us with it: were we to go on waiting,
   the shell would never get its terminal back. */
static const struct { int number; void (*handler)(int); } meanwhile[] = {
    {SIGINT, SIG_IGN}, {SIGQUIT, SIG_IGN}, {SIGTSTP, SIG_DFL}};
enum { MEANWHILE = sizeof meanwhile / sizeof *meanwhile };

static int start(const char *command, const char *argument, pid_t *child) {
  char line[1024];
  int length = snprintf(line, sizeof line, "%s \"$1\"", command);
  if (length < 0 || (size_t)length >= sizeof line) return -1;
  char *const words[] = {"sh", "-c", line, "sh", (char *)argument, NULL};

  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
  if (posix_spawnattr_init(&attributes) != 0) return -1;
  if (posix_spawn_file_actions_init(&files) != 0) {
    posix_spawnattr_destroy(&attributes);
    return -1;
  }
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_adddup2(&files, cti_output(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, cti_output(), STDERR_FILENO);
  int failed = posix_spawn(child, "/bin/sh", &files, &attributes, words, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return failed ? -1 : 0;
}

int ct_run(const char *command, const char *argument) {
  if (!cti_is_open()) return -1;
  struct sigaction ours[MEANWHILE], action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  ct_leave();
  for (int i = 0; i < MEANWHILE; i++) {
    action.sa_handler = meanwhile[i].handler;
    sigaction(meanwhile[i].number, &action, &ours[i]);
  }
  pid_t child = 0;
  int status = 0, result = -1;
  if (start(command, argument, &child) == 0) {
    pid_t ended;
    do ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended == child) result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  for (int i = 0; i < MEANWHILE; i++) sigaction(meanwhile[i].number, &ours[i], NULL);
  ct_enter();
  return result;
}
