/* What choosing a token does with a whole vocabulary. Part of ck_inference_kernels.h, compiled for each instruction set;
   nothing is fused, so that tokens are the same on every processor. */

typedef double d8 __attribute__((vector_size(64)));

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

/* eˣ = 2ᵏ eʳ with |r| ≤ ln 2 / 2, of which a Taylor series of degree 7 gives all bits but perhaps the last. */
INLINE v16 NAME(unfused_exp)(v16 x) {
  /* Adding and subtracting this rounds to whole numbers, which the lowest bits of the sum hold. */
  const float rounder = 0x1.8p23f;
  const v16 sum = x * 1.44269504f + rounder, k = sum - rounder;
  /* ln 2 in two parts: k times the first one is exact. */
  const v16 r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  v16 series = (v16){0} + 1.0f / 5040;
  series = series * r + 1.0f / 720;
  series = series * r + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 1.0f / 2;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  /* 2ᵏ: its exponent is k's. */
  const i16 power = ((i16)sum << 23) + (127 << 23);
  const v16 value = series * (v16)power;
  /* Comparing is false of what is not a number. */
  return (v16)((i16)value & (x >= -87.0f));
}

static double NAME(exponentials)(const float *x, size_t count, float largest, float inverse_temperature, float *y) {
  const size_t whole = count / LANES * LANES;
  d8 sums = {0};
  for (size_t i = 0; i < whole; i += LANES) {
    const v16 value = NAME(unfused_exp)((NAME(load)(x + i) - largest) * inverse_temperature);
    *(v16u *)(y + i) = value;
    sums += __builtin_convertvector(__builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7), d8);
    sums += __builtin_convertvector(__builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15), d8);
  }
  double sum = 0;
  for (int i = 0; i < 8; i++) sum += sums[i];
  for (size_t i = whole; i < count; i++) {
    y[i] = NAME(unfused_exp)((v16){0} + (x[i] - largest) * inverse_temperature)[0];
    sum += y[i];
  }
  return sum;
}
