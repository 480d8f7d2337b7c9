/* Products of quantised weights and activations in whole numbers, for AVX-512 with VNNI.

   Activations are rounded too, to blocks of Q8_0 as GGML does: q = round(x / d), d = max |x| / 127 as a half, which
   has no room for a max |x| of 8 million. A sum over
   a block is exact in 32 bits; the sums of the blocks, each times both scales, are added as floats in the order of the
   blocks. Sixteen rows lie side by side in a register, so that nothing is summed across lanes, and every path does the
   same to a row: results do not depend on how many rows or tokens there are.

   vpdpbusd multiplies unsigned by signed bytes: weights are stored as q + offset (128 or 8), and offset · Σ q of the
   activations is subtracted, by starting the sum with its negative. */
#include <immintrin.h>

/* Rows side by side; panels and tokens that share a pass: their sums stay in registers. */
#define PANEL_ROWS 16
#define PANELS 2
#define PANEL_TOKENS 6
/* A block of a panel: 8 registers of weights, then 16 scales. */
#define PANEL_BLOCK (8 * 64 + 64)

/* Scratch: activations of all tokens, their scales, the starts of their sums, panels; each part whole cache lines.
   Of PANEL_TOKENS tokens, or of those that are left, four activations of each lie side by side. */
static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

typedef struct {
  char *values;    /* [group][columns / 4][token in the group][4] */
  float *scales;   /* [group][block][token in the group] */
  int32_t *starts; /* likewise */
  char *panel;
} activations;

static activations divide_scratch(void *scratch, size_t columns, size_t tokens) {
  const size_t blocks = columns / CK_BLOCK;
  activations a;
  a.values = scratch;
  a.scales = (float *)((char *)scratch + lines(tokens * columns));
  a.starts = (int32_t *)((char *)a.scales + lines(tokens * blocks * sizeof(float)));
  a.panel = (char *)a.starts + lines(tokens * blocks * sizeof(int32_t));
  return a;
}

static size_t panel_scratch(size_t columns, size_t tokens) {
  const size_t blocks = columns / CK_BLOCK;
  return lines(tokens * columns) + 2 * lines(tokens * blocks * 4) + PANELS * blocks * PANEL_BLOCK;
}

/* Tokens in the group that starts with token t. */
static size_t group_size(size_t tokens, size_t t) { return tokens - t < PANEL_TOKENS ? tokens - t : PANEL_TOKENS; }

/* 32 activations as bytes, their scale, and where the sum of their products starts. */
INLINE void round_block(const float *x, int offset, __m128i *left, __m128i *right, float *scale, int32_t *start) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
  /* Compared as whole numbers, what is not finite counts as largest and reaches the result through the scale. */
  const __m512i largest = _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                                           _mm512_and_si512(_mm512_castps_si512(high), magnitude));
  const float most = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(largest))));
  *scale = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(most / 127.0f), _MM_FROUND_TO_NEAREST_INT)));
  const __m512 inverse = _mm512_set1_ps(*scale > 0 ? 127.0f / most : 0);
  const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
  const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
  *left = _mm512_cvtsepi32_epi8(first);
  *right = _mm512_cvtsepi32_epi8(second);
  *start = most < INFINITY ? -offset * _mm512_reduce_add_epi32(_mm512_add_epi32(first, second)) : 0;
}

static void round_activations(const activations *a, const float *x, size_t x_stride, size_t columns, size_t tokens,
                              int offset) {
  const size_t blocks = columns / CK_BLOCK;
  for (size_t t = 0; t < tokens; t++) {
    const size_t first = t / PANEL_TOKENS * PANEL_TOKENS, size = group_size(tokens, first), place = t - first;
    const float *row = x + t * x_stride;
    char *values = a->values + first * columns + 4 * place;
    for (size_t block = 0; block < blocks; block++) {
      const size_t number = first * blocks + block * size + place;
      __m128i bytes[2];
      round_block(row + block * CK_BLOCK, offset, bytes, bytes + 1, a->scales + number, a->starts + number);
      int32_t fours[8];
      memcpy(fours, bytes, sizeof fours);
      for (size_t i = 0; i < 8; i++) memcpy(values + 4 * size * (8 * block + i), fours + i, 4);
    }
  }
}

/* Row i of sixteen: where rows are missing at the end, the last one stands in. */
typedef struct {
  const char *base;
  size_t bytes;
  int count;
} rows16;

INLINE const char *row_of(const rows16 *rows, const int whole, const int i, size_t place) {
  return rows->base + (size_t)(whole || i < rows->count ? i : rows->count - 1) * rows->bytes + place;
}

