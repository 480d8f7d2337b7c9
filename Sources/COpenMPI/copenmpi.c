#define _GNU_SOURCE
#include "copenmpi.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Handles of Open MPI are pointers to structures that nobody outside looks into. */
typedef void *handle;

enum { success = 0, funneled = 1, longest_error = 256, longest_version = 256, most_at_once = 1 << 28 };

static struct {
  int (*init)(int *, char ***, int, int *);
  int (*finalize)(void);
  int (*rank)(handle, int *);
  int (*size)(handle, int *);
  int (*set_errhandler)(handle, handle);
  int (*error_string)(int, char *, int *);
  int (*allgatherv)(const void *, int, handle, void *, const int *, const int *, handle, handle);
  int (*alltoallv)(const void *, const int *, const int *, handle, void *, const int *, const int *, handle, handle);
  int (*bcast)(void *, int, handle, int, handle);
  int (*duplicate)(handle, handle *);
  int (*begin_allgatherv)(const void *, int, handle, void *, const int *, const int *, handle, handle, handle *);
  int (*begin_alltoallv)(const void *, const int *, const int *, handle, void *, const int *, const int *, handle,
                         handle, handle *);
  int (*test)(handle *, int *, void *);
  int (*wait)(handle *, void *);
} mpi;
static handle world, floats, bytes, errors_return;
/* What is begun and not waited for travels apart from the rest, and each kind apart from the other: calls of one
   communicator have to come in the same order everywhere. */
static handle exchanges, gathers;
static int process_count;
static char error_text[512];

static int fail(const char *text) {
  snprintf(error_text, sizeof error_text, "%s", text);
  return -1;
}

static int check(int code) {
  if (code == success) return 0;
  char text[longest_error + 1] = "an error without a text";
  int length = 0;
  mpi.error_string(code, text, &length);
  return fail(text);
}

/* The name that another implementation gives itself, up to the end of its first line. */
static int refuse(void *library) {
  int (*version)(char *, int *) = (int (*)(char *, int *))dlsym(library, "MPI_Get_library_version");
  static char text[1 << 13]; /* MPICH's is long */
  int length = 0;
  if (!version || version(text, &length) != success || !text[0]) snprintf(text, sizeof text, "an unknown MPI");
  text[strcspn(text, "\n,")] = 0;
  for (char *c = text; *c; c++)
    if (*c == '\t') *c = ' ';
  snprintf(error_text, sizeof error_text, "the MPI library here is %.200s", text);
  return -1;
}

static const char *const names[] = {"libmpi.so.40", "libmpi.so", NULL};

int com_is_there(void) {
  for (int i = 0; names[i]; i++) {
    void *library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
    if (!library) continue;
    int is_open = dlsym(library, "ompi_mpi_comm_world") != NULL;
    dlclose(library);
    if (is_open) return 1;
  }
  return 0;
}

static int load(int *missing) {
  void *library = NULL;
  *missing = 0;
  /* Global: its plug-ins look for the library's symbols. */
  for (int i = 0; names[i] && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    *missing = 1;
    const char *why = dlerror();
    return fail(why ? why : "libmpi.so.40 cannot be loaded");
  }
  world = dlsym(library, "ompi_mpi_comm_world");
  if (!world) return refuse(library);
  floats = dlsym(library, "ompi_mpi_float");
  bytes = dlsym(library, "ompi_mpi_byte");
  errors_return = dlsym(library, "ompi_mpi_errors_return");
  *(void **)&mpi.init = dlsym(library, "MPI_Init_thread");
  *(void **)&mpi.finalize = dlsym(library, "MPI_Finalize");
  *(void **)&mpi.rank = dlsym(library, "MPI_Comm_rank");
  *(void **)&mpi.size = dlsym(library, "MPI_Comm_size");
  *(void **)&mpi.set_errhandler = dlsym(library, "MPI_Comm_set_errhandler");
  *(void **)&mpi.error_string = dlsym(library, "MPI_Error_string");
  *(void **)&mpi.allgatherv = dlsym(library, "MPI_Allgatherv");
  *(void **)&mpi.alltoallv = dlsym(library, "MPI_Alltoallv");
  *(void **)&mpi.bcast = dlsym(library, "MPI_Bcast");
  *(void **)&mpi.duplicate = dlsym(library, "MPI_Comm_dup");
  *(void **)&mpi.begin_allgatherv = dlsym(library, "MPI_Iallgatherv");
  *(void **)&mpi.begin_alltoallv = dlsym(library, "MPI_Ialltoallv");
  *(void **)&mpi.test = dlsym(library, "MPI_Test");
  *(void **)&mpi.wait = dlsym(library, "MPI_Wait");
  if (!floats || !bytes || !errors_return || !mpi.init || !mpi.finalize || !mpi.rank || !mpi.size ||
      !mpi.set_errhandler || !mpi.error_string || !mpi.allgatherv || !mpi.alltoallv || !mpi.bcast || !mpi.duplicate ||
      !mpi.begin_allgatherv || !mpi.begin_alltoallv || !mpi.test || !mpi.wait)
    return fail("libmpi lacks a function of MPI 3.1");
  return 0;
}

