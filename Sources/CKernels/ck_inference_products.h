/* Products of matrices of floats, stored in F32, F16 or BF16, with activations. Part of ck_inference_kernels.h, compiled for
   each instruction set. */

/* Rows of a tile, at most. Arrays have the size of the largest tile: of a size that is an argument, constant where it is
   inlined though it be, they would not stay in registers. */
#define MOST_ROWS (LINEAR_ROWS > LINEAR_ROWS_1 ? LINEAR_ROWS : LINEAR_ROWS_1)

typedef struct {
  const char *weights;
  size_t rows, columns;
  const float *x;
  size_t x_stride;
  float *y;
  size_t y_stride;
  float scale;
  const float *bias;
  int32_t accumulate;
  const char *rounded; /* x as the weights meet it, where that is rounded */
  size_t rounded_bytes; /* of a token, as BF16 */
} NAME(product);

#ifdef BFLOAT16_PRODUCTS
#include "ck_inference_bfloat16.h"
#endif

/* Rows that meet every token before the next ones come, at most; the sums of one strip are kept in between. */
#define BLOCK_ROWS 64

/* Columns at once, so that those of LINEAR_TOKENS tokens stay in the first-level cache. */
INLINE size_t NAME(columns_at_once)(const int32_t type) {
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16) return 2048;
#endif
  return type == CK_F32 ? 512 : 1024;
}

/* Bytes ahead of what is read to ask memory for, at least, where it is the limit. */
#define AHEAD 4096

/* Bytes of rows that are read one after another where there is one token: from end to end memory is read fastest, and
   what adding up a register costs does not matter. Shorter ones are taken several at a time. */
#define LONG_ROW 4096

/* With one token memory is the limit, and R short streams are many to foresee: the next rows are asked for, in the
   order they lie in memory. */
INLINE void NAME(foresee)(const char *w, const int R, const int T, size_t row_bytes, size_t place, size_t bytes) {
  if (T > 1) return;
  const size_t next = R == 1 || R * row_bytes < AHEAD ? AHEAD : R * row_bytes;
  for (size_t line = 0; line < R * bytes; line += 64) __builtin_prefetch(w + next + R * place + line, 0, 3);
}

/* Writes the products of four rows from r with token t, from their sums. */
INLINE void NAME(finish)(const NAME(product) *p, size_t r, size_t t, v4 value) {
  float *y = p->y + t * p->y_stride + r;
  value *= p->scale;
  if (p->bias) value += *(const v4u *)(p->bias + r);
  if (p->accumulate) value += *(const v4u *)y;
  *(v4u *)y = value;
}

/* Columns [from, to) of R rows from r and T tokens from t, added to the sums in `kept` unless `from` is 0. The last
   columns complete the products; sums of others are kept for the next. R, T and type are constants where this is
   inlined. */
INLINE void NAME(tile)(const NAME(product) *p, const int32_t type, const int R, const int T, size_t r, size_t t,
                       size_t from, size_t to, v16 *kept) {
  const size_t size = NAME(size_of)(type);
  const size_t row_bytes = NAME(bytes_of)(type, p->columns), x_stride = p->x_stride;
  const char *w = p->weights + r * row_bytes;
  const float *x = p->x + t * x_stride;
  v16 sums[MOST_ROWS][LINEAR_TOKENS];
  UNROLL for (int i = 0; i < R; i++) {
    UNROLL for (int j = 0; j < T; j++) sums[i][j] = from == 0 ? (v16){0} : kept[i * T + j];
  }
  size_t k = from;
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16) {
    const char *rounded = p->rounded + t * p->rounded_bytes;
    for (; k + 2 * LANES <= to; k += 2 * LANES) {
      NAME(foresee)(w, R, T, row_bytes, k * size, 64);
      pairs rows[MOST_ROWS];
      UNROLL for (int i = 0; i < R; i++) rows[i] = load_pairs(w + i * row_bytes + k * size);
      UNROLL for (int j = 0; j < T; j++) {
        pairs token = load_pairs(rounded + j * p->rounded_bytes + k * size);
        UNROLL for (int i = 0; i < R; i++) sums[i][j] = add_pairs(sums[i][j], rows[i], token);
      }
    }
    if (k < to) {
      NAME(foresee)(w, R, T, row_bytes, k * size, (to - k) * size);
      pairs rows[MOST_ROWS];
      UNROLL for (int i = 0; i < R; i++) rows[i] = load_pairs_part(w + i * row_bytes + k * size, to - k);
      UNROLL for (int j = 0; j < T; j++) {
        pairs token = load_pairs_part(rounded + j * p->rounded_bytes + k * size, to - k);
        UNROLL for (int i = 0; i < R; i++) sums[i][j] = add_pairs(sums[i][j], rows[i], token);
      }
      k = to;
    }
  }
