/* Pairs of BF16 for AVX-512, 32 in a register: see ck_inference_bfloat16.h. */
#include <immintrin.h>

typedef __m512bh pairs;

INLINE pairs load_pairs(const char *p) { return (pairs)_mm512_loadu_si512(p); }

/* The first `count` < 32 numbers at p, then zeros. */
INLINE pairs load_pairs_part(const char *p, size_t count) {
  return (pairs)_mm512_maskz_loadu_epi16((__mmask32)((1u << count) - 1), p);
}

INLINE pairs all_pairs(int32_t two) { return (pairs)_mm512_set1_epi32(two); }

INLINE v16 add_pairs(v16 sum, pairs a, pairs b) { return (v16)_mm512_dpbf16_ps((__m512)sum, a, b); }

INLINE __mmask16 first_lanes(size_t count) { return count < LANES ? (__mmask16)((1u << count) - 1) : 0xffff; }

INLINE void round_sixteen(const float *x, size_t count, char *to) {
  const __m256bh sixteen = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(first_lanes(count), x));
  _mm256_storeu_si256((__m256i *)to, (__m256i)sixteen);
}

/* The first `count` ≤ 32 numbers at p, then zeros. */
INLINE __m512i load_up_to_32(const char *p, size_t count) {
  return count == 0 ? _mm512_setzero_si512()
                    : _mm512_maskz_loadu_epi16(count < 32 ? (__mmask32)((1u << count) - 1) : 0xffffffff, p);
}

INLINE void weave(const char *row, size_t count, const char *next, size_t next_count, char *to) {
  const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4,
                                         35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  const __m512i a = load_up_to_32(row, count), b = load_up_to_32(next, next_count);
  _mm512_store_si512(to, _mm512_permutex2var_epi16(a, first, b));
  _mm512_store_si512(to + 64, _mm512_permutex2var_epi16(a, second, b));
}

INLINE void add_to_row(float *out, v16 sums, size_t count, int32_t accumulate) {
  const __mmask16 mask = first_lanes(count);
  __m512 sum = (__m512)sums;
  if (accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, out));
  _mm512_mask_storeu_ps(out, mask, sum);
}
