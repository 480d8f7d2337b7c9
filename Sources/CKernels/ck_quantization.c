#include "ckernels.h"

#include <string.h>

uint16_t ck_half_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint16_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude < 0x38800000) { /* subnormal: adding 0.5 leaves the multiple of 2⁻²⁴ in the low bits */
    float shifted;
    memcpy(&shifted, &magnitude, sizeof shifted);
    shifted += 0.5f;
    memcpy(&bits, &shifted, sizeof bits);
    return sign | (uint16_t)(bits - 0x3F000000);
  }
  uint32_t rounded = magnitude + 0x0FFF + (magnitude >> 13 & 1);
  return sign | (uint16_t)((rounded - 0x38000000) >> 13);
}

/* The bits of the largest magnitude. As whole numbers, because those order infinities and what is no number last. */
static uint32_t largest_magnitude(const float *x) {
  uint32_t largest = 0;
  for (int i = 0; i < CK_BLOCK; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

static void q8_0(const float *x, float scale, uint8_t *block) {
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  for (int i = 0; i < CK_BLOCK; i++) {
    float q = x[i] * inverse;
    block[2 + i] = (uint8_t)(int8_t)(int32_t)(q < 0 ? q - 0.5f : q + 0.5f);
  }
}

static void q4_0(const float *x, float scale, uint8_t *block) {
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  for (int i = 0; i < CK_BLOCK / 2; i++) {
    int32_t low = (int32_t)(x[i] * inverse + 8.5f), high = (int32_t)(x[i + CK_BLOCK / 2] * inverse + 8.5f);
    block[2 + i] = (uint8_t)((low > 15 ? 15 : low) | (high > 15 ? 15 : high) << 4);
  }
}

/* Answers whether the block has no scale or minimum. */
static int q4_1(const float *x, uint8_t *block) {
  float least = x[0], most = x[0];
  for (int i = 1; i < CK_BLOCK; i++) {
    least = x[i] < least ? x[i] : least;
    most = x[i] > most ? x[i] : most;
  }
  float scale = (most - least) / 15.0f;
  if (scale >= 65520.0f || least >= 65520.0f || least <= -65520.0f) return 1;
  if (scale < 0x1p-126f) scale = 0;
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  const uint16_t halves[2] = {ck_half_bits(scale), ck_half_bits(least)};
  memcpy(block, halves, sizeof halves);
  for (int i = 0; i < CK_BLOCK / 2; i++) {
    int32_t low = (int32_t)((x[i] - least) * inverse + 0.5f);
    int32_t high = (int32_t)((x[i + CK_BLOCK / 2] - least) * inverse + 0.5f);
    block[4 + i] = (uint8_t)((low > 15 ? 15 : low) | (high > 15 ? 15 : high) << 4);
  }
  return 0;
}

int32_t ck_quantize(int32_t type, const float *x, size_t count, void *blocks) {
  uint8_t *block = blocks;
  for (size_t start = 0; start < count; start += CK_BLOCK, x += CK_BLOCK) {
    uint32_t bits = largest_magnitude(x);
    if (bits >= 0x7F800000) return 1;
    if (type == CK_Q4_1) {
      if (q4_1(x, block)) return 1;
      block += CK_Q4_1_BYTES;
      continue;
    }
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    if (type == CK_Q8_0) {
      scale /= 127.0f;
    } else {
      /* The largest weight, with its sign, becomes −8, the one number without a counterpart. */
      scale /= -8.0f;
      for (int i = 0; i < CK_BLOCK; i++) {
        uint32_t own;
        memcpy(&own, x + i, sizeof own);
        if ((own & 0x7FFFFFFF) == bits) {
          if (own >> 31) scale = -scale;
          break;
        }
      }
    }
    if (scale >= 65520.0f || scale <= -65520.0f) return 1;
    /* 1 / scale must be finite: weights as small as that are zeros. */
    if (scale < 0x1p-126f && scale > -0x1p-126f) scale = 0;
    uint16_t half = ck_half_bits(scale);
    memcpy(block, &half, sizeof half);
    if (type == CK_Q8_0) {
      q8_0(x, scale, block);
      block += CK_Q8_0_BYTES;
    } else {
      q4_0(x, scale, block);
      block += CK_Q4_0_BYTES;
    }
  }
  return 0;
}

void ck_pack_panels(int32_t type, const void *rows, size_t count, size_t columns, void *panels) {
  const size_t quants = type == CK_Q8_0 ? CK_BLOCK : CK_BLOCK / 2, header = type == CK_Q4_1 ? 4 : 2;
  const size_t block_bytes = header + quants, row_bytes = columns / CK_BLOCK * block_bytes, blocks = columns / CK_BLOCK;
  const uint8_t flip = type == CK_Q8_0 ? 0x80 : 0;
  uint8_t *next = panels;
  for (size_t first = 0; first < count; first += CK_PANEL_ROWS) {
    const size_t side_by_side = count - first < CK_PANEL_ROWS ? count - first : CK_PANEL_ROWS;
    for (size_t block = 0; block < blocks; block++) {
      const uint8_t *source = (const uint8_t *)rows + first * row_bytes + block * block_bytes;
      for (size_t byte = header; byte < block_bytes; byte += 4)
        for (size_t row = 0; row < side_by_side; row++)
          for (size_t i = 0; i < 4; i++) *next++ = source[row * row_bytes + byte + i] ^ flip;
      for (size_t byte = 0; byte < header; byte += 2)
        for (size_t row = 0; row < side_by_side; row++, next += 2) memcpy(next, source + row * row_bytes + byte, 2);
    }
  }
}
