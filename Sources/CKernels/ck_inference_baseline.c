/* Inference kernels for what every processor of the architecture has. */
#include "ckernels.h"

#define NAME(x) ck_baseline_##x
#define ISA CK_ISA_BASELINE
#define ISA_NAME "baseline"
#define FMA(a, b, c) ((a) * (b) + (c))
#define WIDEN_F16(p) ck_baseline_widen_f16(p)
#define WIDEN_SCALE(p) ck_baseline_widen_scale(p)
#define NARROW_F16(x, p) ck_baseline_narrow_f16(x, p)
#define LINEAR_ROWS 2
#define LINEAR_TOKENS 1
#define LINEAR_ROWS_1 2
#define SCORE_QUERIES 1
#define SCORE_BLOCKS 4
#define MIX_QUERIES 1
#define MIX_VALUES 2

#include <string.h>

/* Without F16C: shift the bits into a float whose exponent is 112 too small, multiply by 2¹¹² (exact, subnormals
   included), then put back what was infinite or not a number. */
static inline __attribute__((always_inline)) float __attribute__((vector_size(64)))
ck_baseline_widen_f16(const char *p) {
  typedef float v __attribute__((vector_size(64)));
  typedef uint32_t u __attribute__((vector_size(64)));
  typedef uint16_t h __attribute__((vector_size(32)));
  h half;
  memcpy(&half, p, sizeof half);
  u bits = __builtin_convertvector(half, u);
  u magnitude = bits & 0x7FFF;
  v value = (v)(magnitude << 13) * 0x1p112f;
  u special = (u)(magnitude >= 0x7C00) & 0x7F800000;
  return (v)((u)value | special | ((bits & 0x8000) << 16));
}

static inline __attribute__((always_inline)) float ck_baseline_widen_scale(const char *p) {
  uint16_t half;
  memcpy(&half, p, sizeof half);
  uint32_t shifted = (uint32_t)(half & 0x7FFF) << 13, bits;
  float value;
  memcpy(&value, &shifted, sizeof value);
  value *= 0x1p112f;
  memcpy(&bits, &value, sizeof bits);
  bits |= ((half & 0x7FFF) >= 0x7C00 ? 0x7F800000u : 0) | (uint32_t)(half & 0x8000) << 16;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline __attribute__((always_inline)) void ck_baseline_narrow_f16(float __attribute__((vector_size(64))) x,
                                                                         char *p) {
  uint16_t half[16];
  for (int i = 0; i < 16; i++) half[i] = x[i] != x[i] ? 0x7e00 : ck_half_bits(x[i]);
  memcpy(p, half, sizeof half);
}

#include "ck_inference_kernels.h"
