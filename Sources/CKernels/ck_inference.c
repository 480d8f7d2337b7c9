/* Which kernels this processor can run, and what all of them share. */
#include "ckernels.h"

#include <string.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

extern const ck_inference ck_baseline_kernels;
#if defined(__x86_64__)
extern const ck_inference ck_avx2_kernels;
extern const ck_inference ck_avx512_kernels;
extern const ck_inference ck_vnni_kernels;
extern const ck_inference ck_bfloat16_kernels;
#elif defined(__aarch64__)
extern const ck_inference ck_neon_kernels;
extern const ck_inference ck_neon_dot_kernels;
extern const ck_inference ck_neon_i8mm_kernels;
extern const ck_inference ck_neon_bfloat16_kernels;
#endif

const ck_inference *ck_inference_for(int32_t isa) {
  switch (isa) {
    case CK_ISA_BASELINE: return &ck_baseline_kernels;
#if defined(__x86_64__)
    case CK_ISA_AVX2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
                 ? &ck_avx2_kernels
                 : NULL;
    case CK_ISA_AVX512:
      return ck_inference_for(CK_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq")
                 ? &ck_avx512_kernels
                 : NULL;
    case CK_ISA_AVX512_VNNI:
      return ck_inference_for(CK_ISA_AVX512) && __builtin_cpu_supports("avx512vnni") ? &ck_vnni_kernels : NULL;
    case CK_ISA_AVX512_BF16:
      return ck_inference_for(CK_ISA_AVX512_VNNI) && __builtin_cpu_supports("avx512bf16") ? &ck_bfloat16_kernels
                                                                                          : NULL;
#elif defined(__aarch64__)
    case CK_ISA_NEON: return &ck_neon_kernels;
    case CK_ISA_NEON_DOT: return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? &ck_neon_dot_kernels : NULL;
    case CK_ISA_NEON_I8MM:
      return ck_inference_for(CK_ISA_NEON_DOT) && getauxval(AT_HWCAP2) & HWCAP2_I8MM ? &ck_neon_i8mm_kernels : NULL;
    case CK_ISA_NEON_BF16:
      return ck_inference_for(CK_ISA_NEON_I8MM) && getauxval(AT_HWCAP2) & HWCAP2_BF16 ? &ck_neon_bfloat16_kernels
                                                                                      : NULL;
#endif
    default: return NULL;
  }
}

const ck_inference *ck_inference_best(void) {
  for (int32_t isa = CK_ISA_COUNT - 1; isa > CK_ISA_BASELINE; isa--) {
    const ck_inference *kernels = ck_inference_for(isa);
    if (kernels) return kernels;
  }
  return &ck_baseline_kernels;
}

size_t ck_attention_scratch(size_t positions) {
  /* Each query of a pass has a row of whole blocks. */
  return CK_ATTEND_QUERIES * ((positions + CK_KEY_BLOCK) / CK_KEY_BLOCK + 1) * CK_KEY_BLOCK;
}
