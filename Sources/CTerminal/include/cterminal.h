/* CTerminal: the terminal, through ncursesw, with signals and waiting included.

   Why a shim: (1) most of ncurses is variadic functions, macros and mutable globals, which Swift does not import or
   refuses under strict concurrency; (2) a signal handler must be C and async-signal-safe; (3) one place has to own
   everything that changes the terminal, so that everything can be put back.

   There is one terminal in a process. All functions are for the thread that called ct_open, except ct_wake,
   which is for any thread. Nothing is kept of what a caller passes in. Functions that can fail
   return 0 on success and -1 on failure; ct_error() then says why. */
#ifndef CTERMINAL_H
#define CTERMINAL_H

#include <stdint.h>

/* What ct_next found. */
enum {
  CT_NONE = 0,    /* the timeout passed */
  CT_CHARACTER,   /* code: a Unicode scalar that is no control; modifiers: CT_ALT or 0 */
  CT_KEY,         /* code: one of CT_KEY_…, or CT_KEY_CONTROL + letter */
  CT_MOUSE,       /* code: one of CT_MOUSE_…; x, y: the cell, from 0 */
  CT_PASTE_BEGIN, /* something was pasted: call ct_read_paste */
  CT_PASTE_END,   /* of no interest: an end without a beginning */
  CT_RESIZE,      /* ct_width and ct_height have changed */
  CT_WAKE,        /* ct_wake was called, once or more */
  CT_QUIT,        /* code: the signal (SIGTERM, SIGHUP, …); 0 when the terminal is gone */
  CT_SUSPEND,     /* someone sent SIGTSTP: call ct_suspend(0) */
  CT_CONTINUED    /* the process was continued; the screen needs drawing anew */
};

enum {
  CT_KEY_ENTER = 1, CT_KEY_TAB, CT_KEY_BACKTAB, CT_KEY_ESCAPE, CT_KEY_BACKSPACE, CT_KEY_DELETE, CT_KEY_INSERT,
  CT_KEY_LEFT, CT_KEY_RIGHT, CT_KEY_UP, CT_KEY_DOWN, CT_KEY_HOME, CT_KEY_END, CT_KEY_PAGE_UP, CT_KEY_PAGE_DOWN,
  CT_KEY_F = 100,      /* CT_KEY_F + 1 … CT_KEY_F + 12 */
  CT_KEY_CONTROL = 200 /* CT_KEY_CONTROL + 'a' … */
};

enum { CT_SHIFT = 1, CT_ALT = 2, CT_CTRL = 4 };

enum { CT_MOUSE_PRESS = 1, CT_MOUSE_RELEASE, CT_MOUSE_MOVE, CT_MOUSE_WHEEL_UP, CT_MOUSE_WHEEL_DOWN };

enum { CT_BOLD = 1, CT_DIM = 2, CT_REVERSE = 4, CT_UNDERLINE = 8, CT_ITALIC = 16 };

/* The number of styles that ct_define_style accepts. */
enum { CT_STYLES = 64 };

typedef struct {
  int kind;
  int code;
  int modifiers;
  int x, y;
} ct_event;

/* Takes the terminal on standard input and output: alternate screen, keys one by one, signal handlers. Until
   ct_close, standard output and standard error of the process go to `log_path` (appended, mode 0600), or nowhere if
   it is NULL, so that nothing but this shim writes to the screen. */
int ct_open(const char *_Nullable log_path, int mouse);
/* Puts everything back: modes, screen, signal handlers, standard output and error. May be called twice. */
void ct_close(void);
/* Why the last call failed, or "". Static memory, never NULL. */
const char *_Nonnull ct_error(void);

/* Whether descriptors 0 and 1 are both a terminal, and descriptor 0 is one. */
int ct_is_terminal(void);
int ct_input_is_terminal(void);

/* Whether the open terminal shows palette colours. */
int ct_has_colors(void);
/* Asks for mouse reports, or leaves the mouse to the terminal. */
void ct_use_mouse(int use);

int ct_width(void);
int ct_height(void);

/* Waits for one event: input, a signal, ct_wake, or `timeout_ms` (-1: for ever). Sleeps in poll(2) meanwhile. */
void ct_next(int timeout_ms, ct_event *_Nonnull event);
/* The next bytes of what was pasted, after CT_PASTE_BEGIN; they may be anything. is_over: those were the last, because
   the end marker came, or nothing for `timeout_ms` (not every terminal sends one), or a signal that asks to end. Many at
   once: ncurses would make two system calls for every byte. size: at least 6. */
int ct_read_paste(uint8_t *_Nonnull bytes, int size, int timeout_ms, int *_Nonnull is_over);
/* Makes ct_next return CT_WAKE. Any thread; async-signal-safe; cheap when called again before ct_next ran. */
void ct_wake(void);

/* Says how cells of a style look. foreground: palette index, or -1 for the terminal's own. attributes: CT_BOLD | … */
void ct_define_style(int style, int foreground, int attributes);
/* Writes one glyph: a spacing scalar and up to four zero-width ones. Nothing shows before ct_flush. */
void ct_put(int x, int y, const uint32_t *_Nonnull scalars, int count, int style);
/* Where the cursor shows after ct_flush; x < 0 hides it. */
void ct_cursor(int x, int y);
/* Sends what changed since the last time. */
void ct_flush(void);
/* Forgets what the terminal shows: the next ct_flush sends every cell. */
void ct_repaint(void);

/* Gives the terminal back and stops the process until it is continued. whole_group: stop the process group, as the
   terminal does for Ctrl-Z, rather than this process alone. */
void ct_suspend(int whole_group);
/* Gives the terminal back without stopping (for a command that needs it), and takes it again. */
void ct_leave(void);
void ct_enter(void);
/* Gives the terminal to a command of the shell, with `argument` after its words, waits for its end, and takes the
   terminal again. Returns its exit status, 128 + n after signal n, or -1 if no shell could be started. */
int ct_run(const char *_Nonnull command, const char *_Nonnull argument);
/* Sends bytes past ncurses (an OSC 52 copy): the caller vouches for them. */
void ct_send(const char *_Nonnull bytes, int count);

/* What the terminal can do, asked without taking it; not while it is taken. */
/* Colours of the terminal that TERM names: 0 if it has none, -1 if terminfo does not know it. */
int ct_probe_colors(void);
/* Whether the user's locale is one of UTF-8. */
int ct_locale_is_utf8(void);
/* Columns and rows of the terminal on standard output; 0 if it is none. */
void ct_probe_size(int *_Nonnull width, int *_Nonnull height);

#endif
