/* Preloaded into stitch by crashes.py: at one of the calls that touch files below a directory the process is killed, or the
   call fails, or does only a part of what it was asked.

   STITCH_FAULT_ROOT  the directory; other files, pipes and the terminal are left alone
   STITCH_FAULT       what happens:
     count            nothing; the number of calls is written to STITCH_FAULT_COUNT
     kill:N           SIGKILL at call N; a write has written a part by then
     fail:E:N         call N fails with errno E, others do not
     full:E:N         from call N on all that need room fail with errno E, as on a full disk
     interrupt:N      every Nth call that may be interrupted fails with EINTR
     short:N          every Nth read or write moves only a part of the bytes

   Calls are counted over all threads. Processes of other programs, which inherit the environment, do nothing of this. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { none, count, kill_at, fail_at, full_from, interrupt, shorten };
static enum mode mode = none;
static int error_number;
static long place;
static atomic_long calls;
static int count_file = -1;
static char root[PATH_MAX];
static size_t root_length;

#define NEXT(name) \
  static __typeof__(&name) next; \
  if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  char program[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  const char *what = getenv("STITCH_FAULT"), *where = getenv("STITCH_FAULT_ROOT");
  if (length < 0 || !what || !where || !realpath(where, root)) return;
  program[length] = 0;
  const char *name = strrchr(program, '/');
  if (!name || strncmp(name, "/stitch", 7) != 0) return;
  root_length = strlen(root);
  const char *file = getenv("STITCH_FAULT_COUNT");
  if (!strcmp(what, "count") && file) {
    count_file = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    mode = count;
  }
  if (sscanf(what, "kill:%ld", &place) == 1) mode = kill_at;
  else if (sscanf(what, "fail:%d:%ld", &error_number, &place) == 2) mode = fail_at;
  else if (sscanf(what, "full:%d:%ld", &error_number, &place) == 2) mode = full_from;
  else if (sscanf(what, "interrupt:%ld", &place) == 1) mode = interrupt;
  else if (sscanf(what, "short:%ld", &place) == 1) mode = shorten;
}

static int is_ours(const char *path) {
  return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int names_ours(int directory, const char *path) {
  if (mode == none || !path) return 0;
  if (path[0] == '/') return is_ours(path);
  char link[64], whole[PATH_MAX];
  snprintf(link, sizeof link, directory == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", directory);
  ssize_t length = readlink(link, whole, sizeof whole - 1);
  if (length < 0) return 0;
  whole[length] = 0;
  return is_ours(whole);
}

static int descriptor_is_ours(int descriptor) {
  if (mode == none) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  int saved = errno;
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (length < 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

enum kind { looks = 0, needs_room = 1, may_be_interrupted = 2 };

/* Counts a call. Returns 1 where it is to fail, with errno set; does not return where the process ends here. `part` is
   called before that: what was done of it. */
static int faulty(int kind, void (*part)(void *), void *argument) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  switch (mode) {
    case count: {
      /* Now, and not at the end, which may be a signal's. */
      char text[32];
      int length = snprintf(text, sizeof text, "%ld\n", number);
      syscall(SYS_pwrite64, count_file, text, length, 0);
      return 0;
    }
    case kill_at:
      if (number != place) return 0;
      if (part) part(argument);
      kill(getpid(), SIGKILL);
      for (;;) pause();
    case fail_at:
      if (number != place) return 0;
      errno = error_number;
      return 1;
    case full_from:
      if (number < place || !(kind & needs_room)) return 0;
      errno = error_number;
      return 1;
    case interrupt:
      if (!(kind & may_be_interrupted) || number % place) return 0;
      errno = EINTR;
      return 1;
    default: return 0;
  }
}

static size_t shortened(size_t bytes) {
  return mode == shorten && bytes > 1 && atomic_load(&calls) % place == 0 ? bytes / 2 : bytes;
}

