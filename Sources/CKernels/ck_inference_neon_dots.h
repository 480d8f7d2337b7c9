/* The products of four rows of a block, for NEON with dot products: part of ck_inference_neon_bytes.h. */

/* Adds the products of a register of weights with four activations of every token: `half` says which sixteen of the block
   they are of, LANE which four of those. */
#define ADD_DOTS(weights, half, LANE)                                          \
  UNROLL for (int j = 0; j < T; j++) {                                         \
    high[j] = vdotq_laneq_s32(high[j], weights, tokens[j][half], LANE);        \
    low[j] = vdotq_laneq_s32(low[j], weights, tokens[j][2 + (half)], LANE);    \
  }

/* Register k of a block's weights, of which there are twice as many in Q8_0. */
#define ADD_PIECE(LANE)                                                        \
  {                                                                            \
    const uint8x16_t first = vld1q_u8((const uint8_t *)weights + 64 * LANE);   \
    if (type == CK_Q8_0) {                                                     \
      const uint8x16_t second = vld1q_u8((const uint8_t *)weights + 64 * (4 + LANE)); \
      ADD_DOTS(vreinterpretq_s8_u8(veorq_u8(first, flip)), 0, LANE)            \
      ADD_DOTS(vreinterpretq_s8_u8(veorq_u8(second, flip)), 1, LANE)           \
    } else {                                                                   \
      ADD_DOTS(vreinterpretq_s8_u8(vandq_u8(first, low_half)), 0, LANE)        \
      ADD_DOTS(vreinterpretq_s8_u8(vshrq_n_u8(first, 4)), 1, LANE)             \
    }                                                                          \
  }

/* The sums of a block of four rows, whose first bytes are at `weights`, with T tokens. */
INLINE void four_rows(const int32_t type, const char *weights, const int T, int8x16_t (*tokens)[4], const int32_t *starts,
                      int32x4_t *whole) {
  const uint8x16_t flip = vdupq_n_u8(0x80), low_half = vdupq_n_u8(15);
  int32x4_t high[PANEL_TOKENS], low[PANEL_TOKENS];
  UNROLL for (int j = 0; j < T; j++) {
    high[j] = vdupq_n_s32(0);
    low[j] = type == CK_Q4_1 ? vdupq_n_s32(0) : vdupq_n_s32(starts[j]);
  }
  ADD_PIECE(0)
  ADD_PIECE(1)
  ADD_PIECE(2)
  ADD_PIECE(3)
  UNROLL for (int j = 0; j < T; j++) whole[j] = vaddq_s32(vshlq_n_s32(high[j], 8), low[j]);
}

static size_t integer_peak(size_t steps, float *answer) {
  int32x4_t sums[PEAK_SUMS];
  const int8x16_t x = vdupq_n_s8((int8_t)(steps & 1));
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = vdupq_n_s32(i);
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = vdotq_s32(sums[i], x, x);
  }
  int32x4_t all = vdupq_n_s32(0);
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all = vaddq_s32(all, sums[i]);
  *answer = (float)vaddvq_s32(all);
  /* Each product takes two. */
  return 8 * PEAK_SUMS * steps;
}
