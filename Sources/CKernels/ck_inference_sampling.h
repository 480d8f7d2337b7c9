/* What choosing a token does with a whole vocabulary, in double precision. Part of ck_inference_kernels.h, compiled for each
   instruction set; nothing is fused, so that tokens are the same on every processor. */

typedef double d8 __attribute__((vector_size(64)));
typedef double d8u __attribute__((vector_size(64), aligned(8)));
typedef int64_t l8 __attribute__((vector_size(64)));
typedef float f8u __attribute__((vector_size(32), aligned(4)));

/* The first place of the largest of `count` numbers; `count` where none is a number above −∞. */
static size_t NAME(largest)(const float *x, size_t count) {
  const size_t whole = count / LANES * LANES;
  v16 best = (v16){0} - INFINITY;
  for (size_t i = 0; i < whole; i += LANES) {
    const v16 value = NAME(load)(x + i);
    best = NAME(select)(value > best, value, best);
  }
  float largest = best[0];
  for (int i = 1; i < LANES; i++) largest = best[i] > largest ? best[i] : largest;
  for (size_t i = whole; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  if (largest == -INFINITY) return count;
  size_t i = 0;
  for (; i < whole; i += LANES) {
    const i16 same = NAME(load)(x + i) == (v16){0} + largest;
    if (__builtin_reduce_or(same)) break;
  }
  while (i < count && x[i] != largest) i++;
  return i;
}

/* y[i] = (x[i] − largest) / temperature */
static void NAME(spread)(const float *x, size_t count, double largest, double temperature, double *y) {
  const size_t whole = count / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) {
    const d8 value = __builtin_convertvector(*(const f8u *)(x + i), d8);
    *(d8u *)(y + i) = (value - largest) / temperature;
  }
  for (size_t i = whole; i < count; i++) y[i] = ((double)x[i] - largest) / temperature;
}

/* eˣ = 2ᵏ eʳ with |r| ≤ ln 2 / 2, of which a Taylor series of degree 13 gives all bits but perhaps the last. */
INLINE d8 NAME(precise_exp)(d8 x) {
  /* Adding and subtracting this rounds to whole numbers, which the lowest bits of the sum hold. */
  const double rounder = 0x1.8p52;
  const d8 sum = x * 1.4426950408889634 + rounder, k = sum - rounder;
  /* ln 2 in two parts: k times the first one is exact. */
  const d8 r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
  d8 series = (d8){0} + 1.0 / 6227020800;
  series = series * r + 1.0 / 479001600;
  series = series * r + 1.0 / 39916800;
  series = series * r + 1.0 / 3628800;
  series = series * r + 1.0 / 362880;
  series = series * r + 1.0 / 40320;
  series = series * r + 1.0 / 5040;
  series = series * r + 1.0 / 720;
  series = series * r + 1.0 / 120;
  series = series * r + 1.0 / 24;
  series = series * r + 1.0 / 6;
  series = series * r + 1.0 / 2;
  series = series * r + 1.0;
  series = series * r + 1.0;
  /* 2ᵏ: its exponent is k's. */
  const l8 power = ((l8)sum << 52) + ((int64_t)1023 << 52);
  const d8 value = series * (d8)power;
  /* Comparing is false of what is not a number. */
  return (d8)((l8)value & (x >= -708));
}

/* Replaces `count` numbers, none of them above 0, by their exponentials, 0 where one is not a number or next to 0; answers
   their sum. */
static double NAME(exponentials)(double *x, size_t count) {
  const size_t whole = count / 8 * 8;
  d8 sums = {0};
  for (size_t i = 0; i < whole; i += 8) {
    const d8 value = NAME(precise_exp)(*(const d8u *)(x + i));
    *(d8u *)(x + i) = value;
    sums += value;
  }
  double sum = 0;
  for (int i = 0; i < 8; i++) sum += sums[i];
  for (size_t i = whole; i < count; i++) {
    x[i] = NAME(precise_exp)((d8){0} + x[i])[0];
    sum += x[i];
  }
  return sum;
}
