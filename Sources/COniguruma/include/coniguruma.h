/* COniguruma: searching text by regular expressions with the classes of Unicode.

   Why a shim: the library's functions take pointers into the text and write into regions that only its macros and
   structures describe, its encodings are global variables that Swift 6 refuses, and its search has to be told each time
   how much work it may do.

   Ownership: a con_pattern belongs to the caller of con_compile, until con_free. Text passed in is read during the call
   only. con_search may be called on one pattern from several threads at once. */
#ifndef CONIGURUMA_H
#define CONIGURUMA_H

#include <stddef.h>
#include <stdint.h>

typedef struct con_pattern con_pattern;

/* Compiles a pattern in Oniguruma's own syntax, given as scalars. NULL on failure; then the reason is written to `error`,
   cut to `error_capacity` bytes including the final NUL. */
con_pattern *_Nullable con_compile(const uint32_t *_Nonnull pattern, size_t count, char *_Nonnull error,
                                   size_t error_capacity);
void con_free(con_pattern *_Nullable pattern);

/* Finds the first match in scalars that begins at `start` or later; places are counted in scalars.
   1: found; 0: there is none; -1: given up after `most_steps` steps back; -2: failed, for want of memory mostly. */
int con_search(const con_pattern *_Nonnull pattern, const uint32_t *_Nonnull text, size_t count, size_t start,
               unsigned long most_steps, size_t *_Nonnull match_start, size_t *_Nonnull match_end);

#endif
