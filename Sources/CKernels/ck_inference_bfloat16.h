/* Products of BF16 weights with activations rounded to BF16, for processors that have such products.

   An instruction adds two products to each of its sums, in twice the speed of products of floats. Rounding to nearest
   loses of an activation what storing lost of a weight.

   The includer defines BFLOAT16_PRODUCTS, the file that has what depends on the processor:
     pairs            32 numbers, two and two
     load_pairs, load_pairs_part   32 of them, or fewer than 32 and then zeros
     all_pairs        one pair, sixteen times
     add_pairs        adds both products of pair i to sum i
     round_sixteen    rounds up to sixteen floats to BF16, then zeros
     weave            32 weights of two rows, side by side
     add_to_row       adds up to sixteen sums to what is there, or writes them there */
#include BFLOAT16_PRODUCTS

/* Bytes of a token's rounded activations: whole cache lines. */
static size_t rounded_bytes(size_t columns) { return (columns * 2 + 63) / 64 * 64; }

static void round_to_bfloat16(const float *x, size_t x_stride, size_t columns, size_t tokens, size_t c0,
                              size_t c1, void *to) {
  char *rounded = to;
  for (size_t t = 0; t < tokens; t++, rounded += rounded_bytes(columns)) {
    const float *row = x + t * x_stride;
    for (size_t k = c0; k < c1; k += LANES) round_sixteen(row + k, c1 - k < LANES ? c1 - k : LANES, rounded + 2 * k);
  }
}

static size_t bfloat16_peak(size_t steps, float *answer) {
  v16 sums[PEAK_SUMS];
  const pairs x = all_pairs((int32_t)(steps & 1));
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

/* Rows [0, count) from `w` on, `row_bytes` apart, of up to BACK_COLUMNS columns, as a panel. */
static void pack_backward_panel(const char *w, size_t row_bytes, size_t count, size_t columns, char *panel) {
  for (size_t r = 0; r < count; r += 2, panel += 2 * BACK_COLUMNS * 2) {
    const char *row = w + r * row_bytes;
    for (size_t from = 0; from < BACK_COLUMNS; from += 32) {
      const size_t there = columns > from ? columns - from : 0, some = there < 32 ? there : 32;
      weave(row + 2 * from, some, row + row_bytes + 2 * from, r + 1 < count ? some : 0, panel + 4 * from);
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
      const pairs gradient = all_pairs(two);
      UNROLL for (int i = 0; i < BACK_VECTORS; i++) sums[j][i] = add_pairs(sums[j][i], weights[i], gradient);
    }
  }
  UNROLL for (int j = 0; j < T; j++) {
    UNROLL for (int i = 0; i < BACK_VECTORS; i++) {
      if (columns > (size_t)i * LANES) {
        const size_t there = columns - (size_t)i * LANES;
        add_to_row(dx + j * dx_stride + i * LANES, sums[j][i], there < LANES ? there : LANES, accumulate);
      }
    }
  }
}

static void bfloat16_linear_back(const void *weights, size_t rows, size_t columns, const float *dy, size_t dy_stride,
                                 size_t tokens, float *dx, size_t dx_stride, int32_t accumulate, void *scratch) {
  const size_t row_bytes = columns * 2, dy_bytes = rounded_bytes(rows);
  char *panel = scratch, *rounded = panel + BACK_ROWS * BACK_COLUMNS * 2;
  round_to_bfloat16(dy, dy_stride, rows, tokens, 0, rows, rounded);
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
