#include "csentencepiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// Exported by the library but not declared in its installed headers. Weak, so that a build of the library without it
// costs the silence, not the program.
namespace sentencepiece {
namespace logging {
void SetMinLogLevel(int level) __attribute__((weak));
}
}  // namespace sentencepiece

struct csp_model {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

// Above the library's highest non-fatal level.
constexpr int kSilent = 3;

void silence() {
  if (sentencepiece::logging::SetMinLogLevel != nullptr) {
    sentencepiece::logging::SetMinLogLevel(kSilent);
  }
}

void report(const char *reason, char *error, size_t capacity) {
  if (capacity == 0) return;
  const size_t count = std::min(std::strlen(reason), capacity - 1);
  std::memcpy(error, reason, count);
  error[count] = '\0';
}

std::string_view view(const uint8_t *bytes, size_t count) {
  return std::string_view(reinterpret_cast<const char *>(bytes), count);
}

std::string_view element(const csp_strings &strings, size_t index) {
  const size_t start = index == 0 ? 0 : strings.ends[index - 1];
  return view(strings.bytes + start, strings.ends[index] - start);
}

// "a,b,c", as the library's list options want it.
std::string list(const csp_strings &strings) {
  std::string joined;
  for (size_t i = 0; i < strings.count; ++i) {
    if (i > 0) joined += ',';
    joined += element(strings, i);
  }
  return joined;
}

bool holds(const csp_model *model, int32_t id) { return id >= 0 && id < model->processor.GetPieceSize(); }

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const csp_strings &strings) : strings_(strings) { load(); }
  bool done() const override { return index_ >= strings_.count; }
  void Next() override {
    ++index_;
    load();
  }
  const std::string &value() const override { return value_; }
  sentencepiece::util::Status status() const override { return sentencepiece::util::Status(); }

 private:
  void load() {
    if (!done()) value_ = element(strings_, index_);
  }

  csp_strings strings_;
  size_t index_ = 0;
  std::string value_;
};

// A copy of `count` elements that csp_release can free, or NULL.
template <typename T>
T *handOut(const T *elements, size_t count) {
  T *copy = static_cast<T *>(std::malloc(std::max<size_t>(count, 1) * sizeof(T)));
  if (copy != nullptr && count > 0) std::memcpy(copy, elements, count * sizeof(T));
  return copy;
}

}  // namespace

int csp_load(const uint8_t *bytes, size_t count, csp_model **model_out, char *error, size_t error_capacity) {
  *model_out = nullptr;
  report("", error, error_capacity);
  try {
    silence();
    auto model = std::make_unique<csp_model>();
    const auto status = model->processor.LoadFromSerializedProto(view(bytes, count));
    if (!status.ok()) {
      report(status.error_message(), error, error_capacity);
      return CSP_REFUSED;
    }
    *model_out = model.release();
    return CSP_OK;
  } catch (const std::bad_alloc &) {
    return CSP_NO_MEMORY;
  } catch (const std::exception &exception) {
    report(exception.what(), error, error_capacity);
    return CSP_REFUSED;
  } catch (...) {
    return CSP_REFUSED;
  }
}

void csp_free(csp_model *model) { delete model; }

int32_t csp_piece_count(const csp_model *model) { return model->processor.GetPieceSize(); }

const uint8_t *csp_piece(const csp_model *model, int32_t id, size_t *count_out) {
  *count_out = 0;
  if (!holds(model, id)) return nullptr;
  const std::string &piece = model->processor.IdToPiece(id);
  *count_out = piece.size();
  return reinterpret_cast<const uint8_t *>(piece.data());
}

int32_t csp_piece_kind(const csp_model *model, int32_t id) {
  if (!holds(model, id)) return -1;
  if (model->processor.IsUnknown(id)) return CSP_UNKNOWN;
  if (model->processor.IsControl(id)) return CSP_CONTROL;
  if (model->processor.IsByte(id)) return CSP_BYTE;
  if (model->processor.IsUnused(id)) return CSP_UNUSED;
  return CSP_NORMAL;
}

int32_t csp_piece_id(const csp_model *model, const uint8_t *piece, size_t count) {
  try {
    return model->processor.PieceToId(view(piece, count));
  } catch (...) {
    return -1;
  }
}

int32_t csp_unknown_id(const csp_model *model) { return model->processor.unk_id(); }
int32_t csp_bos_id(const csp_model *model) { return model->processor.bos_id(); }
int32_t csp_eos_id(const csp_model *model) { return model->processor.eos_id(); }
int32_t csp_pad_id(const csp_model *model) { return model->processor.pad_id(); }

int csp_encode(const csp_model *model, const uint8_t *text, size_t count, int32_t **ids_out, size_t *count_out) {
  *ids_out = nullptr;
  *count_out = 0;
  try {
    std::vector<int> ids;
    if (!model->processor.Encode(view(text, count), &ids).ok()) return CSP_REFUSED;
    static_assert(sizeof(int) == sizeof(int32_t), "ids are handed out as they are");
    *ids_out = handOut<int32_t>(ids.data(), ids.size());
    if (*ids_out == nullptr) return CSP_NO_MEMORY;
    *count_out = ids.size();
    return CSP_OK;
  } catch (const std::bad_alloc &) {
    return CSP_NO_MEMORY;
  } catch (...) {
    return CSP_REFUSED;
  }
}

int csp_train(csp_strings sentences, csp_strings control_symbols, csp_strings user_symbols,
              csp_train_options options, uint8_t **model_out, size_t *count_out, char *error, size_t error_capacity) {
  *model_out = nullptr;
  *count_out = 0;
  report("", error, error_capacity);
  const auto flag = [](int32_t value) { return std::string(value != 0 ? "true" : "false"); };
  try {
    silence();
    std::unordered_map<std::string, std::string> arguments = {
        {"model_type", "bpe"},
        {"vocab_size", std::to_string(options.vocabulary_size)},
        {"max_sentencepiece_length", std::to_string(options.maximum_piece_length)},
        {"split_digits", flag(options.split_digits)},
        {"byte_fallback", flag(options.byte_fallback)},
        {"character_coverage", std::to_string(options.character_coverage)},
        {"normalization_rule_name", "identity"},
        {"add_dummy_prefix", "true"},
        {"remove_extra_whitespaces", "false"},
        {"allow_whitespace_only_pieces", "true"},
        // Longer sentences would be dropped without a word.
        {"max_sentence_length", "1073741824"},
        {"num_threads", "1"},
        {"minloglevel", std::to_string(kSilent)},
    };
    if (control_symbols.count > 0) arguments["control_symbols"] = list(control_symbols);
    if (user_symbols.count > 0) arguments["user_defined_symbols"] = list(user_symbols);
    Sentences iterator(sentences);
    std::string model;
    const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &iterator, &model);
    if (!status.ok()) {
      report(status.error_message(), error, error_capacity);
      return CSP_REFUSED;
    }
    *model_out = handOut(reinterpret_cast<const uint8_t *>(model.data()), model.size());
    if (*model_out == nullptr) return CSP_NO_MEMORY;
    *count_out = model.size();
    return CSP_OK;
  } catch (const std::bad_alloc &) {
    return CSP_NO_MEMORY;
  } catch (const std::exception &exception) {
    report(exception.what(), error, error_capacity);
    return CSP_REFUSED;
  } catch (...) {
    return CSP_REFUSED;
  }
}

void csp_release(void *memory) { std::free(memory); }
