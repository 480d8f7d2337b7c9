/* Inference kernels for AVX-512 with VNNI and BF16: BF16 weights meet activations rounded as they are. */
#include "ckernels.h"

#if defined(__x86_64__)

#define NAME(x) ck_bfloat16_##x
#define ISA CK_ISA_AVX512_BF16
#define ISA_NAME "AVX-512 BF16"
#define TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"
#define INTEGER_PRODUCTS "ck_inference_bytes.h"
#define BFLOAT16_PRODUCTS "ck_inference_avx512_pairs.h"
#include "ck_inference_avx512.h"

#endif
