/* How often the calling thread has asked for memory. The test program's own malloc and its relatives stand in front of
   the C library's; in C because Swift itself allocates through them. */
#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdint.h>

uint64_t allocation_count(void);

#endif
