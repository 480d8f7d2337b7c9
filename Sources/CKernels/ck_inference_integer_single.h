/* One token and quantised weights, for AVX-512 with VNNI; ck_inference_integer.h says what is computed.

   Memory is the limit: rows are read from end to end, one after the other. The sums of a row's blocks are found first;
   when those of sixteen rows are there they are turned, so that each row adds its own in their order, as in a panel. */

/* Blocks whose sums share a register. */
#define RUN 16

/* Bytes ahead of what is read to ask memory for: measured, from 1 to 24 KiB. */
#define AHEAD 8192

/* Scratch of one token: activations as `run_sums` wants them, their scales, the starts of their sums; of sixteen rows
   the sums of all blocks, and the products of both scales. */
typedef struct {
  char *values;
  float *scales;
  int32_t *starts;
  float *sums, *factors; /* [row][block] */
  size_t runs;
} single;

static single divide_single(void *scratch, size_t columns) {
  single a;
  a.runs = (columns / CK_BLOCK + RUN - 1) / RUN;
  a.values = scratch;
  a.scales = (float *)(a.values + a.runs * RUN * CK_BLOCK);
  a.starts = (int32_t *)(a.scales + a.runs * RUN);
  a.sums = (float *)(a.starts + a.runs * RUN);
  a.factors = a.sums + a.runs * RUN * PANEL_ROWS;
  return a;
}

static size_t single_scratch(size_t columns) {
  return (columns / CK_BLOCK + RUN - 1) / RUN * RUN * (CK_BLOCK + 8 + 8 * PANEL_ROWS);
}

/* Where half `half` of block `block` of a run lies among the values: see run_sums. */
INLINE size_t half_place(const int32_t type, size_t block, size_t half) {
  return type == CK_Q8_0 ? 64 * (block / 8 * 4 + block % 4) + 32 * (block / 4 % 2) + 16 * half
                         : 64 * (2 * (block % 4) + half) + 16 * (block / 4);
}

static void round_single(const single *a, const int32_t type, const float *x, size_t columns) {
  const size_t blocks = columns / CK_BLOCK;
  for (size_t block = 0; block < a->runs * RUN; block++) {
    char *run = a->values + block / RUN * RUN * CK_BLOCK;
    __m128i left = _mm_setzero_si128(), right = left;
    a->scales[block] = 0, a->starts[block] = 0;
    if (block < blocks)
      round_block(x + block * CK_BLOCK, type == CK_Q8_0 ? 128 : 8, &left, &right, a->scales + block, a->starts + block);
    _mm_storeu_si128((__m128i *)(run + half_place(type, block % RUN, 0)), left);
    _mm_storeu_si128((__m128i *)(run + half_place(type, block % RUN, 1)), right);
  }
}

/* Sums over four neighbouring lanes of each of four registers: lane 4 i + j of the answer is of quarter i of v[j]. */
INLINE __m512i sum_fours(const __m512i v[4]) {
  const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/* The sums of a run of blocks of one row, in their order. */
INLINE __m512i run_sums(const int32_t type, const char *blocks, const char *values) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i v[4];
  if (type == CK_Q8_0) {
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    __m512i halves[2];
    UNROLL for (int h = 0; h < 2; h++) {
      UNROLL for (int i = 0; i < 4; i++) {
        const char *first = blocks + (8 * h + i) * CK_Q8_0_BYTES + 2, *second = first + 4 * CK_Q8_0_BYTES;
        const __m512i w = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)first)),
                                             _mm256_loadu_si256((const __m256i *)second), 1);
        v[i] = _mm512_dpbusd_epi32(zero, _mm512_xor_si512(w, sign), _mm512_load_si512(values + 64 * (4 * h + i)));
      }
      halves[h] = sum_fours(v);
    }
    return _mm512_add_epi32(_mm512_shuffle_i32x4(halves[0], halves[1], 0x88),
                            _mm512_shuffle_i32x4(halves[0], halves[1], 0xdd));
  }
  const __m512i low = _mm512_set1_epi8(15);
  UNROLL for (int i = 0; i < 4; i++) {
#define QUARTER(n) _mm_loadu_si128((const __m128i *)(blocks + (i + 4 * n) * CK_Q4_0_BYTES + 2))
    __m512i w = _mm512_inserti32x4(_mm512_castsi128_si512(QUARTER(0)), QUARTER(1), 1);
    w = _mm512_inserti32x4(_mm512_inserti32x4(w, QUARTER(2), 2), QUARTER(3), 3);
#undef QUARTER
    v[i] = _mm512_dpbusd_epi32(zero, _mm512_and_si512(w, low), _mm512_load_si512(values + 128 * i));
    v[i] = _mm512_dpbusd_epi32(v[i], _mm512_and_si512(_mm512_srli_epi16(w, 4), low),
                               _mm512_load_si512(values + 128 * i + 64));
  }
  return sum_fours(v);
}

