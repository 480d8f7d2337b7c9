/* Kernels of training: forward and backward of everything that is not a matrix product.

   Matrices are row-major; `rows × columns` floats, densely packed unless a stride is given. Gradient outputs are
   added to unless said otherwise. All memory is the caller's. */
#ifndef CK_TRAINING_H
#define CK_TRAINING_H

#include <stddef.h>
#include <stdint.h>

/* y = weight ∘ x / rms(x), a row at a time; inverse_rms[row] = 1 / sqrt(mean(x²) + epsilon) is kept for the backward pass. */
void ck_rmsnorm_forward(const float *_Nonnull x, const float *_Nonnull weight, float epsilon, float *_Nonnull y,
                        float *_Nonnull inverse_rms, size_t rows, size_t columns);
/* dx += ∂L/∂x; dweight += ∂L/∂weight unless NULL. */
void ck_rmsnorm_backward(const float *_Nonnull dy, const float *_Nonnull x, const float *_Nonnull weight,
                         const float *_Nonnull inverse_rms, float *_Nonnull dx, float *_Nullable dweight, size_t rows,
                         size_t columns);

/* Rotates the halves of each head in place, as Hugging Face's LLaMA does: row `i` has position positions[i];
   cosines and sines are [position × head_dimension/2]. direction +1 forward, −1 backward. */
void ck_rotate_halves(float *_Nonnull x, size_t rows, size_t heads, size_t head_dimension, size_t stride,
                      const int32_t *_Nonnull positions, const float *_Nonnull cosines, const float *_Nonnull sines,
                      float direction);

/* Rows of scores of a causal block in place: row `i` sees columns 0 … first + i. Scores become probabilities, the
   rest of the row 0; log_sum[i·log_sum_stride] is the logarithm of the row's sum of exponentials. */
void ck_causal_softmax_forward(float *_Nonnull scores, size_t rows, size_t columns, size_t first,
                               float *_Nonnull log_sum, size_t log_sum_stride);
/* The same probabilities again from the scores and the kept logarithms. */
void ck_causal_softmax_again(float *_Nonnull scores, size_t rows, size_t columns, size_t first,
                             const float *_Nonnull log_sum, size_t log_sum_stride);
/* d[i] = p[i] · (d[i] − Σ_j p[i,j]·d[i,j]) · scale in place on d. */
void ck_softmax_backward(const float *_Nonnull probabilities, float *_Nonnull d, size_t rows, size_t columns,
                         float scale);

/* out = silu(gate) · up */
void ck_silu_multiply_forward(const float *_Nonnull gate, const float *_Nonnull up, float *_Nonnull out, size_t count);
/* The gradients of gate and up take their places. */
void ck_silu_multiply_backward(float *_Nonnull gate, float *_Nonnull up, const float *_Nonnull dout, size_t count);
/* The derivatives of silu(gate) · up by gate and by up take their places. */
void ck_silu_multiply_derivatives(float *_Nonnull gate, float *_Nonnull up, size_t count);
/* y *= x */
void ck_multiply(float *_Nonnull y, const float *_Nonnull x, size_t count);

/* Numbers at four bits each: in blocks of 32 of a row, the nearest of 16 that are evenly spread from the block's smallest to
   its largest. Five bits each with the ends of a block. */
size_t ck_nibble_bytes(size_t rows, size_t columns);
void ck_pack_nibbles(const float *_Nonnull x, void *_Nonnull packed, size_t rows, size_t columns);
void ck_unpack_nibbles(const void *_Nonnull packed, float *_Nonnull y, size_t rows, size_t columns);

/* For which instructions the loops run here were compiled. Static memory. */
const char *_Nonnull ck_training_instructions(void);
/* The version of the C library, whose exponential function and logarithm are used. Static memory. */
const char *_Nonnull ck_library_version(void);

/* Softmax cross-entropy of each row of logits against its target: the sum of the losses is returned; logits are
   replaced by ∂(scale · loss)/∂logits. losses[row] is written unless NULL. */
double ck_cross_entropy(float *_Nonnull logits, const int32_t *_Nonnull targets, size_t rows, size_t columns,
                        float scale, float *_Nullable losses);

/* The same with loss = share · KL(softmax(teacher) ‖ softmax(logits)) + (1 − share) · cross-entropy. The teacher's logits
   [rows × columns] are lost. */
double ck_distill(float *_Nonnull logits, float *_Nonnull teacher, const int32_t *_Nonnull targets, size_t rows,
                  size_t columns, float scale, float share, float *_Nullable losses);

/* The same with loss = cross-entropy + weight · the mean over the columns of (logits − teacher)². The teacher's logits
   [rows × columns] are lost. */
double ck_match_logits(float *_Nonnull logits, float *_Nonnull teacher, const int32_t *_Nonnull targets, size_t rows,
                       size_t columns, float scale, float weight, float *_Nullable losses);

/* y += x */
void ck_add(float *_Nonnull y, const float *_Nonnull x, size_t count);
/* Each row of y, number by number, times factors. */
void ck_multiply_columns(float *_Nonnull y, const float *_Nonnull factors, size_t rows, size_t columns);
/* out += Σ over rows of x ∘ y */
void ck_add_column_products(float *_Nonnull out, const float *_Nonnull x, const float *_Nonnull y, size_t rows,
                            size_t columns);
/* y += factor · x */
void ck_add_scaled(float *_Nonnull y, const float *_Nonnull x, float factor, size_t count);
/* y = factor · y */
void ck_scale(float *_Nonnull y, float factor, size_t count);
/* Adds a bias to each row. */
void ck_add_bias(float *_Nonnull y, const float *_Nonnull bias, size_t rows, size_t columns);
/* out += the sum of the rows. */
void ck_add_column_sums(float *_Nonnull out, const float *_Nonnull x, size_t rows, size_t columns);
/* out[i] = table[indices[i]], whole rows. */
void ck_gather_rows(const float *_Nonnull table, const int32_t *_Nonnull indices, float *_Nonnull out, size_t rows,
                    size_t columns);
/* table[indices[i]] += x[i], whole rows, in order. */
void ck_scatter_add_rows(float *_Nonnull table, const int32_t *_Nonnull indices, const float *_Nonnull x, size_t rows,
                         size_t columns);

/* Σ x² in double precision. */
double ck_sum_of_squares(const float *_Nonnull x, size_t count);
/* Σ x·y in double precision. */
double ck_dot(const float *_Nonnull x, const float *_Nonnull y, size_t count);
/* Σ |x·y| in double precision. */
double ck_sum_of_absolute_products(const float *_Nonnull x, const float *_Nonnull y, size_t count);

/* One AdamW step with decoupled weight decay (Loshchilov & Hutter 2019). gradient is multiplied by
   gradient_scale first; correction1 = 1 − beta1^step, correction2 = 1 − beta2^step. Where there is a start, values then
   move the share learning_rate · start_decay of the way back to it (Li et al. 2018). */
void ck_adamw(float *_Nonnull values, const float *_Nonnull gradient, float *_Nonnull first_moment,
              float *_Nonnull second_moment, size_t count, float gradient_scale, float learning_rate, float beta1,
              float beta2, float epsilon, float weight_decay, const float *_Nullable start, float start_decay, float correction1,
              float correction2);

#endif
