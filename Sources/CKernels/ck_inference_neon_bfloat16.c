/* Inference kernels for NEON with products of small matrices of bytes and BF16: BF16 weights meet activations rounded as
   they are. */
#include "ckernels.h"

#if defined(__aarch64__)

#define NAME(x) ck_neon_bfloat16_##x
#define ISA CK_ISA_NEON_BF16
#define ISA_NAME "NEON BF16"
#define TARGET "dotprod,i8mm,bf16"
#define INTEGER_PRODUCTS "ck_inference_neon_bytes.h"
#define MATRIX_PRODUCTS
#define BFLOAT16_PRODUCTS "ck_inference_neon_pairs.h"
#include "ck_inference_neon.h"

#endif
