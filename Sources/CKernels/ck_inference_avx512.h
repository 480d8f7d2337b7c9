/* What the kernels for AVX-512 share; the includer defines NAME, ISA, ISA_NAME and TARGET, the instructions to compile for. */
#include <string.h>

#define FMA(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#define LINEAR_ROWS 4
#define LINEAR_TOKENS 6
#define LINEAR_ROWS_1 4
#define SCORE_QUERIES 4
#define SCORE_BLOCKS 4
#define MIX_QUERIES 4
#define MIX_VALUES 2

#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)

#include "ck_inference_halves.h"
#include "ck_inference_kernels.h"

#pragma clang attribute pop
