/* How fast memory can be read: a loop that does nothing else, and the pages it likes best. In C because the compiler
   must neither leave the reading out nor break the vectors up. */
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

#endif
