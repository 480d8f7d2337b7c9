/* The products of four rows of a block, for NEON with products of matrices: part of ck_inference_neon_bytes.h. */

/* Adds the products of eight weights of each of four rows with activations 8 · `eight` … of every token: `first` has four
   of each row, `second` the next four. */
INLINE void add_matrices(const uint8x16_t first, const uint8x16_t second, const int eight, const int T,
                         int8x16_t (*tokens)[4], int32x4_t (*sums)[2]) {
  const uint32x4_t a = vreinterpretq_u32_u8(first), b = vreinterpretq_u32_u8(second);
  const uint8x16_t rows[2] = {vreinterpretq_u8_u32(vzip1q_u32(a, b)), vreinterpretq_u8_u32(vzip2q_u32(a, b))};
  UNROLL for (int j = 0; j < T; j++) {
    UNROLL for (int i = 0; i < 2; i++) sums[j][i] = vusmmlaq_s32(sums[j][i], rows[i], tokens[j][eight]);
  }
}

/* The sums of a block of four rows, whose first bytes are at `weights`, with T tokens. */
INLINE void four_rows(const int32_t type, const char *weights, const int T, int8x16_t (*tokens)[4], const int32_t *starts,
                      int32x4_t *whole) {
  /* By token, of two rows each: high and low sum of the first, of the second. */
  int32x4_t sums[PANEL_TOKENS][2];
  UNROLL for (int j = 0; j < T; j++) {
    const int32x4_t start = type == CK_Q4_1 ? vdupq_n_s32(0) : vzip1q_s32(vdupq_n_s32(0), vdupq_n_s32(starts[j]));
    UNROLL for (int i = 0; i < 2; i++) sums[j][i] = start;
  }
  const uint8x16_t low_half = vdupq_n_u8(15);
  UNROLL for (int k = 0; k < NAME(panel_pieces)(type); k += 2) {
    const uint8x16_t first = vld1q_u8((const uint8_t *)weights + 64 * k);
    const uint8x16_t second = vld1q_u8((const uint8_t *)weights + 64 * (k + 1));
    if (type == CK_Q8_0) {
      add_matrices(first, second, k / 2, T, tokens, sums);
    } else {
      add_matrices(vandq_u8(first, low_half), vandq_u8(second, low_half), k / 2, T, tokens, sums);
      add_matrices(vshrq_n_u8(first, 4), vshrq_n_u8(second, 4), 2 + k / 2, T, tokens, sums);
    }
  }
  UNROLL for (int j = 0; j < T; j++) {
    const int32x4_t high = vuzp1q_s32(sums[j][0], sums[j][1]), low = vuzp2q_s32(sums[j][0], sums[j][1]);
    whole[j] = vaddq_s32(vshlq_n_s32(high, 8), low);
  }
}

static size_t integer_peak(size_t steps, float *answer) {
  int32x4_t sums[PEAK_SUMS];
  const int8x16_t x = vdupq_n_s8((int8_t)(steps & 1));
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = vdupq_n_s32(i);
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = vusmmlaq_s32(sums[i], vreinterpretq_u8_s8(x), x);
  }
  int32x4_t all = vdupq_n_s32(0);
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all = vaddq_s32(all, sums[i]);
  *answer = (float)vaddvq_s32(all);
  /* Each product takes two. */
  return 16 * PEAK_SUMS * steps;
}
