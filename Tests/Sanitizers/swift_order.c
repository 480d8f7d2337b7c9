// Tells the thread sanitizer of two orders that it does not see. To be preloaded: `scripts/sanitize.sh`.
//
// A Mutex that is free is taken and given back by atomic operations in the code that uses it, which is instrumented. One
// that is contended is waited for, and handed on, in libswiftSynchronization, which is not: what the last owner wrote then
// seems to race with what the next one does.
//
// A continuation that is resumed after its task waits for it is seen, for the runtime says so. One that is resumed before
// is said to be so by the one who resumes, and not by the task that goes on: what the former wrote seems to race with what
// the task reads. (Between the look of `wait_for` below and that of the runtime it may still be resumed unseen.)
//
// These functions stand before those of the libraries and call them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SWIFT_ASYNC __attribute__((swiftasynccall))
#define SELF __attribute__((swift_context))

// In programs without the sanitizer (shells, tmux) there are none.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);
__attribute__((weak)) SWIFT void *swift_task_getCurrent(void);

// Synchronization._MutexHandle._lockSlow(UInt32), ._unlockSlow(); the runtime's swift_continuation_await
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define WAIT "swift_continuation_await"

static SWIFT void (*lock)(uint32_t thread, SELF void *mutex);
static SWIFT void (*unlock)(SELF void *mutex);
static SWIFT_ASYNC void (*await)(void *continuation);

__attribute__((constructor)) static void find(void) {
  *(void **)&lock = dlsym(RTLD_NEXT, LOCK);
  *(void **)&unlock = dlsym(RTLD_NEXT, UNLOCK);
  *(void **)&await = dlsym(RTLD_NEXT, WAIT);
}

SWIFT void slow_lock(uint32_t thread, SELF void *mutex) __asm__(LOCK);
SWIFT void slow_lock(uint32_t thread, SELF void *mutex) {
  lock(thread, mutex);
  if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT void slow_unlock(SELF void *mutex) __asm__(UNLOCK);
SWIFT void slow_unlock(SELF void *mutex) {
  if (__tsan_release) __tsan_release(mutex);
  unlock(mutex);
}

SWIFT_ASYNC void wait_for(void *continuation) __asm__(WAIT);
SWIFT_ASYNC void wait_for(void *continuation) {
  // Who resumes a continuation releases its task.
  if (__tsan_acquire && swift_task_getCurrent) __tsan_acquire(swift_task_getCurrent());
  __attribute__((musttail)) return await(continuation);
}
