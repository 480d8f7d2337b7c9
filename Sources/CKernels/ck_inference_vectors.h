/* Vectors of 16 floats: how weights of every type are loaded as such, how they are summed up, and their exponential. Part
   of ck_inference_kernels.h, compiled for each instruction set. */

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

/* ---- what is read next ---------------------------------------------------------------------------------------- */

/* And how much of it to ask memory for at a time: evenly beside other work, so that neither waits for the other. */
typedef struct {
  const char *next, *end;
  size_t some;
} NAME(ahead);

INLINE void NAME(ask_ahead)(NAME(ahead) *later) {
  const char *until = (size_t)(later->end - later->next) < later->some ? later->end : later->next + later->some;
  for (; later->next < until; later->next += 64) __builtin_prefetch(later->next, 0, 3);
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

/* Lanes i and i + 8 of a and of b, added; then of both halves lanes i and i + 4; then of quarters i and i + 2; then
   neighbours. What stays where it is is taken by a blend, which costs less than a shuffle. */
INLINE v16 NAME(fold8)(v16 a, v16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31) +
         __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
}

INLINE v16 NAME(fold4)(v16 a, v16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 20, 21, 22, 23, 8, 9, 10, 11, 28, 29, 30, 31) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
}

INLINE v16 NAME(fold2)(v16 a, v16 b) {
  return __builtin_shufflevector(a, b, 0, 1, 18, 19, 4, 5, 22, 23, 8, 9, 26, 27, 12, 13, 30, 31) +
         __builtin_shufflevector(a, b, 2, 3, 16, 17, 6, 7, 20, 21, 10, 11, 24, 25, 14, 15, 28, 29);
}

INLINE v16 NAME(fold1)(v16 a, v16 b) {
  return __builtin_shufflevector(a, b, 0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31) +
         __builtin_shufflevector(a, b, 1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
}

/* Lane i is the sum of a[i]; a is not kept. */
INLINE v16 NAME(sum16)(v16 a[16]) {
  UNROLL for (int i = 0; i < 8; i++) a[i] = NAME(fold8)(a[i], a[i + 8]);
  UNROLL for (int i = 0; i < 4; i++) a[i] = NAME(fold4)(a[i], a[i + 4]);
  UNROLL for (int i = 0; i < 2; i++) a[i] = NAME(fold2)(a[i], a[i + 2]);
  return NAME(fold1)(a[0], a[1]);
}

INLINE v8 NAME(sum8)(v16 a[8]) {
  UNROLL for (int i = 0; i < 4; i++) a[i] = NAME(fold8)(a[i], a[i + 4]);
  UNROLL for (int i = 0; i < 2; i++) a[i] = NAME(fold4)(a[i], a[i + 2]);
  const v16 pairs = NAME(fold2)(a[0], a[1]);
  return __builtin_shufflevector(pairs, pairs, 0, 2, 4, 6, 8, 10, 12, 14) +
         __builtin_shufflevector(pairs, pairs, 1, 3, 5, 7, 9, 11, 13, 15);
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