#endif
  for (; k + LANES <= to; k += LANES) {
    NAME(foresee)(w, R, T, row_bytes, k * size, LANES * size);
    v16 rows[MOST_ROWS];
    UNROLL for (int i = 0; i < R; i++) rows[i] = NAME(load_weights)(type, w + i * row_bytes + k * size);
    UNROLL for (int j = 0; j < T; j++) {
      v16 token = NAME(load)(x + j * x_stride + k);
      UNROLL for (int i = 0; i < R; i++) sums[i][j] = FMA(rows[i], token, sums[i][j]);
    }
  }
  if (k < to) {
    NAME(foresee)(w, R, T, row_bytes, k * size, (to - k) * size);
    v16 rows[MOST_ROWS];
    UNROLL for (int i = 0; i < R; i++)
      rows[i] = NAME(load_part)(type, w + i * row_bytes + k * size, to - k);
    UNROLL for (int j = 0; j < T; j++) {
      v16 token = NAME(load_part)(CK_F32, (const char *)(x + j * x_stride + k), to - k);
      UNROLL for (int i = 0; i < R; i++) sums[i][j] = FMA(rows[i], token, sums[i][j]);
    }
  }
  if (to < p->columns) {
    UNROLL for (int i = 0; i < R; i++) {
      UNROLL for (int j = 0; j < T; j++) kept[i * T + j] = sums[i][j];
    }
    return;
  }
  const float scale = p->scale;
  /* Sums of four rows: of four tokens together, then of two, then of each. */
  const int fours = R == 4 ? T / 4 * 4 : 0, twos = R == 4 ? T / 2 * 2 : 0;
  UNROLL for (int j = 0; j < fours; j += 4) {
    v16 four[16];
    UNROLL for (int i = 0; i < 16; i++) four[i] = sums[i % 4][j + i / 4];
    const v16 all = NAME(sum16)(four);
    NAME(finish)(p, r, t + j, __builtin_shufflevector(all, all, 0, 1, 2, 3));
    NAME(finish)(p, r, t + j + 1, __builtin_shufflevector(all, all, 4, 5, 6, 7));
    NAME(finish)(p, r, t + j + 2, __builtin_shufflevector(all, all, 8, 9, 10, 11));
    NAME(finish)(p, r, t + j + 3, __builtin_shufflevector(all, all, 12, 13, 14, 15));
  }
  UNROLL for (int j = fours; j < twos; j += 2) {
    v16 two[8];
    UNROLL for (int i = 0; i < 8; i++) two[i] = sums[i % 4][j + i / 4];
    const v8 all = NAME(sum8)(two);
    NAME(finish)(p, r, t + j, __builtin_shufflevector(all, all, 0, 1, 2, 3));
    NAME(finish)(p, r, t + j + 1, __builtin_shufflevector(all, all, 4, 5, 6, 7));
  }
  UNROLL for (int j = twos; j < T; j++) {
    float *y = p->y + (t + j) * p->y_stride + r;
    if (R % 4 == 0) {
      UNROLL for (int i = 0; i + 3 < R; i += 4)
        NAME(finish)(p, r + i, t + j, NAME(sum4)(sums[i][j], sums[i + 1][j], sums[i + 2][j], sums[i + 3][j]));
    } else if (R == 2) {
      v2 value = NAME(sum2)(sums[0][j], sums[1][j]) * scale;
      if (p->bias) value += *(const v2u *)(p->bias + r);
      if (p->accumulate) value += *(const v2u *)y;
      *(v2u *)y = value;
    } else {
      float value = NAME(sum)(sums[0][j]) * scale;
      if (p->bias) value += p->bias[r];
      if (p->accumulate) value += *y;
      *y = value;
    }
  }
}

