/* Products in bytes, for AVX-512 with VNNI: see ck_inference_integer.h.

   vpdpbusd multiplies unsigned by signed bytes. With 8 bits activations change what models say: the largest of a block
   may be hundreds of times the others. So they are rounded to 16, d = max |x| / (127 · 256), and multiplied as two bytes
   each: 256 · high + low. */
#include <immintrin.h>

#define ACTIVATION_BYTES 2
#define PANELS 2
#define PANEL_TOKENS 4

/* Of the largest activation of a block. */
#define MOST_WORD (127.0f * 256)

/* Smaller magnitudes are zeros, so that 1 / d is finite. */
#define LEAST_MAGNITUDE 0x1p-100f

/* Stores 16 activations as bytes: high ones here, low ones behind those of the block. */
INLINE void store_bytes(const __m512i whole, char *values) {
  const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(128)), 8);
  const __m512i low = _mm512_sub_epi32(whole, _mm512_slli_epi32(high, 8));
  _mm_storeu_si128((__m128i *)values, _mm512_cvtepi32_epi8(high));
  _mm_storeu_si128((__m128i *)(values + CK_BLOCK), _mm512_cvtepi32_epi8(low));
}

/* 32 activations as bytes, their scale, and where the sum of their products starts, of Q4_1 their own sum. */
INLINE void round_block(const float *x, const int32_t type, char *values, float *scale, int32_t *start) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
  /* Compared as whole numbers, what is not finite counts as largest and reaches the result through the scale. */
  const __m512i largest = _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                                           _mm512_and_si512(_mm512_castps_si512(high), magnitude));
  float most = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(largest))));
  /* Not so written as to take what is no number for small. */
  if (most < LEAST_MAGNITUDE) most = 0;
  *scale = most / MOST_WORD;
  const __m512 inverse = _mm512_set1_ps(most == 0 ? 0 : MOST_WORD / most);
  const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
  const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
  store_bytes(first, values);
  store_bytes(second, values + 16);
  const int32_t total = most < INFINITY ? _mm512_reduce_add_epi32(_mm512_add_epi32(first, second)) : 0;
  const float sum = *scale * (float)total;
  if (type == CK_Q4_1) memcpy(start, &sum, sizeof sum);
  else *start = (type == CK_Q8_0 ? -128 : -8) * total;
}

INLINE __m512i broadcast(const char *four) {
  int32_t value;
  memcpy(&value, four, sizeof value);
  return _mm512_set1_epi32(value);
}

INLINE __m512 add_block(__m512 sum, __m512i whole, __m512 weight_scales, float scale) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), _mm512_mul_ps(weight_scales, _mm512_set1_ps(scale)), sum);
}

INLINE void part_store(const NAME(product) *p, const part *panel, size_t t, __m512 sum) {
  const __mmask16 mask = (__mmask16)((1u << (panel->last - panel->row)) - (1u << (panel->first - panel->row)));
  float *y = p->y + t * p->y_stride + panel->row;
  __m512 value = _mm512_mul_ps(sum, _mm512_set1_ps(p->scale));
  if (p->bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, p->bias + panel->row));
  if (p->accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, y));
  _mm512_mask_storeu_ps(y, mask, value);
}

/* Sums of products with high and with low bytes, by panel and token. */
typedef struct {
  __m512i high[PANELS][PANEL_TOKENS], low[PANELS][PANEL_TOKENS];
} byte_sums;

/* Adds the products of weights with the four bytes of either kind that start at `at` in each token's block. */
INLINE void integer_products(const __m512i *weights, const int P, const int T, const char *values, const int at,
                             byte_sums *sums) {
  UNROLL for (int j = 0; j < T; j++) {
    const char *bytes = values + ACTIVATION_BYTES * CK_BLOCK * j + at;
    const __m512i high = broadcast(bytes), low = broadcast(bytes + CK_BLOCK);
    UNROLL for (int i = 0; i < P; i++) {
      sums->high[i][j] = _mm512_dpbusd_epi32(sums->high[i][j], weights[i], high);
      sums->low[i][j] = _mm512_dpbusd_epi32(sums->low[i][j], weights[i], low);
    }
  }
}

