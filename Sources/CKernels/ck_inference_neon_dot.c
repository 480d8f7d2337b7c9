/* Inference kernels for NEON with dot products: quantised weights meet activations in whole numbers. */
#include "ckernels.h"

#if defined(__aarch64__)

#define NAME(x) ck_neon_dot_##x
#define ISA CK_ISA_NEON_DOT
#define ISA_NAME "NEON dot product"
#define TARGET "dotprod"
#define INTEGER_PRODUCTS "ck_inference_neon_bytes.h"
#include "ck_inference_neon.h"

#endif
