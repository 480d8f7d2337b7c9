/* CKernels: the numerical inner loops, in C because they need per-function instruction sets
   (AVX2, AVX-512, NEON's extensions) chosen at run time, which Swift cannot express.

   Every function works on memory that the caller owns and keeps alive; none allocates, keeps a pointer or
   can fail. Names start with `ck_`. */
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "ck_inference.h"
#include "ck_quantization.h"
#include "ck_threads.h"
#include "ck_training.h"

#endif