INLINE __m512 panel_scales(const rows16 *rows, const int whole, size_t place) {
  __m128i low = _mm_setzero_si128(), high = low;
#define SCALE(i) (*(const uint16_t *)row_of(rows, whole, i, place))
#define INSERT(i) low = _mm_insert_epi16(low, SCALE(i), i), high = _mm_insert_epi16(high, SCALE(8 + i), i)
  INSERT(0), INSERT(1), INSERT(2), INSERT(3), INSERT(4), INSERT(5), INSERT(6), INSERT(7);
#undef INSERT
#undef SCALE
  return _mm512_cvtph_ps(_mm256_set_m128i(high, low));
}

/* w[j]: bytes 4j … 4j + 3 of a block of every row, as unsigned numbers. */
INLINE void panel_weights(const int32_t type, const rows16 *rows, const int whole, size_t place, __m512i w[8]) {
  if (type == CK_Q8_0) {
    __m512i a[8], b[8];
    UNROLL for (int i = 0; i < 8; i++) {
      a[i] = _mm512_inserti64x4(
          _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)row_of(rows, whole, i, place))),
          _mm256_loadu_si256((const __m256i *)row_of(rows, whole, i + 8, place)), 1);
    }
    /* Eight by eight, in both halves at once. */
    UNROLL for (int i = 0; i < 8; i += 2) {
      b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
      b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
      a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
      a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
      a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
      a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    UNROLL for (int i = 0; i < 4; i++) {
      w[i] = _mm512_xor_si512(_mm512_permutex2var_epi64(a[i], even, a[i + 4]), sign);
      w[i + 4] = _mm512_xor_si512(_mm512_permutex2var_epi64(a[i], odd, a[i + 4]), sign);
    }
  } else {
    __m512i a[4], b[4];
    UNROLL for (int i = 0; i < 4; i++) {
#define QUARTER(n) _mm_loadu_si128((const __m128i *)row_of(rows, whole, i + 4 * n, place))
      a[i] = _mm512_inserti32x4(_mm512_castsi128_si512(QUARTER(0)), QUARTER(1), 1);
      a[i] = _mm512_inserti32x4(_mm512_inserti32x4(a[i], QUARTER(2), 2), QUARTER(3), 3);
#undef QUARTER
    }
    UNROLL for (int i = 0; i < 4; i += 2) {
      b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
      b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    a[0] = _mm512_unpacklo_epi64(b[0], b[2]);
    a[1] = _mm512_unpackhi_epi64(b[0], b[2]);
    a[2] = _mm512_unpacklo_epi64(b[1], b[3]);
    a[3] = _mm512_unpackhi_epi64(b[1], b[3]);
    const __m512i low = _mm512_set1_epi8(15);
    UNROLL for (int i = 0; i < 4; i++) {
      w[i] = _mm512_and_si512(a[i], low);
      w[i + 4] = _mm512_and_si512(_mm512_srli_epi16(a[i], 4), low);
    }
  }
}

INLINE __m512i broadcast(const char *four) {
  int32_t value;
  memcpy(&value, four, sizeof value);
  return _mm512_set1_epi32(value);
}

INLINE __m512 add_block(__m512 sum, __m512i whole, __m512 weight_scales, float scale) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), _mm512_mul_ps(weight_scales, _mm512_set1_ps(scale)), sum);
}

INLINE void panel_store(const NAME(product) *p, size_t r, int count, size_t t, __m512 sum) {
  const __mmask16 mask = (__mmask16)((1u << count) - 1);
  float *y = p->y + t * p->y_stride + r;
  __m512 value = _mm512_mul_ps(sum, _mm512_set1_ps(p->scale));
  if (p->bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, p->bias + r));
  if (p->accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, y));
  _mm512_mask_storeu_ps(y, mask, value);
}

/* The T tokens of the group that starts with token t, with P packed panels, of which the last one has `count` rows. Two
   panels share what is loaded of the tokens: with one, loading would be the limit. */
