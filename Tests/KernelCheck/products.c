/* Products of F32, F16 and BF16 weights. */
#include "check.h"

typedef struct {
  size_t columns, rows;
} shape;

static const size_t token_counts[] = {1, 2, 3, 4, 5, 6, 7, 11, 14};

/* Weights of a type, and what they are as floats. */
static void *weights_of(int32_t type, const float *exact, size_t count, float *plain) {
  if (type == CK_F32) {
    memcpy(plain, exact, count * sizeof(float));
    return (void *)(uintptr_t)exact;
  }
  uint16_t *bits = guarded(count * 2, 2);
  for (size_t i = 0; i < count; i++) {
    bits[i] = type == CK_F16 ? ck_half_bits(exact[i]) : bfloat16_bits(exact[i]);
    plain[i] = type == CK_F16 ? half(bits[i]) : bfloat16(bits[i]);
  }
  return bits;
}

static void *scratch_of(const ck_inference *table, int32_t type, size_t columns, size_t tokens) {
  const size_t bytes = table->linear_scratch(type, columns, tokens);
  return bytes == 0 ? NULL : guarded((bytes + 63) / 64 * 64, 64);
}

static void product(const ck_inference *table, int32_t type, shape shape, size_t tokens, digests *digests) {
  const size_t rows = shape.rows, columns = shape.columns, stride = columns + 3, out_stride = rows + 1;
  const float *exact = numbers(rows * columns, 1, 1), *bias = numbers(rows, 2, 1);
  const float *before = numbers(tokens * out_stride, 4, 1);
  float *x = numbers(tokens * stride - 3, 3, 1), *plain = guarded(rows * columns * sizeof(float), 4);
  void *weights = weights_of(type, exact, rows * columns, plain), *scratch = scratch_of(table, type, columns, tokens);
  const size_t r0 = rows > 4 ? 2 : 0, size = tokens * out_stride * sizeof(float);
  float *y = guarded(size, 4), *alone = guarded(size, 4), *ahead = guarded(size, 4);
  memcpy(y, before, size), memcpy(alone, before, size), memcpy(ahead, before, size);
  table->linear(type, weights, rows, columns, x, stride, tokens, y, out_stride, r0, rows, 0.5f, bias, 1, NULL, scratch);
  for (size_t t = 0; t < tokens; t++)
    table->linear(type, weights, rows, columns, x + t * stride, stride, 1, alone + t * out_stride, out_stride, r0, rows,
                  0.5f, bias, 1, NULL, scratch);
  expect(memcmp(alone, y, size) == 0, "%s type %d %zu×%zu: %zu tokens are not each alone", table->name, type, rows,
         columns, tokens);
  const size_t rounded_bytes = table->rounded_size(type, columns, tokens);
  if (rounded_bytes > 0) {
    void *rounded = guarded((rounded_bytes + 63) / 64 * 64, 64);
    /* In parts of tokens and of columns, in any order. */
    const size_t half = columns / 2 / CK_BLOCK * CK_BLOCK;
    table->round(type, x, stride, columns, tokens, tokens / 2, tokens, 0, columns, rounded);
    table->round(type, x, stride, columns, tokens, 0, tokens / 2, half, columns, rounded);
    table->round(type, x, stride, columns, tokens, 0, tokens / 2, 0, half, rounded);
    table->linear(type, weights, rows, columns, x, stride, tokens, ahead, out_stride, r0, rows, 0.5f, bias, 1, rounded,
                  scratch);
    expect(memcmp(ahead, y, size) == 0, "%s type %d: rounding ahead is not the same", table->name, type);
  }
  const bool rounds = type == CK_BF16 && table->rounds_to_bfloat16;
  expect((rounded_bytes > 0) == rounds, "%s type %d: rounds or not", table->name, type);
  for (size_t t = 0; t < tokens; t++) {
    for (size_t r = 0; r < out_stride; r++) {
      const float found = y[t * out_stride + r], was = before[t * out_stride + r];
      if (r < r0 || r >= rows) {
        expect(found == was, "%s type %d: row %zu outside was written", table->name, type, r);
        continue;
      }
      double sum = 0, magnitude = 1;
      for (size_t k = 0; k < columns; k++) {
        const float seen = x[t * stride + k];
        const double part = (double)plain[r * columns + k] * (double)(rounds ? bfloat16(bfloat16_bits(seen)) : seen);
        sum += part, magnitude += fabs(part);
      }
      const double expected = (double)was + 0.5 * sum + (double)bias[r];
      expect(fabs((double)found - expected) < 1e-6 * magnitude, "%s type %d %zu×%zu, %zu tokens: %g, not %g", table->name,
             type, rows, columns, tokens, (double)found, expected);
    }
  }
  if (!rounds && type != CK_BF16) add_to_digest(&digests->floats, y, tokens * out_stride);
  free_guarded();
}

static void backward(const ck_inference *table, shape shape, size_t tokens, bool adds) {
  const size_t rows = shape.rows, columns = shape.columns, stride = rows + 3, out_stride = columns + 1;
  float *plain = guarded(rows * columns * sizeof(float), 4);
  const void *weights = weights_of(CK_BF16, numbers(rows * columns, 1, 1), rows * columns, plain);
  const float *dy = numbers(tokens * stride - 3, 3, 1), *before = numbers(tokens * out_stride, 4, 1);
  float *dx = guarded(tokens * out_stride * sizeof(float), 4);
  memcpy(dx, before, tokens * out_stride * sizeof(float));
  void *scratch = guarded((table->linear_back_scratch(rows, tokens) + 63) / 64 * 64, 64);
  table->linear_back(weights, rows, columns, dy, stride, tokens, dx, out_stride, adds, scratch);
  for (size_t t = 0; t < tokens; t++) {
    expect(dx[t * out_stride + columns] == before[t * out_stride + columns], "%s: a column outside was written",
           table->name);
    for (size_t k = 0; k < columns; k++) {
      double sum = adds ? (double)before[t * out_stride + k] : 0, magnitude = 1;
      for (size_t r = 0; r < rows; r++) {
        const double part = (double)plain[r * columns + k] * (double)bfloat16(bfloat16_bits(dy[t * stride + r]));
        sum += part, magnitude += fabs(part);
      }
      expect(fabs((double)dx[t * out_stride + k] - sum) < 1e-6 * magnitude, "%s backward %zu×%zu, %zu tokens", table->name,
             rows, columns, tokens);
    }
  }
  free_guarded();
}

void check_products(const ck_inference *table, digests *digests) {
  static const shape shapes[] = {{1, 1},   {7, 3},   {8, 5},    {16, 8},   {17, 5},  {33, 13},
                                 {64, 9}, {100, 21}, {192, 40}, {515, 11}, {2100, 9}};
  static const int32_t types[] = {CK_F32, CK_F16, CK_BF16};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    for (size_t t = 0; t < sizeof token_counts / sizeof *token_counts; t++) {
      for (size_t i = 0; i < 3; i++) product(table, types[i], shapes[s], token_counts[t], digests);
    }
  }
  expect((table->linear_back != NULL) == (table->rounds_to_bfloat16 == 1), "%s: backward", table->name);
  if (!table->linear_back) return;
  static const shape back[] = {{1, 1}, {3, 2}, {17, 5}, {33, 256}, {64, 31}, {65, 257}, {99, 300}, {130, 515}};
  for (size_t s = 0; s < sizeof back / sizeof *back; s++) {
    for (size_t t = 0; t < sizeof token_counts / sizeof *token_counts; t++) {
      backward(table, back[s], token_counts[t], false);
      backward(table, back[s], token_counts[t], true);
    }
  }
}
