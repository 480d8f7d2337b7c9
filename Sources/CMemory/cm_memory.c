#include "cm_memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t line __attribute__((vector_size(64)));

uint64_t cm_read_memory(const void *bytes, size_t count) {
  const line *next = bytes, *end = next + count / sizeof(line);
  /* Several sums, so that no addition waits for the one before it. */
  line a = {0}, b = {0}, c = {0}, d = {0};
  for (; next < end; next += 8) {
    a += next[0] ^ next[1];
    b += next[2] ^ next[3];
    c += next[4] ^ next[5];
    d += next[6] ^ next[7];
  }
  a += b + c + d;
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum += a[i];
  return sum;
}

void cm_prefer_huge_pages(void *bytes, size_t count) {
#ifdef MADV_HUGEPAGE
  madvise(bytes, count, MADV_HUGEPAGE);
#else
  (void)bytes, (void)count;
#endif
}

void cm_prefer_small_pages(const void *bytes, size_t count) {
#ifdef MADV_NOHUGEPAGE
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)bytes;
  const uintptr_t first = (start + page - 1) / page * page, end = (start + count) / page * page;
  if (first < end) madvise((void *)first, end - first, MADV_NOHUGEPAGE);
#else
  (void)bytes, (void)count;
#endif
}

void cm_share_heap(void) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
#endif
}

void cm_trim_heap(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
