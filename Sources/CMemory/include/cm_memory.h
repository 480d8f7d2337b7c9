/* How fast memory can be read: a loop that does nothing else, and the pages it likes best; how the heap is kept; and what to
   say where a mapped file is no longer there. In C because the compiler must neither leave the reading out nor break the
   vectors up, because the heap is the C library's, and because a handler of signals may do next to nothing. */
#ifndef CM_MEMORY_H
#define CM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Reads `count` bytes, a multiple of 512 at an address that is a multiple of 64; answers something made of them all. */
uint64_t cm_read_memory(const void *_Nonnull bytes, size_t count);

/* Asks the system for huge pages behind a mapping, anonymous or of a file, that nobody has touched. It need not follow. */
void cm_prefer_huge_pages(void *_Nonnull bytes, size_t count);

/* Asks for small ones behind the whole pages of some bytes of such a mapping. */
void cm_prefer_small_pages(const void *_Nonnull bytes, size_t count);

/* From now on a fault in a mapped file that is watched, which was cut short or whose disk fails, ends the process with
   exit code 2 and one line on standard error. Whoever owns the terminal installs its handler of SIGBUS later: it comes
   first, restores the terminal and returns. */
void cm_watch_mappings(void);

/* Watches these bytes of a mapped file, to name `path`. */
void cm_watch_mapping(const void *_Nonnull base, size_t count, const char *_Nonnull path);

/* Before the bytes are unmapped. */
void cm_forget_mapping(const void *_Nonnull base);

/* One heap for all threads, instead of one each: what a thread frees is there for the next. To be called before there are
   threads. */
void cm_share_heap(void);

/* Gives whole free pages of the heap back to the system. */
void cm_trim_heap(void);

#endif
