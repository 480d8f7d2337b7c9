/* Inference kernels for NEON with products of small matrices of bytes. */
#include "ckernels.h"

#if defined(__aarch64__)

#define NAME(x) ck_neon_i8mm_##x
#define ISA CK_ISA_NEON_I8MM
#define ISA_NAME "NEON I8MM"
#define TARGET "dotprod,i8mm"
#define INTEGER_PRODUCTS "ck_inference_neon_bytes.h"
#define MATRIX_PRODUCTS
#include "ck_inference_neon.h"

#endif