int com_start(int *rank, int *count, int *library_missing) {
  int provided = 0;
  if (load(library_missing) || check(mpi.init(NULL, NULL, funneled, &provided))) return -1;
  if (check(mpi.set_errhandler(world, errors_return)) || check(mpi.rank(world, rank)) ||
      check(mpi.size(world, count)) || check(mpi.duplicate(world, &exchanges)) || check(mpi.duplicate(world, &gathers)))
    return -1;
  process_count = *count;
  return 0;
}

int com_end(void) { return check(mpi.finalize()); }

const char *com_error(void) { return error_text; }

/* Counts and places as ints. 0, or -1 where one is too large. */
static int narrow(const size_t *counts, int *narrowed, int *places) {
  size_t place = 0;
  for (int r = 0; r < process_count; r++) {
    if (counts[r] > INT_MAX || place > INT_MAX) return fail("a message of more than two thousand million elements");
    narrowed[r] = (int)counts[r];
    places[r] = (int)place;
    place += counts[r];
  }
  return 0;
}

static int gather(const void *part, size_t count, void *all, const size_t *counts, handle type) {
  int narrowed[process_count], places[process_count];
  if (count > INT_MAX) return fail("a message of more than two thousand million elements");
  if (narrow(counts, narrowed, places)) return -1;
  return check(mpi.allgatherv(part, (int)count, type, all, narrowed, places, type, world));
}

int com_gather_bytes(const void *part, size_t count, void *all, const size_t *counts) {
  return gather(part, count, all, counts, bytes);
}

int com_gather(const float *part, float *all, const size_t *counts) {
  int rank = 0;
  if (check(mpi.rank(world, &rank))) return -1;
  return gather(part, counts[rank], all, counts, floats);
}

int com_exchange(const float *sent, const size_t *sent_counts, float *received, const size_t *received_counts) {
  int out[process_count], out_places[process_count], in[process_count], in_places[process_count];
  if (narrow(sent_counts, out, out_places) || narrow(received_counts, in, in_places)) return -1;
  return check(mpi.alltoallv(sent, out, out_places, floats, received, in, in_places, floats, world));
}

/* A message that was begun; its counts have to stay until it is done. */
struct com_message {
  handle request;
  int numbers[];
};

/* Room for so many lists of a number for each process. */
static struct com_message *begin(int lists) {
  struct com_message *made = malloc(sizeof(struct com_message) + sizeof(int) * (size_t)(lists * process_count));
  if (!made) fail("no memory for a message");
  return made;
}

/* Hands out what was begun, or frees it where it was not. */
static int begun(struct com_message *made, int status, struct com_message **pending) {
  if (status) {
    free(made);
    return -1;
  }
  *pending = made;
  return 0;
}

int com_begin_gather(const float *part, float *all, const size_t *counts, struct com_message **pending) {
  struct com_message *made = begin(2);
  if (!made) return -1;
  int *narrowed = made->numbers, *places = narrowed + process_count, rank = 0;
  int status = narrow(counts, narrowed, places) || check(mpi.rank(world, &rank)) ||
               check(mpi.begin_allgatherv(part, narrowed[rank], floats, all, narrowed, places, floats, gathers,
                                          &made->request));
  return begun(made, status, pending);
}

int com_begin_exchange(const float *sent, const size_t *sent_counts, float *received, const size_t *received_counts,
                       struct com_message **pending) {
  struct com_message *made = begin(4);
  if (!made) return -1;
  int *out = made->numbers, *out_places = out + process_count, *in = out_places + process_count,
      *in_places = in + process_count;
  int status = narrow(sent_counts, out, out_places) || narrow(received_counts, in, in_places) ||
               check(mpi.begin_alltoallv(sent, out, out_places, floats, received, in, in_places, floats, exchanges,
                                         &made->request));
  return begun(made, status, pending);
}

int com_progress(struct com_message *message, int *done) {
  if (check(mpi.test(&message->request, done, NULL))) return -1;
  if (*done) free(message);
  return 0;
}

int com_wait(struct com_message *message) {
  if (check(mpi.wait(&message->request, NULL))) return -1;
  free(message);
  return 0;
}

int com_broadcast(float *values, size_t count) {
  for (size_t start = 0; start < count; start += most_at_once) {
    size_t left = count - start;
    if (check(mpi.bcast(values + start, (int)(left < most_at_once ? left : most_at_once), floats, 0, world)))
      return -1;
  }
  return 0;
}
