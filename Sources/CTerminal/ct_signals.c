/* Signals: ordinary ones become bytes in a pipe that ct_next polls; crashes restore the terminal first. */
#define _GNU_SOURCE
#include "ct_internal.h"
#include "cterminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int told[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE};
enum { TOLD = sizeof told / sizeof *told, FATAL = sizeof fatal / sizeof *fatal };

static struct sigaction old_told[TOLD], old_fatal[FATAL];
static int installed;
static atomic_int pipe_read = -1, pipe_write = -1;
static atomic_int wake_pending;
static atomic_int to_quit;

enum { UNARMED, ARMED, RESTORING };

/* All a crash handler needs, computed beforehand. */
static struct {
  atomic_int state;
  int terminal_fd, saved_output, saved_error;
  struct termios modes;
  char reset[256];
  size_t reset_count;
} crash = {.terminal_fd = -1, .saved_output = -1, .saved_error = -1};

static void tell(int number) {
  int keep = errno;
  unsigned char byte = (unsigned char)number;
  if (number == SIGTERM || number == SIGHUP || number == SIGINT || number == SIGQUIT) atomic_store(&to_quit, 1);
  int fd = atomic_load(&pipe_write);
  if (fd >= 0) {
    /* A full pipe is readable anyway, which is all that matters. */
    ssize_t ignored = write(fd, &byte, 1);
    (void)ignored;
  }
  errno = keep;
}

static void crashed(int number, siginfo_t *info, void *context) {
  (void)context;
  int expected = ARMED;
  if (atomic_compare_exchange_strong(&crash.state, &expected, RESTORING)) {
    ssize_t ignored = write(crash.terminal_fd, crash.reset, crash.reset_count);
    (void)ignored;
    tcsetattr(crash.terminal_fd, TCSANOW, &crash.modes);
    if (crash.saved_output >= 0) dup2(crash.saved_output, STDOUT_FILENO);
    if (crash.saved_error >= 0) dup2(crash.saved_error, STDERR_FILENO);
    atomic_store(&crash.state, UNARMED);
  }
  /* Threads that compute together crash together: what this one says, or how it ends the program, comes after the terminal is
     restored, for a second at most. */
  for (int i = 0; i < 1000 && atomic_load(&crash.state) == RESTORING; i++) poll(NULL, 0, 1);
  for (int i = 0; i < FATAL; i++)
    if (fatal[i] == number) sigaction(number, &old_fatal[i], NULL);
  /* The old action gets a fault with its address as soon as this handler returns, for it happens again. What somebody sent
     has to be sent again, and a trap, after which a program may go on. */
  if (info->si_code <= 0 || number == SIGTRAP) raise(number);
}

int cti_signals_install(void) {
  if (installed) return 0;
  if (atomic_load(&pipe_read) < 0) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    atomic_store(&pipe_read, ends[0]);
    atomic_store(&pipe_write, ends[1]);
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = tell;
  for (int i = 0; i < TOLD; i++) sigaction(told[i], &action, &old_told[i]);

  /* A stack overflow has no stack left for a handler. */
  static char *alternate;
  if (!alternate) alternate = malloc(1 << 16);
  stack_t stack = {.ss_sp = alternate, .ss_size = alternate ? 1 << 16 : 0};
  stack_t present;
  if (alternate && sigaltstack(NULL, &present) == 0 && (present.ss_flags & SS_DISABLE)) sigaltstack(&stack, NULL);
  action.sa_flags = SA_ONSTACK | SA_SIGINFO;
  action.sa_sigaction = crashed;
  for (int i = 0; i < FATAL; i++) sigaction(fatal[i], &action, &old_fatal[i]);
  installed = 1;
  return 0;
}

void cti_signals_remove(void) {
  if (!installed) return;
  atomic_store(&crash.state, UNARMED);
  for (int i = 0; i < TOLD; i++) sigaction(told[i], &old_told[i], NULL);
  for (int i = 0; i < FATAL; i++) sigaction(fatal[i], &old_fatal[i], NULL);
  installed = 0;
}

int cti_pipe_read_end(void) { return atomic_load(&pipe_read); }

int cti_is_to_quit(void) { return atomic_load(&to_quit); }

void cti_wake_taken(void) { atomic_store(&wake_pending, 0); }

void ct_wake(void) {
  if (!atomic_exchange(&wake_pending, 1)) tell(0);
}

void cti_crash_save_modes(int terminal_fd) {
  crash.terminal_fd = tcgetattr(terminal_fd, &crash.modes) == 0 ? terminal_fd : -1;
}

void cti_crash_set_reset(const char *bytes, size_t count) {
  if (count > sizeof crash.reset) count = sizeof crash.reset;
  memcpy(crash.reset, bytes, count);
  crash.reset_count = count;
  atomic_store(&crash.state, crash.terminal_fd >= 0 ? ARMED : UNARMED);
}

void cti_crash_set_outputs(int saved_output, int saved_error) {
  crash.saved_output = saved_output;
  crash.saved_error = saved_error;
}

void cti_stop_process(int whole_group) {
  struct sigaction standard, ours;
  memset(&standard, 0, sizeof standard);
  sigemptyset(&standard.sa_mask);
  standard.sa_handler = SIG_DFL;
  sigaction(SIGTSTP, &standard, &ours);
  if (whole_group) kill(0, SIGTSTP);
  else raise(SIGTSTP);
  /* Here again after SIGCONT. */
  sigaction(SIGTSTP, &ours, NULL);
}