/* --- Opening */

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    NEXT(name); \
    va_list list; \
    va_start(list, flags); \
    mode_t permissions = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0; \
    va_end(list); \
    if (names_ours(AT_FDCWD, path) && faulty(flags & O_CREAT ? needs_room : looks, NULL, NULL)) return -1; \
    return next(path, flags, permissions); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
  int name(int directory, const char *path, int flags, ...) { \
    NEXT(name); \
    va_list list; \
    va_start(list, flags); \
    mode_t permissions = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0; \
    va_end(list); \
    if (names_ours(directory, path) && faulty(flags & O_CREAT ? needs_room : looks, NULL, NULL)) return -1; \
    return next(directory, path, flags, permissions); \
  }
OPENAT(openat)
OPENAT(openat64)

/* --- Reading and writing */

struct writing { ssize_t (*next)(int, const void *, size_t); int descriptor; const void *bytes; size_t count; };
static void write_part(void *argument) {
  struct writing *writing = argument;
  if (writing->count > 1) (void)!writing->next(writing->descriptor, writing->bytes, writing->count / 2);
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
  NEXT(write);
  if (!descriptor_is_ours(descriptor)) return next(descriptor, bytes, size);
  struct writing writing = {next, descriptor, bytes, size};
  if (faulty(needs_room | may_be_interrupted, write_part, &writing)) return -1;
  return next(descriptor, bytes, shortened(size));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  NEXT(pwrite);
  if (descriptor_is_ours(descriptor)) {
    if (faulty(needs_room | may_be_interrupted, NULL, NULL)) return -1;
    size = shortened(size);
  }
  return next(descriptor, bytes, size, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
  NEXT(pwrite64);
  if (descriptor_is_ours(descriptor)) {
    if (faulty(needs_room | may_be_interrupted, NULL, NULL)) return -1;
    size = shortened(size);
  }
  return next(descriptor, bytes, size, offset);
}

ssize_t read(int descriptor, void *bytes, size_t size) {
  NEXT(read);
  if (descriptor_is_ours(descriptor)) {
    if (faulty(may_be_interrupted, NULL, NULL)) return -1;
    size = shortened(size);
  }
  return next(descriptor, bytes, size);
}

ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset) {
  NEXT(pread);
  if (descriptor_is_ours(descriptor)) {
    if (faulty(may_be_interrupted, NULL, NULL)) return -1;
    size = shortened(size);
  }
  return next(descriptor, bytes, size, offset);
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags) {
  NEXT(copy_file_range);
  if (descriptor_is_ours(to) && faulty(needs_room, NULL, NULL)) return -1;
  return next(from, from_offset, to, to_offset, size, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
  ssize_t (*next)(int, int, off_t *, size_t) = (ssize_t(*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile");
  if (descriptor_is_ours(to) && faulty(needs_room, NULL, NULL)) return -1;
  return next(to, from, offset, size);
}

/* --- Others with a descriptor */

#define BY_DESCRIPTOR(name, kind, declaration, ...) \
  int name declaration { \
    NEXT(name); \
    if (descriptor_is_ours(descriptor) && faulty(kind, NULL, NULL)) return -1; \
    return next(__VA_ARGS__); \
  }
BY_DESCRIPTOR(fsync, needs_room, (int descriptor), descriptor)
BY_DESCRIPTOR(fdatasync, needs_room, (int descriptor), descriptor)
BY_DESCRIPTOR(ftruncate, looks, (int descriptor, off_t size), descriptor, size)
BY_DESCRIPTOR(ftruncate64, looks, (int descriptor, off64_t size), descriptor, size)
BY_DESCRIPTOR(flock, may_be_interrupted, (int descriptor, int operation), descriptor, operation)

/* --- Names */

#define BY_NAME(name, kind, declaration, path, ...) \
  int name declaration { \
    NEXT(name); \
    if (names_ours(AT_FDCWD, path) && faulty(kind, NULL, NULL)) return -1; \
    return next(__VA_ARGS__); \
  }
BY_NAME(mkdir, needs_room, (const char *path, mode_t permissions), path, path, permissions)
BY_NAME(rmdir, looks, (const char *path), path, path)
BY_NAME(unlink, looks, (const char *path), path, path)
BY_NAME(rename, needs_room, (const char *from, const char *to), to, from, to)
BY_NAME(link, needs_room, (const char *from, const char *to), to, from, to)
BY_NAME(symlink, needs_room, (const char *from, const char *to), to, from, to)
