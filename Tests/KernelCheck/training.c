/* Kernels of training. */
#include "check.h"

static void near(const char *what, const float *found, const double *expected, size_t count, double bound) {
  for (size_t i = 0; i < count; i++)
    expect(fabs((double)found[i] - expected[i]) <= bound * (1 + fabs(expected[i])), "%s [%zu]: %g, not %g", what, i,
           (double)found[i], expected[i]);
}

static void norm(size_t rows, size_t columns) {
  const size_t count = rows * columns;
  const float *x = numbers(count, 1, 2), *weight = numbers(columns, 2, 1), *dy = numbers(count, 3, 1);
  float *y = guarded(count * 4, 4), *inverse = guarded(rows * 4, 4), *dx = numbers(count, 4, 1);
  float *dweight = numbers(columns, 5, 1);
  double *out = guarded(count * 8, 8), *grad = guarded(count * 8, 8), *wgrad = guarded(columns * 8, 8);
  for (size_t j = 0; j < columns; j++) wgrad[j] = (double)dweight[j];
  for (size_t i = 0; i < rows; i++) {
    double squares = 0, dot = 0;
    for (size_t j = 0; j < columns; j++) squares += (double)x[i * columns + j] * (double)x[i * columns + j];
    const double scale = 1 / sqrt(squares / (double)columns + 1e-5);
    for (size_t j = 0; j < columns; j++)
      dot += (double)dy[i * columns + j] * (double)weight[j] * (double)x[i * columns + j];
    for (size_t j = 0; j < columns; j++) {
      const size_t at = i * columns + j;
      const double d = (double)dy[at], w = (double)weight[j], value = (double)x[at];
      out[at] = w * value * scale;
      grad[at] = (double)dx[at] + d * w * scale - value * dot * scale * scale * scale / (double)columns;
      wgrad[j] += d * value * scale;
    }
  }
  ck_rmsnorm_forward(x, weight, 1e-5f, y, inverse, rows, columns);
  ck_rmsnorm_backward(dy, x, weight, inverse, dx, dweight, rows, columns);
  near("norm", y, out, count, 1e-5);
  near("norm's gradient", dx, grad, count, 2e-5);
  near("norm's weights' gradient", dweight, wgrad, columns, 2e-5);
  free_guarded();
}

static void softmax(size_t rows, size_t columns, size_t first) {
  const size_t count = rows * columns;
  float *scores = numbers(count, 6, 8), *again = numbers(count, 6, 8), *d = numbers(count, 7, 1);
  float *sums = guarded(rows * 4, 4);
  double *out = guarded(count * 8, 8), *grad = guarded(count * 8, 8);
  for (size_t i = 0; i < rows; i++) {
    const size_t seen = first + i + 1 < columns ? first + i + 1 : columns;
    double sum = 0, dot = 0;
    for (size_t j = 0; j < seen; j++) sum += exp((double)scores[i * columns + j]);
    for (size_t j = 0; j < columns; j++) {
      out[i * columns + j] = j < seen ? exp((double)scores[i * columns + j]) / sum : 0;
      dot += out[i * columns + j] * (double)d[i * columns + j];
    }
    for (size_t j = 0; j < columns; j++)
      grad[i * columns + j] = out[i * columns + j] * ((double)d[i * columns + j] - dot) * 0.25;
  }
  ck_causal_softmax_forward(scores, rows, columns, first, sums, 1);
  ck_causal_softmax_again(again, rows, columns, first, sums, 1);
  ck_softmax_backward(scores, d, rows, columns, 0.25f);
  near("softmax", scores, out, count, 3e-6);
  near("softmax again", again, out, count, 3e-6);
  near("softmax's gradient", d, grad, count, 3e-6);
  free_guarded();
}

static void activation(size_t count) {
  float *gate = numbers(count, 8, 20), *up = numbers(count, 9, 1), *out = guarded(count * 4, 4);
  const float *dout = numbers(count, 10, 1);
  double *value = guarded(count * 8, 8), *dgate = guarded(count * 8, 8), *dup = guarded(count * 8, 8);
  for (size_t i = 0; i < count; i++) {
    const double g = (double)gate[i], s = 1 / (1 + exp(-g)), d = (double)dout[i];
    value[i] = g * s * (double)up[i], dup[i] = d * g * s;
    dgate[i] = d * (double)up[i] * (s + g * s * (1 - s));
  }
  ck_silu_multiply_forward(gate, up, out, count);
  ck_silu_multiply_backward(gate, up, dout, count);
  near("activation", out, value, count, 2e-6);
  near("activation's gradient", gate, dgate, count, 3e-6);
  near("the other's gradient", up, dup, count, 3e-6);
  free_guarded();
}

