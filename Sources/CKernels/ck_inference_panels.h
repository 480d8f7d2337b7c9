/* Quantised weights in panels, see ck_quantization.h: reading them, and products in floats, where the processor has none
   in whole numbers.

   Sixteen rows lie side by side in a register; a block's sums over k grow in the order the weights lie, and are added,
   times the scales, block after block; with Q4_1 then the minima, times the sum of the block's activations. */

_Static_assert(CK_PANEL_ROWS == LANES, "the rows of a panel fill a register");

/* Registers of a block's weights. */
INLINE int NAME(panel_pieces)(const int32_t type) { return type == CK_Q8_0 ? 8 : 4; }

/* Bytes of a block of a whole panel. */
INLINE size_t NAME(panel_block)(const int32_t type) { return CK_PANEL_ROWS * NAME(block_bytes)(type); }

/* The panel that starts with row `row`; where it is narrower, a copy in `room` in which the missing rows are zeros. */
INLINE const char *NAME(whole_panel)(const NAME(product) *p, const int32_t type, size_t row, char *room) {
  const size_t blocks = p->columns / CK_BLOCK, pieces = NAME(panel_pieces)(type);
  const size_t count = p->rows - row < CK_PANEL_ROWS ? p->rows - row : CK_PANEL_ROWS;
  const char *panel = p->weights + row * blocks * NAME(block_bytes)(type);
  if (count == CK_PANEL_ROWS) return panel;
  memset(room, 0, blocks * NAME(panel_block)(type));
  for (size_t block = 0; block < blocks; block++) {
    char *whole = room + block * NAME(panel_block)(type);
    for (size_t piece = 0; piece < pieces; piece++, panel += 4 * count) memcpy(whole + 64 * piece, panel, 4 * count);
    memcpy(whole + 64 * pieces, panel, 2 * count);
    panel += 2 * count;
    if (type != CK_Q4_1) continue;
    memcpy(whole + 64 * pieces + 2 * CK_PANEL_ROWS, panel, 2 * count);
    panel += 2 * count;
  }
  return room;
}

/* Sixteen bytes that lie in fours, `stride` apart. */
INLINE b16u NAME(gather_fours)(const char *first, size_t stride) {
  int32_t a, b, c, d;
  memcpy(&a, first, 4), memcpy(&b, first + stride, 4), memcpy(&c, first + 2 * stride, 4), memcpy(&d, first + 3 * stride, 4);
  const i4 fours = {a, b, c, d};
  return (b16u)fours;
}

static void NAME(dequantize_panel)(int32_t type, const void *weights, size_t rows, size_t columns, size_t row, size_t from,
                              size_t count, float *y) {
  const size_t first = row / CK_PANEL_ROWS * CK_PANEL_ROWS, lane = row - first, bytes = NAME(block_bytes)(type);
  const size_t width = rows - first < CK_PANEL_ROWS ? rows - first : CK_PANEL_ROWS;
  const char *panel = (const char *)weights + first * (columns / CK_BLOCK) * bytes;
  for (size_t k = from; k < from + count; k += CK_BLOCK, y += CK_BLOCK) {
    const char *block = panel + k / CK_BLOCK * width * bytes, *four = block + 4 * lane;
    const char *header = block + 4 * (size_t)NAME(panel_pieces)(type) * width + 2 * lane;
    const float scale = WIDEN_SCALE(header), minimum = type == CK_Q4_1 ? WIDEN_SCALE(header + 2 * width) : 0;
    const b16u left = NAME(gather_fours)(four, 4 * width);
    if (type == CK_Q8_0) {
      const b16u right = NAME(gather_fours)(four + 16 * width, 4 * width);
      *(v16u *)y = NAME(dequantize_half)(CK_Q8_0, left ^ 0x80, scale, 0, 0);
      *(v16u *)(y + LANES) = NAME(dequantize_half)(CK_Q8_0, right ^ 0x80, scale, 0, 1);
    } else if (type == CK_Q4_0) {
      *(v16u *)y = NAME(dequantize_half)(CK_Q4_0, left, scale, 0, 0);
      *(v16u *)(y + LANES) = NAME(dequantize_half)(CK_Q4_0, left, scale, 0, 1);
    } else {
      *(v16u *)y = NAME(dequantize_half)(CK_Q4_1, left, scale, minimum, 0);
      *(v16u *)(y + LANES) = NAME(dequantize_half)(CK_Q4_1, left, scale, minimum, 1);
    }
  }
}

/* Completes the products of one token with rows [first, last) of the panel that starts with row `row`. Whether there is a
   bias, and what is there to add to, is asked once: in a loop over rows compilers would read under a mask, and a masked
   read of address 0 costs some processors hundreds of cycles. */
