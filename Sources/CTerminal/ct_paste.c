/* Pastes. ncurses reads a byte at a time, with several system calls for each: a megabyte would take seconds. It has
   read no further than the marker of the beginning, so the rest can be read here. */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "ct_internal.h"
#include "cterminal.h"

#include <errno.h>
#include <ncursesw/curses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN "\033[200~"
#define END "\033[201~"
enum { MARK = 6, CHUNK = 1 << 16, MOST_TYPED = 100 };

static char *bytes;
static size_t size;

static int make_room(size_t needed) {
  if (needed <= size) return 1;
  size_t larger = size ? size : CHUNK;
  while (larger < needed) larger *= 2;
  char *moved = realloc(bytes, larger);
  if (!moved) return 0;
  bytes = moved;
  size = larger;
  return 1;
}

/* What was typed while the paste was read, for ncurses. (It takes such characters as they are: a key that sends a
   sequence is lost.) */
static void give_back(const char *typed, size_t count) {
  const char *escape = memchr(typed, '\033', count);
  if (escape) count = (size_t)(escape - typed);
  if (count > MOST_TYPED) count = MOST_TYPED;
  while (count > 0) ungetch((unsigned char)typed[--count]);
}

const char *ct_read_paste(void) {
  size_t count = 0, searched = 0;
  while (make_room(count + CHUNK + 1)) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = poll(&input, 1, 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    ssize_t got = read(STDIN_FILENO, bytes + count, CHUNK);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    count += (size_t)got;
    char *end;
    while ((end = memmem(bytes + searched, count - searched, END, MARK))) {
      char *after = end + MARK;
      size_t left = (size_t)(bytes + count - after);
      if (left < MARK || memcmp(after, BEGIN, MARK) != 0) {
        give_back(after, left);
        *end = 0;
        return bytes;
      }
      /* Another paste right behind it: one text. */
      memmove(end, after + MARK, left - MARK);
      count -= 2 * MARK;
      searched = (size_t)(end - bytes);
    }
    searched = count > MARK ? count - MARK : 0;
  }
  if (!bytes) return "";
  bytes[count] = 0;
  return bytes;
}
