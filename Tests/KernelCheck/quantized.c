/* Quantised weights: blocks, panels, products. */
#include "check.h"

static const int32_t types[] = {CK_Q8_0, CK_Q4_0, CK_Q4_1};
static const char *const names[] = {"Q8_0", "Q4_0", "Q4_1"};

static size_t block_bytes(int32_t type) {
  return type == CK_Q8_0 ? CK_Q8_0_BYTES : type == CK_Q4_0 ? CK_Q4_0_BYTES : CK_Q4_1_BYTES;
}

/* Weights in panels, and what they are as floats. */
static void *panels_of(int32_t type, size_t rows, size_t columns, float *plain) {
  const size_t bytes = rows * (columns / CK_BLOCK) * block_bytes(type);
  uint8_t *blocks = guarded(bytes, 1), *panels = guarded(bytes, 2);
  expect(ck_quantize(type, numbers(rows * columns, 1, 1), rows * columns, blocks) == 0, "quantising");
  ck_pack_panels(type, blocks, rows, columns, panels);
  for (size_t i = 0; i < rows * columns; i++) {
    const uint8_t *block = blocks + i / CK_BLOCK * block_bytes(type);
    const size_t place = i % CK_BLOCK;
    uint16_t scale, minimum = 0;
    memcpy(&scale, block, 2);
    if (type == CK_Q4_1) memcpy(&minimum, block + 2, 2);
    const uint8_t byte = block[(type == CK_Q4_1 ? 4 : 2) + (type == CK_Q8_0 ? place : place % 16)];
    const int nibble = place < 16 ? byte & 15 : byte >> 4;
    plain[i] = type == CK_Q8_0   ? half(scale) * (float)(int8_t)byte
               : type == CK_Q4_0 ? half(scale) * (float)(nibble - 8)
                                 : half(scale) * (float)nibble + half(minimum);
  }
  return panels;
}

/* An activation as the weights meet it. */
static void round_row(const ck_inference *table, const float *x, size_t columns, double *seen) {
  for (size_t k = 0; k < columns; k += CK_BLOCK) {
    float largest = 0;
    for (size_t i = k; i < k + CK_BLOCK; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    const float scale = largest / table->block_steps, inverse = scale > 0 ? table->block_steps / largest : 0;
    for (size_t i = k; i < k + CK_BLOCK; i++)
      seen[i] = table->block_steps > 0 ? (double)rintf(x[i] * inverse) * (double)scale : (double)x[i];
  }
}

static void product(const ck_inference *table, int kind, size_t rows, size_t columns, size_t tokens, double size,
                    digests *digests) {
  const int32_t type = types[kind];
  const size_t stride = columns + 3, out_stride = rows + 1, r0 = rows > 4 ? 2 : 0;
  float *plain = guarded(rows * columns * sizeof(float), 4);
  double *seen = guarded(columns * sizeof(double), 8);
  const void *panels = panels_of(type, rows, columns, plain);
  const float *x = numbers(tokens * stride - 3, 3, size), *bias = numbers(rows, 2, size);
  const float *before = numbers(tokens * out_stride, 4, size);
  const size_t bytes = tokens * out_stride * sizeof(float);
  float *y = guarded(bytes, 4), *alone = guarded(bytes, 4), *ahead = guarded(bytes, 4);
  memcpy(y, before, bytes), memcpy(alone, before, bytes), memcpy(ahead, before, bytes);
  void *scratch = guarded((table->linear_scratch(type, columns, tokens) + 63) / 64 * 64, 64);
  table->linear(type, panels, rows, columns, x, stride, tokens, y, out_stride, r0, rows, 0.5f, bias, 1, NULL, scratch);
  /* Each token alone, rows in two parts. */
  for (size_t t = 0; t < tokens; t++) {
    const size_t middle = (r0 + rows) / 2;
    table->linear(type, panels, rows, columns, x + t * stride, stride, 1, alone + t * out_stride, out_stride, r0, middle,
                  0.5f, bias, 1, NULL, scratch);
    table->linear(type, panels, rows, columns, x + t * stride, stride, 1, alone + t * out_stride, out_stride, middle, rows,
                  0.5f, bias, 1, NULL, scratch);
  }
  expect(memcmp(alone, y, bytes) == 0, "%s %s %zu×%zu: %zu tokens are not each alone", table->name, names[kind], rows,
         columns, tokens);
  const size_t rounded_bytes = table->rounded_size(type, columns, tokens);
  expect((rounded_bytes > 0) == (table->block_steps > 0), "%s %s: rounds or not", table->name, names[kind]);
  if (rounded_bytes > 0) {
    void *rounded = guarded((rounded_bytes + 63) / 64 * 64, 64);
    /* In parts of tokens and of columns, in any order. */
    const size_t half = columns / 2 / CK_BLOCK * CK_BLOCK;
    table->round(type, x, stride, columns, tokens, tokens / 2, tokens, 0, columns, rounded);
    table->round(type, x, stride, columns, tokens, 0, tokens / 2, half, columns, rounded);
    table->round(type, x, stride, columns, tokens, 0, tokens / 2, 0, half, rounded);
    table->linear(type, panels, rows, columns, x, stride, tokens, ahead, out_stride, r0, rows, 0.5f, bias, 1, rounded,
                  scratch);
    expect(memcmp(ahead, y, bytes) == 0, "%s %s: rounding ahead is not the same", table->name, names[kind]);
  }
  for (size_t t = 0; t < tokens; t++) {
    round_row(table, x + t * stride, columns, seen);
    for (size_t r = 0; r < out_stride; r++) {
      const float found = y[t * out_stride + r], was = before[t * out_stride + r];
      if (r < r0 || r >= rows) {
        expect(found == was, "%s %s: row %zu outside was written", table->name, names[kind], r);
        continue;
      }
      double sum = 0, magnitude = size;
      for (size_t k = 0; k < columns; k++) {
        const double part = (double)plain[r * columns + k] * seen[k];
        sum += part, magnitude += fabs(part);
      }
      const double expected = (double)was + 0.5 * sum + (double)bias[r];
      expect(fabs((double)found - expected) < 1e-6 * magnitude, "%s %s %zu×%zu, %zu tokens: %g, not %g", table->name,
             names[kind], rows, columns, tokens, (double)found, expected);
    }
  }
  add_to_digest(&digests->quantized, y, tokens * out_stride);
  free_guarded();
}

/* Rows of panels one after another, whole and in part. */
static void rows_of_panels(const ck_inference *table, int kind, size_t rows) {
  const size_t columns = 96;
  float *plain = guarded(rows * columns * sizeof(float), 4);
  const void *panels = panels_of(types[kind], rows, columns, plain);
  for (size_t row = 0; row < rows; row++) {
    for (size_t from = 0; from < columns; from += 32) {
      const size_t count = columns - from;
      float *found = guarded(count * sizeof(float), 4);
      table->dequantize_panel(types[kind], panels, rows, columns, row, from, count, found);
      bool same = true;
      for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)found[i] - (double)plain[row * columns + from + i]);
        same = same && (types[kind] == CK_Q4_1 ? difference < 1e-6 : difference == 0);
      }
      expect(same, "%s %s row %zu of %zu", table->name, names[kind], row, rows);
    }
  }
  free_guarded();
}

