/* Norm, activation, rotation, and weights as floats. */
#include "check.h"

static void count_of(const ck_inference *table, size_t count, digests *digests) {
  const float *x = numbers(2 * count, 8, 20), *weight = numbers(count, 9, 1), *up = numbers(2 * count, 10, 1);
  float *y = guarded(2 * count * sizeof(float), 4);
  table->rms_norm(x, count, weight, count, 1e-5f, 2, y, count);
  for (size_t t = 0; t < 2; t++) {
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += (double)x[t * count + i] * (double)x[t * count + i];
    const double scale = 1 / sqrt(squares / (double)count + 1e-5);
    for (size_t i = 0; i < count; i++) {
      const double expected = (double)x[t * count + i] * scale * (double)weight[i];
      expect(fabs((double)y[t * count + i] - expected) <= 1e-6 * fabs(expected), "%s: norm of %zu", table->name, count);
    }
  }
  add_to_digest(&digests->floats, y, 2 * count);

  float *gate = guarded(2 * count * sizeof(float), 4);
  memcpy(gate, x, 2 * count * sizeof(float));
  gate[0] = -200; /* the exponential would overflow */
  table->silu_multiply(gate, up, count, count, 2);
  for (size_t i = 0; i < 2 * count; i++) {
    const double g = i == 0 ? -200 : (double)x[i], expected = g / (1 + exp(-g)) * (double)up[i];
    expect(fabs((double)gate[i] - expected) <= 1e-6 * fabs(expected) + 1e-30, "%s: activation of %g", table->name, g);
  }
  add_to_digest(&digests->floats, gate, 2 * count);

  const float *angles = numbers(count, 11, 3);
  float *cosines = guarded(count * sizeof(float), 4), *sines = guarded(count * sizeof(float), 4);
  float *turned = guarded(2 * count * sizeof(float), 4);
  for (size_t i = 0; i < count; i++) cosines[i] = cosf(angles[i]), sines[i] = sinf(angles[i]);
  memcpy(turned, x, 2 * count * sizeof(float));
  table->rotate(turned, cosines, sines, count);
  for (size_t i = 0; i < count; i++) {
    const double a = (double)x[i], b = (double)x[i + count], c = (double)cosines[i], s = (double)sines[i];
    expect(fabs((double)turned[i] - (a * c - b * s)) < 1e-5, "%s: rotation", table->name);
    expect(fabs((double)turned[i + count] - (b * c + a * s)) < 1e-5, "%s: rotation", table->name);
  }
  free_guarded();
}

static void every_number_of_16_bits(const ck_inference *table) {
  uint16_t *bits = guarded(65536 * 2, 2);
  float *y = guarded(65536 * sizeof(float), 4);
  for (int i = 0; i < 65536; i++) bits[i] = (uint16_t)i;
  for (int type = CK_F16; type <= CK_BF16; type++) {
    table->dequantize(type, bits, 65535, y);
    for (int i = 0; i < 65535; i++) {
      const float expected = type == CK_F16 ? half((uint16_t)i) : bfloat16((uint16_t)i);
      expect(isnan(expected) ? isnan(y[i]) : memcmp(&expected, y + i, sizeof expected) == 0, "%s type %d: number %d",
             table->name, type, i);
      if (type == CK_F16 && isfinite(expected)) expect(ck_half_bits(expected) == i, "half of %g", (double)expected);
    }
  }
  free_guarded();
}

void check_rows(const ck_inference *table, digests *digests) {
  static const size_t counts[] = {1, 8, 15, 16, 17, 96, 515};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) count_of(table, counts[i], digests);
  every_number_of_16_bits(table);
}
