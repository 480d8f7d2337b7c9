/* Products of quantised weights and activations in whole numbers, for AVX-512 with VNNI.

   Activations are rounded too, to blocks of Q8_0 as GGML does: q = round(x / d), d = max |x| / 127 as a half, which
   has no room for a max |x| of 8 million. A sum over a block is exact in 32 bits; the sums of the blocks, each times
   both scales, are added as floats in the order of the blocks. Sixteen rows lie side by side in a panel and in a
   register, so that nothing is summed across lanes, and every path does the same to a row: results do not depend on how
   many rows or tokens there are.

   vpdpbusd multiplies unsigned by signed bytes: weights are kept as q + offset (128 or 8), and offset · Σ q of the
   activations is subtracted, by starting the sum with its negative. Those of Q4_1 are unsigned, and have a minimum, which
   is added as minimum · Σ x of the block. */
#include <immintrin.h>

/* Panels and tokens that share a pass: their sums stay in registers. */
#define PANELS 2
#define PANEL_TOKENS 6

/* Scratch: activations of all tokens, their scales, the starts of their sums, a panel; each part whole cache lines.
   Of PANEL_TOKENS tokens, or of those that are left, the blocks lie side by side. */
static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

typedef struct {
  char *values;    /* [group][block][token in the group][32] */
  float *scales;   /* [group][block][token in the group] */
  int32_t *starts; /* likewise, of Q4_1 as floats Σ x, exactly */
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

/* Enough for any number of tokens up to `tokens`. */
static size_t integer_scratch(size_t columns, size_t tokens) {
  const size_t blocks = columns / CK_BLOCK;
  return lines(tokens * columns) + 2 * lines(tokens * blocks * 4) + blocks * NAME(panel_block)(CK_Q8_0);
}

/* Tokens in the group that starts with token t. */
static size_t group_size(size_t tokens, size_t t) { return tokens - t < PANEL_TOKENS ? tokens - t : PANEL_TOKENS; }

/* 32 activations as bytes, their scale, and where the sum of their products starts, of Q4_1 their own sum. */
INLINE void round_block(const float *x, const int32_t type, char *values, float *scale, int32_t *start) {
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
  _mm_storeu_si128((__m128i *)values, _mm512_cvtsepi32_epi8(first));
  _mm_storeu_si128((__m128i *)(values + 16), _mm512_cvtsepi32_epi8(second));
  const int32_t total = most < INFINITY ? _mm512_reduce_add_epi32(_mm512_add_epi32(first, second)) : 0;
  const float sum = *scale * (float)total;
  if (type == CK_Q4_1) memcpy(start, &sum, sizeof sum);
  else *start = (type == CK_Q8_0 ? -128 : -8) * total;
}

static void round_activations(const activations *a, const float *x, size_t x_stride, size_t columns, size_t tokens,
                              const int32_t type) {
  const size_t blocks = columns / CK_BLOCK;
  for (size_t t = 0; t < tokens; t++) {
    const size_t first = t / PANEL_TOKENS * PANEL_TOKENS, size = group_size(tokens, first), place = t - first;
    const float *row = x + t * x_stride;
    for (size_t block = 0; block < blocks; block++) {
      const size_t number = first * blocks + block * size + place;
      round_block(row + block * CK_BLOCK, type, a->values + number * CK_BLOCK, a->scales + number, a->starts + number);
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

/* A panel, and which of its rows are asked for: [first, last) of the matrix. */
typedef struct {
  const char *blocks;
  size_t row, first, last;
} part;

INLINE void part_store(const NAME(product) *p, const part *panel, size_t t, __m512 sum) {
  const __mmask16 mask = (__mmask16)((1u << (panel->last - panel->row)) - (1u << (panel->first - panel->row)));
  float *y = p->y + t * p->y_stride + panel->row;
  __m512 value = _mm512_mul_ps(sum, _mm512_set1_ps(p->scale));
  if (p->bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, p->bias + panel->row));
  if (p->accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, y));
  _mm512_mask_storeu_ps(y, mask, value);
}

/* Adds the products of register k of a block of P panels to whole[panel][token]. */
INLINE void integer_piece(const int32_t type, const int P, const char *const *panels, const int T, const char *values,
                          const int k, __m512i (*whole)[PANEL_TOKENS]) {
  const __m512i low = _mm512_set1_epi8(15);
  __m512i w[PANELS];
  UNROLL for (int i = 0; i < P; i++) w[i] = _mm512_loadu_si512(panels[i] + 64 * k);
  UNROLL for (int j = 0; j < T; j++) {
    const __m512i x = broadcast(values + CK_BLOCK * j + 4 * k);
    UNROLL for (int i = 0; i < P; i++)
      whole[i][j] = _mm512_dpbusd_epi32(whole[i][j], type == CK_Q8_0 ? w[i] : _mm512_and_si512(w[i], low), x);
  }
  if (type == CK_Q8_0) return;
  UNROLL for (int i = 0; i < P; i++) w[i] = _mm512_and_si512(_mm512_srli_epi16(w[i], 4), low);
  UNROLL for (int j = 0; j < T; j++) {
    const __m512i x = broadcast(values + CK_BLOCK * j + 4 * k + 16);
    UNROLL for (int i = 0; i < P; i++) whole[i][j] = _mm512_dpbusd_epi32(whole[i][j], w[i], x);
  }
}

/* The T tokens of the group that starts with token t, with P panels. Two panels share what is loaded of the tokens: with
   one, loading would be the limit. The first group of tokens brings the panels from memory, and asks for them ahead. */
INLINE void integer_tile(const NAME(product) *p, const activations *a, const int32_t type, const int P,
                         const part *panels, const int T, size_t t) {
  const size_t blocks = p->columns / CK_BLOCK, bytes = NAME(panel_block)(type);
  const char *values = a->values + t * p->columns;
  const float *scales = a->scales + t * blocks;
  const int32_t *starts = a->starts + t * blocks;
  __m512 sums[PANELS][PANEL_TOKENS];
  UNROLL for (int i = 0; i < P; i++) {
    UNROLL for (int j = 0; j < T; j++) sums[i][j] = _mm512_setzero_ps();
  }
  for (size_t block = 0; block < blocks; block++) {
    const char *next[PANELS];
    UNROLL for (int i = 0; i < P; i++) next[i] = panels[i].blocks + block * bytes;
    if (t == 0) {
      UNROLL for (int i = 0; i < P; i++) {
        for (size_t line = 0; line < bytes; line += 64) _mm_prefetch(next[i] + AHEAD + line, _MM_HINT_T0);
      }
    }
    __m512i whole[PANELS][PANEL_TOKENS];
    UNROLL for (int j = 0; j < T; j++) {
      const __m512i start = type == CK_Q4_1 ? _mm512_setzero_si512() : _mm512_set1_epi32(starts[j]);
      UNROLL for (int i = 0; i < P; i++) whole[i][j] = start;
    }
    /* Where there are many sums not unrolled, so that the weights of one step alone take registers. */
    if (P * T == 1) {
      /* Two, so that one need not wait for the other. */
      __m512i other[PANELS][PANEL_TOKENS] = {{_mm512_setzero_si512()}};
      UNROLL for (int k = 0; k < NAME(panel_pieces)(type); k += 2) {
        integer_piece(type, P, next, T, values, k, whole);
        integer_piece(type, P, next, T, values, k + 1, other);
      }
      whole[0][0] = _mm512_add_epi32(whole[0][0], other[0][0]);
    } else {
      _Pragma("clang loop unroll(disable)") for (int k = 0; k < NAME(panel_pieces)(type); k++)
        integer_piece(type, P, next, T, values, k, whole);
    }
    UNROLL for (int i = 0; i < P; i++) {
      const __m512 weight_scales =
          _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(next[i] + 64 * NAME(panel_pieces)(type))));
      UNROLL for (int j = 0; j < T; j++) sums[i][j] = add_block(sums[i][j], whole[i][j], weight_scales, scales[j]);
      if (type == CK_Q4_1) {
        const __m512 minima = _mm512_cvtph_ps(
            _mm256_loadu_si256((const __m256i *)(next[i] + 64 * NAME(panel_pieces)(type) + 2 * CK_PANEL_ROWS)));
        UNROLL for (int j = 0; j < T; j++)
          sums[i][j] = _mm512_fmadd_ps(minima, _mm512_castsi512_ps(_mm512_set1_epi32(starts[j])), sums[i][j]);
      }
    }
    values += CK_BLOCK * T, scales += T, starts += T;
  }
  UNROLL for (int i = 0; i < P; i++) {
    UNROLL for (int j = 0; j < T; j++) part_store(p, panels + i, t + (size_t)j, sums[i][j]);
  }
}

