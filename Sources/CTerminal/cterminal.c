/* The screen: taking the terminal, writing cells, giving it back. */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "cterminal.h"
#include "ct_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <ncursesw/curses.h>
#include <ncursesw/term.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* What ncurses does not ask for: paste markers; buttons and motion while one is down, in decimal (SGR) reports. */
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define MOUSE_ON "\033[?1002h\033[?1006h"
#define MOUSE_OFF "\033[?1002l\033[?1006l"

static SCREEN *screen;
static FILE *output;
static int is_open, is_left, use_mouse, use_color;
static int saved_output = -1, saved_error = -1;
static int cursor_x = -1, cursor_y, cursor_shown = -1;
static attr_t style_attributes[CT_STYLES];
/* 0, the terminal's own colours, needs no colour sequence. */
static short style_pairs[CT_STYLES];
static char message[256];

const char *ct_error(void) { return message; }
int ct_is_terminal(void) { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }
int ct_input_is_terminal(void) { return isatty(STDIN_FILENO); }
int cti_is_open(void) { return is_open; }
int cti_output(void) { return fileno(output); }
int ct_width(void) { return is_open ? COLS : 0; }
int ct_height(void) { return is_open ? LINES : 0; }

static int fail(const char *text) {
  snprintf(message, sizeof message, "%s", text);
  return -1;
}

