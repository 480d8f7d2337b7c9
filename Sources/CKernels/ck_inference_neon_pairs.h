/* Pairs of BF16 for NEON, eight in a register: see ck_inference_bfloat16.h. */

typedef struct {
  bfloat16x8_t eight[4];
} pairs;

INLINE pairs load_pairs(const char *p) {
  pairs all;
  UNROLL for (int i = 0; i < 4; i++) memcpy(&all.eight[i], p + 16 * i, 16);
  return all;
}

/* The first `count` < 32 numbers at p, then zeros. */
INLINE pairs load_pairs_part(const char *p, size_t count) {
  char room[64] = {0};
  memcpy(room, p, 2 * count);
  return load_pairs(room);
}

INLINE pairs all_pairs(int32_t two) {
  const bfloat16x8_t same = vreinterpretq_bf16_s32(vdupq_n_s32(two));
  return (pairs){{same, same, same, same}};
}

INLINE v16 add_pairs(v16 sum, pairs a, pairs b) {
  const v8 low = __builtin_shufflevector(sum, sum, 0, 1, 2, 3, 4, 5, 6, 7);
  const v8 high = __builtin_shufflevector(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15);
  float32x4_t sums[4] = {
      __builtin_shufflevector(low, low, 0, 1, 2, 3), __builtin_shufflevector(low, low, 4, 5, 6, 7),
      __builtin_shufflevector(high, high, 0, 1, 2, 3), __builtin_shufflevector(high, high, 4, 5, 6, 7)};
  UNROLL for (int i = 0; i < 4; i++) sums[i] = vbfdotq_f32(sums[i], a.eight[i], b.eight[i]);
  const v8 first = __builtin_shufflevector(sums[0], sums[1], 0, 1, 2, 3, 4, 5, 6, 7);
  const v8 second = __builtin_shufflevector(sums[2], sums[3], 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

INLINE void round_sixteen(const float *x, size_t count, char *to) {
  float room[LANES] = {0};
  if (count < LANES) memcpy(room, x, count * sizeof(float)), x = room;
  UNROLL for (int i = 0; i < LANES; i += 8) {
    const bfloat16x8_t eight = vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(vld1q_f32(x + i)), vld1q_f32(x + i + 4));
    memcpy(to + 2 * i, &eight, sizeof eight);
  }
}

INLINE void weave(const char *row, size_t count, const char *next, size_t next_count, char *to) {
  uint16_t a[32] = {0}, b[32] = {0};
  memcpy(a, row, 2 * count);
  if (next_count > 0) memcpy(b, next, 2 * next_count);
  UNROLL for (int i = 0; i < 32; i += 8) {
    const uint16x8_t left = vld1q_u16(a + i), right = vld1q_u16(b + i);
    vst1q_u16((uint16_t *)(to + 4 * i), vzip1q_u16(left, right));
    vst1q_u16((uint16_t *)(to + 4 * i + 16), vzip2q_u16(left, right));
  }
}

INLINE void add_to_row(float *out, v16 sums, size_t count, int32_t accumulate) {
  if (accumulate) sums += count < LANES ? NAME(load_part)(CK_F32, (const char *)out, count) : NAME(load)(out);
  memcpy(out, &sums, count * sizeof(float));
}
