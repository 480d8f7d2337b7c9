/* What is done to a token's numbers between products: norm, activation, rotation; and weights as floats. Part of
   ck_inference_kernels.h, compiled for each instruction set. */

static void NAME(rms_norm)(const float *x, size_t x_stride, const float *weight, size_t count, float epsilon,
                           size_t tokens, float *y, size_t y_stride) {
  for (size_t t = 0; t < tokens; t++) {
    const float *row = x + t * x_stride;
    float *out = y + t * y_stride;
    v16 squares = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
      v16 value = NAME(load)(row + i);
      squares = FMA(value, value, squares);
    }
    if (i < count) {
      v16 value = NAME(load_part)(CK_F32, (const char *)(row + i), count - i);
      squares = FMA(value, value, squares);
    }
    const float scale = 1.0f / sqrtf(NAME(sum)(squares) / (float)count + epsilon);
    for (i = 0; i < count; i++) out[i] = row[i] * scale * weight[i];
  }
}

INLINE v16 NAME(silu)(v16 x) { return x / (NAME(exp)(-x) + 1.0f); }

static void NAME(silu_multiply)(float *gate, const float *up, size_t stride, size_t count, size_t tokens) {
  for (size_t t = 0; t < tokens; t++) {
    float *g = gate + t * stride;
    const float *u = up + t * stride;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) *(v16u *)(g + i) = NAME(silu)(NAME(load)(g + i)) * NAME(load)(u + i);
    if (i < count) {
      v16 value = NAME(silu)(NAME(load_part)(CK_F32, (const char *)(g + i), count - i)) *
                  NAME(load_part)(CK_F32, (const char *)(u + i), count - i);
      memcpy(g + i, &value, (count - i) * sizeof(float));
    }
  }
}

static void NAME(rotate)(float *x, const float *cosines, const float *sines, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[i], b = x[i + half];
    x[i] = a * cosines[i] - b * sines[i];
    x[i + half] = b * cosines[i] + a * sines[i];
  }
}

static void NAME(dequantize)(int32_t type, const void *weights, size_t count, float *y) {
  const char *w = weights;
  const size_t size = NAME(size_of)(type);
  size_t i = 0;
  if (type >= CK_Q8_0) {
    for (; i < count; i += CK_BLOCK, w += NAME(block_bytes)(type)) {
      for (int half = 0; half < 2; half++)
        *(v16u *)(y + i + LANES * half) = type == CK_Q8_0   ? NAME(load_quantized)(CK_Q8_0, w, half)
                                          : type == CK_Q4_0 ? NAME(load_quantized)(CK_Q4_0, w, half)
                                                            : NAME(load_quantized)(CK_Q4_1, w, half);
    }
    return;
  }
  for (; i + LANES <= count; i += LANES) {
    v16 value = type == CK_F32    ? NAME(load_weights)(CK_F32, w + i * size)
                : type == CK_BF16 ? NAME(load_weights)(CK_BF16, w + i * size)
                                  : NAME(load_weights)(CK_F16, w + i * size);
    *(v16u *)(y + i) = value;
  }
  if (i < count) {
    v16 value = NAME(load_part)(type, w + i * size, count - i);
    memcpy(y + i, &value, (count - i) * sizeof(float));
  }
}