INLINE void NAME(store_panel)(const NAME(product) *p, const float *sums, size_t row, size_t first, size_t last, size_t t) {
  float *y = p->y + t * p->y_stride;
  float values[CK_PANEL_ROWS];
  for (int lane = 0; lane < CK_PANEL_ROWS; lane++) values[lane] = sums[lane] * p->scale;
  if (p->bias) {
    for (size_t r = first; r < last; r++) values[r - row] += p->bias[r];
  }
  if (p->accumulate) {
    for (size_t r = first; r < last; r++) values[r - row] += y[r];
  }
  memcpy(y + first, values + (first - row), (last - first) * sizeof(float));
}

#ifndef INTEGER_PRODUCTS

/* Scratch: a panel, then, for Q4_1, the sums of every block of activations, token after token. */
static size_t NAME(panels_scratch)(int32_t type, size_t columns, size_t tokens) {
  const size_t blocks = columns / CK_BLOCK;
  return blocks * NAME(panel_block)(type) + (type == CK_Q4_1 ? tokens * blocks * sizeof(float) : 0);
}

static void NAME(sum_blocks)(const NAME(product) *p, size_t tokens, float *sums) {
  for (size_t t = 0; t < tokens; t++) {
    const float *x = p->x + t * p->x_stride;
    for (size_t k = 0; k < p->columns; k += CK_BLOCK) *sums++ = NAME(sum)(NAME(load)(x + k) + NAME(load)(x + k + LANES));
  }
}

/* Rows [first, last) of the panel that starts with row `row`, and T tokens from t. */
INLINE void NAME(panel_tile)(const NAME(product) *p, const int32_t type, const char *panel, size_t row, size_t first,
                             size_t last, const int T, size_t t, const float *block_sums) {
  const size_t bytes = NAME(panel_block)(type), blocks = p->columns / CK_BLOCK;
  const int bits = type == CK_Q8_0 ? 8 : 4;
  const float *x = p->x + t * p->x_stride;
  v16 sums[LINEAR_TOKENS];
  UNROLL for (int j = 0; j < T; j++) sums[j] = (v16){0};
  for (size_t k = 0; k < p->columns; k += CK_BLOCK, panel += bytes) {
    if (t == 0)
      for (size_t line = 0; line < bytes; line += 64) __builtin_prefetch(panel + AHEAD + line, 0, 3);
    v16 block[LINEAR_TOKENS];
    UNROLL for (int j = 0; j < T; j++) block[j] = (v16){0};
    for (int piece = 0; piece < NAME(panel_pieces)(type); piece++) {
      u16 four;
      memcpy(&four, panel + 64 * piece, sizeof four);
      UNROLL for (int shift = 0; shift < 32; shift += bits) {
        const size_t place = k + 4 * (size_t)piece + shift / 8 + (shift % 8 ? LANES : 0);
        const i16 whole = (i16)(four >> shift & ((1u << bits) - 1)) - (type == CK_Q4_1 ? 0 : 1 << (bits - 1));
        const v16 w = __builtin_convertvector(whole, v16);
        UNROLL for (int j = 0; j < T; j++) block[j] = FMA(w, NAME(all)(x[j * p->x_stride + place]), block[j]);
      }
    }
    const v16 scales = WIDEN_F16(panel + 64 * NAME(panel_pieces)(type));
    UNROLL for (int j = 0; j < T; j++) sums[j] = FMA(block[j], scales, sums[j]);
    if (type == CK_Q4_1) {
      const v16 minima = WIDEN_F16(panel + 64 * NAME(panel_pieces)(type) + 2 * CK_PANEL_ROWS);
      UNROLL for (int j = 0; j < T; j++)
        sums[j] = FMA(minima, NAME(all)(block_sums[(t + j) * blocks + k / CK_BLOCK]), sums[j]);
    }
  }
  UNROLL for (int j = 0; j < T; j++) {
    const v16 value = sums[j];
    NAME(store_panel)(p, (const float *)&value, row, first, last, t + (size_t)j);
  }
}

INLINE void NAME(panels_linear)(const NAME(product) *p, const int32_t type, size_t tokens, size_t r0, size_t r1,
                                void *scratch) {
  float *block_sums = (float *)((char *)scratch + p->columns / CK_BLOCK * NAME(panel_block)(type));
  if (type == CK_Q4_1) NAME(sum_blocks)(p, tokens, block_sums);
  for (size_t row = r0 / CK_PANEL_ROWS * CK_PANEL_ROWS; row < r1; row += CK_PANEL_ROWS) {
    const char *panel = NAME(whole_panel)(p, type, row, scratch);
    const size_t end = row + CK_PANEL_ROWS, first = row < r0 ? r0 : row, last = end < r1 ? end : r1;
    size_t t = 0;
    for (; t + LINEAR_TOKENS <= tokens; t += LINEAR_TOKENS)
      NAME(panel_tile)(p, type, panel, row, first, last, LINEAR_TOKENS, t, block_sums);
    for (; t < tokens; t++) NAME(panel_tile)(p, type, panel, row, first, last, 1, t, block_sums);
  }
}

#endif
