/* Inference kernels for AVX-512. */
#include "ckernels.h"

#if defined(__x86_64__)

#define NAME(x) ck_avx512_##x
#define ISA CK_ISA_AVX512
#define ISA_NAME "AVX-512"
#define TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"
#include "ck_inference_avx512.h"

#endif
