/* Input: keys and paste markers by ncurses, mouse reports read here, waiting by poll. */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "ct_internal.h"
#include "cterminal.h"

#include <errno.h>
#include <ncursesw/curses.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Codes above all that ncurses gives out itself: MODIFIED + modifiers * 32 + key. */
enum { MODIFIED = 4096, MOUSE = 8189, PASTE_BEGIN, PASTE_END };

/* A pad, because reading from a window may draw it. */
static WINDOW *source;
static int maybe_input;

/* Arrows and their like with modifiers, as xterm spells them, whether or not terminfo knows them. */
static void define_modified_keys(void) {
  static const struct { char final; int key; } letters[] = {
      {'A', CT_KEY_UP}, {'B', CT_KEY_DOWN}, {'C', CT_KEY_RIGHT}, {'D', CT_KEY_LEFT}, {'H', CT_KEY_HOME}, {'F', CT_KEY_END}};
  static const struct { int number; int key; } numbers[] = {
      {2, CT_KEY_INSERT}, {3, CT_KEY_DELETE}, {5, CT_KEY_PAGE_UP}, {6, CT_KEY_PAGE_DOWN}};
  char sequence[16];
  for (int modifiers = 1; modifiers < 8; modifiers++) {
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
      snprintf(sequence, sizeof sequence, "\033[1;%d%c", modifiers + 1, letters[i].final);
      define_key(sequence, MODIFIED + modifiers * 32 + letters[i].key);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
      snprintf(sequence, sizeof sequence, "\033[%d;%d~", numbers[i].number, modifiers + 1);
      define_key(sequence, MODIFIED + modifiers * 32 + numbers[i].key);
    }
  }
  /* Both spellings of the plain ones: terminals in the other cursor mode, and Home and End of the Linux console. */
  define_key("\033[A", KEY_UP), define_key("\033OA", KEY_UP);
  define_key("\033[B", KEY_DOWN), define_key("\033OB", KEY_DOWN);
  define_key("\033[C", KEY_RIGHT), define_key("\033OC", KEY_RIGHT);
  define_key("\033[D", KEY_LEFT), define_key("\033OD", KEY_LEFT);
  define_key("\033[H", KEY_HOME), define_key("\033OH", KEY_HOME), define_key("\033[1~", KEY_HOME);
  define_key("\033[F", KEY_END), define_key("\033OF", KEY_END), define_key("\033[4~", KEY_END);
  define_key("\033[200~", PASTE_BEGIN);
  define_key("\033[201~", PASTE_END);
  define_key("\033[<", MOUSE);
}

void cti_input_open(void) {
  source = newpad(1, 1);
  keypad(source, TRUE);
  nodelay(source, TRUE);
  define_modified_keys();
  maybe_input = 1;
}

void cti_input_close(void) {
  if (source) delwin(source);
  source = NULL;
}

static int key_code(wint_t code) {
  switch (code) {
    case KEY_ENTER: return CT_KEY_ENTER;
    case KEY_BTAB: return CT_KEY_BACKTAB;
    case KEY_BACKSPACE: return CT_KEY_BACKSPACE;
    case KEY_DC: return CT_KEY_DELETE;
    case KEY_IC: return CT_KEY_INSERT;
    case KEY_LEFT: return CT_KEY_LEFT;
    case KEY_RIGHT: return CT_KEY_RIGHT;
    case KEY_UP: return CT_KEY_UP;
    case KEY_DOWN: return CT_KEY_DOWN;
    case KEY_HOME: return CT_KEY_HOME;
    case KEY_END: return CT_KEY_END;
    case KEY_PPAGE: return CT_KEY_PAGE_UP;
    case KEY_NPAGE: return CT_KEY_PAGE_DOWN;
    default: return code >= KEY_F(1) && code <= KEY_F(12) ? CT_KEY_F + (int)(code - KEY_F0) : 0;
  }
}

/* The rest of a mouse report, ESC [ < button ; column ; row M (m: released), which may arrive in pieces.
   Read here and not by ncurses, which asks for this encoding only where terminfo says so and otherwise for one that
   ends at column 223, and knows no motion. */
static int mouse_event(ct_event *event) {
  int numbers[3] = {0, 0, 0}, count = 0;
  wint_t code = 0;
  wtimeout(source, 50);
  while (count < 3 && wget_wch(source, &code) == OK) {
    if (code >= '0' && code <= '9' && numbers[count] < 100000) numbers[count] = numbers[count] * 10 + (int)(code - '0');
    else if (code == ';') count++;
    else break;
  }
  nodelay(source, TRUE);
  if (count != 2 || (code != 'M' && code != 'm')) return 0;
  int button = numbers[0] & ~(4 | 8 | 16); /* without Shift, Alt, Control */
  event->kind = CT_MOUSE;
  event->x = numbers[1] - 1;
  event->y = numbers[2] - 1;
  if (button == 64) event->code = CT_MOUSE_WHEEL_UP;
  else if (button == 65) event->code = CT_MOUSE_WHEEL_DOWN;
  else if (button == 0) event->code = code == 'M' ? CT_MOUSE_PRESS : CT_MOUSE_RELEASE;
  else if (button == 32) event->code = CT_MOUSE_MOVE;
  else return 0;
  return 1;
}

