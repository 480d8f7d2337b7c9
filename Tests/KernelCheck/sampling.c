/* Choosing a token. */
#include "check.h"

static void of_count(const ck_inference *table, size_t count, float temperature, uint64_t *digest) {
  float *logits = numbers(count, 12, 20);
  float *y = guarded(count * sizeof(float), 4);
  /* What no number is, and what is next to 0, is never likely. */
  if (count > 4) logits[1] = NAN, logits[2] = -INFINITY, logits[3] = -1e30f;
  size_t first = count;
  for (size_t i = 0; i < count; i++) {
    if (!isnan(logits[i]) && (first == count || logits[i] > logits[first])) first = i;
  }
  expect(table->largest(logits, count) == first, "%s: the largest of %zu", table->name, count);
  if (count == 0) return;
  const float largest = logits[first];
  const double found = table->exponentials(logits, count, largest, 1 / temperature, y);
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    const double exponent = ((double)logits[i] - (double)largest) / (double)temperature;
    const double expected = exponent >= -87 ? exp(exponent) : 0;
    const double most = expected > 0 ? 4e-7 * (1 - exponent) * expected : 0;
    expect(fabs((double)y[i] - expected) <= most, "%s: exponential of %g is %g", table->name, exponent, (double)y[i]);
    sum += (double)y[i];
  }
  expect(fabs(found - sum) <= 1e-12 * sum, "%s: the sum of %zu", table->name, count);
  add_to_digest(digest, y, count);
  const float rounded = (float)found;
  add_to_digest(digest, &rounded, 1);
  free_guarded();
}

void check_sampling(const ck_inference *table, digests *digests) {
  static const size_t counts[] = {0, 1, 15, 16, 17, 1024, 3001};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    of_count(table, counts[i], 0.8f, &digests->sampling);
    of_count(table, counts[i], 0.03f, &digests->sampling);
  }
}
