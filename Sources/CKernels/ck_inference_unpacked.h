/* Products of many tokens in words of 16 bits: see ck_inference_words.h. A piece of a panel is unpacked into words once
   for all tokens, and small enough to stay in the first-level cache; the sums are the same bits. */

/* Tokens from which on unpacking pays. */
#define UNPACK_TOKENS 12

/* Blocks unpacked at once. */
#define UNPACKED_BLOCKS 18

typedef struct {
  _Alignas(64) int16_t words[CK_BLOCK / 2][2 * CK_PANEL_ROWS]; /* pairs as the activations' are */
  float scales[CK_PANEL_ROWS], minima[CK_PANEL_ROWS];
} unpacked_block;

/* Weights without the offset they are kept with. */
INLINE void unpack_block(const int32_t type, const char *block, unpacked_block *to) {
  const __m256i offset = _mm256_set1_epi16(type == CK_Q8_0 ? 128 : type == CK_Q4_0 ? 8 : 0);
  UNROLL for (int k = 0; k < NAME(panel_pieces)(type); k++) {
    UNROLL for (int side = 0; side < SIDES; side++) {
      const __m256i bytes = _mm256_loadu_si256((const __m256i *)(block + 64 * k + 32 * side));
      UNROLL for (int part = 0; part < (type == CK_Q8_0 ? 2 : 4); part++) {
        const int shift = part * (type == CK_Q8_0 ? 8 : 4);
        _mm256_store_si256((__m256i *)to->words[pair_at(k, shift)] + side,
                           _mm256_sub_epi16(words_at(type, bytes, shift), offset));
      }
    }
  }
  const char *halves = block + 64 * NAME(panel_pieces)(type);
  *(v16u *)to->scales = WIDEN_F16(halves);
  if (type == CK_Q4_1) *(v16u *)to->minima = WIDEN_F16(halves + 2 * CK_PANEL_ROWS);
}

/* Blocks [from, to) of T tokens from t, added to what is `kept` of the blocks before. */
INLINE void unpacked_tile(const NAME(product) *p, const activations *a, const int32_t type, const unpacked_block *blocks,
                          size_t from, size_t to, const part *panel, const int T, size_t t, float *kept) {
  const size_t all = p->columns / CK_BLOCK;
  const char *values = a->values + (t * all + from * T) * CK_BLOCK * ACTIVATION_BYTES;
  const float *scales = a->scales + t * all + from * T;
  const int32_t *starts = a->starts + t * all + from * T;
  kept += t * CK_PANEL_ROWS;
  __m256 sums[SIDES][PANEL_TOKENS];
  UNROLL for (int side = 0; side < SIDES; side++) {
    UNROLL for (int j = 0; j < T; j++)
      sums[side][j] = from ? _mm256_load_ps(kept + CK_PANEL_ROWS * j + WORD_ROWS * side) : _mm256_setzero_ps();
  }
  for (size_t block = from; block < to; block++, blocks++) {
    __m256i whole[SIDES][PANEL_TOKENS];
    UNROLL for (int side = 0; side < SIDES; side++) {
      UNROLL for (int j = 0; j < T; j++) whole[side][j] = _mm256_setzero_si256();
    }
    _Pragma("clang loop unroll(disable)") for (int pair = 0; pair < CK_BLOCK / 2; pair++) {
      __m256i words[SIDES];
      UNROLL for (int side = 0; side < SIDES; side++)
        words[side] = _mm256_load_si256((const __m256i *)blocks->words[pair] + side);
      word_pairs(words, T, values, pair, whole);
    }
    UNROLL for (int side = 0; side < SIDES; side++) {
      const __m256 weight_scales = _mm256_load_ps(blocks->scales + WORD_ROWS * side);
      UNROLL for (int j = 0; j < T; j++)
        sums[side][j] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole[side][j]),
                                        _mm256_mul_ps(weight_scales, _mm256_set1_ps(scales[j])), sums[side][j]);
      if (type != CK_Q4_1) continue;
      const __m256 minima = _mm256_load_ps(blocks->minima + WORD_ROWS * side);
      UNROLL for (int j = 0; j < T; j++)
        sums[side][j] = _mm256_fmadd_ps(minima, _mm256_castsi256_ps(_mm256_set1_epi32(starts[j])), sums[side][j]);
    }
    values += CK_BLOCK * ACTIVATION_BYTES * T, scales += T, starts += T;
  }
  UNROLL for (int j = 0; j < T; j++) {
    float *row_sums = kept + CK_PANEL_ROWS * j;
    UNROLL for (int side = 0; side < SIDES; side++) _mm256_store_ps(row_sums + WORD_ROWS * side, sums[side][j]);
    if (to == all) NAME(store_panel)(p, row_sums, panel->row, panel->first, panel->last, t + (size_t)j);
  }
}

INLINE void unpacked_panel(const NAME(product) *p, const activations *a, const int32_t type, const part *panel,
                           size_t tokens, float *kept) {
  unpacked_block blocks[UNPACKED_BLOCKS];
  const size_t all = p->columns / CK_BLOCK;
  for (size_t from = 0; from < all; from += UNPACKED_BLOCKS) {
    const size_t to = all - from < UNPACKED_BLOCKS ? all : from + UNPACKED_BLOCKS;
    for (size_t block = from; block < to; block++)
      unpack_block(type, panel->blocks + block * NAME(panel_block)(type), blocks + (block - from));
    for (size_t t = 0; t < tokens; t += PANEL_TOKENS) {
      switch (group_size(tokens, t)) {
#define TILE(T) case T: if (T <= PANEL_TOKENS) unpacked_tile(p, a, type, blocks, from, to, panel, T, t, kept); break
        TILE(1); TILE(2); TILE(3); TILE(4); TILE(5); TILE(6);
#undef TILE
      }
    }
  }
}