/* One key from ncurses. 1: event filled; 0: nothing there; -1: something of no interest was read. */
static int decode(int status, wint_t code, ct_event *event) {
  if (status == KEY_CODE_YES) {
    if (code == MOUSE) return mouse_event(event) ? 1 : -1;
    if (code == PASTE_BEGIN || code == PASTE_END) {
      event->kind = code == PASTE_BEGIN ? CT_PASTE_BEGIN : CT_PASTE_END;
      return 1;
    }
    event->kind = CT_KEY;
    if (code >= MODIFIED && code < MOUSE) {
      event->modifiers = (int)(code - MODIFIED) / 32;
      event->code = (int)(code - MODIFIED) % 32;
    } else {
      event->code = key_code(code);
    }
    return event->code ? 1 : -1;
  }
  event->kind = CT_KEY;
  if (code == 13) event->code = CT_KEY_ENTER;
  else if (code == 9) event->code = CT_KEY_TAB;
  else if (code == 27) event->code = CT_KEY_ESCAPE;
  else if (code == 8 || code == 127) event->code = CT_KEY_BACKSPACE;
  else if (code == 0) event->code = CT_KEY_CONTROL + ' ';
  else if (code < 27) event->code = CT_KEY_CONTROL + 'a' + (int)code - 1;
  else if (code < 32) event->code = CT_KEY_CONTROL + '@' + (int)code;
  else event->kind = CT_CHARACTER, event->code = (int)code;
  return 1;
}

static int read_key(ct_event *event) {
  wint_t code = 0;
  int status = wget_wch(source, &code);
  if (status == ERR) return 0;
  if (status == OK && code == 27) {
    /* ncurses has already waited ESCDELAY: what follows at once belongs to this Escape (Alt + key). */
    wint_t next = 0;
    int more = wget_wch(source, &next);
    if (more != ERR && !(more == OK && next == 27)) {
      int found = decode(more, next, event);
      if (found > 0 && (event->kind == CT_CHARACTER || event->kind == CT_KEY)) event->modifiers |= CT_ALT;
      return found;
    }
    if (more != ERR) unget_wch((wchar_t)next);
  }
  return decode(status, code, event);
}

/* Never more is read than the end marker still needs, so that nothing after it is taken from ncurses. */
int ct_read_paste(uint8_t *bytes, int size, int timeout_ms, int *is_over) {
  static const uint8_t end[6] = {0x1b, '[', '2', '0', '1', '~'};
  static int matched; /* bytes of the marker at the end of what was read */
  int count = 0;
  *is_over = 0;
  while (count + (int)sizeof end <= size) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = poll(&input, 1, timeout_ms);
    if (ready < 0 && errno == EINTR && !cti_is_to_quit()) continue;
    uint8_t piece[sizeof end];
    ssize_t got = ready > 0 ? read(STDIN_FILENO, piece, sizeof end - (size_t)matched) : 0;
    if (got <= 0 || cti_is_to_quit()) {
      *is_over = 1;
      break;
    }
    for (ssize_t i = 0; i < got; i++) {
      if (piece[i] == end[matched]) {
        matched++;
        continue;
      }
      for (int held = 0; held < matched; held++) bytes[count++] = end[held];
      matched = piece[i] == end[0];
      if (!matched) bytes[count++] = piece[i];
    }
    if (matched == sizeof end) {
      *is_over = 1;
      break;
    }
  }
  if (*is_over) matched = 0;
  return count;
}

/* Something from the pipe of signals. 1: event filled. */
static int take_signal(ct_event *event) {
  unsigned char byte;
  if (read(cti_pipe_read_end(), &byte, 1) != 1) return 0;
  event->code = byte;
  switch (byte) {
    case 0: cti_wake_taken(), event->kind = CT_WAKE; break;
    case SIGWINCH: cti_resized(), event->kind = CT_RESIZE; break;
    case SIGTSTP: event->kind = CT_SUSPEND; break;
    case SIGCONT: ct_repaint(), event->kind = CT_CONTINUED; break;
    default: event->kind = CT_QUIT; break;
  }
  return 1;
}

void ct_next(int timeout_ms, ct_event *event) {
  *event = (ct_event){.kind = CT_NONE};
  for (;;) {
    while (maybe_input) {
      int found = read_key(event);
      if (found > 0) return;
      if (found == 0) maybe_input = 0;
      *event = (ct_event){.kind = CT_NONE};
    }
    struct pollfd waiting[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = cti_pipe_read_end(), .events = POLLIN}};
    int ready = poll(waiting, 2, timeout_ms);
    if (ready < 0 && errno == EINTR) {
      timeout_ms = timeout_ms < 0 ? timeout_ms : 0;
      continue;
    }
    if (ready <= 0) return;
    if ((waiting[1].revents & POLLIN) && take_signal(event)) {
      /* Keys that arrived at the same time are read by the next call. */
      maybe_input = (waiting[0].revents & POLLIN) != 0;
      return;
    }
    if (waiting[0].revents & POLLIN) {
      /* Readable without bytes: the other end is gone. */
      int count = 0;
      if (ioctl(STDIN_FILENO, FIONREAD, &count) != 0 || count == 0) {
        event->kind = CT_QUIT;
        return;
      }
      maybe_input = 1;
    } else if (waiting[0].revents) {
      event->kind = CT_QUIT;
      return;
    }
  }
}
