/* Waiting and waking between threads: what one writes before a barrier or a ticket is seen by all behind it. */
#include "check.h"

#include <pthread.h>

enum { parties = 4, rounds = 300, pieces = 50 };

static ck_barrier barrier;
static ck_event event;
static uint64_t tickets;
static uint32_t left;
static size_t written[parties], wrong[parties], taken[pieces];

static void *meet(void *argument) {
  const size_t own = (size_t)(uintptr_t)argument;
  /* Some spin, some sleep at once. */
  const uint32_t spins = own % 2 ? 100 : 0;
  for (size_t round = 1; round <= rounds; round++) {
    written[own] = round;
    ck_barrier_wait(&barrier, parties, spins);
    for (size_t i = 0; i < parties; i++) wrong[own] += written[i] != round;
    ck_barrier_wait(&barrier, parties, spins);
  }
  ck_event_wait(&event, 0, spins);
  for (uint32_t piece; (piece = ck_tickets_take(&tickets, 7)) > 0;) {
    __atomic_add_fetch(&taken[piece - 1], 1, __ATOMIC_RELAXED);
    ck_count_down(&left);
  }
  wrong[own] += ck_tickets_take(&tickets, 8) != 0; /* another job */
  return NULL;
}

void check_threads(void) {
  pthread_t threads[parties];
  for (size_t i = 0; i < parties; i++) pthread_create(&threads[i], NULL, meet, (void *)(uintptr_t)i);
  ck_count_set(&left, pieces);
  ck_tickets_set(&tickets, 7, pieces);
  ck_event_advance(&event);
  for (size_t i = 0; i < parties; i++) pthread_join(threads[i], NULL);
  for (size_t i = 0; i < parties; i++) expect(wrong[i] == 0, "thread %zu saw %zu wrong numbers", i, wrong[i]);
  for (size_t i = 0; i < pieces; i++) expect(taken[i] == 1, "piece %zu was taken %zu times", i, taken[i]);
  expect(ck_count_get(&left) == 0, "%u pieces are left", ck_count_get(&left));
}
