/* Plain loops that the compiler vectorises, once for each instruction set; the loader picks at start-up. Sums may be
   reassociated here: training does not promise the same bits on different processors, only on the same one. */
#include "ck_training.h"

#include <float.h>
#if defined(__linux__)
#include <features.h>
#endif
#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif
#include <math.h>
#include <string.h>

/* The loader picks before the thread sanitizer is ready for instrumented code: one form only, for every processor. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CK_ONE_FORM
#endif
#endif

#if defined(__x86_64__) && !defined(CK_ONE_FORM)
#define CK_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CK_CLONES
#endif

const char *ck_training_instructions(void) {
#if defined(__x86_64__) && defined(CK_ONE_FORM)
  return "x86-64";
#elif defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("x86-64-v4") ? "x86-64-v4" : __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3" : "x86-64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "portable";
#endif
}

const char *ck_library_version(void) {
#if defined(__GLIBC__)
  return gnu_get_libc_version();
#else
  return "";
#endif
}

/* e^x without branches, so that loops over it vectorise; relative error below 3e-7 on [-87, 88].
   x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by its Taylor polynomial of degree 7. */
static inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
  const float magic = 12582912.0f; /* 1.5·2^23: adding it rounds to an integer in the low bits */
  float shifted = x * 1.44269504f + magic;
  int32_t n;
  memcpy(&n, &shifted, 4);
  float whole = shifted - magic;
  float r = x - whole * 0.693145752f;
  r = r - whole * 1.42860677e-6f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  int32_t bits = (int32_t)((uint32_t)(n - 0x4B400000 + 127) << 23);
  float power;
  memcpy(&power, &bits, 4);
  return p * power;
}

/* The largest of `count` ≥ 1 values, in 16 lanes, since the compiler does not reorder comparisons by itself. */
static inline float largest(const float *x, size_t count) {
  float lanes[16];
  for (size_t j = 0; j < 16; j++) lanes[j] = -FLT_MAX;
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (size_t j = 0; j < 16; j++) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  for (size_t j = 0; i < count; i++, j++) lanes[j] = x[i] > lanes[j] ? x[i] : lanes[j];
  float top = lanes[0];
  for (size_t j = 1; j < 16; j++) top = lanes[j] > top ? lanes[j] : top;
  return top;
}

CK_CLONES void ck_rmsnorm_forward(const float *x, const float *weight, float epsilon, float *y, float *inverse_rms,
                                  size_t rows, size_t columns) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t i = 0; i < rows; i++) {
    const float *xi = x + i * columns;
    float *yi = y + i * columns;
    float sum = 0;
    for (size_t j = 0; j < columns; j++) sum += xi[j] * xi[j];
    float inverse = 1.0f / sqrtf(sum / (float)columns + epsilon);
    inverse_rms[i] = inverse;
    for (size_t j = 0; j < columns; j++) yi[j] = weight[j] * (xi[j] * inverse);
  }
}

CK_CLONES void ck_rmsnorm_backward(const float *dy, const float *x, const float *weight, const float *inverse_rms,
                                   float *dx, float *dweight, size_t rows, size_t columns) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t i = 0; i < rows; i++) {
    const float *xi = x + i * columns, *di = dy + i * columns;
    float *gi = dx + i * columns;
    float inverse = inverse_rms[i], dot = 0;
    for (size_t j = 0; j < columns; j++) dot += di[j] * weight[j] * xi[j];
    float pull = dot * inverse * inverse * inverse / (float)columns;
    for (size_t j = 0; j < columns; j++) gi[j] += di[j] * weight[j] * inverse - xi[j] * pull;
    if (dweight)
      for (size_t j = 0; j < columns; j++) dweight[j] += di[j] * xi[j] * inverse;
  }
}

CK_CLONES void ck_rotate_halves(float *x, size_t rows, size_t heads, size_t head_dimension, size_t stride,
                                const int32_t *positions, const float *cosines, const float *sines, float direction) {
  size_t half = head_dimension / 2;
  for (size_t i = 0; i < rows; i++) {
    const float *c = cosines + (size_t)positions[i] * half, *s = sines + (size_t)positions[i] * half;
    for (size_t h = 0; h < heads; h++) {
      float *a = x + i * stride + h * head_dimension, *b = a + half;
      for (size_t j = 0; j < half; j++) {
        float u = a[j], v = b[j], sine = direction * s[j];
        a[j] = u * c[j] - v * sine;
        b[j] = v * c[j] + u * sine;
      }
    }
  }
}

