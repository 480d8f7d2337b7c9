/* What the terminal can do, asked without taking it. */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "cterminal.h"

#include <ncursesw/curses.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <ncursesw/term.h>
#include <unistd.h>

int ct_probe_colors(void) {
  int status = 0;
  if (setupterm(NULL, STDOUT_FILENO, &status) != OK) return -1;
  int colors = tigetnum("colors");
  del_curterm(cur_term);
  return colors > 0 ? colors : 0;
}

int ct_locale_is_utf8(void) {
  locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  if (locale == (locale_t)0) return 0;
  int utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
  freelocale(locale);
  return utf8;
}

void ct_probe_size(int *width, int *height) {
  struct winsize size;
  *width = *height = 0;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    *width = size.ws_col;
    *height = size.ws_row;
  }
}
