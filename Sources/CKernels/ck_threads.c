#define _GNU_SOURCE
#include "ckernels.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

uint32_t ck_event_value(ck_event *event) { return __atomic_load_n(&event->value, __ATOMIC_ACQUIRE); }

void ck_event_advance(ck_event *event) {
  /* Sequentially consistent with the sleeper's registration below: one of the two sees the other. */
  __atomic_add_fetch(&event->value, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&event->sleepers, __ATOMIC_SEQ_CST) > 0)
    syscall(SYS_futex, &event->value, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void ck_event_wait(ck_event *event, uint32_t seen, uint32_t spins) {
  for (uint32_t spin = 0; spin < spins; spin++) {
    if (__atomic_load_n(&event->value, __ATOMIC_ACQUIRE) != seen) return;
    relax();
  }
  __atomic_add_fetch(&event->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&event->value, __ATOMIC_SEQ_CST) == seen)
    syscall(SYS_futex, &event->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
  __atomic_sub_fetch(&event->sleepers, 1, __ATOMIC_SEQ_CST);
}

void ck_barrier_wait(ck_barrier *barrier, uint32_t parties, uint32_t spins) {
  if (parties <= 1) return;
  uint32_t seen = ck_event_value(&barrier->passed);
  if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == parties) {
    __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
    ck_event_advance(&barrier->passed);
  } else {
    ck_event_wait(&barrier->passed, seen, spins);
  }
}

void ck_tickets_set(uint64_t *tickets, uint32_t job, uint32_t pieces) {
  __atomic_store_n(tickets, (uint64_t)job << 32 | pieces, __ATOMIC_RELEASE);
}

uint32_t ck_tickets_take(uint64_t *tickets, uint32_t job) {
  uint64_t value = __atomic_load_n(tickets, __ATOMIC_ACQUIRE);
  while (value >> 32 == job && (uint32_t)value > 0) {
    if (__atomic_compare_exchange_n(tickets, &value, value - 1, 1, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return (uint32_t)value;
  }
  return 0;
}

uint32_t ck_count_down(uint32_t *count) { return __atomic_sub_fetch(count, 1, __ATOMIC_ACQ_REL); }
void ck_count_set(uint32_t *count, uint32_t value) { __atomic_store_n(count, value, __ATOMIC_RELEASE); }
uint32_t ck_count_get(uint32_t *count) { return __atomic_load_n(count, __ATOMIC_ACQUIRE); }
