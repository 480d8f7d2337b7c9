#define _GNU_SOURCE
#include "copenblas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { row_major = 101, no_trans = 111, trans = 112, upper = 121 };

typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                         int);
typedef void (*dgemm_fn)(int, int, int, int, int, int, double, const double *, int, const double *, int, double,
                         double *, int);
typedef void (*dsyrk_fn)(int, int, int, int, int, double, const double *, int, double, double *, int);
typedef void (*dposv_fn)(const char *, const int *, const int *, double *, const int *, double *, const int *, int *,
                         size_t);
typedef void (*dsyev_fn)(const char *, const char *, const int *, double *, const int *, double *, double *,
                         const int *, int *, size_t, size_t);

static sgemm_fn sgemm;
static dgemm_fn dgemm;
static dsyrk_fn dsyrk;
static dposv_fn dposv;
static dsyev_fn dsyev;
static char *(*corename)(void);
static char *(*config)(void);
static char error_text[512];
static int status = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* When the process exits, the library is taken down while other threads may still compute, which would be a fault: calls
   under way are waited for, later ones never return. Whoever ends comes before those who begin a call. */
static pthread_rwlock_t in_use = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void begin(void) { pthread_rwlock_rdlock(&in_use); }
static void end(void) { pthread_rwlock_unlock(&in_use); }
static void close_for_good(void) { pthread_rwlock_wrlock(&in_use); }

static void load(void) {
  const char *chosen = getenv("STITCH_OPENBLAS_CORETYPE");
  if (chosen) setenv("OPENBLAS_CORETYPE", chosen, 1);
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!chosen && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 1); /* reason (2) in the header */
#endif
  setenv("OPENBLAS_NUM_THREADS", "1", 1); /* the callers' own threads do the dividing */
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", NULL};
  void *library = NULL;
  for (int i = 0; names[i] && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(error_text, sizeof error_text, "%s", why ? why : "libopenblas.so.0 cannot be loaded");
    return;
  }
  sgemm = (sgemm_fn)dlsym(library, "cblas_sgemm");
  dgemm = (dgemm_fn)dlsym(library, "cblas_dgemm");
  dsyrk = (dsyrk_fn)dlsym(library, "cblas_dsyrk");
  dposv = (dposv_fn)dlsym(library, "dposv_");
  dsyev = (dsyev_fn)dlsym(library, "dsyev_");
  corename = (char *(*)(void))dlsym(library, "openblas_get_corename");
  config = (char *(*)(void))dlsym(library, "openblas_get_config");
  if (!sgemm || !dgemm || !dsyrk || !dposv || !dsyev) {
    snprintf(error_text, sizeof error_text, "libopenblas lacks cblas_sgemm, cblas_dgemm, cblas_dsyrk, dposv_ or dsyev_");
    return;
  }
  atexit(close_for_good);
  status = 0;
}

int cob_load(void) {
  pthread_once(&once, load);
  return status;
}

const char *cob_error(void) { return error_text; }

const char *cob_core_name(void) { return corename ? corename() : ""; }

const char *cob_configuration(void) { return config ? config() : ""; }

void cob_sgemm(int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
               float beta, float *c, int ldc) {
  begin();
  sgemm(row_major, ta ? trans : no_trans, tb ? trans : no_trans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  end();
}

void cob_dgemm(int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
               double beta, double *c, int ldc) {
  begin();
  dgemm(row_major, ta ? trans : no_trans, tb ? trans : no_trans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  end();
}

void cob_dsyrk(int n, int k, double alpha, const double *a, int lda, double beta, double *c, int ldc) {
  begin();
  dsyrk(row_major, upper, trans, n, k, alpha, a, lda, beta, c, ldc);
  end();
}

int cob_dposv(int n, int nrhs, double *a, double *b) {
  int info = 0; /* the row-major upper triangle is the column-major lower one */
  begin();
  dposv("L", &n, &nrhs, a, &n, b, &n, &info, 1);
  end();
  return info;
}

int cob_dsyev(int n, double *a, double *w) {
  int info = 0, room = -1;
  double wanted = 0;
  begin();
  dsyev("V", "L", &n, a, &n, w, &wanted, &room, &info, 1, 1);
  double *work = NULL;
  if (info == 0) {
    room = (int)wanted;
    work = malloc(sizeof(double) * (size_t)room);
    if (work) dsyev("V", "L", &n, a, &n, w, work, &room, &info, 1, 1); /* its columns are our rows */
    else info = -1;
  }
  end();
  free(work);
  return info;
}
