/* Weights in blocks of 32 that share a scale. In C beside the kernels that read them.

   As GGML lays them out, block after block and row after row:

   Q8_0, 34 bytes: the scale d as half-precision number, then 32 signed bytes q; the weights are d · q.
   Q4_0, 18 bytes: the scale d, then 16 bytes; weight i is d · (low half of byte i − 8), weight i + 16 is
   d · (high half of byte i − 8).
   Q4_1, 20 bytes: the scale d, the minimum m, likewise a half, then 16 bytes; weight i is d · (low half of byte i) + m,
   weight i + 16 is d · (high half of byte i) + m.

   The matrices of models are kept in panels, so that kernels read them from end to end and have sixteen rows side by side
   in a register: sixteen rows at a time (fewer where no more are left), block after block, a block being the first four
   bytes of every row, the next four of every row, and so on, then the scale of every row, then, in Q4_1, the minimum of
   every row. A matrix takes as many bytes as its rows. The bytes of Q8_0 are kept as q + 128. */
#ifndef CK_QUANTIZATION_H
#define CK_QUANTIZATION_H

#include <stddef.h>
#include <stdint.h>

/* Weights in a block, and its bytes. */
#define CK_BLOCK 32
#define CK_Q8_0_BYTES 34
#define CK_Q4_0_BYTES 18
#define CK_Q4_1_BYTES 20

/* Rows of a panel. */
#define CK_PANEL_ROWS 16

/* Rounds `count` floats, a multiple of 32, to blocks of `type`, CK_Q8_0, CK_Q4_0 or CK_Q4_1. Answers 0, or 1 where a value is
   not finite or too large for the scale: what was written is of no use then. */
int32_t ck_quantize(int32_t type, const float *_Nonnull x, size_t count, void *_Nonnull blocks);

/* Lays rows of `columns` weights, a multiple of 32, out in panels. All but the last call for a matrix must have a multiple
   of 16 rows. */
void ck_pack_panels(int32_t type, const void *_Nonnull rows, size_t count, size_t columns, void *_Nonnull panels);

/* The bits of the nearest half-precision number, ties to even, of a number of magnitude at most 65504. */
uint16_t ck_half_bits(float value);

#endif
