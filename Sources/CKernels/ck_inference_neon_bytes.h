/* Products in bytes, for NEON with dot products or, where MATRIX_PRODUCTS is defined, with products of 2 × 8 bytes with
   8 × 2: see ck_inference_integer.h.

   Activations are rounded as for VNNI, see ck_inference_bytes.h, and multiplied as two bytes each: 256 · high + low. A dot
   product multiplies sixteen signed bytes, four of each of four rows, and adds four products to each of four sums; a
   product of matrices multiplies eight bytes of each of two rows with eight high and the same eight low ones of a token,
   and adds eight products to each of four sums. Sums of blocks are exact, so all three give the same bits. */
#define ACTIVATION_BYTES 2
#define PANELS 1
#ifdef MATRIX_PRODUCTS
#define PANEL_TOKENS 4
#else
#define PANEL_TOKENS 2 /* each takes two registers of sums, where one holds both kinds above */
#endif

/* Rows of a register of sums, and how many registers a panel's rows take. */
#define SUM_ROWS 4
#define SUMS (CK_PANEL_ROWS / SUM_ROWS)

/* Of the largest activation of a block. */
#define MOST_WORD (127.0f * 256)

/* Smaller magnitudes are zeros, so that 1 / d is finite. */
#define LEAST_MAGNITUDE 0x1p-100f

/* Stores eight activations as bytes: eight high ones here, eight low ones where they are met. */
INLINE void store_bytes(const int32x4_t first, const int32x4_t second, char *values, const int place) {
  const int32x4_t half = vdupq_n_s32(128);
  const int32x4_t high_first = vshrq_n_s32(vaddq_s32(first, half), 8), high_second = vshrq_n_s32(vaddq_s32(second, half), 8);
  const int32x4_t low_first = vsubq_s32(first, vshlq_n_s32(high_first, 8));
  const int32x4_t low_second = vsubq_s32(second, vshlq_n_s32(high_second, 8));
  const int8x8_t high = vmovn_s16(vcombine_s16(vmovn_s32(high_first), vmovn_s32(high_second)));
  const int8x8_t low = vmovn_s16(vcombine_s16(vmovn_s32(low_first), vmovn_s32(low_second)));
#ifdef MATRIX_PRODUCTS
  vst1q_s8((int8_t *)values + 2 * place, vcombine_s8(high, low));
#else
  vst1_s8((int8_t *)values + place, high);
  vst1_s8((int8_t *)values + CK_BLOCK + place, low);
#endif
}

/* 32 activations as bytes, their scale, and where the sum of their products starts, of Q4_1 their own sum. */
INLINE void round_block(const float *x, const int32_t type, char *values, float *scale, int32_t *start) {
  const int32x4_t magnitude = vdupq_n_s32(0x7fffffff);
  /* Compared as whole numbers, what is not finite counts as largest and reaches the result through the scale. */
  int32x4_t largest = vdupq_n_s32(0);
  for (int i = 0; i < CK_BLOCK; i += 4)
    largest = vmaxq_s32(largest, vandq_s32(vreinterpretq_s32_f32(vld1q_f32(x + i)), magnitude));
  const int32_t bits = vmaxvq_s32(largest);
  float most;
  memcpy(&most, &bits, sizeof most);
  /* Not so written as to take what is no number for small. */
  if (most < LEAST_MAGNITUDE) most = 0;
  *scale = most / MOST_WORD;
  const float inverse = most == 0 ? 0 : MOST_WORD / most;
  int32x4_t total = vdupq_n_s32(0);
  for (int i = 0; i < CK_BLOCK; i += 8) {
    const int32x4_t first = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), inverse));
    const int32x4_t second = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), inverse));
    total = vaddq_s32(total, vaddq_s32(first, second));
    store_bytes(first, second, values, i);
  }
  const int32_t count = most < INFINITY ? vaddvq_s32(total) : 0;
  const float sum = *scale * (float)count;
  if (type == CK_Q4_1) memcpy(start, &sum, sizeof sum);