/* Adds the products of register k of a block of P panels. */
INLINE void integer_piece(const int32_t type, const int P, const char *const *panels, const int T, const char *values,
                          const int k, byte_sums *sums) {
  const __m512i half = _mm512_set1_epi8(15);
  __m512i bytes[PANELS], weights[PANELS];
  UNROLL for (int i = 0; i < P; i++) {
    bytes[i] = _mm512_loadu_si512(panels[i] + 64 * k);
    weights[i] = type == CK_Q8_0 ? bytes[i] : _mm512_and_si512(bytes[i], half);
  }
  integer_products(weights, P, T, values, 4 * k, sums);
  if (type == CK_Q8_0) return;
  UNROLL for (int i = 0; i < P; i++) weights[i] = _mm512_and_si512(_mm512_srli_epi16(bytes[i], 4), half);
  integer_products(weights, P, T, values, 4 * k + 16, sums);
}

/* The T tokens of the group that starts with token t, with P panels. Two panels share what is loaded of the tokens: with
   one, loading would be the limit. */
INLINE void integer_tile(const NAME(product) *p, const activations *a, const int32_t type, const int P,
                         const part *panels, const int T, size_t t, NAME(ahead) *later) {
  const size_t blocks = p->columns / CK_BLOCK, bytes = NAME(panel_block)(type);
  const char *values = a->values + t * p->columns * ACTIVATION_BYTES;
  const float *scales = a->scales + t * blocks;
  const int32_t *starts = a->starts + t * blocks;
  __m512 sums[PANELS][PANEL_TOKENS];
  UNROLL for (int i = 0; i < P; i++) {
    UNROLL for (int j = 0; j < T; j++) sums[i][j] = _mm512_setzero_ps();
  }
  for (size_t block = 0; block < blocks; block++) {
    const char *next[PANELS];
    UNROLL for (int i = 0; i < P; i++) next[i] = panels[i].blocks + block * bytes;
    NAME(ask_ahead)(later);
    byte_sums whole;
    UNROLL for (int j = 0; j < T; j++) {
      const __m512i start = type == CK_Q4_1 ? _mm512_setzero_si512() : _mm512_set1_epi32(starts[j]);
      UNROLL for (int i = 0; i < P; i++) whole.high[i][j] = _mm512_setzero_si512(), whole.low[i][j] = start;
    }
    /* Where there are many sums not unrolled, so that the weights of one step alone take registers. */
    if (P * T == 1) {
      UNROLL for (int k = 0; k < NAME(panel_pieces)(type); k++) integer_piece(type, P, next, T, values, k, &whole);
    } else {
      _Pragma("clang loop unroll(disable)") for (int k = 0; k < NAME(panel_pieces)(type); k++)
        integer_piece(type, P, next, T, values, k, &whole);
    }
    UNROLL for (int i = 0; i < P; i++) {
      const __m512 weight_scales =
          _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(next[i] + 64 * NAME(panel_pieces)(type))));
      UNROLL for (int j = 0; j < T; j++) {
        const __m512i products = _mm512_add_epi32(_mm512_slli_epi32(whole.high[i][j], 8), whole.low[i][j]);
        sums[i][j] = add_block(sums[i][j], products, weight_scales, scales[j]);
      }
      if (type == CK_Q4_1) {
        const __m512 minima = _mm512_cvtph_ps(
            _mm256_loadu_si256((const __m256i *)(next[i] + 64 * NAME(panel_pieces)(type) + 2 * CK_PANEL_ROWS)));
        UNROLL for (int j = 0; j < T; j++)
          sums[i][j] = _mm512_fmadd_ps(minima, _mm512_castsi512_ps(_mm512_set1_epi32(starts[j])), sums[i][j]);
      }
    }
    values += CK_BLOCK * ACTIVATION_BYTES * T, scales += T, starts += T;
  }
  UNROLL for (int i = 0; i < P; i++) {
    UNROLL for (int j = 0; j < T; j++) part_store(p, panels + i, t + (size_t)j, sums[i][j]);
  }
}

static size_t integer_peak(size_t steps, float *answer) {
  __m512i sums[PEAK_SUMS];
  const __m512i x = _mm512_set1_epi8((char)(steps & 1));
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = _mm512_set1_epi32(i);
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = _mm512_dpbusd_epi32(sums[i], x, x);
  }
  __m512i all = _mm512_setzero_si512();
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all = _mm512_add_epi32(all, sums[i]);
  *answer = (float)_mm512_reduce_add_epi32(all);
  /* Each product takes two. */
  return 32 * PEAK_SUMS * steps;
}
