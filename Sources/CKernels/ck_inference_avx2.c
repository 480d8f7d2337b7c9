/* Inference kernels for AVX2 with fused multiply-add: quantised weights meet activations in whole numbers of 16 bits. */
#include "ckernels.h"

#if defined(__x86_64__)

#include <string.h>

#define NAME(x) ck_avx2_##x
#define ISA CK_ISA_AVX2
#define ISA_NAME "AVX2"
#define FMA(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#define LINEAR_ROWS 2
#define LINEAR_TOKENS 3
#define LINEAR_ROWS_1 4
#define SCORE_QUERIES 4
#define SCORE_BLOCKS 1
#define MIX_QUERIES 2
#define MIX_VALUES 1
#define INTEGER_PRODUCTS "ck_inference_words.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "ck_inference_halves.h"
#include "ck_inference_kernels.h"

#pragma clang attribute pop

#endif
