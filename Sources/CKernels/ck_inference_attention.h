/* Attention, written once for each instruction set: part of ck_inference_kernels.h, which defines what is used here. */

/* Sixteen of the numbers at `base`, from the one with that index. */
INLINE v16 NAME(load_cached)(const int32_t type, const void *base, size_t index) {
  return type == CK_F16 ? WIDEN_F16((const char *)base + 2 * index) : NAME(load)((const float *)base + index);
}

/* Blocks of keys, and registers of a value, that share a pass, at most. */
#define ATTEND_BLOCKS 4
#define ATTEND_VALUES 4

/* Scores of Q queries with B blocks of keys, times scale, to scores[q · width + 16 · b]. */
INLINE void NAME(score)(const ck_attention *a, const int32_t type, const int Q, const int B, const float *queries,
                        size_t block, float *scores, size_t width) {
  const size_t dimension = a->head_dimension, query_stride = a->query_stride;
  v16 sums[ATTEND_QUERIES][ATTEND_BLOCKS];
  UNROLL for (int q = 0; q < Q; q++) {
    UNROLL for (int b = 0; b < B; b++) sums[q][b] = (v16){0};
  }
  for (size_t d = 0; d < dimension; d++) {
    v16 key[ATTEND_BLOCKS];
    UNROLL for (int b = 0; b < B; b++) key[b] = NAME(load_cached)(type, a->keys, ((block + b) * dimension + d) * CK_KEY_BLOCK);
    UNROLL for (int q = 0; q < Q; q++) {
      v16 query = (v16){0} + queries[q * query_stride + d];
      UNROLL for (int b = 0; b < B; b++) sums[q][b] = FMA(key[b], query, sums[q][b]);
    }
  }
  UNROLL for (int q = 0; q < Q; q++) {
    UNROLL for (int b = 0; b < B; b++)
      *(v16u *)(scores + q * width + (block + b) * CK_KEY_BLOCK) = sums[q][b] * a->scale;
  }
}

/* Turns `count` scores into eˢ⁻ᵐᵃˣ; answers 1 / their sum. */
INLINE float NAME(soften)(float *scores, size_t count) {
  const i16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const size_t whole = count / LANES * LANES;
  const v16 lowest = (v16){0} - INFINITY;
  const i16 inside = lane < (i16){0} + (int32_t)(count - whole);
  v16 largest = lowest;
  for (size_t i = 0; i < whole; i += LANES) {
    v16 s = NAME(load)(scores + i);
    largest = NAME(select)(s > largest, s, largest);
  }
  if (whole < count) {
    v16 s = NAME(select)(inside, NAME(load)(scores + whole), lowest);
    largest = NAME(select)(s > largest, s, largest);
  }
  float maximum = largest[0];
  for (int i = 1; i < LANES; i++) maximum = largest[i] > maximum ? largest[i] : maximum;
  v16 total = {0};
  for (size_t i = 0; i < whole; i += LANES) {
    v16 e = NAME(exp)(NAME(load)(scores + i) - maximum);
    *(v16u *)(scores + i) = e;
    total += e;
  }
  if (whole < count) {
    v16 e = NAME(select)(inside, NAME(exp)(NAME(load)(scores + whole) - maximum), (v16){0});
    *(v16u *)(scores + whole) = e;
    total += e;
  }
  return 1.0f / NAME(sum)(total);
}