/* What is not finite, or is very small, among the activations. */
static void odd_activations(const ck_inference *table, int kind) {
  static const float odd[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < 3; i++) {
    float *plain = guarded(16 * 64 * sizeof(float), 4), *x = numbers(64, 3, 1), *y = guarded(16 * sizeof(float), 4);
    const void *panels = panels_of(types[kind], 16, 64, plain);
    void *scratch = guarded((table->linear_scratch(types[kind], 64, 1) + 63) / 64 * 64, 64);
    x[40] = odd[i];
    table->linear(types[kind], panels, 16, 64, x, 64, 1, y, 16, 0, 16, 1, NULL, 0, NULL, scratch);
    for (int r = 0; r < 16; r++) expect(!isfinite(y[r]), "%s %s hides %g", table->name, names[kind], (double)odd[i]);
    for (int k = 0; k < 64; k++) x[k] = k == 3 ? 1e-40f : 0;
    table->linear(types[kind], panels, 16, 64, x, 64, 1, y, 16, 0, 16, 1, NULL, 0, NULL, scratch);
    for (int r = 0; r < 16; r++)
      expect(fabsf(y[r]) < 1e-38f, "%s %s of next to nothing: %g", table->name, names[kind], (double)y[r]);
    free_guarded();
  }
}

void check_quantized(const ck_inference *table, digests *digests) {
  static const size_t shapes[][2] = {{32, 1}, {64, 3}, {96, 5}, {160, 13}, {544, 21}, {1024, 9}, {64, 16}, {96, 35}, {32, 50}};
  static const size_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 30};
  for (int kind = 0; kind < 3; kind++) {
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
        product(table, kind, shapes[s][1], shapes[s][0], tokens[t], t % 3 == 2 ? 1000 : 1, digests);
    }
    static const size_t rows[] = {1, 2, 15, 16, 17, 50};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) rows_of_panels(table, kind, rows[i]);
    odd_activations(table, kind);
  }
}
