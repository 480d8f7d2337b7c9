/* Waiting and waking between threads that hand each other work every few microseconds: spin briefly, then sleep in
   the kernel. In C because Swift can call neither futex(2), which is variadic, nor the processor's pause. */
#ifndef CK_THREADS_H
#define CK_THREADS_H

#include <stdint.h>

/* A number that only grows, and how many threads sleep until it does. All zero at first; touched only here. */
typedef struct ck_event {
  uint32_t value;
  uint32_t sleepers;
} ck_event;

uint32_t ck_event_value(ck_event *_Nonnull event);

/* Adds one and wakes whoever sleeps. Writes before it are visible to whoever sees the new value. */
void ck_event_advance(ck_event *_Nonnull event);

/* Returns once the value is not `seen` any more: after up to `spins` looks asleep. */
void ck_event_wait(ck_event *_Nonnull event, uint32_t seen, uint32_t spins);

/* A point that `parties` threads reach before any passes, again and again. All zero at first. */
typedef struct ck_barrier {
  uint32_t arrived;
  ck_event passed;
} ck_barrier;

void ck_barrier_wait(ck_barrier *_Nonnull barrier, uint32_t parties, uint32_t spins);

/* Numbered pieces of a job: the job's number in the upper half, how many pieces are left in the lower half. */
void ck_tickets_set(uint64_t *_Nonnull tickets, uint32_t job, uint32_t pieces);

/* Takes a piece of this job: answers how many were left before, or 0 where none is or the job is another one. */
uint32_t ck_tickets_take(uint64_t *_Nonnull tickets, uint32_t job);

/* Subtracts one; answers what is left. */
uint32_t ck_count_down(uint32_t *_Nonnull count);
void ck_count_set(uint32_t *_Nonnull count, uint32_t value);
uint32_t ck_count_get(uint32_t *_Nonnull count);

#endif