/* The scales of a run of blocks. */
INLINE __m512 run_scales(const int32_t type, const char *blocks) {
  /* Words of two registers of 32 words each: a scale is every 17th or 9th word. */
#define WORDS(p) _mm512_loadu_si512(p)
  if (type == CK_Q8_0) {
    /* From the start of a quarter of the run, 68 words long. */
    const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, 17, 34, 51, 0, 0, 0, 0));
    __m128i four[4];
    UNROLL for (int i = 0; i < 4; i++) {
      const char *p = blocks + 4 * i * CK_Q8_0_BYTES;
      four[i] = _mm512_castsi512_si128(_mm512_permutex2var_epi16(WORDS(p), index, WORDS(p + 64)));
    }
    return _mm512_cvtph_ps(_mm256_set_m128i(_mm_unpacklo_epi64(four[2], four[3]), _mm_unpacklo_epi64(four[0], four[1])));
  }
  const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 36, 45, 54, 63));
  __m128i eight[2];
  UNROLL for (int i = 0; i < 2; i++) {
    const char *p = blocks + 8 * i * CK_Q4_0_BYTES;
    eight[i] = _mm512_castsi512_si128(_mm512_permutex2var_epi16(WORDS(p), index, WORDS(p + 64)));
  }
#undef WORDS
  return _mm512_cvtph_ps(_mm256_set_m128i(eight[1], eight[0]));
}

INLINE void transpose16(__m512 m[16]) {
  __m512 a[16];
  UNROLL for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_ps(m[i], m[i + 1]);
    a[i + 1] = _mm512_unpackhi_ps(m[i], m[i + 1]);
  }
#define PAIR(low, i, j) (__m512)_mm512_unpack##low##_pd((__m512d)a[i], (__m512d)a[j])
  UNROLL for (int i = 0; i < 16; i += 4) {
    m[i] = PAIR(lo, i, i + 2);
    m[i + 1] = PAIR(hi, i, i + 2);
    m[i + 2] = PAIR(lo, i + 1, i + 3);
    m[i + 3] = PAIR(hi, i + 1, i + 3);
  }
#undef PAIR
  UNROLL for (int i = 0; i < 4; i++) {
    a[i] = _mm512_shuffle_f32x4(m[i], m[i + 4], 0x88);
    a[i + 4] = _mm512_shuffle_f32x4(m[i], m[i + 4], 0xdd);
    a[i + 8] = _mm512_shuffle_f32x4(m[i + 8], m[i + 12], 0x88);
    a[i + 12] = _mm512_shuffle_f32x4(m[i + 8], m[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    m[i] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0x88);
    m[i + 8] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0xdd);
    m[i + 4] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0x88);
    m[i + 12] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0xdd);
  }
}

INLINE void single_rows(const NAME(product) *p, const int32_t type, const single *a, size_t r, int count) {
  const size_t blocks = p->columns / CK_BLOCK, block_bytes = NAME(block_bytes)(type), row_bytes = blocks * block_bytes;
  for (int i = 0; i < count; i++) {
    const char *row = p->weights + (r + (size_t)i) * row_bytes;
    float *sums = a->sums + (size_t)i * a->runs * RUN, *factors = a->factors + (size_t)i * a->runs * RUN;
    for (size_t first = 0; first < blocks; first += RUN, row += RUN * block_bytes) {
      const char *run = row;
      _Alignas(64) char part[RUN * CK_Q8_0_BYTES];
      if (blocks - first < RUN) {
        memset(part, 0, sizeof part);
        run = memcpy(part, row, (blocks - first) * block_bytes);
      }
      for (size_t line = 0; line < RUN * block_bytes; line += 64) _mm_prefetch(row + AHEAD + line, _MM_HINT_T0);
      const __m512i whole = _mm512_add_epi32(run_sums(type, run, a->values + first * CK_BLOCK),
                                             _mm512_load_si512(a->starts + first));
      _mm512_store_ps(sums + first, _mm512_cvtepi32_ps(whole));
      _mm512_store_ps(factors + first, _mm512_mul_ps(run_scales(type, run), _mm512_load_ps(a->scales + first)));
    }
  }
  __m512 sum = _mm512_setzero_ps();
  for (size_t first = 0; first < blocks; first += RUN) {
    __m512 sums[16], factors[16];
    UNROLL for (int i = 0; i < 16; i++) {
      sums[i] = _mm512_load_ps(a->sums + (size_t)i * a->runs * RUN + first);
      factors[i] = _mm512_load_ps(a->factors + (size_t)i * a->runs * RUN + first);
    }
    transpose16(sums), transpose16(factors);
    const int left = blocks - first < RUN ? (int)(blocks - first) : RUN;
    if (left == RUN) {
      UNROLL for (int i = 0; i < RUN; i++) sum = _mm512_fmadd_ps(sums[i], factors[i], sum);
    } else {
      UNROLL for (int i = 0; i < RUN; i++)
        if (i < left) sum = _mm512_fmadd_ps(sums[i], factors[i], sum);
    }
  }
  panel_store(p, r, count, 0, sum);
}

INLINE void single_linear(const NAME(product) *p, const int32_t type, size_t r0, size_t r1, void *scratch) {
  const single a = divide_single(scratch, p->columns);
  round_single(&a, type, p->x, p->columns);
  for (size_t r = r0; r < r1; r += PANEL_ROWS)
    single_rows(p, type, &a, r, r1 - r < PANEL_ROWS ? (int)(r1 - r) : PANEL_ROWS);
}
