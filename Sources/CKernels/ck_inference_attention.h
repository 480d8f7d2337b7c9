/* Attention, written once for each instruction set: part of ck_inference_kernels.h, which defines what is used here. */

/* Sixteen of the numbers at `base`, from the one with that index. */
INLINE v16 NAME(load_cached)(const int32_t type, const void *base, size_t index) {
  return type == CK_F16 ? WIDEN_F16((const char *)base + 2 * index) : NAME(load)((const float *)base + index);
}

/* Up to sixteen numbers as the nearest halves, the largest for what is larger; what is no number stays none. */
INLINE void NAME(halves)(const float *x, size_t count, uint16_t *to) {
  const v16 largest = (v16){0} + 65504;
  v16 values = {0};
  if (count < LANES)
    memcpy(&values, x, count * sizeof(float));
  else
    values = NAME(load)(x);
  values = NAME(select)(values > largest, largest, values);
  values = NAME(select)(values < -largest, -largest, values);
  NARROW_F16(values, (char *)to);
}

static void NAME(store_key)(int32_t cache_type, void *keys, size_t position, const float *key, size_t head_dimension) {
  const size_t first = position / CK_KEY_BLOCK * CK_KEY_BLOCK * head_dimension + position % CK_KEY_BLOCK;
  if (cache_type == CK_F16) {
    uint16_t *lane = (uint16_t *)keys + first, sixteen[LANES];
    for (size_t d = 0; d < head_dimension; d += LANES) {
      const size_t count = head_dimension - d < LANES ? head_dimension - d : LANES;
      NAME(halves)(key + d, count, sixteen);
      for (size_t i = 0; i < count; i++) lane[(d + i) * CK_KEY_BLOCK] = sixteen[i];
    }
  } else {
    float *lane = (float *)keys + first;
    for (size_t d = 0; d < head_dimension; d++) lane[d * CK_KEY_BLOCK] = key[d];
  }
}

static void NAME(store_value)(int32_t cache_type, void *values, size_t value_stride, size_t position, const float *value,
                              size_t head_dimension) {
  if (cache_type == CK_F16) {
    uint16_t *row = (uint16_t *)values + position * value_stride;
    /* Rows are whole registers. */
    for (size_t d = 0; d < value_stride; d += LANES)
      NAME(halves)(value + d, d >= head_dimension ? 0 : head_dimension - d < LANES ? head_dimension - d : LANES, row + d);
  } else {
    float *row = (float *)values + position * value_stride;
    memcpy(row, value, head_dimension * sizeof(float));
    memset(row + head_dimension, 0, (value_stride - head_dimension) * sizeof(float));
  }
}

/* Blocks of keys that meet a query left over, and registers of a value that meet those left over. */
#define ALONE_BLOCKS 4
#ifndef ALONE_VALUES
#define ALONE_VALUES 4
#endif

/* Of all, at most. */
#define MOST_BLOCKS (SCORE_BLOCKS > ALONE_BLOCKS ? SCORE_BLOCKS : ALONE_BLOCKS)
#define MOST_VALUES (MIX_VALUES > ALONE_VALUES ? MIX_VALUES : ALONE_VALUES)

/* What of the cache is asked for while other of it is computed with, where one token is alone with it: of many conversations
   these are short pieces far apart, which no processor foresees. Many tokens read it from where the first one brought it. */
typedef struct {
  NAME(ahead) keys, values;
} NAME(cached_ahead);

/* Bytes [from, to) of what lies at `base`, so that all are asked for when that is done `times` times. */
INLINE NAME(ahead) NAME(ahead_of)(const void *base, size_t from, size_t to, size_t times) {
  if (from == to) return (NAME(ahead)){NULL, NULL, 0};
  const char *first = (const char *)base + from;
  const size_t some = (to - from + times * 64 - 1) / (times * 64) * 64;
  return (NAME(ahead)){first, first + (to - from), some};
}