#ifdef MATRIX_PRODUCTS
  else *start = (type == CK_Q8_0 ? -128 : -8) * count;
#else
  else *start = (type == CK_Q8_0 ? 0 : -8) * count; /* bytes of Q8_0 are made signed where they are loaded */
#endif
}

#ifdef MATRIX_PRODUCTS
#include "ck_inference_neon_matrices.h"
#else
#include "ck_inference_neon_dots.h"
#endif

/* Adds the products of rows 4 · i … of a block with T tokens, times both scales, to their sums. */
INLINE void add_four_rows(const int32_t type, const char *block, const int i, const int T, int8x16_t (*tokens)[4],
                          const int32_t *starts, const float *scales, float32x4_t (*sums)[SUMS]) {
  const char *halves = block + 64 * NAME(panel_pieces)(type) + 2 * SUM_ROWS * i;
  int32x4_t whole[PANEL_TOKENS];
  four_rows(type, block + 16 * i, T, tokens, starts, whole);
  float16x4_t half;
  memcpy(&half, halves, sizeof half);
  const float32x4_t weight_scales = vcvt_f32_f16(half);
  UNROLL for (int j = 0; j < T; j++)
    sums[j][i] = vfmaq_f32(sums[j][i], vcvtq_f32_s32(whole[j]), vmulq_n_f32(weight_scales, scales[j]));
  if (type != CK_Q4_1) return;
  memcpy(&half, halves + 2 * CK_PANEL_ROWS, sizeof half);
  const float32x4_t minima = vcvt_f32_f16(half);
  UNROLL for (int j = 0; j < T; j++)
    sums[j][i] = vfmaq_f32(sums[j][i], minima, vreinterpretq_f32_s32(vdupq_n_s32(starts[j])));
}

/* The T tokens of the group that starts with token t. The tokens' part of a block stays in registers while the panel's rows
   pass, four at a time. */
INLINE void integer_tile(const NAME(product) *p, const activations *a, const int32_t type, const int P,
                         const part *panel, const int T, size_t t, NAME(ahead) *later) {
  const size_t blocks = p->columns / CK_BLOCK, bytes = NAME(panel_block)(type);
  const char *values = a->values + t * p->columns * ACTIVATION_BYTES, *next = panel->blocks;
  const float *scales = a->scales + t * blocks;
  const int32_t *starts = a->starts + t * blocks;
  float32x4_t sums[PANEL_TOKENS][SUMS];
  UNROLL for (int j = 0; j < T; j++) {
    UNROLL for (int i = 0; i < SUMS; i++) sums[j][i] = vdupq_n_f32(0);
  }
  (void)P;
  for (size_t block = 0; block < blocks; block++, next += bytes) {
    NAME(ask_ahead)(later);
    int8x16_t tokens[PANEL_TOKENS][4];
    UNROLL for (int j = 0; j < T; j++) {
      UNROLL for (int i = 0; i < 4; i++)
        tokens[j][i] = vld1q_s8((const int8_t *)values + CK_BLOCK * ACTIVATION_BYTES * j + 16 * i);
    }
    /* With many tokens not unrolled, so that the sums of four rows alone take registers. */
    if (PANEL_TOKENS == 2 || T == 1) {
      UNROLL for (int i = 0; i < SUMS; i++) add_four_rows(type, next, i, T, tokens, starts, scales, sums);
    } else {
      _Pragma("clang loop unroll(disable)") for (int i = 0; i < SUMS; i++)
        add_four_rows(type, next, i, T, tokens, starts, scales, sums);
    }
    values += CK_BLOCK * ACTIVATION_BYTES * T, scales += T, starts += T;
  }
  UNROLL for (int j = 0; j < T; j++)
    NAME(store_panel)(p, (const float *)sums[j], panel->row, panel->first, panel->last, t + (size_t)j);
}
