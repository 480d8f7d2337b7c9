/* Kernels of inference: fixed order of summation, so that results do not depend on the batch.

   Each sum over k keeps 16 partial sums (k mod 16) that grow in the order of k, and joins them in a fixed tree; with
   quantised weights it is the sum of the sums of blocks, in their order, which are exact where activations are rounded; with
   BF16 and such weights a partial sum (k / 2 mod 16) grows by two products at once.
   How many tokens, rows or threads take part only decides which sums are computed side by side, never how one of
   them is computed: a token's result is the same bits alone and in any batch. It may differ between instruction
   sets without and with fused multiply-add, and where activations are rounded; it does not between processors
   that do the same of these. */
#ifndef CK_INFERENCE_H
#define CK_INFERENCE_H

#include <stddef.h>
#include <stdint.h>

/* Instruction sets, on a processor from the narrowest to the widest. */
enum {
  CK_ISA_BASELINE = 0,    /* what the compiler assumes: SSE2 on x86-64, NEON on AArch64 without fused multiply-add */
  CK_ISA_AVX2 = 1,        /* AVX2, FMA, F16C */
  CK_ISA_AVX512 = 2,      /* AVX-512 F, BW, VL, DQ */
  CK_ISA_AVX512_VNNI = 3, /* and VNNI */
  CK_ISA_AVX512_BF16 = 4, /* and BF16 */
  CK_ISA_NEON = 5,        /* NEON with fused multiply-add: every AArch64 processor */
  CK_ISA_NEON_DOT = 6,    /* and dot products of bytes */
  CK_ISA_NEON_I8MM = 7,   /* and products of 2 × 8 bytes with 8 × 2 */
  CK_ISA_NEON_BF16 = 8,   /* and BF16 */
  CK_ISA_COUNT = 9
};

/* Types of weights; those from CK_Q8_0 on are quantised and lie in panels, see ck_quantization.h. */
enum { CK_F32 = 0, CK_F16 = 1, CK_BF16 = 2, CK_Q8_0 = 3, CK_Q4_0 = 4, CK_Q4_1 = 5 };

/* Positions whose keys lie side by side: keys are stored [position / 16][dimension][position % 16], so that a query
   meets 16 of them without a horizontal sum. */
#define CK_KEY_BLOCK 16

/* Queries that share a pass over the cache, at most. */
#define CK_ATTEND_QUERIES 8

/* The attention of several queries to one head's keys: of one head, token after token, or of one token, head after head. */
typedef struct ck_attention {
  const float *_Nonnull queries; /* [queries × query_stride], the first one's place, rotated */
  size_t query_stride;
  int32_t cache_type;            /* of keys and values: CK_F32 or CK_F16 */
  const void *_Nonnull keys;     /* this head's keys, in blocks as above */
  const void *_Nonnull values;   /* this head's values, [position × value_stride], rows padded to 16 with zeros */
  size_t value_stride;           /* head_dimension rounded up to 16 */
  float *_Nonnull output;        /* [queries × output_stride], the first one's place */
  size_t output_stride;
  size_t head_dimension;
  size_t position;               /* query 0 sees positions 0 … position */
  size_t step;                   /* how many more each further one sees: 1, or of one token 0 */
  float scale;                   /* of the scores */
  int32_t rectified;             /* weights: 0: e to the score; else the score, or 0 where it is negative; over their sum */
  const void *_Nullable next_keys; /* what is read after these, so many bytes: memory is asked for them meanwhile */
  size_t next_bytes;
} ck_attention;

/* One instruction set's kernels. Rows are `stride` floats apart; weights are dense rows of `columns`, unaligned,
   or panels of `rows` in all, where `columns` is a multiple of 32. */
