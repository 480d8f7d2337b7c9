/* Inference kernels for NEON: what every AArch64 processor has, with fused multiply-add. */
#include "ckernels.h"

#if defined(__aarch64__)

#define NAME(x) ck_neon_##x
#define ISA CK_ISA_NEON
#define ISA_NAME "NEON"
#define TARGET "neon"
#include "ck_inference_neon.h"

#endif