INLINE void panel_tile(const NAME(product) *p, const activations *a, const int P, size_t r, int count, const int T,
                       size_t t) {
  const size_t blocks = p->columns / CK_BLOCK;
  const char *values = a->values + t * p->columns, *packed = a->panel;
  const float *scales = a->scales + t * blocks;
  const int32_t *starts = a->starts + t * blocks;
  __m512 sums[P][T];
  UNROLL for (int i = 0; i < P; i++) {
    UNROLL for (int j = 0; j < T; j++) sums[i][j] = _mm512_setzero_ps();
  }
  for (size_t block = 0; block < blocks; block++) {
    __m512i whole[P][T];
    UNROLL for (int j = 0; j < T; j++) {
      const __m512i start = _mm512_set1_epi32(starts[j]);
      UNROLL for (int i = 0; i < P; i++) whole[i][j] = start;
    }
    /* Not unrolled, so that the weights of one step alone take registers. */
    _Pragma("clang loop unroll(disable)") for (int k = 0; k < 8; k++) {
      __m512i w[P];
      UNROLL for (int i = 0; i < P; i++) w[i] = _mm512_load_si512(packed + i * blocks * PANEL_BLOCK + 64 * k);
      UNROLL for (int j = 0; j < T; j++) {
        const __m512i x = broadcast(values + 4 * (T * k + j));
        UNROLL for (int i = 0; i < P; i++) whole[i][j] = _mm512_dpbusd_epi32(whole[i][j], w[i], x);
      }
    }
    UNROLL for (int i = 0; i < P; i++) {
      const __m512 weight_scales = _mm512_load_ps((const float *)(packed + i * blocks * PANEL_BLOCK + 512));
      UNROLL for (int j = 0; j < T; j++) sums[i][j] = add_block(sums[i][j], whole[i][j], weight_scales, scales[j]);
    }
    values += CK_BLOCK * T, packed += PANEL_BLOCK, scales += T, starts += T;
  }
  UNROLL for (int i = 0; i < P; i++) {
    UNROLL for (int j = 0; j < T; j++)
      panel_store(p, r + (size_t)i * PANEL_ROWS, i == P - 1 ? count : PANEL_ROWS, t + (size_t)j, sums[i][j]);
  }
}

/* All tokens with P packed panels. */
INLINE void panel_tiles(const NAME(product) *p, const activations *a, const int P, size_t r, int count, size_t tokens) {
  for (size_t t = 0; t < tokens; t += PANEL_TOKENS) {
    switch (group_size(tokens, t)) {
#define TILE(T) case T: panel_tile(p, a, P, r, count, T, t); break
      TILE(1); TILE(2); TILE(3); TILE(4); TILE(5); TILE(PANEL_TOKENS);
#undef TILE
    }
  }
}

static __attribute__((noinline)) void one_panel(const NAME(product) *p, const activations *a, size_t r, int count,
                                                size_t tokens) {
  panel_tiles(p, a, 1, r, count, tokens);
}

static __attribute__((noinline)) void two_panels(const NAME(product) *p, const activations *a, size_t r, size_t tokens) {
  panel_tiles(p, a, PANELS, r, PANEL_ROWS, tokens);
}

/* Turns sixteen rows from r, or those that are left, into panel `number`. */
INLINE void pack_panel(const NAME(product) *p, const int32_t type, const activations *a, const int whole, size_t r,
                       int count, size_t number) {
  const size_t blocks = p->columns / CK_BLOCK, block_bytes = NAME(block_bytes)(type);
  const rows16 rows = {p->weights + r * NAME(bytes_of)(type, p->columns), NAME(bytes_of)(type, p->columns), count};
  for (size_t block = 0; block < blocks; block++) {
    char *packed = a->panel + (number * blocks + block) * PANEL_BLOCK;
    panel_weights(type, &rows, whole, block * block_bytes + 2, (__m512i *)packed);
    _mm512_store_ps((float *)(packed + 512), panel_scales(&rows, whole, block * block_bytes));
  }
}

#include "ck_inference_integer_single.h"

INLINE void integer_linear(const NAME(product) *p, const int32_t type, size_t tokens, size_t r0, size_t r1,
                           void *scratch) {
  if (tokens == 1) {
    single_linear(p, type, r0, r1, scratch);
    return;
  }
  const activations a = divide_scratch(scratch, p->columns, tokens);
  round_activations(&a, p->x, p->x_stride, p->columns, tokens, type == CK_Q8_0 ? 128 : 8);
  size_t r = r0;
  for (; r + PANELS * PANEL_ROWS <= r1; r += PANELS * PANEL_ROWS) {
    for (size_t i = 0; i < PANELS; i++) pack_panel(p, type, &a, 1, r + i * PANEL_ROWS, PANEL_ROWS, i);
    two_panels(p, &a, r, tokens);
  }
  for (; r < r1; r += PANEL_ROWS) {
    const int count = r1 - r < PANEL_ROWS ? (int)(r1 - r) : PANEL_ROWS;
    pack_panel(p, type, &a, 0, r, count, 0);
    one_panel(p, &a, r, count, tokens);
  }
}

/* Enough for any number of tokens up to `tokens`. */
static size_t integer_scratch(size_t columns, size_t tokens) {
  const size_t one = single_scratch(columns), several = panel_scratch(columns, tokens);
  return one > several ? one : several;
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
  return 64 * PEAK_SUMS * steps;
}
