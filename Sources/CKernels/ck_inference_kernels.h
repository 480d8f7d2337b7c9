/* The kernels of ck_inference.h, written once and compiled for each instruction set by the file that includes this.

   The includer defines
     NAME(x)        the name of x in this instruction set
     ISA            its CK_ISA_ number
     FMA(a, b, c)   a · b + c on vectors
     WIDEN_F16(p)   16 half-precision numbers at p, as floats
     WIDEN_SCALE(p) one half-precision number at p, as float
     LINEAR_ROWS, LINEAR_TOKENS   the tile of a matrix product, LINEAR_ROWS_1 its rows where there is one token
     INTEGER_PRODUCTS   if quantised weights meet rounded activations: the file of such products, see
                        ck_inference_integer.h; else they are those of ck_inference_panels.h
     BFLOAT16_PRODUCTS  if BF16 weights do, see ck_inference_bfloat16.h
     SCORE_QUERIES, SCORE_BLOCKS, MIX_QUERIES, MIX_VALUES   queries and blocks of keys, queries and registers of a value,
                    that meet in registers
   Tiles are chosen so that all their sums stay in registers; they do not change any result. */

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"

#include <math.h>
#include <string.h>

typedef float v16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4)));
typedef float v8 __attribute__((vector_size(32)));
typedef float v4 __attribute__((vector_size(16)));
typedef float v4u __attribute__((vector_size(16), aligned(4)));
typedef float v2 __attribute__((vector_size(8)));
typedef float v2u __attribute__((vector_size(8), aligned(4)));
typedef int32_t i16 __attribute__((vector_size(64)));
typedef int32_t i4 __attribute__((vector_size(16)));
typedef uint32_t u16 __attribute__((vector_size(64)));
typedef uint16_t h16 __attribute__((vector_size(32)));
typedef uint16_t h16u __attribute__((vector_size(32), aligned(1)));
typedef int8_t s16u __attribute__((vector_size(16), aligned(1)));
typedef uint8_t b16u __attribute__((vector_size(16), aligned(1)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define LANES 16

/* Rows of a tile, at most. Arrays have the size of the largest tile: of a size that is an argument, constant where it is
   inlined though it be, they would not stay in registers. */
#define MOST_ROWS (LINEAR_ROWS > LINEAR_ROWS_1 ? LINEAR_ROWS : LINEAR_ROWS_1)

/* Sums that `peak` keeps in registers. */
#define PEAK_SUMS 12

/* ---- loading ---------------------------------------------------------------------------------------------- */

INLINE v16 NAME(load)(const float *p) { return *(const v16u *)p; }

/* x in every lane. Subtracting 0 changes no x and costs no instruction; adding it would change −0. */
INLINE v16 NAME(all)(float x) { return x - (v16){0}; }

INLINE size_t NAME(size_of)(int32_t type) { return type == CK_F32 ? 4 : 2; }

INLINE size_t NAME(block_bytes)(int32_t type) {
  return type == CK_Q8_0 ? CK_Q8_0_BYTES : type == CK_Q4_0 ? CK_Q4_0_BYTES : CK_Q4_1_BYTES;
}

INLINE size_t NAME(bytes_of)(int32_t type, size_t columns) { return columns * NAME(size_of)(type); }

/* The 16 weights of a half of a block, from its own bytes in Q8_0, from all in 4 bits. The product is exact, so that a
   quantised weight is the float it stands for; that of Q4_1 is rounded when the minimum is added. */
INLINE v16 NAME(dequantize_half)(const int32_t type, b16u bytes, float scale, float minimum, const int half) {
  if (type == CK_Q8_0) return __builtin_convertvector(__builtin_convertvector((s16u)bytes, i16), v16) * scale;
  bytes = half ? bytes >> 4 : bytes & 15;
  if (type == CK_Q4_1) return __builtin_convertvector(__builtin_convertvector(bytes, i16), v16) * scale + minimum;
  return __builtin_convertvector(__builtin_convertvector(bytes, i16) - 8, v16) * scale;
}

/* The same of a block as GGML has it. */
INLINE v16 NAME(load_quantized)(const int32_t type, const char *block, const int half) {
  const char *bytes = block + (type == CK_Q4_1 ? 4 : 2) + (type == CK_Q8_0 ? LANES * half : 0);
  const float minimum = type == CK_Q4_1 ? WIDEN_SCALE(block + 2) : 0;
  return NAME(dequantize_half)(type, *(const b16u *)bytes, WIDEN_SCALE(block), minimum, half);
}

INLINE v16 NAME(load_weights)(const int32_t type, const char *p) {
  if (type == CK_F32) {
    v16 value;
    memcpy(&value, p, sizeof value);
    return value;
  }
  if (type == CK_BF16) {
    u16 bits = __builtin_convertvector(*(const h16u *)p, u16) << 16;
    return (v16)bits;
  }
  return WIDEN_F16(p);
}

/* The first `count` < 16 numbers at p, then zeros. Rare, so not copied into every tile. */
static __attribute__((noinline)) void NAME(load_part_to)(int32_t type, const char *p, size_t count, v16 *value) {
  _Alignas(64) char buffer[64] = {0};
  memcpy(buffer, p, count * NAME(size_of)(type));
  *value = type == CK_F32    ? NAME(load_weights)(CK_F32, buffer)
           : type == CK_BF16 ? NAME(load_weights)(CK_BF16, buffer)
                             : NAME(load_weights)(CK_F16, buffer);
}

INLINE v16 NAME(load_part)(const int32_t type, const char *p, size_t count) {
  v16 value;
  if (type == CK_F32 && count == 8) { /* LoRA of rank 8 */
    v8 half;
    memcpy(&half, p, sizeof half);
    return __builtin_shufflevector(half, (v8){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  NAME(load_part_to)(type, p, count, &value);
  return value;
}

/* ---- horizontal sums: lanes i + 8, then + 4, + 2, + 1, whatever is summed beside them ------------------------ */

INLINE v8 NAME(halve2)(v16 ab) {
  return __builtin_shufflevector(ab, ab, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(ab, ab, 4, 5, 6, 7, 12, 13, 14, 15);
}

INLINE v16 NAME(join)(v16 a, v16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
         __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

INLINE v4 NAME(sum4)(v16 a, v16 b, v16 c, v16 d) {
  v16 ab = NAME(join)(a, b), cd = NAME(join)(c, d);
  v16 quarters =
      __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
      __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  v8 pairs = __builtin_shufflevector(quarters, quarters, 0, 1, 4, 5, 8, 9, 12, 13) +
             __builtin_shufflevector(quarters, quarters, 2, 3, 6, 7, 10, 11, 14, 15);
  return __builtin_shufflevector(pairs, pairs, 0, 2, 4, 6) + __builtin_shufflevector(pairs, pairs, 1, 3, 5, 7);
}

INLINE v2 NAME(sum2)(v16 a, v16 b) {
  v8 quarters = NAME(halve2)(NAME(join)(a, b));
  v4 pairs = __builtin_shufflevector(quarters, quarters, 0, 1, 4, 5) +
             __builtin_shufflevector(quarters, quarters, 2, 3, 6, 7);
  return __builtin_shufflevector(pairs, pairs, 0, 2) + __builtin_shufflevector(pairs, pairs, 1, 3);
}

INLINE float NAME(sum)(v16 a) {
  v8 eighth = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) +
              __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
  v4 quarter = __builtin_shufflevector(eighth, eighth, 0, 1, 2, 3) +
               __builtin_shufflevector(eighth, eighth, 4, 5, 6, 7);
  v2 pair = __builtin_shufflevector(quarter, quarter, 0, 1) + __builtin_shufflevector(quarter, quarter, 2, 3);
  return pair[0] + pair[1];
}

/* ---- matrix product ---------------------------------------------------------------------------------------- */

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
  UNROLL for (int j = 0; j < T; j++) {
    float *y = p->y + (t + j) * p->y_stride + r;
    if (R % 4 == 0) {
      UNROLL for (int i = 0; i + 3 < R; i += 4) {
        v4 value = NAME(sum4)(sums[i][j], sums[i + 1][j], sums[i + 2][j], sums[i + 3][j]) * scale;
        if (p->bias) value += *(const v4u *)(p->bias + r + i);
        if (p->accumulate) value += *(const v4u *)(y + i);
        *(v4u *)(y + i) = value;
      }
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
  size_t row_bytes = NAME(bytes_of)(type, p->columns) + 1;
  size_t block = (128 * 1024 / row_bytes + 8) / 8 * 8;
  if (block > BLOCK_ROWS) block = BLOCK_ROWS;
  v16 kept[BLOCK_ROWS * LINEAR_TOKENS];
  for (size_t start = r0; start < r1; start += block) {
    size_t end = start + block < r1 ? start + block : r1;
    size_t t = 0;
    for (; t + LINEAR_TOKENS <= tokens; t += LINEAR_TOKENS)
      NAME(strip)(p, type, LINEAR_ROWS, LINEAR_TOKENS, start, end, t, kept);
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

#include "ck_inference_panels.h"
#ifdef INTEGER_PRODUCTS
#include "ck_inference_integer.h"
#endif

static size_t NAME(rounded_size)(int32_t type, size_t columns, size_t tokens) {
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16) return rounded_bytes(columns) * tokens;
#endif
#ifdef INTEGER_PRODUCTS
  if (type >= CK_Q8_0) return integer_rounded(columns, tokens);
#endif
  (void)type, (void)columns, (void)tokens;
  return 0;
}

static void NAME(round)(int32_t type, const float *x, size_t x_stride, size_t columns, size_t tokens, size_t t0, size_t t1,
                        void *rounded) {
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16)
    round_to_bfloat16(x + t0 * x_stride, x_stride, columns, t1 - t0, (char *)rounded + t0 * rounded_bytes(columns));
#endif
#ifdef INTEGER_PRODUCTS
  if (type >= CK_Q8_0) round_activations(type, x, x_stride, columns, tokens, t0, t1, rounded);
#endif
  (void)type, (void)x, (void)x_stride, (void)columns, (void)tokens, (void)t0, (void)t1, (void)rounded;
}

static size_t NAME(linear_scratch)(int32_t type, size_t columns, size_t tokens) {
  const size_t rounded = NAME(rounded_size)(type, columns, tokens);
  if (type < CK_Q8_0) return rounded;
#ifdef INTEGER_PRODUCTS
  return rounded + integer_scratch(columns, tokens);
#else
  return NAME(panels_scratch)(type, columns, tokens);
#endif
}

static void NAME(linear)(int32_t type, const void *weights, size_t rows, size_t columns, const float *x,
                         size_t x_stride, size_t tokens, float *y, size_t y_stride, size_t r0, size_t r1,
                         float scale, const float *bias, int32_t accumulate, const void *rounded, void *scratch) {
  NAME(product) p = {weights, rows, columns, x, x_stride, y, y_stride, scale, bias, accumulate, rounded, 0};
#ifdef BFLOAT16_PRODUCTS
  p.rounded_bytes = rounded_bytes(columns);
#endif
  const size_t size = NAME(rounded_size)(type, columns, tokens);
  if (size > 0 && !rounded) {
    NAME(round)(type, x, x_stride, columns, tokens, 0, tokens, scratch);
    p.rounded = scratch;
    scratch = (char *)scratch + size;
  }
  switch (type) {
    case CK_F32: NAME(linear_of)(&p, CK_F32, tokens, r0, r1); break;
    case CK_F16: NAME(linear_of)(&p, CK_F16, tokens, r0, r1); break;
#ifdef INTEGER_PRODUCTS
    case CK_Q8_0: integer_linear(&p, CK_Q8_0, tokens, r0, r1, scratch); break;
    case CK_Q4_0: integer_linear(&p, CK_Q4_0, tokens, r0, r1, scratch); break;
    case CK_Q4_1: integer_linear(&p, CK_Q4_1, tokens, r0, r1, scratch); break;
#else
    case CK_Q8_0: NAME(panels_linear)(&p, CK_Q8_0, tokens, r0, r1, scratch); break;
    case CK_Q4_0: NAME(panels_linear)(&p, CK_Q4_0, tokens, r0, r1, scratch); break;
    case CK_Q4_1: NAME(panels_linear)(&p, CK_Q4_1, tokens, r0, r1, scratch); break;
#endif
    default: NAME(linear_of)(&p, CK_BF16, tokens, r0, r1); break;
  }
}

static size_t NAME(peak)(int32_t type, size_t steps, float *answer) {
#ifdef INTEGER_PRODUCTS
  if (type >= CK_Q8_0) return integer_peak(steps, answer);
#endif
#ifdef BFLOAT16_PRODUCTS
  if (type == CK_BF16) return bfloat16_peak(steps, answer);
#endif
  (void)type;
  v16 sums[PEAK_SUMS], x = (v16){0} + 1e-3f;
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = (v16){0} + (float)i;
  for (size_t step = 0; step < steps; step++) {
    UNROLL for (int i = 0; i < PEAK_SUMS; i++) sums[i] = FMA(sums[i], x, x);
  }
  v16 all = {0};
  UNROLL for (int i = 0; i < PEAK_SUMS; i++) all += sums[i];
  *answer = NAME(sum)(all);
  return LANES * PEAK_SUMS * steps;
}

/* ---- exponential ------------------------------------------------------------------------------------------- */

INLINE v16 NAME(select)(i16 mask, v16 yes, v16 no) { return (v16)((mask & (i16)yes) | (~mask & (i16)no)); }

/* eˣ to about 2 units in the last place; arguments beyond ±87 are held there. Polynomial after Cephes' expf. */
INLINE v16 NAME(exp)(v16 x) {
  const v16 zero = {0}, low = zero - 87.0f, high = zero + 88.0f, shift = zero + 12582912.0f;
  x = NAME(select)(x < low, low, x);
  x = NAME(select)(x > high, high, x);
  v16 shifted = FMA(x, zero + 1.44269504088896341f, shift);
  v16 n = shifted - shift;
  v16 r = FMA(n, zero - 0.693359375f, x);
  r = FMA(n, zero + 2.12194440e-4f, r);
  v16 p = FMA(zero + 1.9875691500e-4f, r, zero + 1.3981999507e-3f);
  p = FMA(p, r, zero + 8.3334519073e-3f);
  p = FMA(p, r, zero + 4.1665795894e-2f);
  p = FMA(p, r, zero + 1.6666665459e-1f);
  p = FMA(p, r, zero + 5.0000001201e-1f);
  p = FMA(p, r * r, r) + 1.0f;
  /* The low bits of `shifted` are n: moved into the exponent they multiply by 2ⁿ. */
  return (v16)((u16)p + ((u16)shifted << 23));
}

#include "ck_inference_attention.h"

/* ---- norm, activation, rotation, widening ------------------------------------------------------------------ */

static void NAME(rms_norm)(const float *x, size_t x_stride, const float *weight, size_t count, float epsilon,
                           size_t tokens, float *y, size_t y_stride) {
  for (size_t t = 0; t < tokens; t++) {
    const float *row = x + t * x_stride;
    float *out = y + t * y_stride;
    v16 squares = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
      v16 value = NAME(load)(row + i);
      squares = FMA(value, value, squares);
    }
    if (i < count) {
      v16 value = NAME(load_part)(CK_F32, (const char *)(row + i), count - i);
      squares = FMA(value, value, squares);
    }
    const float scale = 1.0f / sqrtf(NAME(sum)(squares) / (float)count + epsilon);
    for (i = 0; i < count; i++) out[i] = row[i] * scale * weight[i];
  }
}

INLINE v16 NAME(silu)(v16 x) { return x / (NAME(exp)(-x) + 1.0f); }

static void NAME(silu_multiply)(float *gate, const float *up, size_t stride, size_t count, size_t tokens) {
  for (size_t t = 0; t < tokens; t++) {
    float *g = gate + t * stride;
    const float *u = up + t * stride;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) *(v16u *)(g + i) = NAME(silu)(NAME(load)(g + i)) * NAME(load)(u + i);
    if (i < count) {
      v16 value = NAME(silu)(NAME(load_part)(CK_F32, (const char *)(g + i), count - i)) *
                  NAME(load_part)(CK_F32, (const char *)(u + i), count - i);
      memcpy(g + i, &value, (count - i) * sizeof(float));
    }
  }
}

static void NAME(rotate)(float *x, const float *cosines, const float *sines, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[i], b = x[i + half];
    x[i] = a * cosines[i] - b * sines[i];
    x[i + half] = b * cosines[i] + a * sines[i];
  }
}

static void NAME(dequantize)(int32_t type, const void *weights, size_t count, float *y) {
  const char *w = weights;
  const size_t size = NAME(size_of)(type);
  size_t i = 0;
  if (type >= CK_Q8_0) {
    for (; i < count; i += CK_BLOCK, w += NAME(block_bytes)(type)) {
      for (int half = 0; half < 2; half++)
        *(v16u *)(y + i + LANES * half) = type == CK_Q8_0   ? NAME(load_quantized)(CK_Q8_0, w, half)
                                          : type == CK_Q4_0 ? NAME(load_quantized)(CK_Q4_0, w, half)
                                                            : NAME(load_quantized)(CK_Q4_1, w, half);
    }
    return;
  }
  for (; i + LANES <= count; i += LANES) {
    v16 value = type == CK_F32    ? NAME(load_weights)(CK_F32, w + i * size)
                : type == CK_BF16 ? NAME(load_weights)(CK_BF16, w + i * size)
                                  : NAME(load_weights)(CK_F16, w + i * size);
    *(v16u *)(y + i) = value;
  }
  if (i < count) {
    v16 value = NAME(load_part)(type, w + i * size, count - i);
    memcpy(y + i, &value, (count - i) * sizeof(float));
  }
}

const ck_inference NAME(kernels) = {
    ISA, NAME(round), NAME(rounded_size), NAME(linear), NAME(linear_scratch), NAME(peak),
    NAME(attend), NAME(rms_norm), NAME(silu_multiply), NAME(rotate), NAME(dequantize), NAME(dequantize_panel),
#ifdef BFLOAT16_PRODUCTS
    bfloat16_linear_back, back_scratch,
#else
    NULL, NULL,
#endif
};
