/* What the kernels for NEON share; the includer defines NAME, ISA, ISA_NAME and TARGET, the instructions to compile for.

   Thirty-two registers of four floats: a vector of 16 takes four of them. */
#include <arm_neon.h>
#include <string.h>

#define FMA(a, b, c) __builtin_elementwise_fma((a), (b), (c))
#define LINEAR_ROWS 2
#define LINEAR_TOKENS 2
#define LINEAR_ROWS_1 4
#define SCORE_QUERIES 4
#define SCORE_BLOCKS 1
#define MIX_QUERIES 2
#define MIX_VALUES 1
#define ALONE_VALUES 2
#define PEAK_SUMS 7

#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)

#include "ck_inference_halves.h"
#include "ck_inference_kernels.h"

#pragma clang attribute pop
