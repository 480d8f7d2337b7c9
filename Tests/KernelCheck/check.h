/* A check of the kernels without Swift, for machines that are emulated: every kernel of every table that the processor
   has, against plain loops in double precision. Inputs are the same bits on every machine, so that digests of what the
   kernels answer can be compared between machines. */
#ifndef CHECK_H
#define CHECK_H

#include "ckernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counts a comparison; one that does not hold is printed, up to a number of them. */
void expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that ends where a page begins that cannot be touched, so that what reads or writes beyond it is killed. It begins
   at a multiple of `alignment`, as near to the end as that allows, and is never freed. */
void *guarded(size_t bytes, size_t alignment);
/* Gives back all that `guarded` gave since the last call. */
void free_guarded(void);

/* Numbers from −scale to scale, the same on every machine. */
float *numbers(size_t count, uint64_t seed, double scale);

/* What is computed of halves and of BF16: bits of the nearest, and back. */
uint16_t bfloat16_bits(float value);
float bfloat16(uint16_t bits);
float half(uint16_t bits);

/* A running digest of floats' bits (FNV-1a). */
typedef struct {
  uint64_t floats;    /* of products with F32 and F16, attention, norms, activations, rotations */
  uint64_t quantized; /* of products with quantised weights */
  uint64_t sampling;  /* of what choosing a token does */
} digests;
void add_to_digest(uint64_t *digest, const float *values, size_t count);

void check_products(const ck_inference *table, digests *digests);
void check_quantized(const ck_inference *table, digests *digests);
void check_attention(const ck_inference *table, digests *digests);
void check_rows(const ck_inference *table, digests *digests);
void check_sampling(const ck_inference *table, digests *digests);
void check_training(void);
void check_threads(void);

#endif
