/* Inference kernels for AVX-512 with VNNI: quantised weights meet activations in whole numbers. */
#include "ckernels.h"

#if defined(__x86_64__)

#define NAME(x) ck_vnni_##x
#define ISA CK_ISA_AVX512_VNNI
#define ISA_NAME "AVX-512 VNNI"
#define TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"
#define INTEGER_PRODUCTS "ck_inference_bytes.h"
#include "ck_inference_avx512.h"

#endif