/* Columns [column, column + 16 V) of the outputs of Q queries. Even and odd positions have a sum each. */
INLINE void NAME(mix)(const ck_attention *a, const int32_t type, const int Q, const int V, const float *scores,
                      size_t width, const float *inverse, size_t shortest, size_t column, float *output) {
  const size_t stride = a->value_stride;
  v16 even[ATTEND_QUERIES][ATTEND_VALUES], odd[ATTEND_QUERIES][ATTEND_VALUES];
  UNROLL for (int q = 0; q < Q; q++) {
    UNROLL for (int v = 0; v < V; v++) {
      even[q][v] = (v16){0};
      odd[q][v] = (v16){0};
    }
  }
  size_t j = 0;
  for (; j + 2 <= shortest; j += 2) {
    const size_t row = j * stride + column;
    v16 first[ATTEND_VALUES], second[ATTEND_VALUES];
    UNROLL for (int v = 0; v < V; v++) {
      first[v] = NAME(load_cached)(type, a->values, row + v * LANES);
      second[v] = NAME(load_cached)(type, a->values, row + stride + v * LANES);
    }
    UNROLL for (int q = 0; q < Q; q++) {
      v16 s0 = (v16){0} + scores[q * width + j], s1 = (v16){0} + scores[q * width + j + 1];
      UNROLL for (int v = 0; v < V; v++) {
        even[q][v] = FMA(first[v], s0, even[q][v]);
        odd[q][v] = FMA(second[v], s1, odd[q][v]);
      }
    }
  }
  /* What later queries see more than the first one. */
  UNROLL for (int q = 0; q < Q; q++) {
    for (size_t i = j; i < shortest + q * a->step; i++) {
      v16 s = (v16){0} + scores[q * width + i];
      UNROLL for (int v = 0; v < V; v++) {
        v16 value = NAME(load_cached)(type, a->values, i * stride + column + v * LANES);
        if (i % 2 == 0)
          even[q][v] = FMA(value, s, even[q][v]);
        else
          odd[q][v] = FMA(value, s, odd[q][v]);
      }
    }
    UNROLL for (int v = 0; v < V; v++) {
      v16 mixed = (even[q][v] + odd[q][v]) * inverse[q];
      float *out = output + q * a->output_stride + column + v * LANES;
      size_t left = a->head_dimension - (column + v * LANES);
      if (left >= LANES)
        *(v16u *)out = mixed;
      else
        memcpy(out, &mixed, left * sizeof(float));
    }
  }
}

INLINE void NAME(attend_tile)(const ck_attention *a, const int32_t type, const int Q, const int B, const int V,
                              size_t t, float *scratch) {
  const size_t shortest = a->position + t * a->step + 1, longest = shortest + (Q - 1) * a->step;
  const size_t blocks = (longest + CK_KEY_BLOCK - 1) / CK_KEY_BLOCK, width = blocks * CK_KEY_BLOCK;
  const float *queries = a->queries + t * a->query_stride;
  size_t block = 0;
  for (; block + B <= blocks; block += B) NAME(score)(a, type, Q, B, queries, block, scratch, width);
  for (; block < blocks; block++) NAME(score)(a, type, Q, 1, queries, block, scratch, width);
  float inverse[ATTEND_QUERIES];
  for (int q = 0; q < Q; q++) inverse[q] = NAME(soften)(scratch + q * width, shortest + q * a->step);
  float *output = a->output + t * a->output_stride;
  const size_t dimension = a->head_dimension;
  size_t column = 0;
  for (; column + (V - 1) * LANES < dimension; column += V * LANES)
    NAME(mix)(a, type, Q, V, scratch, width, inverse, shortest, column, output);
  for (; column < dimension; column += LANES)
    NAME(mix)(a, type, Q, 1, scratch, width, inverse, shortest, column, output);
}

INLINE void NAME(attend_of)(const ck_attention *a, const int32_t type, size_t t0, size_t t1, float *scratch) {
  size_t t = t0;
  for (; t + ATTEND_QUERIES <= t1; t += ATTEND_QUERIES) NAME(attend_tile)(a, type, ATTEND_QUERIES, ATTEND_BLOCKS, 2, t, scratch);
  for (; t < t1; t++) NAME(attend_tile)(a, type, 1, ATTEND_BLOCKS, ATTEND_VALUES, t, scratch);
}

static void NAME(attend)(const ck_attention *a, size_t t0, size_t t1, float *scratch) {
  if (a->cache_type == CK_F16)
    NAME(attend_of)(a, CK_F16, t0, t1, scratch);
  else
    NAME(attend_of)(a, CK_F32, t0, t1, scratch);
}