/* All tokens with P panels. */
INLINE void integer_tiles(const NAME(product) *p, const activations *a, const int32_t type, const int P,
                          const part *panels, size_t tokens) {
  for (size_t t = 0; t < tokens; t += PANEL_TOKENS) {
    switch (group_size(tokens, t)) {
#define TILE(T) case T: integer_tile(p, a, type, P, panels, T, t); break
      TILE(1); TILE(2); TILE(3); TILE(4); TILE(5); TILE(PANEL_TOKENS);
#undef TILE
    }
  }
}

INLINE void integer_linear(const NAME(product) *p, const int32_t type, size_t tokens, size_t r0, size_t r1,
                           void *scratch) {
  const activations a = divide_scratch(scratch, p->columns, tokens);
  round_activations(&a, p->x, p->x_stride, p->columns, tokens, type);
  part waiting[PANELS];
  size_t count = 0;
  for (size_t row = r0 / CK_PANEL_ROWS * CK_PANEL_ROWS; row < r1; row += CK_PANEL_ROWS) {
    const size_t end = row + CK_PANEL_ROWS;
    waiting[count++] = (part){NAME(whole_panel)(p, type, row, a.panel), row, row < r0 ? r0 : row, end < r1 ? end : r1};
    if (tokens > 1 && count < PANELS && end < r1) continue;
    if (count == PANELS) integer_tiles(p, &a, type, PANELS, waiting, tokens);
    else integer_tiles(p, &a, type, 1, waiting, tokens);
    count = 0;
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
  return 64 * PEAK_SUMS * steps;
}
