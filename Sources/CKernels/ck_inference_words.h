/* Products in words of 16 bits, for AVX2: see ck_inference_integer.h.

   d = max |x| / 32767: what rounding changes is far below what the weights' own does, at twice the speed of floats.
   vpmaddwd multiplies words and adds pairs of products. The four bytes of a row in a panel's register are read as words:
   bytes 0 and 2 are the low ones of a pair, 1 and 3 the high ones, and so are the halves of bytes; activations are kept
   in that order, as pairs (k, k + 2), (k + 1, k + 3) of every four. */
#include <immintrin.h>

#define ACTIVATION_BYTES 2
#define PANELS 1
#define PANEL_TOKENS 4
#define UNPACKED_PRODUCTS "ck_inference_unpacked.h"

/* Rows of a register, and how many registers a panel's rows take. */
#define WORD_ROWS 8
#define SIDES (CK_PANEL_ROWS / WORD_ROWS)

/* Words of the largest activation of a block. */
#define MOST_WORD 32767.0f

/* Smaller magnitudes are zeros, so that 1 / d is finite. */
#define LEAST_MAGNITUDE 0x1p-100f

/* 32 activations as words, their scale, and where the sum of their products starts, of Q4_1 their own sum. */
INLINE void round_block(const float *x, const int32_t type, char *values, float *scale, int32_t *start) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  /* Of every four in this order; _mm256_packs_epi32 joins fours with fours of another register. */
  const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
  /* Compared as whole numbers, what is not finite counts as largest and reaches the result through the scale. */
  __m256i largest = _mm256_setzero_si256();
  for (int i = 0; i < CK_BLOCK; i += 8)
    largest = _mm256_max_epi32(largest, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), magnitude));
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
  float most = _mm_cvtss_f32(_mm_castsi128_ps(four));
  /* Not so written as to take what is no number for small. */
  if (most < LEAST_MAGNITUDE) most = 0;
  *scale = most / MOST_WORD;
  const __m256 inverse = _mm256_set1_ps(most == 0 ? 0 : MOST_WORD / most);
  __m256i total = _mm256_setzero_si256();
  for (int i = 0; i < CK_BLOCK; i += 8) {
    const __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), inverse));
    total = _mm256_add_epi32(total, whole);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storeu_si128((__m128i *)(values + 2 * i), _mm_shuffle_epi8(words, order));
  }
  four = _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
  const int32_t count = most < INFINITY ? _mm_cvtsi128_si32(four) : 0;
  const float sum = *scale * (float)count;
  if (type == CK_Q4_1) memcpy(start, &sum, sizeof sum);
  else *start = (type == CK_Q8_0 ? -128 : -8) * count;
}

/* Adds the products of the words in `weights` with pair `pair` of T tokens to whole[side][token]. */
INLINE void word_pairs(const __m256i *weights, const int T, const char *values, const int pair,
                       __m256i (*whole)[PANEL_TOKENS]) {
  UNROLL for (int j = 0; j < T; j++) {
    int32_t two;
    memcpy(&two, values + CK_BLOCK * ACTIVATION_BYTES * j + 4 * pair, sizeof two);
    const __m256i x = _mm256_set1_epi32(two);
    __m256i products[SIDES];
    UNROLL for (int side = 0; side < SIDES; side++) products[side] = _mm256_madd_epi16(weights[side], x);
    UNROLL for (int side = 0; side < SIDES; side++) whole[side][j] = _mm256_add_epi32(whole[side][j], products[side]);
  }
}

/* The words of register k of a block's weights that start at bit `shift`, and the pair of activations they meet: the
   high halves of bytes are the second sixteen of the block, the second byte of two is the second pair of four. */
INLINE __m256i words_at(const int32_t type, const __m256i bytes, const int shift) {
  const int bits = type == CK_Q8_0 ? 8 : 4;
  const __m256i moved = shift ? _mm256_srli_epi16(bytes, shift) : bytes;
  return shift + bits < 16 ? _mm256_and_si256(moved, _mm256_set1_epi16((1 << bits) - 1)) : moved;
}

