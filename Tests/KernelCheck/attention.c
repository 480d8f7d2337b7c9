/* Attention, of both kinds, to keys and values of both types. */
#include "check.h"

static void attend(const ck_inference *table, size_t dimension, int32_t cache, size_t step, int32_t rectified,
                   size_t position, digests *digests) {
  enum { queries_count = 9, capacity = 96 };
  const size_t padded = (dimension + 15) / 16 * 16, total = position + 1 + step * (queries_count - 1);
  const size_t number = cache == CK_F16 ? 2 : 4, out_stride = dimension + 1;
  float *keys = numbers(total * dimension, 5, 1), *vectors = numbers(total * dimension, 6, 1);
  const float *queries = numbers(queries_count * dimension, 7, 3);
  /* What lies beyond the last position does not matter; the cache ends with a whole block of keys. */
  const size_t blocks = (total + CK_KEY_BLOCK - 1) / CK_KEY_BLOCK;
  void *kept_keys = guarded(blocks * CK_KEY_BLOCK * dimension * number, 64);
  void *kept_values = guarded(total * padded * number, number);
  if (cache == CK_F16) {
    for (size_t i = 0; i < total * dimension; i++) {
      keys[i] = half(ck_half_bits(keys[i]));
      vectors[i] = half(ck_half_bits(vectors[i]));
    }
  }
  for (size_t j = 0; j < total; j++) {
    table->store_key(cache, kept_keys, j, keys + j * dimension, dimension);
    table->store_value(cache, kept_values, padded, j, vectors + j * dimension, dimension);
  }
  const size_t bytes = queries_count * out_stride * sizeof(float);
  float *output = guarded(bytes, 4), *alone = guarded(bytes, 4);
  for (size_t i = 0; i < queries_count * out_stride; i++) output[i] = alone[i] = -7;
  float *scratch = guarded(ck_attention_scratch(total) * sizeof(float), 4);
  ck_attention head = {queries, dimension, cache, kept_keys, kept_values, padded, output, out_stride, dimension, position,
                       step, 1 / sqrtf((float)dimension), rectified, kept_keys, 100};
  table->attend(&head, 0, queries_count, scratch);
  head.output = alone;
  for (size_t t = 0; t < queries_count; t++) table->attend(&head, t, t + 1, scratch);
  expect(memcmp(alone, output, bytes) == 0, "%s: attention of %zu at %zu is not the same alone", table->name, dimension,
         position);
  for (size_t t = 0; t < queries_count; t++) {
    double weights[capacity], largest = -INFINITY, sum = rectified ? 1e-6 : 0;
    const size_t seen = position + t * step + 1;
    for (size_t j = 0; j < seen; j++) {
      weights[j] = 0;
      for (size_t d = 0; d < dimension; d++)
        weights[j] += (double)queries[t * dimension + d] * (double)keys[j * dimension + d];
      weights[j] *= (double)head.scale;
      largest = weights[j] > largest ? weights[j] : largest;
    }
    for (size_t j = 0; j < seen; j++) {
      weights[j] = rectified ? fmax(0, weights[j]) : exp(weights[j] - largest);
      sum += weights[j];
    }
    for (size_t d = 0; d < dimension; d++) {
      double expected = 0;
      for (size_t j = 0; j < seen; j++) expected += weights[j] / sum * (double)vectors[j * dimension + d];
      expect(fabs((double)output[t * out_stride + d] - expected) < 3e-6, "%s: attention of %zu at %zu: %g, not %g",
             table->name, dimension, position, (double)output[t * out_stride + d], expected);
    }
    expect(output[t * out_stride + dimension] == -7, "%s: written past the head", table->name);
  }
  add_to_digest(&digests->floats, output, queries_count * out_stride);
  free_guarded();
}

void check_attention(const ck_inference *table, digests *digests) {
  static const size_t dimensions[] = {2, 6, 18, 24, 48, 64, 80, 128}, positions[] = {0, 1, 14, 15, 16, 31, 47, 63, 70};
  for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
    for (size_t p = 0; p < sizeof positions / sizeof *positions; p++) {
      for (size_t step = 0; step < 2; step++) {
        attend(table, dimensions[d], CK_F32, step, 0, positions[p], digests);
        attend(table, dimensions[d], CK_F16, step, 0, positions[p], digests);
      }
      attend(table, dimensions[d], CK_F32, 1, 1, positions[p], digests);
    }
  }
}