/* Cross-entropy, and with a share of it distillation. */
static void loss(size_t rows, size_t columns, double share) {
  const size_t count = rows * columns;
  float *logits = numbers(count, 11, 10), *teacher = numbers(count, 12, 10), *losses = guarded(rows * 4, 4);
  int32_t *targets = guarded(rows * 4, 4);
  double *grad = guarded(count * 8, 8), *each = guarded(rows * 8, 8), total = 0;
  for (size_t i = 0; i < rows; i++) {
    targets[i] = (int32_t)((i * 7 + 3) % columns);
    double sum = 0, taught = 0, divergence = 0;
    for (size_t j = 0; j < columns; j++) sum += exp((double)logits[i * columns + j]);
    for (size_t j = 0; j < columns; j++) taught += exp((double)teacher[i * columns + j]);
    for (size_t j = 0; j < columns; j++) {
      const double q = exp((double)logits[i * columns + j]) / sum, p = exp((double)teacher[i * columns + j]) / taught;
      divergence += p * (log(p) - log(q));
      grad[i * columns + j] = 0.5 * (q - share * p - (j == (size_t)targets[i] ? 1 - share : 0));
    }
    each[i] = share * divergence + (1 - share) * (log(sum) - (double)logits[i * columns + (size_t)targets[i]]);
    total += each[i];
  }
  const double found = share > 0 ? ck_distill(logits, teacher, targets, rows, columns, 0.5f, (float)share, losses)
                                 : ck_cross_entropy(logits, targets, rows, columns, 0.5f, losses);
  expect(fabs(found - total) < 1e-5 * (1 + fabs(total)), "loss: %g, not %g", found, total);
  near("loss", losses, each, rows, 1e-5);
  near("loss's gradient", logits, grad, count, 3e-6);
  free_guarded();
}

/* Cross-entropy, and the mean square of what two networks' logits differ by. */
static void matched(size_t rows, size_t columns, double weight) {
  const size_t count = rows * columns;
  float *logits = numbers(count, 11, 10), *teacher = numbers(count, 12, 10), *losses = guarded(rows * 4, 4);
  int32_t *targets = guarded(rows * 4, 4);
  double *grad = guarded(count * 8, 8), *each = guarded(rows * 8, 8), total = 0;
  for (size_t i = 0; i < rows; i++) {
    targets[i] = (int32_t)((i * 7 + 3) % columns);
    double sum = 0, squares = 0;
    for (size_t j = 0; j < columns; j++) sum += exp((double)logits[i * columns + j]);
    for (size_t j = 0; j < columns; j++) {
      const double apart = (double)logits[i * columns + j] - (double)teacher[i * columns + j];
      const double q = exp((double)logits[i * columns + j]) / sum;
      squares += apart * apart;
      grad[i * columns + j] = 0.5 * (q - (j == (size_t)targets[i]) + 2 * weight * apart / (double)columns);
    }
    each[i] = log(sum) - (double)logits[i * columns + (size_t)targets[i]] + weight * squares / (double)columns;
    total += each[i];
  }
  const double found = ck_match_logits(logits, teacher, targets, rows, columns, 0.5f, (float)weight, losses);
  expect(fabs(found - total) < 1e-5 * (1 + fabs(total)), "matched loss: %g, not %g", found, total);
  near("matched loss", losses, each, rows, 1e-5);
  near("matched loss's gradient", logits, grad, count, 3e-6);
  free_guarded();
}