/* Scores of Q queries from `queries` on with B blocks of keys, times scale, to scores[q · width + 16 · b]. */
INLINE void NAME(score)(const ck_attention *a, const int32_t type, const int alone, const int Q, const int B,
                        const float *queries, size_t block, float *scores, size_t width, NAME(cached_ahead) *later) {
  const size_t dimension = a->head_dimension, query_stride = a->query_stride;
  v16 sums[SCORE_QUERIES][MOST_BLOCKS];
  UNROLL for (int q = 0; q < Q; q++) {
    UNROLL for (int b = 0; b < B; b++) sums[q][b] = (v16){0};
  }
  for (size_t d = 0; d < dimension; d++) {
    if (alone) {
      NAME(ask_ahead)(&later->keys);
      NAME(ask_ahead)(&later->values);
    }
    v16 key[MOST_BLOCKS];
    UNROLL for (int b = 0; b < B; b++) key[b] = NAME(load_cached)(type, a->keys, ((block + b) * dimension + d) * CK_KEY_BLOCK);
    UNROLL for (int q = 0; q < Q; q++) {
      v16 query = NAME(all)(queries[q * query_stride + d]);
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

/* Turns `count` scores into max(0, s); answers 1 / their sum. */
INLINE float NAME(rectify)(float *scores, size_t count) {
  const i16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const v16 zero = {0};
  v16 total = {0};
  for (size_t i = 0; i < count; i += LANES) {
    v16 s = NAME(load)(scores + i);
    s = NAME(select)(s > zero, s, zero);
    s = NAME(select)(lane < (i16){0} + (int32_t)(count - i), s, zero);
    *(v16u *)(scores + i) = s;
    total += s;
  }
  return 1.0f / (NAME(sum)(total) + 1e-6f);
}

/* Columns [column, column + 16 V) of the outputs of Q queries. Even and odd positions have a sum each. */
INLINE void NAME(mix)(const ck_attention *a, const int32_t type, const int alone, const int Q, const int V, const float *scores,
                      size_t width, const float *inverse, size_t shortest, size_t column, float *output,
                      NAME(ahead) *later) {
  const size_t stride = a->value_stride;
  v16 even[MIX_QUERIES][MOST_VALUES], odd[MIX_QUERIES][MOST_VALUES];
  UNROLL for (int q = 0; q < Q; q++) {
    UNROLL for (int v = 0; v < V; v++) {
      even[q][v] = (v16){0};
      odd[q][v] = (v16){0};
    }
  }
  size_t j = 0;
  for (; j + 2 <= shortest; j += 2) {
    if (alone) NAME(ask_ahead)(later);
    const size_t row = j * stride + column;
    UNROLL for (int v = 0; v < V; v++) {
      const v16 first = NAME(load_cached)(type, a->values, row + v * LANES);
      UNROLL for (int q = 0; q < Q; q++) even[q][v] = FMA(first, NAME(all)(scores[q * width + j]), even[q][v]);
    }
    UNROLL for (int v = 0; v < V; v++) {
      const v16 second = NAME(load_cached)(type, a->values, row + stride + v * LANES);
      UNROLL for (int q = 0; q < Q; q++) odd[q][v] = FMA(second, NAME(all)(scores[q * width + j + 1]), odd[q][v]);
    }
  }
  /* What later queries see more than the first one. */
  UNROLL for (int q = 0; q < Q; q++) {
    for (size_t i = j; i < shortest + q * a->step; i++) {
      v16 s = NAME(all)(scores[q * width + i]);
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

/* Scores of `count` queries, Q at a time, with B blocks from `block` on. What is read after these blocks, their values and as
   many keys more, is asked for meanwhile. */
INLINE void NAME(score_blocks)(const ck_attention *a, const int32_t type, const int alone, const int Q, const int B,
                               const float *queries, size_t count, size_t block, size_t blocks, float *scores,
                               size_t width) {
  const size_t size = type == CK_F16 ? 2 : 4, keys = CK_KEY_BLOCK * a->head_dimension * size,
               values = CK_KEY_BLOCK * a->value_stride * size;
  const size_t end = block + B, more = blocks - end < (size_t)B ? blocks : end + B;
  NAME(cached_ahead) later = {NAME(ahead_of)(a->keys, end * keys, more * keys, a->head_dimension),
                              NAME(ahead_of)(a->values, block * values, end * values, a->head_dimension)};
  for (size_t q = 0; q < count; q += Q)
    NAME(score)(a, type, alone, Q, B, queries + q * a->query_stride, block, scores + q * width, width, &later);
}

/* Scores of `count` queries, Q at a time, with `blocks` blocks, B at a time: a block meets one query after another while it
   is in the first-level cache. */
INLINE void NAME(score_queries)(const ck_attention *a, const int32_t type, const int alone, const int Q, const int B,
                                size_t first, size_t count, size_t blocks, float *scores, size_t width) {
  if (count == 0) return;
  const float *queries = a->queries + first * a->query_stride;
  size_t block = 0;
  for (; block + B <= blocks; block += B)
    NAME(score_blocks)(a, type, alone, Q, B, queries, count, block, blocks, scores, width);
  /* Those left over, at once: fewer than B, and B is at most 4. */
  const size_t left = blocks - block;
  if (left == 0) return;
  if (B > 3 && left == 3)
    NAME(score_blocks)(a, type, alone, Q, 3, queries, count, block, blocks, scores, width);
  else if (B > 2 && left == 2)
    NAME(score_blocks)(a, type, alone, Q, 2, queries, count, block, blocks, scores, width);
  else
    NAME(score_blocks)(a, type, alone, Q, 1, queries, count, block, blocks, scores, width);
}

/* Outputs of `count` queries, Q at a time, V registers of them at a time. */
INLINE void NAME(mix_queries)(const ck_attention *a, const int32_t type, const int alone, const int Q, const int V,
                              size_t first, size_t count, const float *scores, size_t width, const float *inverse,
                              NAME(ahead) *later) {
  const size_t dimension = a->head_dimension, shortest = a->position + first * a->step + 1;
  float *output = a->output + first * a->output_stride;
  size_t column = 0;
  for (; column + (V - 1) * LANES < dimension; column += V * LANES) {
    for (size_t q = 0; q < count; q += Q)
      NAME(mix)(a, type, alone, Q, V, scores + q * width, width, inverse + q, shortest + q * a->step, column,
                output + q * a->output_stride, later);
  }
  for (; column < dimension; column += LANES) {
    for (size_t q = 0; q < count; q += Q)
      NAME(mix)(a, type, alone, Q, 1, scores + q * width, width, inverse + q, shortest + q * a->step, column,
                output + q * a->output_stride, later);
  }
}

/* Queries [t, t + count), CK_ATTEND_QUERIES at most. */
INLINE void NAME(attend_some)(const ck_attention *a, const int32_t type, const int alone, size_t t, size_t count,
                              float *scores) {
  const size_t shortest = a->position + t * a->step + 1, longest = shortest + (count - 1) * a->step;
  const size_t blocks = (longest + CK_KEY_BLOCK - 1) / CK_KEY_BLOCK, width = blocks * CK_KEY_BLOCK;
  size_t whole = count / SCORE_QUERIES * SCORE_QUERIES, left = count - whole;
  NAME(score_queries)(a, type, alone, SCORE_QUERIES, SCORE_BLOCKS, t, whole, blocks, scores, width);
  if (SCORE_QUERIES > 3 && left == 3)
    NAME(score_queries)(a, type, alone, 3, SCORE_BLOCKS, t + whole, left, blocks, scores + whole * width, width);
  else if (SCORE_QUERIES > 2 && left == 2)
    NAME(score_queries)(a, type, alone, 2, SCORE_BLOCKS, t + whole, left, blocks, scores + whole * width, width);
  else
    NAME(score_queries)(a, type, alone, 1, ALONE_BLOCKS, t + whole, left, blocks, scores + whole * width, width);
  float inverse[CK_ATTEND_QUERIES];
  for (size_t q = 0; q < count; q++) {
    float *own = scores + q * width;
    const size_t seen = shortest + q * a->step;
    inverse[q] = a->rectified ? NAME(rectify)(own, seen) : NAME(soften)(own, seen);
  }
  NAME(ahead) later = NAME(ahead_of)(a->next_keys, 0, a->next_bytes, shortest / 2 + 1);
  whole = count / MIX_QUERIES * MIX_QUERIES;
  left = count - whole;
  NAME(mix_queries)(a, type, alone, MIX_QUERIES, MIX_VALUES, t, whole, scores, width, inverse, &later);
  if (MIX_QUERIES > 3 && left == 3)
    NAME(mix_queries)(a, type, alone, 3, ALONE_VALUES, t + whole, left, scores + whole * width, width, inverse + whole, &later);
  else if (MIX_QUERIES > 2 && left == 2)
    NAME(mix_queries)(a, type, alone, 2, ALONE_VALUES, t + whole, left, scores + whole * width, width, inverse + whole, &later);
  else
    NAME(mix_queries)(a, type, alone, 1, ALONE_VALUES, t + whole, left, scores + whole * width, width, inverse + whole, &later);
}

INLINE void NAME(attend_of)(const ck_attention *a, const int32_t type, const int alone, size_t t0, size_t t1, float *scratch) {
  for (size_t t = t0; t < t1; t += CK_ATTEND_QUERIES)
    NAME(attend_some)(a, type, alone, t, t1 - t < CK_ATTEND_QUERIES ? t1 - t : CK_ATTEND_QUERIES, scratch);
}

static void NAME(attend)(const ck_attention *a, size_t t0, size_t t1, float *scratch) {
  const int alone = a->step == 0;
  if (a->cache_type == CK_F16 && alone)
    NAME(attend_of)(a, CK_F16, 1, t0, t1, scratch);
  else if (a->cache_type == CK_F16)
    NAME(attend_of)(a, CK_F16, 0, t0, t1, scratch);
  else if (alone)
    NAME(attend_of)(a, CK_F32, 1, t0, t1, scratch);
  else
    NAME(attend_of)(a, CK_F32, 0, t0, t1, scratch);
}
