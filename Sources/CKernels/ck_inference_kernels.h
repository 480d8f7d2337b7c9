/* The kernels of ck_inference.h, written once and compiled for each instruction set by the file that includes this.

   The includer defines
     NAME(x)        the name of x in this instruction set
     ISA            its CK_ISA_ number
     ISA_NAME       its name
     FMA(a, b, c)   a · b + c on vectors
     WIDEN_F16(p)   16 half-precision numbers at p, as floats
     WIDEN_SCALE(p) one half-precision number at p, as float
     NARROW_F16(x, p)   stores 16 floats at p as the nearest halves; what is not a number may keep its sign and bits
     LINEAR_ROWS, LINEAR_TOKENS   the tile of a matrix product, LINEAR_ROWS_1 its rows where there is one token
     INTEGER_PRODUCTS   if quantised weights meet rounded activations: the file of such products, see
                        ck_inference_integer.h; else they are those of ck_inference_panels.h
     BFLOAT16_PRODUCTS  if BF16 weights do: likewise, see ck_inference_bfloat16.h
     SCORE_QUERIES, SCORE_BLOCKS, MIX_QUERIES, MIX_VALUES   queries and blocks of keys, queries and registers of a value,
                    that meet in registers
   Tiles are chosen so that all their sums stay in registers; they do not change any result. */

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"

/* Sums that `peak` keeps in registers. */
#ifndef PEAK_SUMS
#define PEAK_SUMS 12
#endif

#include "ck_inference_vectors.h"
#include "ck_inference_products.h"
#include "ck_inference_panels.h"
#ifdef INTEGER_PRODUCTS
#include "ck_inference_integer.h"
#endif

/* ---- products by the type of the weights -------------------------------------------------------------------- */

static size_t NAME(rounded_size)(int32_t type, size_t columns, size_t tokens) {
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16) return rounded_bytes(columns) * tokens;
#endif
#ifdef INTEGER_PRODUCTS
  if (type >= CK_Q8_0) return integer_rounded(columns, tokens);
#endif
  (void)type, (void)columns, (void)tokens;
  return 0;
}

static void NAME(round)(int32_t type, const float *x, size_t x_stride, size_t columns, size_t tokens, size_t t0, size_t t1,
                        size_t c0, size_t c1, void *rounded) {
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16)
    round_to_bfloat16(x + t0 * x_stride, x_stride, columns, t1 - t0, c0, c1, (char *)rounded + t0 * rounded_bytes(columns));
#endif
#ifdef INTEGER_PRODUCTS
  if (type >= CK_Q8_0) round_activations(type, x, x_stride, columns, tokens, t0, t1, c0, c1, rounded);
#endif
  (void)type, (void)x, (void)x_stride, (void)columns, (void)tokens, (void)t0, (void)t1, (void)c0, (void)c1, (void)rounded;
}

static size_t NAME(linear_scratch)(int32_t type, size_t columns, size_t tokens) {
  const size_t rounded = NAME(rounded_size)(type, columns, tokens);
  if (type < CK_Q8_0) return rounded;
#ifdef INTEGER_PRODUCTS
  return rounded + integer_scratch(columns, tokens);
#else
  return NAME(panels_scratch)(type, columns, tokens);
#endif
}

static void NAME(linear)(int32_t type, const void *weights, size_t rows, size_t columns, const float *x,
                         size_t x_stride, size_t tokens, float *y, size_t y_stride, size_t r0, size_t r1,
                         float scale, const float *bias, int32_t accumulate, const void *rounded, void *scratch) {
  NAME(product) p = {weights, rows, columns, x, x_stride, y, y_stride, scale, bias, accumulate, rounded, 0};
#ifdef BFLOAT16_PRODUCTS
  p.rounded_bytes = rounded_bytes(columns);
#endif
  const size_t size = NAME(rounded_size)(type, columns, tokens);
  if (size > 0 && !rounded) {
    NAME(round)(type, x, x_stride, columns, tokens, 0, tokens, 0, columns, scratch);
    p.rounded = scratch;
    scratch = (char *)scratch + size;
  }
  switch (type) {
    case CK_F32: NAME(linear_of)(&p, CK_F32, tokens, r0, r1); break;
    case CK_F16: NAME(linear_of)(&p, CK_F16, tokens, r0, r1); break;
#ifdef INTEGER_PRODUCTS
    case CK_Q8_0: integer_linear(&p, CK_Q8_0, tokens, r0, r1, scratch); break;
    case CK_Q4_0: integer_linear(&p, CK_Q4_0, tokens, r0, r1, scratch); break;
    case CK_Q4_1: integer_linear(&p, CK_Q4_1, tokens, r0, r1, scratch); break;
#else
    case CK_Q8_0: NAME(panels_linear)(&p, CK_Q8_0, tokens, r0, r1, scratch); break;
    case CK_Q4_0: NAME(panels_linear)(&p, CK_Q4_0, tokens, r0, r1, scratch); break;
    case CK_Q4_1: NAME(panels_linear)(&p, CK_Q4_1, tokens, r0, r1, scratch); break;
#endif
    default: NAME(linear_of)(&p, CK_BF16, tokens, r0, r1); break;
  }
}

static size_t NAME(peak)(int32_t type, size_t steps, float *answer) {
#ifdef INTEGER_PRODUCTS
  if (type >= CK_Q8_0) return integer_peak(steps, answer);
#endif
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16) return bfloat16_peak(steps, answer);
#endif
  (void)type;
  v16 sums[PEAK_SUMS], x = (v16){0} + 1e-3f;
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = (v16){0} + (float)i;
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = FMA(sums[i], x, x);
  }
  v16 all = {0};
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all += sums[i];
  *answer = NAME(sum)(all);
  return LANES * PEAK_SUMS * steps;
}

#include "ck_inference_attention.h"
#include "ck_inference_rows.h"
#include "ck_inference_sampling.h"

/* ---- the table ---------------------------------------------------------------------------------------------- */

#ifdef INTEGER_PRODUCTS
#define BLOCK_STEPS MOST_WORD
#else
#define BLOCK_STEPS 0
#endif
#ifdef BFLOAT16_PRODUCTS
#define ROUNDS_TO_BFLOAT16 1
#else
#define ROUNDS_TO_BFLOAT16 0
#endif

const ck_inference NAME(kernels) = {
    ISA, ISA_NAME, BLOCK_STEPS, ROUNDS_TO_BFLOAT16, NAME(round), NAME(rounded_size), NAME(linear), NAME(linear_scratch), NAME(peak),
    NAME(attend), NAME(store_key), NAME(store_value), NAME(rms_norm), NAME(silu_multiply), NAME(rotate), NAME(dequantize), NAME(dequantize_panel),
    NAME(largest), NAME(exponentials),
#ifdef BFLOAT16_PRODUCTS
    bfloat16_linear_back, back_scratch,
#else
    NULL, NULL,
#endif
};