static void step(size_t count) {
  float *values = numbers(count, 13, 1), *m = numbers(count, 14, 0.1), *v = numbers(count, 15, 0.1);
  const float *gradient = numbers(count, 16, 1), *start = numbers(count, 17, 1);
  double *expected = guarded(count * 8, 8);
  for (size_t i = 0; i < count; i++) {
    v[i] = fabsf(v[i]);
    const double g = (double)gradient[i] * 0.5, one = 0.9 * (double)m[i] + 0.1 * g, two = 0.99 * (double)v[i] + 0.01 * g * g;
    const double moved = (1 - 0.01 * 0.1) * (double)values[i] - 0.01 * (one / 0.3) / (sqrt(two / 0.2) + 1e-8);
    expected[i] = moved + 0.01 * 0.5 * ((double)start[i] - moved);
  }
  ck_adamw(values, gradient, m, v, count, 0.5f, 0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, start, 0.5f, 0.3f, 0.2f);
  near("step", values, expected, count, 3e-6);
  free_guarded();
}

static void sums(size_t count) {
  const float *x = numbers(count, 18, 1), *y = numbers(count, 19, 1);
  double squares = 0, dot = 0, absolute = 0;
  for (size_t i = 0; i < count; i++) {
    squares += (double)x[i] * (double)x[i], dot += (double)x[i] * (double)y[i];
    absolute += fabs((double)x[i] * (double)y[i]);
  }
  expect(fabs(ck_sum_of_squares(x, count) - squares) < 1e-9 * (1 + squares), "squares of %zu", count);
  expect(fabs(ck_dot(x, y, count) - dot) < 1e-9 * (1 + absolute), "dot of %zu", count);
  expect(fabs(ck_sum_of_absolute_products(x, y, count) - absolute) < 1e-6 * (1 + absolute), "products of %zu", count);
  free_guarded();
}

/* What is done to every number of a matrix by itself. */
static void plain_loops(size_t rows, size_t columns) {
  const size_t count = rows * columns;
  const float *x = numbers(count, 20, 1), *factors = numbers(columns, 21, 1), *y = numbers(count, 22, 1);
  float *sum = numbers(count, 23, 1), *product = numbers(count, 23, 1), *scaled = numbers(count, 23, 1);
  float *biased = numbers(count, 23, 1), *columns_sum = numbers(columns, 24, 1), *products_sum = numbers(columns, 24, 1);
  const float *before = numbers(count, 23, 1), *columns_before = numbers(columns, 24, 1);
  double *expected = guarded(count * 8, 8), *by_column = guarded(columns * 8, 8);
  ck_add(sum, x, count);
  for (size_t i = 0; i < count; i++) expected[i] = (double)before[i] + (double)x[i];
  near("add", sum, expected, count, 1e-6);
  ck_multiply_columns(product, factors, rows, columns);
  for (size_t i = 0; i < count; i++) expected[i] = (double)before[i] * (double)factors[i % columns];
  near("columns times factors", product, expected, count, 1e-6);
  ck_add_scaled(scaled, x, 0.3f, count);
  ck_scale(scaled, -2, count);
  for (size_t i = 0; i < count; i++) expected[i] = -2 * ((double)before[i] + (double)0.3f * (double)x[i]);
  near("add scaled", scaled, expected, count, 1e-6);
  ck_add_bias(biased, factors, rows, columns);
  for (size_t i = 0; i < count; i++) expected[i] = (double)before[i] + (double)factors[i % columns];
  near("bias", biased, expected, count, 1e-6);
  ck_add_column_sums(columns_sum, x, rows, columns);
  ck_add_column_products(products_sum, x, y, rows, columns);
  for (int products = 0; products < 2; products++) {
    for (size_t j = 0; j < columns; j++) by_column[j] = (double)columns_before[j];
    for (size_t i = 0; i < count; i++) by_column[i % columns] += (double)x[i] * (products ? (double)y[i] : 1);
    near("sums of columns", products ? products_sum : columns_sum, by_column, columns, 1e-5);
  }
  free_guarded();
}

void check_training(void) {
  static const size_t shapes[][2] = {{1, 1}, {3, 7}, {5, 16}, {4, 33}, {9, 96}, {3, 515}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const size_t rows = shapes[s][0], columns = shapes[s][1];
    norm(rows, columns);
    softmax(rows, columns, 0);
    softmax(rows, columns, columns / 2);
    activation(rows * columns);
    loss(rows, columns, 0);
    loss(rows, columns, 0.75);
    matched(rows, columns, 0.25);
    step(rows * columns);
    sums(rows * columns);
    plain_loops(rows, columns);
  }
}
