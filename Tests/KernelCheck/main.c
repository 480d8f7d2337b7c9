#define _GNU_SOURCE
#include "check.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t comparisons, failures;

void expect(bool holds, const char *format, ...) {
  comparisons++;
  if (holds) return;
  if (failures++ >= 20) return;
  va_list arguments;
  va_start(arguments, format);
  printf("FAILED: ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
}

/* Off for emulators whose masked loads touch what the mask leaves out. */
static bool guards = true;

enum { most_regions = 256 };
static struct {
  void *base;
  size_t bytes;
} regions[most_regions];
static int region_count;

void *guarded(size_t bytes, size_t alignment) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
  char *base = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED || region_count == most_regions || (guards && mprotect(base + size, page, PROT_NONE) != 0)) {
    printf("FAILED: no memory for the check\n");
    exit(1);
  }
  memset(base, 0xff, size); /* as floats no numbers */
  regions[region_count].base = base, regions[region_count++].bytes = size + page;
  return base + (size - bytes) / alignment * alignment;
}

void free_guarded(void) {
  for (int i = 0; i < region_count; i++) munmap(regions[i].base, regions[i].bytes);
  region_count = 0;
}

static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

float *numbers(size_t count, uint64_t seed, double scale) {
  float *values = guarded(count * sizeof(float), sizeof(float));
  uint64_t state = seed;
  for (size_t i = 0; i < count; i++)
    values[i] = (float)(((double)(next_random(&state) >> 11) * 0x1p-52 - 1) * scale);
  return values;
}

uint16_t bfloat16_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float bfloat16(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

float half(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = (bits & 1023) / 1024.0, sign = bits >> 15 ? -1 : 1;
  if (exponent == 31) return (float)(fraction > 0 ? NAN : sign * INFINITY);
  return (float)(sign * (exponent == 0 ? ldexp(fraction, -14) : ldexp(1 + fraction, exponent - 15)));
}

void add_to_digest(uint64_t *digest, const float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    for (int byte = 0; byte < 4; byte++) *digest = (*digest ^ (bits >> 8 * byte & 255)) * 0x100000001B3;
  }
}

/* kernel-check [--without-guards] [NAME, NAME…]: the names of the tables that must be there, and no others. */
int main(int count, char **arguments) {
  if (count > 1 && strcmp(arguments[1], "--without-guards") == 0) guards = false, count--, arguments++;
  char names[512] = "";
  for (int32_t isa = 0; isa < CK_ISA_COUNT; isa++) {
    const ck_inference *table = ck_inference_for(isa);
    if (!table) continue;
    expect(table->isa == isa, "table %d says it is %d", isa, table->isa);
    digests found = {0xCBF29CE484222325, 0xCBF29CE484222325, 0xCBF29CE484222325};
    check_products(table, &found);
    check_quantized(table, &found);
    check_attention(table, &found);
    check_rows(table, &found);
    check_sampling(table, &found);
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", names[0] ? ", " : "", table->name);
    printf("%-18s floats %016llx  quantised %016llx  sampling %016llx\n", table->name, (unsigned long long)found.floats,
           (unsigned long long)found.quantized, (unsigned long long)found.sampling);
  }
  check_training();
  check_threads();
  const char *best = strrchr(names, ',') ? strrchr(names, ',') + 2 : names;
  expect(strcmp(ck_inference_best()->name, best) == 0, "the best is said to be %s, not %s", ck_inference_best()->name, best);
  if (count > 1) expect(strcmp(names, arguments[1]) == 0, "there are %s, not %s", names, arguments[1]);
  printf("kernels: %s; training: %s; %zu comparisons, %zu failed\n", names, ck_training_instructions(), comparisons,
         failures);
  return failures > 0;
}
