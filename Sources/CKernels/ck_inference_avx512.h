/* What the kernels for AVX-512 share; the includer defines NAME, ISA, ISA_NAME and TARGET, the instructions to compile for. */
#include <string.h>

#define FMA(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#define WIDEN_F16(p) NAME(widen_f16)(p)
#define WIDEN_SCALE(p) NAME(widen_scale)(p)
#define LINEAR_ROWS 4
#define LINEAR_TOKENS 6
#define LINEAR_ROWS_1 4
#define SCORE_QUERIES 4
#define SCORE_BLOCKS 4
#define MIX_QUERIES 4
#define MIX_VALUES 2

#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)

static inline __attribute__((always_inline)) float __attribute__((vector_size(64)))
NAME(widen_f16)(const char *p) {
  typedef float v __attribute__((vector_size(64)));
  typedef _Float16 h __attribute__((vector_size(32)));
  h half;
  memcpy(&half, p, sizeof half);
  return __builtin_convertvector(half, v);
}

static inline __attribute__((always_inline)) float NAME(widen_scale)(const char *p) {
  _Float16 half;
  memcpy(&half, p, sizeof half);
  return (float)half;
}

#include "ck_inference_kernels.h"

#pragma clang attribute pop
