/* COpenBLAS: OpenBLAS, loaded when training first needs it.

   Why a shim: (1) starting OpenBLAS allocates tens of megabytes and starts threads, which a chat that never
   trains should not pay for; (2) releases before 0.3.24 or so do not know newer processors and fall back to
   their AVX2 kernels, half as fast as the AVX-512 ones they have; the choice can only be made through the
   environment before the library is loaded (STITCH_OPENBLAS_CORETYPE overrides it; an OPENBLAS_CORETYPE set for
   other programs does not); (3) cblas.h drags vendor types into Swift.

   All matrices are row-major. Nothing is kept between calls; all memory belongs to the caller. */
#ifndef COPENBLAS_H
#define COPENBLAS_H

#include <stdint.h>

/* Loads the library once, thread-safe. 0 on success, -1 if the library or a function in it is missing;
   cob_error() then says why. */
int cob_load(void);
/* The reason of the last failure of cob_load, or "". Static memory, never NULL. */
const char *_Nonnull cob_error(void);
/* Name of the kernels in use ("SkylakeX", …), or "" before cob_load. Static memory, never NULL. */
const char *_Nonnull cob_core_name(void);
/* The library's own words for its version and how it was built, or "" before cob_load. Static memory, never NULL. */
const char *_Nonnull cob_configuration(void);

/* C[m×n] = alpha · op(A)[m×k] · op(B)[k×n] + beta · C. lda, ldb, ldc are row strides of the matrices as stored.
   Single-threaded: callers divide the work themselves. */
void cob_sgemm(int transpose_a, int transpose_b, int m, int n, int k, float alpha,
               const float *_Nonnull a, int lda, const float *_Nonnull b, int ldb, float beta,
               float *_Nonnull c, int ldc);

/* C += alpha · Aᵀ·A in double precision, A is [k×n] row-major, upper triangle of C[n×n] only. */
void cob_dsyrk(int n, int k, double alpha, const double *_Nonnull a, int lda, double beta,
               double *_Nonnull c, int ldc);
/* C[m×n] = alpha · op(A) · op(B) + beta · C in double precision. */
void cob_dgemm(int transpose_a, int transpose_b, int m, int n, int k, double alpha,
               const double *_Nonnull a, int lda, const double *_Nonnull b, int ldb, double beta,
               double *_Nonnull c, int ldc);
/* Solves A·X = B for a symmetric positive definite A[n×n] (upper triangle stored row-major, overwritten by its
   factor); B is [nrhs×n] row-major, one right-hand side a row, overwritten by the solution.
   0 on success, > 0 if A is not positive definite, < 0 for a bad argument. */
int cob_dposv(int n, int nrhs, double *_Nonnull a, double *_Nonnull b);
/* Eigenvalues and eigenvectors of a symmetric A[n×n], of which the upper triangle counts as stored row-major. A is
   overwritten by the eigenvectors, one a row, and w[n] holds the eigenvalues, ascending. 0 on success, > 0 if it does not
   converge, < 0 for a bad argument or where there is no memory to work in. */
int cob_dsyev(int n, double *_Nonnull a, double *_Nonnull w);

#endif
