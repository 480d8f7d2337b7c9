/* CSentencePiece: loading, encoding with, and training SentencePiece models.

   Why a shim: libsentencepiece is a C++ library whose headers need std::string, std::unordered_map and abstract
   C++ classes, and whose functions may throw. Swift's C++ interoperability would spread to every target that
   imports the tokenizer, and a C++ exception that reaches a Swift frame ends the process. Here every exception is
   caught and becomes a status code. The library's own messages to standard error are switched off.

   Ownership: a csp_model belongs to the caller of csp_load, until csp_free. Text and bytes passed in are read
   during the call only. Memory handed out through a `…_out` pointer belongs to the caller, until csp_release; it is
   NULL after a failure. A pointer returned by csp_piece is borrowed from the model and lives as long as it does.
   All functions that take a `const csp_model *` may be called from several threads at once. */
#ifndef CSENTENCEPIECE_H
#define CSENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Status codes: 0 is success, everything else a failure. */
enum {
  CSP_OK = 0,
  CSP_NO_MEMORY = 1,
  /* The library refused; the error text says why. */
  CSP_REFUSED = 2
};

/* What a piece is. */
enum {
  CSP_NORMAL = 0,
  /* Stands for text that has no piece of its own. */
  CSP_UNKNOWN = 1,
  /* Has no text; text never encodes to it. */
  CSP_CONTROL = 2,
  /* Kept in the vocabulary, never used. */
  CSP_UNUSED = 3,
  /* One byte of text, spelled <0x00> … <0xFF>. */
  CSP_BYTE = 4
};

typedef struct csp_model csp_model;

/* Loads a serialised model (the bytes of a tokenizer.model file). On failure the reason is written to `error`, cut to
   `error_capacity` bytes including the final NUL. */
int csp_load(const uint8_t *_Nonnull bytes, size_t count, csp_model *_Nullable *_Nonnull model_out,
             char *_Nonnull error, size_t error_capacity);
void csp_free(csp_model *_Nullable model);

/* Number of pieces; ids run from 0 to it, exclusive. */
int32_t csp_piece_count(const csp_model *_Nonnull model);
/* The piece's text (UTF-8, not NUL-terminated, may hold NUL), or NULL if there is no such id. */
const uint8_t *_Nullable csp_piece(const csp_model *_Nonnull model, int32_t id, size_t *_Nonnull count_out);
/* CSP_NORMAL … CSP_BYTE, or -1 if there is no such id. */
int32_t csp_piece_kind(const csp_model *_Nonnull model, int32_t id);
/* The id of a piece, or the unknown piece's id. -1 on failure. */
int32_t csp_piece_id(const csp_model *_Nonnull model, const uint8_t *_Nonnull piece, size_t count);
/* Ids of the special pieces, -1 where the model has none. */
int32_t csp_unknown_id(const csp_model *_Nonnull model);
int32_t csp_bos_id(const csp_model *_Nonnull model);
int32_t csp_eos_id(const csp_model *_Nonnull model);
int32_t csp_pad_id(const csp_model *_Nonnull model);

/* Encodes text, which need not be valid UTF-8: a byte that is not part of a character counts as U+FFFD. */
int csp_encode(const csp_model *_Nonnull model, const uint8_t *_Nonnull text, size_t count,
               int32_t *_Nullable *_Nonnull ids_out, size_t *_Nonnull count_out);

/* Options of csp_train. Flags are 0 or 1. */
typedef struct csp_train_options {
  int32_t vocabulary_size;
  /* Longest piece, in characters. */
  int32_t maximum_piece_length;
  int32_t split_digits;
  int32_t byte_fallback;
  /* Share of the characters in the text that get a piece, 0.98 … 1. */
  double character_coverage;
} csp_train_options;

/* Strings one behind the other: string i is bytes[ends[i-1] ..< ends[i]], the first begins at 0. */
typedef struct csp_strings {
  const uint8_t *_Nonnull bytes;
  const size_t *_Nonnull ends;
  size_t count;
} csp_strings;

/* Trains a BPE model on sentences, on one thread, with identity normalisation, so that the same input makes the same
   bytes. Control symbols have no text; user symbols are matched in text before anything else and never split or
   merged. No symbol may hold a comma or a double quote. The serialised model comes back in `model_out`. */
int csp_train(csp_strings sentences, csp_strings control_symbols, csp_strings user_symbols,
              csp_train_options options, uint8_t *_Nullable *_Nonnull model_out, size_t *_Nonnull count_out,
              char *_Nonnull error, size_t error_capacity);

/* Releases memory that csp_encode or csp_train handed out. NULL is allowed. */
void csp_release(void *_Nullable memory);

#ifdef __cplusplus
}
#endif

#endif