void ct_send(const char *bytes, int count) {
  if (!output) return;
  int fd = fileno(output);
  while (count > 0) {
    ssize_t written = write(fd, bytes, (size_t)count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes += written;
    count -= (int)written;
  }
}

static void send_text(const char *text) { ct_send(text, (int)strlen(text)); }

static void use_locale(void) {
  setlocale(LC_ALL, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
  /* Numbers in files and on the wire have a point. */
  setlocale(LC_NUMERIC, "C");
}

/* Standard output moves to a descriptor of our own; 1 and 2 go to the log. */
static int take_outputs(const char *log_path) {
  fflush(stdout);
  fflush(stderr);
  saved_output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  saved_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  int own = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved_output < 0 || saved_error < 0 || own < 0 || !(output = fdopen(own, "w")))
    return fail("no free file descriptor for the terminal; close some files and try again");
  int log = log_path ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (log < 0) log = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (log >= 0) {
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
  }
  cti_crash_set_outputs(saved_output, saved_error);
  return 0;
}

static void return_outputs(void) {
  fflush(stdout);
  fflush(stderr);
  if (saved_output >= 0) dup2(saved_output, STDOUT_FILENO), close(saved_output);
  if (saved_error >= 0) dup2(saved_error, STDERR_FILENO), close(saved_error);
  saved_output = saved_error = -1;
  cti_crash_set_outputs(-1, -1);
  if (output) fclose(output);
  output = NULL;
}

/* A capability without its padding ($<5>). */
static void append_capability(char *text, size_t size, const char *name) {
  const char *value = tigetstr((char *)name);
  if (!value || value == (char *)-1) return;
  size_t length = strlen(text);
  for (; *value && length + 1 < size; value++) {
    if (value[0] == '$' && value[1] == '<') {
      while (*value && *value != '>') value++;
      if (!*value) break;
      continue;
    }
    text[length++] = *value;
  }
  text[length] = 0;
}

static void prepare_crash_reset(void) {
  char reset[256] = MOUSE_OFF PASTE_OFF;
  append_capability(reset, sizeof reset, "sgr0");
  append_capability(reset, sizeof reset, "rmkx");
  append_capability(reset, sizeof reset, "cnorm");
  append_capability(reset, sizeof reset, "rmcup");
  strncat(reset, "\r\n", sizeof reset - strlen(reset) - 1);
  cti_crash_set_reset(reset, strlen(reset));
}

static void close_at_exit(void) { ct_close(); }

int ct_has_colors(void) { return use_color; }

int ct_open(const char *log_path, int mouse) {
  if (is_open) return fail("the terminal is already open");
  message[0] = 0;
  if (!ct_is_terminal()) return fail("standard input and output are no terminal; use --plain");
  use_locale();
  if (take_outputs(log_path) != 0) {
    return_outputs();
    return -1;
  }
  cti_crash_save_modes(fileno(output));
  /* Before newterm: ncurses leaves signals alone that already have a handler. */
  if (cti_signals_install() != 0) {
    return_outputs();
    return fail("no pipe for signals; close some files and try again");
  }
  set_escdelay(25);
  screen = newterm(NULL, output, stdin);
  if (!screen) {
    cti_signals_remove();
    return_outputs();
    const char *term = getenv("TERM");
    snprintf(message, sizeof message, "no terminal description for TERM=%s; set TERM=xterm-256color or use --plain",
             term ? term : "");
    return -1;
  }
  set_term(screen);
  prepare_crash_reset();
  raw();
  noecho();
  nonl();
  use_mouse = mouse;
  use_color = has_colors() && start_color() == OK && use_default_colors() == OK;
  is_open = 1;
  is_left = 0;
  cursor_shown = -1;
  cti_input_open();
  wnoutrefresh(stdscr);
  doupdate();
  send_text(PASTE_ON);
  if (use_mouse) send_text(MOUSE_ON);
  static int registered;
  if (!registered) registered = atexit(close_at_exit) == 0;
  return 0;
}

void ct_use_mouse(int use) {
  if (!is_open || use == use_mouse) return;
  use_mouse = use;
  if (!is_left) send_text(use ? MOUSE_ON : MOUSE_OFF);
}

void ct_leave(void) {
  if (!is_open || is_left) return;
  if (use_mouse) send_text(MOUSE_OFF);
  send_text(PASTE_OFF);
  curs_set(1);
  cursor_shown = -1;
  endwin();
  is_left = 1;
}

void ct_enter(void) {
  if (!is_open || !is_left) return;
  is_left = 0;
  cti_resized();
  clearok(curscr, TRUE);
  wnoutrefresh(stdscr);
  doupdate();
  send_text(PASTE_ON);
  if (use_mouse) send_text(MOUSE_ON);
}

void ct_close(void) {
  if (!is_open) return;
  ct_leave();
  cti_input_close();
  is_open = 0;
  delscreen(screen);
  screen = NULL;
  cti_signals_remove();
  return_outputs();
}

void ct_suspend(int whole_group) {
  if (!is_open) return;
  ct_leave();
  cti_stop_process(whole_group);
  ct_enter();
}

void cti_resized(void) {
  struct winsize size;
  if (is_left || ioctl(fileno(output), TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row) return;
  if (size.ws_row != LINES || size.ws_col != COLS) resize_term(size.ws_row, size.ws_col);
}

void ct_repaint(void) {
  if (is_open) clearok(curscr, TRUE);
}

void ct_define_style(int style, int foreground, int attributes) {
  if (style < 0 || style >= CT_STYLES || !is_open) return;
  attr_t value = 0;
  if (attributes & CT_BOLD) value |= A_BOLD;
  if (attributes & CT_DIM) value |= A_DIM;
  if (attributes & CT_REVERSE) value |= A_REVERSE;
  if (attributes & CT_UNDERLINE) value |= A_UNDERLINE;
  if (attributes & CT_ITALIC) value |= A_ITALIC;
  if (foreground >= COLORS) foreground = foreground >= 8 && foreground < 16 ? foreground - 8 : -1;
  int is_colored = use_color && foreground >= 0 && style + 1 < COLOR_PAIRS;
  if (is_colored) init_pair((short)(style + 1), (short)foreground, -1);
  style_pairs[style] = is_colored ? (short)(style + 1) : 0;
  style_attributes[style] = value;
}

void ct_put(int x, int y, const uint32_t *scalars, int count, int style) {
  if (!is_open || x < 0 || y < 0 || x >= COLS || y >= LINES || style < 0 || style >= CT_STYLES) return;
  wchar_t text[CCHARW_MAX + 1];
  int length = 0;
  for (; length < count && length < CCHARW_MAX; length++) text[length] = (wchar_t)scalars[length];
  text[length] = 0;
  if (length == 0 || scalars[0] < 32 || (scalars[0] >= 127 && scalars[0] < 160)) text[0] = L' ', text[1] = 0;
  cchar_t cell;
  short pair = style_pairs[style];
  if (setcchar(&cell, text, style_attributes[style], pair, NULL) != OK) {
    text[0] = L'?', text[1] = 0;
    if (setcchar(&cell, text, style_attributes[style], pair, NULL) != OK) return;
  }
  /* The last cell of the screen reports an error (the cursor cannot move on) but is written. */
  (void)mvwadd_wch(stdscr, y, x, &cell);
}

void ct_cursor(int x, int y) {
  cursor_x = x;
  cursor_y = y;
}

void ct_flush(void) {
  if (!is_open || is_left) return;
  int shown = cursor_x >= 0 && cursor_x < COLS && cursor_y >= 0 && cursor_y < LINES;
  if (shown) wmove(stdscr, cursor_y, cursor_x);
  wnoutrefresh(stdscr);
  doupdate();
  if (shown != cursor_shown) {
    curs_set(shown);
    fflush(output);
    cursor_shown = shown;
  }
}
