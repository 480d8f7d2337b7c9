/* Weights in blocks of 32 that share a scale, in GGML's layout. In C beside the kernels that read them.

   Q8_0, 34 bytes: the scale d as half-precision number, then 32 signed bytes q; the weights are d · q.
   Q4_0, 18 bytes: the scale d, then 16 bytes; weight i is d · (low half of byte i − 8), weight i + 16 is
   d · (high half of byte i − 8). */
#ifndef CK_QUANTIZATION_H
#define CK_QUANTIZATION_H

#include <stddef.h>
#include <stdint.h>

/* Weights in a block, and its bytes. */
#define CK_BLOCK 32
#define CK_Q8_0_BYTES 34
#define CK_Q4_0_BYTES 18

/* Rounds `count` floats, a multiple of 32, to blocks of `type`, CK_Q8_0 or CK_Q4_0. Answers 0, or 1 where a value is
   not finite or too large for the scale: what was written is of no use then. */
int32_t ck_quantize(int32_t type, const float *_Nonnull x, size_t count, void *_Nonnull blocks);

/* The bits of the nearest half-precision number, ties to even, of a number of magnitude at most 65504. */
uint16_t ck_half_bits(float value);

#endif