INLINE int pair_at(const int k, const int shift) { return 2 * k + shift / 8 + (shift % 8 ? CK_BLOCK / 4 : 0); }

/* Adds the products of register k of a block's weights. */
INLINE void word_piece(const int32_t type, const char *block, const int T, const char *values, const int k,
                       __m256i (*whole)[PANEL_TOKENS]) {
  __m256i bytes[SIDES];
  UNROLL for (int side = 0; side < SIDES; side++)
    bytes[side] = _mm256_loadu_si256((const __m256i *)(block + 64 * k + 32 * side));
  UNROLL for (int shift = 0; shift < 16; shift += type == CK_Q8_0 ? 8 : 4) {
    __m256i words[SIDES];
    UNROLL for (int side = 0; side < SIDES; side++) words[side] = words_at(type, bytes[side], shift);
    word_pairs(words, T, values, pair_at(k, shift), whole);
  }
}

/* The T tokens of the group that starts with token t. */
INLINE void integer_tile(const NAME(product) *p, const activations *a, const int32_t type, const int P,
                         const part *panel, const int T, size_t t, NAME(ahead) *later) {
  const size_t blocks = p->columns / CK_BLOCK, bytes = NAME(panel_block)(type);
  const char *values = a->values + t * p->columns * ACTIVATION_BYTES, *next = panel->blocks;
  const float *scales = a->scales + t * blocks;
  const int32_t *starts = a->starts + t * blocks;
  __m256 sums[SIDES][PANEL_TOKENS];
  UNROLL for (int side = 0; side < SIDES; side++) {
    UNROLL for (int j = 0; j < T; j++) sums[side][j] = _mm256_setzero_ps();
  }
  (void)P;
  for (size_t block = 0; block < blocks; block++, next += bytes) {
    NAME(ask_ahead)(later);
    __m256i whole[SIDES][PANEL_TOKENS];
    UNROLL for (int j = 0; j < T; j++) {
      const __m256i start = type == CK_Q4_1 ? _mm256_setzero_si256() : _mm256_set1_epi32(starts[j]);
      UNROLL for (int side = 0; side < SIDES; side++) whole[side][j] = start;
    }
    /* Not unrolled, so that the weights of one step alone take registers. */
    _Pragma("clang loop unroll(disable)") for (int k = 0; k < NAME(panel_pieces)(type); k++)
      word_piece(type, next, T, values, k, whole);
    const char *halves = next + 64 * NAME(panel_pieces)(type);
    UNROLL for (int side = 0; side < SIDES; side++) {
      const __m256 weight_scales = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves + side));
      UNROLL for (int j = 0; j < T; j++)
        sums[side][j] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole[side][j]),
                                        _mm256_mul_ps(weight_scales, _mm256_set1_ps(scales[j])), sums[side][j]);
      if (type != CK_Q4_1) continue;
      const __m256 minima = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves + SIDES + side));
      UNROLL for (int j = 0; j < T; j++)
        sums[side][j] = _mm256_fmadd_ps(minima, _mm256_castsi256_ps(_mm256_set1_epi32(starts[j])), sums[side][j]);
    }
    values += CK_BLOCK * ACTIVATION_BYTES * T, scales += T, starts += T;
  }
  UNROLL for (int j = 0; j < T; j++) {
    _Alignas(32) float row_sums[CK_PANEL_ROWS];
    UNROLL for (int side = 0; side < SIDES; side++) _mm256_store_ps(row_sums + WORD_ROWS * side, sums[side][j]);
    NAME(store_panel)(p, row_sums, panel->row, panel->first, panel->last, t + (size_t)j);
  }
}

static size_t integer_peak(size_t steps, float *answer) {
  __m256i sums[PEAK_SUMS];
  const __m256i x = _mm256_set1_epi16((short)(steps & 1));
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = _mm256_set1_epi32(i);
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(sums[i], x));
  }
  __m256i all = _mm256_setzero_si256();
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all = _mm256_add_epi32(all, sums[i]);
  *answer = (float)_mm256_extract_epi32(all, 0);
  return 16 * PEAK_SUMS * steps;
}