typedef struct ck_inference {
  int32_t isa;
  const char *_Nonnull name;

  /* Steps of the largest activation of a block, where activations are rounded to meet quantised weights; else 0. */
  float block_steps;
  /* Whether activations are rounded to BF16 to meet such weights: 1 or 0. */
  int32_t rounds_to_bfloat16;

  /* Rounds columns [c0, c1) of tokens [t0, t1) of x, [tokens × columns], as weights of that type meet them: where they are
     quantised, in blocks to 16 bits with AVX2, VNNI and dot products; where they are BF16, to BF16 where there are products
     of that. c0 and c1 are multiples of CK_BLOCK, or c1 is columns. `rounded`: rounded_size bytes, 64-byte aligned, 0 where
     nothing is rounded. Threads may each round a part. */
  void (*_Nonnull round)(int32_t type, const float *_Nonnull x, size_t x_stride, size_t columns, size_t tokens, size_t t0,
                         size_t t1, size_t c0, size_t c1, void *_Nonnull rounded);
  size_t (*_Nonnull rounded_size)(int32_t type, size_t columns, size_t tokens);

  /* y[t, r] = scale · Σ_k w[r, k] x[t, k] + bias[r] for r in [r0, r1); added to y where accumulate ≠ 0.
     rounded: all of x as `round` left it for that type, or NULL, and it is done here where it is to be.
     scratch: linear_scratch bytes for as many tokens or more, 64-byte aligned; may be NULL where that is 0. */
  void (*_Nonnull linear)(int32_t type, const void *_Nonnull weights, size_t rows, size_t columns,
                          const float *_Nonnull x, size_t x_stride, size_t tokens, float *_Nonnull y, size_t y_stride, size_t r0, size_t r1,
                          float scale, const float *_Nullable bias, int32_t accumulate, const void *_Nullable rounded,
                          void *_Nullable scratch);
  size_t (*_Nonnull linear_scratch)(int32_t type, size_t columns, size_t tokens);

  /* Multiplies and adds in registers alone, as products of weights of that type do: the most a kernel could do. Returns
     the number of products; `answer` means nothing. */
  size_t (*_Nonnull peak)(int32_t type, size_t steps, float *_Nonnull answer);

  /* Causal attention of tokens [t0, t1) of one head. scratch: ck_attention_scratch(position + t1) floats. */
  void (*_Nonnull attend)(const ck_attention *_Nonnull head, size_t t0, size_t t1, float *_Nonnull scratch);

  /* Stores one head's key of one position into its blocks, and its value, padded. As halves (CK_F16) they are the nearest
     there are, the largest for what is larger. */
  void (*_Nonnull store_key)(int32_t cache_type, void *_Nonnull keys, size_t position, const float *_Nonnull key,
                             size_t head_dimension);
  void (*_Nonnull store_value)(int32_t cache_type, void *_Nonnull values, size_t value_stride, size_t position,
                               const float *_Nonnull value, size_t head_dimension);

  /* y[t] = x[t] / sqrt(mean(x[t]²) + epsilon) · weight, `count` floats a token. */
  void (*_Nonnull rms_norm)(const float *_Nonnull x, size_t x_stride, const float *_Nonnull weight, size_t count,
                            float epsilon, size_t tokens, float *_Nonnull y, size_t y_stride);

  /* gate[i] = silu(gate[i]) · up[i] for i in [0, count), for each token. */
  void (*_Nonnull silu_multiply)(float *_Nonnull gate, const float *_Nonnull up, size_t stride, size_t count,
                                 size_t tokens);

  /* Rotates the pairs (x[i], x[i + half]) by the angle with these cosines and sines. */
  void (*_Nonnull rotate)(float *_Nonnull x, const float *_Nonnull cosines, const float *_Nonnull sines,
                          size_t half);

  /* y[i] = the weight i, as float; quantised ones, `count` being a multiple of 32, in blocks as GGML has them. */
  void (*_Nonnull dequantize)(int32_t type, const void *_Nonnull weights, size_t count, float *_Nonnull y);

  /* y[i] = the weight from + i of a row of quantised weights in panels; from and count are multiples of 32. */
  void (*_Nonnull dequantize_panel)(int32_t type, const void *_Nonnull weights, size_t rows, size_t columns, size_t row,
                               size_t from, size_t count, float *_Nonnull y);

  /* What choosing a token does with `count` logits, the same on every processor: the first place of the largest, or
     `count` where none is a number above −∞; */
  size_t (*_Nonnull largest)(const float *_Nonnull logits, size_t count);
  /* and y[i] = e^((logits[i] − largest) / temperature), none being above the largest: 0 where one is not a number, or next
     to 0. Returns their sum. */
  double (*_Nonnull exponentials)(const float *_Nonnull logits, size_t count, float largest, float inverse_temperature,
                                  float *_Nonnull y);

  /* dx[t, k] = Σ_r dy[t, r] w[r, k] with BF16 weights, dy rounded to BF16; added to dx where accumulate ≠ 0: what
     training needs of frozen weights. NULL where the instruction set has no such products.
     scratch: linear_back_scratch bytes for as many tokens or more, 64-byte aligned. */
  void (*_Nullable linear_back)(const void *_Nonnull weights, size_t rows, size_t columns, const float *_Nonnull dy,
                                size_t dy_stride, size_t tokens, float *_Nonnull dx, size_t dx_stride, int32_t accumulate,
                                void *_Nonnull scratch);
  size_t (*_Nullable linear_back_scratch)(size_t rows, size_t tokens);
} ck_inference;

/* The kernels for `isa`, or NULL where this processor (or build) does not have it. */
const ck_inference *_Nullable ck_inference_for(int32_t isa);

/* The kernels for the widest instruction set this processor has. */
const ck_inference *_Nonnull ck_inference_best(void);

/* Floats of scratch that attention over `positions` positions needs. */
size_t ck_attention_scratch(size_t positions);

#endif