CK_CLONES void ck_causal_softmax_forward(float *scores, size_t rows, size_t columns, size_t first, float *log_sum,
                                         size_t log_sum_stride) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t i = 0; i < rows; i++) {
    float *row = scores + i * columns;
    size_t seen = first + i + 1 < columns ? first + i + 1 : columns;
    float top = largest(row, seen);
    float sum = 0;
    for (size_t j = 0; j < seen; j++) {
      float e = exponential(row[j] - top);
      row[j] = e;
      sum += e;
    }
    float inverse = 1.0f / sum;
    for (size_t j = 0; j < seen; j++) row[j] *= inverse;
    for (size_t j = seen; j < columns; j++) row[j] = 0;
    log_sum[i * log_sum_stride] = top + logf(sum);
  }
}

CK_CLONES void ck_causal_softmax_again(float *scores, size_t rows, size_t columns, size_t first, const float *log_sum,
                                       size_t log_sum_stride) {
  for (size_t i = 0; i < rows; i++) {
    float *row = scores + i * columns;
    size_t seen = first + i + 1 < columns ? first + i + 1 : columns;
    float shift = log_sum[i * log_sum_stride];
    for (size_t j = 0; j < seen; j++) row[j] = exponential(row[j] - shift);
    for (size_t j = seen; j < columns; j++) row[j] = 0;
  }
}

CK_CLONES void ck_softmax_backward(const float *probabilities, float *d, size_t rows, size_t columns, float scale) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t i = 0; i < rows; i++) {
    const float *p = probabilities + i * columns;
    float *di = d + i * columns;
    float dot = 0;
    for (size_t j = 0; j < columns; j++) dot += p[j] * di[j];
    for (size_t j = 0; j < columns; j++) di[j] = p[j] * (di[j] - dot) * scale;
  }
}

CK_CLONES void ck_silu_multiply_forward(const float *gate, const float *up, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = gate[i] / (1.0f + exponential(-gate[i])) * up[i];
}

CK_CLONES void ck_silu_multiply_backward(float *restrict gate, float *restrict up, const float *restrict dout,
                                         size_t count) {
  for (size_t i = 0; i < count; i++) {
    float g = gate[i], u = up[i], d = dout[i];
    float sigmoid = 1.0f / (1.0f + exponential(-g));
    float silu = g * sigmoid;
    up[i] = d * silu;
    gate[i] = d * u * (sigmoid + silu * (1.0f - sigmoid));
  }
}

CK_CLONES void ck_silu_multiply_derivatives(float *restrict gate, float *restrict up, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float g = gate[i], u = up[i];
    float sigmoid = 1.0f / (1.0f + exponential(-g));
    float silu = g * sigmoid;
    up[i] = silu;
    gate[i] = u * (sigmoid + silu * (1.0f - sigmoid));
  }
}

CK_CLONES void ck_multiply(float *restrict y, const float *restrict x, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] *= x[i];
}

// A block: where its numbers begin and how far two neighbouring ones of 16 are apart, in BF16, and 16 bytes, each of
// number j in its lower half and number j + 16 in its upper one.
enum { NIBBLE_BLOCK = 32, NIBBLE_BYTES = 20 };

