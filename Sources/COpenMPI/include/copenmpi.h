/* COpenMPI: Open MPI, loaded when `mpirun` has started the program and never otherwise.

   Why a shim: (1) nothing of MPI may be needed to build or to run a chat, so the library is loaded by name and its few
   functions are declared here, as MPI 3.1 has them; (2) Open MPI's handles (MPI_COMM_WORLD, MPI_FLOAT, …) are macros
   over addresses of global symbols, which Swift cannot import; other implementations have other handles, and are refused
   by name; (3) counts are C ints there and longer here.

   One job a process: com_start once, com_end at most once, all calls from the thread that called com_start. Memory
   belongs to the caller and must stay until the call returns. Functions return 0, or -1 where it failed: com_error()
   then says why. A call that failed leaves the processes apart: the caller has to end its own. */
#ifndef COPENMPI_H
#define COPENMPI_H

#include <stddef.h>

/* Whether there is an Open MPI to load. It stays loaded only where it was. */
int com_is_there(void);
/* Loads the library, joins the job, and tells this process's place in it. `library_missing` becomes 1 where there is no
   Open MPI to load, else 0. */
int com_start(int *_Nonnull rank, int *_Nonnull count, int *_Nonnull library_missing);
/* Leaves the job, when all processes have come to do so. */
int com_end(void);
/* The reason of the last failure, or "". Static memory, never NULL. */
const char *_Nonnull com_error(void);

/* Every process's `bytes` bytes, one after another by rank, in `all`, which has room for `counts`, their numbers. */
int com_gather_bytes(const void *_Nullable part, size_t bytes, void *_Nullable all, const size_t *_Nonnull counts);
/* Every process's floats, counts[rank] of each, one after another by rank. */
int com_gather(const float *_Nonnull part, float *_Nonnull all, const size_t *_Nonnull counts);
/* sent_counts[r] floats go to process r and received_counts[r] come from it, both one after another by rank. */
int com_exchange(const float *_Nonnull sent, const size_t *_Nonnull sent_counts, float *_Nonnull received,
                 const size_t *_Nonnull received_counts);
/* A message that was begun and may not have ended; it belongs to the library. */
struct com_message;
/* The same two without waiting: `pending` is what com_progress and com_wait take. Memory for floats must stay until it is
   done, counts need not. All processes begin those of either kind in the same order. */
int com_begin_gather(const float *_Nonnull part, float *_Nonnull all, const size_t *_Nonnull counts,
                     struct com_message *_Nullable *_Nonnull pending);
int com_begin_exchange(const float *_Nonnull sent, const size_t *_Nonnull sent_counts, float *_Nonnull received,
                       const size_t *_Nonnull received_counts, struct com_message *_Nullable *_Nonnull pending);
/* Lets messages go on; `done` becomes 1, and what was pending is gone, or 0. */
int com_progress(struct com_message *_Nonnull pending, int *_Nonnull done);
/* Returns when it is done and gone. */
int com_wait(struct com_message *_Nonnull pending);
/* Process 0's floats, everywhere. */
int com_broadcast(float *_Nonnull values, size_t count);

#endif