/* Rows [r0, r1) of T tokens from t, with one token all columns at once; else as many as leave the tokens' part in the
   first-level cache. */
INLINE void NAME(strip)(const NAME(product) *p, const int32_t type, const int R, const int T, size_t r0, size_t r1,
                        size_t t, v16 *kept) {
  const size_t at_once = T == 1 ? p->columns : NAME(columns_at_once)(type);
  for (size_t from = 0; from < p->columns; from += at_once) {
    const size_t to = p->columns - from > at_once ? from + at_once : p->columns;
    size_t r = r0;
    for (; r + R <= r1; r += R) NAME(tile)(p, type, R, T, r, t, from, to, kept + (r - r0) * T);
    for (; r < r1; r++) NAME(tile)(p, type, 1, T, r, t, from, to, kept + (r - r0) * T);
  }
}

INLINE void NAME(linear_of)(const NAME(product) *p, const int32_t type, size_t tokens, size_t r0, size_t r1) {
  if (tokens == 1) {
    if (NAME(bytes_of)(type, p->columns) < LONG_ROW)
      NAME(strip)(p, type, LINEAR_ROWS_1, 1, r0, r1, 0, NULL);
    else
      NAME(strip)(p, type, 1, 1, r0, r1, 0, NULL);
    return;
  }
  /* As many rows as fit half of a small second-level cache: they meet every token before the next ones come. */
  const size_t row_bytes = NAME(bytes_of)(type, p->columns);
  size_t block = (128 * 1024 / (row_bytes + 1) + 8) / 8 * 8;
  if (block > BLOCK_ROWS) block = BLOCK_ROWS;
  v16 kept[BLOCK_ROWS * LINEAR_TOKENS];
  for (size_t start = r0; start < r1; start += block) {
    size_t end = start + block < r1 ? start + block : r1;
    /* The rows after them are asked for meanwhile, some with each strip. */
    const char *next = p->weights + end * row_bytes, *last = p->weights + (end + block < r1 ? end + block : r1) * row_bytes;
    const size_t some = (size_t)(last - next) / (tokens / LINEAR_TOKENS + 1) + 64;
    size_t t = 0;
    for (; t + LINEAR_TOKENS <= tokens; t += LINEAR_TOKENS) {
      for (const char *until = (size_t)(last - next) < some ? last : next + some; next < until; next += 64)
        __builtin_prefetch(next, 0, 2);
      NAME(strip)(p, type, LINEAR_ROWS, LINEAR_TOKENS, start, end, t, kept);
    }
    switch (tokens - t) {
#if LINEAR_TOKENS > 5
      case 5: NAME(strip)(p, type, LINEAR_ROWS, 5, start, end, t, kept); break;
      case 4: NAME(strip)(p, type, LINEAR_ROWS, 4, start, end, t, kept); break;
      case 3: NAME(strip)(p, type, LINEAR_ROWS, 3, start, end, t, kept); break;
#endif
#if LINEAR_TOKENS > 2
      case 2: NAME(strip)(p, type, LINEAR_ROWS, 2, start, end, t, kept); break;
#endif
#if LINEAR_TOKENS > 1
      case 1: NAME(strip)(p, type, LINEAR_ROWS_1, 1, start, end, t, kept); break;
#endif
      default: break;
    }
  }
}
