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

static void round_to_bfloat16(const float *x, size_t x_stride, size_t columns, size_t tokens, void *to) {
  char *rounded = to;
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

/* ---- dx = dy W, for training through frozen weights -------------------------------------------------------------- */

/* A panel: so many rows of weights by so many columns, two rows' weights side by side. It fits the first-level cache. */
#define BACK_ROWS 256
#define BACK_VECTORS 4
#define BACK_COLUMNS (BACK_VECTORS * LANES)
#define BACK_TOKENS 6

static size_t back_scratch(size_t rows, size_t tokens) {
  return BACK_ROWS * BACK_COLUMNS * 2 + rounded_bytes(rows) * tokens;
}

/* The first `count` ≤ 32 of a row's weights, then zeros. */
INLINE __m512i load_weights_part(const char *p, size_t count) {
  return _mm512_maskz_loadu_epi16(count < 32 ? (__mmask32)((1u << count) - 1) : 0xffffffff, p);
}

/* Rows [0, count) from `w` on, `row_bytes` apart, of up to BACK_COLUMNS columns, as a panel. */
static void pack_backward_panel(const char *w, size_t row_bytes, size_t count, size_t columns, char *panel) {
  const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4,
                                         35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
  for (size_t r = 0; r < count; r += 2, panel += 2 * BACK_COLUMNS * 2) {
    const char *row = w + r * row_bytes;
    for (size_t from = 0; from < BACK_COLUMNS; from += 32) {
      const size_t there = columns > from ? columns - from : 0, some = there < 32 ? there : 32;
      const __m512i a = some > 0 ? load_weights_part(row + 2 * from, some) : _mm512_setzero_si512();
      const __m512i b = some > 0 && r + 1 < count ? load_weights_part(row + row_bytes + 2 * from, some) : _mm512_setzero_si512();
      _mm512_store_si512(panel + 4 * from, _mm512_permutex2var_epi16(a, first, b));
      _mm512_store_si512(panel + 4 * from + 64, _mm512_permutex2var_epi16(a, second, b));
    }
  }
}

/* The products of a panel with T tokens, added to dx or written there; T is a constant where this is inlined. */
INLINE void backward_tile(const char *panel, size_t row_pairs, const char *dy, size_t dy_bytes, const int T, float *dx,
                      size_t dx_stride, size_t columns, int32_t accumulate) {
  v16 sums[BACK_TOKENS][BACK_VECTORS];
  UNROLL for (int j = 0; j < T; j++) {
    UNROLL for (int i = 0; i < BACK_VECTORS; i++) sums[j][i] = (v16){0};
  }
  for (size_t p = 0; p < row_pairs; p++) {
    pairs weights[BACK_VECTORS];
    UNROLL for (int i = 0; i < BACK_VECTORS; i++) weights[i] = load_pairs(panel + (p * BACK_VECTORS + i) * 64);
    UNROLL for (int j = 0; j < T; j++) {
      int32_t two;
      memcpy(&two, dy + j * dy_bytes + 4 * p, sizeof two);
      const pairs gradient = (pairs)_mm512_set1_epi32(two);
      UNROLL for (int i = 0; i < BACK_VECTORS; i++) sums[j][i] = add_pairs(sums[j][i], weights[i], gradient);
    }
  }
  UNROLL for (int j = 0; j < T; j++) {
    UNROLL for (int i = 0; i < BACK_VECTORS; i++) {
      if (columns > (size_t)i * LANES) {
        const size_t there = columns - (size_t)i * LANES;
        const __mmask16 mask = there < LANES ? (__mmask16)((1u << there) - 1) : 0xffff;
        float *out = dx + j * dx_stride + i * LANES;
        __m512 sum = (__m512)sums[j][i];
        if (accumulate) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, out));
        _mm512_mask_storeu_ps(out, mask, sum);
      }
    }
  }
}

static void bfloat16_linear_back(const void *weights, size_t rows, size_t columns, const float *dy, size_t dy_stride,
                                 size_t tokens, float *dx, size_t dx_stride, int32_t accumulate, void *scratch) {
  const size_t row_bytes = columns * 2, dy_bytes = rounded_bytes(rows);
  char *panel = scratch, *rounded = panel + BACK_ROWS * BACK_COLUMNS * 2;
  round_to_bfloat16(dy, dy_stride, rows, tokens, rounded);
  for (size_t r = 0; r < rows; r += BACK_ROWS) {
    const size_t count = rows - r < BACK_ROWS ? rows - r : BACK_ROWS, row_pairs = (count + 1) / 2;
    const int32_t adds = accumulate || r > 0;
    for (size_t c = 0; c < columns; c += BACK_COLUMNS) {
      const size_t some = columns - c < BACK_COLUMNS ? columns - c : BACK_COLUMNS;
      pack_backward_panel((const char *)weights + r * row_bytes + 2 * c, row_bytes, count, some, panel);
      for (size_t t = 0; t < tokens; t += BACK_TOKENS) {
        const char *from = rounded + t * dy_bytes + 2 * r;
        float *to = dx + t * dx_stride + c;
        switch (tokens - t) {
          case 1: backward_tile(panel, row_pairs, from, dy_bytes, 1, to, dx_stride, some, adds); break;
          case 2: backward_tile(panel, row_pairs, from, dy_bytes, 2, to, dx_stride, some, adds); break;
          case 3: backward_tile(panel, row_pairs, from, dy_bytes, 3, to, dx_stride, some, adds); break;
          case 4: backward_tile(panel, row_pairs, from, dy_bytes, 4, to, dx_stride, some, adds); break;
          case 5: backward_tile(panel, row_pairs, from, dy_bytes, 5, to, dx_stride, some, adds); break;
          default: backward_tile(panel, row_pairs, from, dy_bytes, BACK_TOKENS, to, dx_stride, some, adds);
        }
      }
    }
  }
}
