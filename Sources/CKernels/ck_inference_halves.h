/* Numbers of 16 bits as floats and back, where the compiler has a type for them. Part of what the kernels of an instruction
   set are compiled for; the includer defines NAME and includes string.h, both before its attributes begin. */
#define WIDEN_F16(p) NAME(widen_f16)(p)
#define WIDEN_SCALE(p) NAME(widen_scale)(p)
#define NARROW_F16(x, p) NAME(narrow_f16)(x, p)

static inline __attribute__((always_inline)) float __attribute__((vector_size(64)))
NAME(widen_f16)(const char *p) {
  typedef float v __attribute__((vector_size(64)));
  typedef _Float16 h __attribute__((vector_size(32)));
  h half;
  memcpy(&half, p, sizeof half);
  return __builtin_convertvector(half, v);
}

static inline __attribute__((always_inline)) float NAME(widen_scale)(const char *p) {
  _Float16 half;
  memcpy(&half, p, sizeof half);
  return (float)half;
}

static inline __attribute__((always_inline)) void NAME(narrow_f16)(float __attribute__((vector_size(64))) x, char *p) {
  typedef _Float16 h __attribute__((vector_size(32)));
  const h half = __builtin_convertvector(x, h);
  memcpy(p, &half, sizeof half);
}