static inline uint16_t upper_half(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static inline float from_upper_half(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

size_t ck_nibble_bytes(size_t rows, size_t columns) {
  return rows * ((columns + NIBBLE_BLOCK - 1) / NIBBLE_BLOCK) * NIBBLE_BYTES;
}

CK_CLONES void ck_pack_nibbles(const float *x, void *packed, size_t rows, size_t columns) {
  uint8_t *out = packed;
  for (size_t row = 0; row < rows; row++) {
    for (size_t start = 0; start < columns; start += NIBBLE_BLOCK, out += NIBBLE_BYTES) {
      const float *from = x + row * columns + start;
      size_t count = columns - start < NIBBLE_BLOCK ? columns - start : NIBBLE_BLOCK;
      float values[NIBBLE_BLOCK];
      for (size_t j = 0; j < NIBBLE_BLOCK; j++) values[j] = from[j < count ? j : 0];
      float low = values[0], high = values[0];
      for (size_t j = 1; j < NIBBLE_BLOCK; j++) {
        low = values[j] < low ? values[j] : low;
        high = values[j] > high ? values[j] : high;
      }
      uint16_t ends[2] = {upper_half(low), upper_half((high - low) / 15.0f)};
      memcpy(out, ends, 4);
      float first = from_upper_half(ends[0]), step = from_upper_half(ends[1]);
      float inverse = step > 0.0f ? 1.0f / step : 0.0f;
      int32_t codes[NIBBLE_BLOCK];
      for (size_t j = 0; j < NIBBLE_BLOCK; j++) {
        float code = (values[j] - first) * inverse + 0.5f;
        // What is no number becomes 0 here, which its block's ends say already.
        code = code > 0.0f ? code : 0.0f;
        codes[j] = (int32_t)(code < 15.0f ? code : 15.0f);
      }
      for (size_t j = 0; j < 16; j++) out[4 + j] = (uint8_t)(codes[j] | codes[j + 16] << 4);
    }
  }
}

CK_CLONES void ck_unpack_nibbles(const void *packed, float *y, size_t rows, size_t columns) {
  const uint8_t *from = packed;
  for (size_t row = 0; row < rows; row++) {
    for (size_t start = 0; start < columns; start += NIBBLE_BLOCK, from += NIBBLE_BYTES) {
      float *to = y + row * columns + start;
      size_t count = columns - start < NIBBLE_BLOCK ? columns - start : NIBBLE_BLOCK;
      uint16_t ends[2];
      memcpy(ends, from, 4);
      float first = from_upper_half(ends[0]), step = from_upper_half(ends[1]);
      float values[NIBBLE_BLOCK];
      for (size_t j = 0; j < 16; j++) {
        values[j] = first + step * (float)(from[4 + j] & 15);
        values[j + 16] = first + step * (float)(from[4 + j] >> 4);
      }
      memcpy(to, values, count * sizeof(float));
    }
  }
}

// In place: logits become their exponentials above the largest; returns their sum.
static inline float exponentials(float *row, size_t columns, float top) {
#pragma clang fp reassociate(on) contract(fast)
  float sum = 0;
  for (size_t j = 0; j < columns; j++) {
    float e = exponential(row[j] - top);
    row[j] = e;
    sum += e;
  }
  return sum;
}

CK_CLONES double ck_cross_entropy(float *logits, const int32_t *targets, size_t rows, size_t columns, float scale,
                                  float *losses) {
#pragma clang fp reassociate(on) contract(fast)
  double total = 0;
  for (size_t i = 0; i < rows; i++) {
    float *row = logits + i * columns;
    size_t target = (size_t)targets[i];
    float top = largest(row, columns);
    float at_target = row[target];
    float sum = exponentials(row, columns, top);
    float factor = scale / sum;
    for (size_t j = 0; j < columns; j++) row[j] *= factor;
    row[target] -= scale;
    float loss = logf(sum) + top - at_target;
    if (losses) losses[i] = loss;
    total += loss;
  }
  return total;
}

CK_CLONES double ck_distill(float *logits, float *teacher, const int32_t *targets, size_t rows, size_t columns,
                            float scale, float share, float *losses) {
#pragma clang fp reassociate(on) contract(fast)
  double total = 0;
  for (size_t i = 0; i < rows; i++) {
    float *row = logits + i * columns, *taught = teacher + i * columns;
    size_t target = (size_t)targets[i];
    float top = largest(row, columns), taught_top = largest(taught, columns);
    float at_target = row[target];
    // KL = Σ p (log p − log q) = Σ p (t − s) + log Σ exp s − log Σ exp t, both measured from their largest.
    float taught_sum = 0, products = 0;
    for (size_t j = 0; j < columns; j++) {
      float e = exponential(taught[j] - taught_top);
      products += e * ((taught[j] - taught_top) - (row[j] - top));
      taught[j] = e;
      taught_sum += e;
    }
    float sum = exponentials(row, columns, top);
    float divergence = products / taught_sum + logf(sum) - logf(taught_sum);
    float factor = scale / sum, taught_factor = scale * share / taught_sum;
    for (size_t j = 0; j < columns; j++) row[j] = factor * row[j] - taught_factor * taught[j];
    row[target] -= scale * (1.0f - share);
    float loss = share * divergence + (1.0f - share) * (logf(sum) + top - at_target);
    if (losses) losses[i] = loss;
    total += loss;
  }
  return total;
}

CK_CLONES double ck_match_logits(float *logits, float *teacher, const int32_t *targets, size_t rows, size_t columns,
                                 float scale, float weight, float *losses) {
#pragma clang fp reassociate(on) contract(fast)
  double total = 0;
  for (size_t i = 0; i < rows; i++) {
    float *row = logits + i * columns, *apart = teacher + i * columns;
    size_t target = (size_t)targets[i];
    float squares = 0;
    for (size_t j = 0; j < columns; j++) {
      apart[j] = row[j] - apart[j];
      squares += apart[j] * apart[j];
    }
    float top = largest(row, columns);
    float at_target = row[target];
    float sum = exponentials(row, columns, top);
    float factor = scale / sum, pull = 2.0f * scale * weight / (float)columns;
    for (size_t j = 0; j < columns; j++) row[j] = factor * row[j] + pull * apart[j];
    row[target] -= scale;
    float loss = logf(sum) + top - at_target + weight * squares / (float)columns;
    if (losses) losses[i] = loss;
    total += loss;
  }
  return total;
}

CK_CLONES void ck_add(float *y, const float *x, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += x[i];
}

CK_CLONES void ck_multiply_columns(float *y, const float *factors, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[i * columns + j] *= factors[j];
}

CK_CLONES void ck_add_column_products(float *out, const float *x, const float *y, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) out[j] += x[i * columns + j] * y[i * columns + j];
}

CK_CLONES void ck_add_scaled(float *y, const float *x, float factor, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += factor * x[i];
}

CK_CLONES void ck_scale(float *y, float factor, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] *= factor;
}

