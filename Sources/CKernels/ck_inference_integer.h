/* Products of quantised weights and activations in whole numbers.

   Activations are rounded too, block by block: q = round(x / d), d = max |x| / the largest q. A sum over a block is exact
   in 32 bits; the sums of the blocks, each times both scales, are added as floats in the order of the blocks. Sixteen rows
   lie side by side in a panel, so that nothing is summed across lanes, and every path does the same to a row: results do
   not depend on how many rows or tokens there are.

   The includer defines INTEGER_PRODUCTS, the file that has the products themselves:
     ACTIVATION_BYTES   of a rounded activation
     PANELS, PANEL_TOKENS   panels, and tokens, 6 at most, that share a pass: their sums stay in registers
     MOST_WORD          of the largest activation of a block
     round_block        rounds a block of activations
     integer_tile       multiplies up to PANELS panels and PANEL_TOKENS tokens, and asks for what is read next
     integer_peak       the most that such products could reach

   Weights are kept unsigned, as q + offset (128 or 8), and offset · Σ q of the activations is subtracted, by starting the
   sum with its negative. Those of Q4_1 are unsigned, and have a minimum, which is added as minimum · Σ x of the block. */
/* Rounded activations: values, scales and starts of all tokens, each part whole cache lines. Of PANEL_TOKENS tokens, or of
   those that are left, the blocks lie side by side. */
static size_t lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

typedef struct {
  char *values;    /* [group][block][token in the group], blocks of ACTIVATION_BYTES each */
  float *scales;   /* [group][block][token in the group] */
  int32_t *starts; /* likewise, of Q4_1 as floats Σ x, exactly */
} activations;

/* A panel, and which of its rows are asked for: [first, last) of the matrix. */
typedef struct {
  const char *blocks;
  size_t row, first, last;
} part;

#include INTEGER_PRODUCTS

static activations divide_rounded(const void *rounded, size_t columns, size_t tokens) {
  const size_t blocks = columns / CK_BLOCK;
  activations a;
  a.values = (char *)(uintptr_t)rounded;
  a.scales = (float *)(a.values + lines(tokens * columns * ACTIVATION_BYTES));
  a.starts = (int32_t *)((char *)a.scales + lines(tokens * blocks * sizeof(float)));
  return a;
}

static size_t integer_rounded(size_t columns, size_t tokens) {
  return lines(tokens * columns * ACTIVATION_BYTES) + 2 * lines(tokens * (columns / CK_BLOCK) * 4);
}

/* Tokens in the group that starts with token t. */
static size_t group_size(size_t tokens, size_t t) { return tokens - t < PANEL_TOKENS ? tokens - t : PANEL_TOKENS; }

static void round_activations(const int32_t type, const float *x, size_t x_stride, size_t columns, size_t tokens, size_t t0,
                              size_t t1, size_t c0, size_t c1, void *rounded) {
  const activations to = divide_rounded(rounded, columns, tokens), *a = &to;
  const size_t blocks = columns / CK_BLOCK;
  for (size_t t = t0; t < t1; t++) {
    const size_t first = t / PANEL_TOKENS * PANEL_TOKENS, size = group_size(tokens, first), place = t - first;
    const float *row = x + t * x_stride;
    for (size_t block = c0 / CK_BLOCK; block < c1 / CK_BLOCK; block++) {
      const size_t number = first * blocks + block * size + place;
      round_block(row + block * CK_BLOCK, type, a->values + number * CK_BLOCK * ACTIVATION_BYTES, a->scales + number,
                  a->starts + number);
    }
  }
}

/* All tokens with P panels. */
INLINE void integer_tiles(const NAME(product) *p, const activations *a, const int32_t type, const int P,
                          const part *panels, size_t tokens) {
  /* While these panels meet their tokens the next ones come: with one panel and one token that is memory's own pace. */
  const size_t blocks = p->columns / CK_BLOCK, groups = (tokens + PANEL_TOKENS - 1) / PANEL_TOKENS;
  const size_t bytes = P * blocks * NAME(panel_block)(type);
  const size_t distance = P == 1 && bytes < AHEAD ? AHEAD : bytes;
  NAME(ahead) later = {panels->blocks + distance, panels->blocks + distance + bytes, bytes / (blocks * groups) / 64 * 64 + 64};
  for (size_t t = 0; t < tokens; t += PANEL_TOKENS) {
    switch (group_size(tokens, t)) {
#define TILE(T) case T: if (T <= PANEL_TOKENS) integer_tile(p, a, type, P, panels, T, t, &later); break
      TILE(1); TILE(2); TILE(3); TILE(4); TILE(5); TILE(6);
#undef TILE
    }
  }
}

#ifdef UNPACKED_PRODUCTS
#include UNPACKED_PRODUCTS
#endif

/* Scratch: a panel; where many tokens have it unpacked, their sums. */
static size_t integer_scratch(size_t columns, size_t tokens) {
  return lines(columns / CK_BLOCK * NAME(panel_block)(CK_Q8_0)) + tokens * CK_PANEL_ROWS * sizeof(float);
}

INLINE void integer_linear(const NAME(product) *p, const int32_t type, size_t tokens, size_t r0, size_t r1,
                           char *scratch) {
  const activations a = divide_rounded(p->rounded, p->columns, tokens);
  part waiting[PANELS];
  size_t count = 0;
  for (size_t row = r0 / CK_PANEL_ROWS * CK_PANEL_ROWS; row < r1; row += CK_PANEL_ROWS) {
    const size_t end = row + CK_PANEL_ROWS;
    waiting[count++] = (part){NAME(whole_panel)(p, type, row, scratch), row, row < r0 ? r0 : row, end < r1 ? end : r1};
#ifdef UNPACKED_PRODUCTS
    if (tokens >= UNPACK_TOKENS) {
      float *kept = (float *)(scratch + lines(p->columns / CK_BLOCK * NAME(panel_block)(CK_Q8_0)));
      unpacked_panel(p, &a, type, waiting, tokens, kept);
      count = 0;
      continue;
    }
#endif
    if (tokens > 1 && count < PANELS && end < r1) continue;
    if (count == PANELS) integer_tiles(p, &a, type, PANELS, waiting, tokens);
    else integer_tiles(p, &a, type, 1, waiting, tokens);
    count = 0;
  }
}
