/* Products of BF16 weights with activations rounded to BF16, for AVX-512 with BF16.

   An instruction multiplies 32 pairs and adds two products to each of 16 sums, in twice the speed of products of
   floats. Rounding to nearest loses of an activation what storing lost of a weight. */
#include <immintrin.h>

typedef __m512bh pairs;

INLINE pairs load_pairs(const char *p) { return (pairs)_mm512_loadu_si512(p); }

/* The first `count` < 32 numbers at p, then zeros. */
INLINE pairs load_pairs_part(const char *p, size_t count) {
  return (pairs)_mm512_maskz_loadu_epi16((__mmask32)((1u << count) - 1), p);
}

INLINE v16 add_pairs(v16 sum, pairs a, pairs b) { return (v16)_mm512_dpbf16_ps((__m512)sum, a, b); }

/* Bytes of a token's rounded activations: whole cache lines. */
static size_t rounded_bytes(size_t columns) { return (columns * 2 + 63) / 64 * 64; }

static void round_to_bfloat16(const float *x, size_t x_stride, size_t columns, size_t tokens, char *rounded) {
  for (size_t t = 0; t < tokens; t++, rounded += rounded_bytes(columns)) {
    const float *row = x + t * x_stride;
    for (size_t k = 0; k < columns; k += LANES) {
      const __mmask16 mask = columns - k < LANES ? (__mmask16)((1u << (columns - k)) - 1) : 0xffff;
      const __m256bh sixteen = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row + k));
      _mm256_storeu_si256((__m256i *)(rounded + 2 * k), (__m256i)sixteen);
    }
  }
}

static size_t bfloat16_peak(size_t steps, float *answer) {
  v16 sums[PEAK_SUMS];
  const pairs x = (pairs)_mm512_set1_epi32((int)(steps & 1));
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = (v16){0} + (float)i;
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = add_pairs(sums[i], x, x);
  }
  v16 all = {0};
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all += sums[i];
  *answer = NAME(sum)(all);
  return 2 * LANES * PEAK_SUMS * steps;
}