CK_CLONES void ck_add_bias(float *y, const float *bias, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[i * columns + j] += bias[j];
}

CK_CLONES void ck_add_column_sums(float *out, const float *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) out[j] += x[i * columns + j];
}

void ck_gather_rows(const float *table, const int32_t *indices, float *out, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    memcpy(out + i * columns, table + (size_t)indices[i] * columns, columns * sizeof(float));
}

CK_CLONES void ck_scatter_add_rows(float *table, const int32_t *indices, const float *x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++) {
    float *row = table + (size_t)indices[i] * columns;
    for (size_t j = 0; j < columns; j++) row[j] += x[i * columns + j];
  }
}

CK_CLONES double ck_sum_of_squares(const float *x, size_t count) {
#pragma clang fp reassociate(on) contract(fast)
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

CK_CLONES double ck_dot(const float *x, const float *y, size_t count) {
#pragma clang fp reassociate(on) contract(fast)
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)x[i] * (double)y[i];
  return sum;
}

CK_CLONES double ck_sum_of_absolute_products(const float *x, const float *y, size_t count) {
#pragma clang fp reassociate(on) contract(fast)
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)fabsf(x[i] * y[i]);
  return sum;
}

CK_CLONES void ck_adamw(float *restrict values, const float *restrict gradient, float *restrict first_moment,
                        float *restrict second_moment, size_t count,
                        float gradient_scale, float learning_rate, float beta1, float beta2, float epsilon,
                        float weight_decay, const float *start, float start_decay, float correction1,
                        float correction2) {
#pragma clang fp contract(fast)
  float keep = 1.0f - learning_rate * weight_decay, back = learning_rate * start_decay;
  float inverse1 = 1.0f / correction1, inverse2 = 1.0f / correction2;
  for (size_t i = 0; i < count; i++) {
    float g = gradient[i] * gradient_scale;
    float m = beta1 * first_moment[i] + (1.0f - beta1) * g;
    float v = beta2 * second_moment[i] + (1.0f - beta2) * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    values[i] = keep * values[i] - learning_rate * (m * inverse1) / (__builtin_elementwise_sqrt(v * inverse2) + epsilon);
  }
  if (!start) return;
  for (size_t i = 0; i < count; i++) values[i] += back * (start[i] - values[i]);
}
