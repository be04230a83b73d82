// Any bytes as answers of a server: whole, and in pieces, must end at the same place with the same outcome and the same rows.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mysql/answer.h"
#include "mysql/protocol.h"

namespace {

using namespace tradewind::mysql;

struct Outcome {
  bool failed = false;
  bool over = false;
  size_t taken = 0;
  std::optional<uint16_t> status = {};
  std::string rows = {};
  bool operator==(const Outcome&) const = default;
};

class RowTexts final : public Answer::RowPieces {
 public:
  void OnRowPiece(std::string_view piece, bool ends) override {
    rows += piece;
    if (ends) rows += '|';
  }
  std::string rows;
};

Outcome Follow(AnswerKind kind, Capabilities capabilities, std::string bytes, size_t part) {
  Answer answer(kind, capabilities, 5);
  RowTexts rows;
  answer.SetRowPieces(&rows);
  Outcome outcome;
  while (outcome.taken < bytes.size() && !answer.over()) {
    const size_t count = std::min(part, bytes.size() - outcome.taken);
    const auto taken = answer.Take(std::span(bytes).subspan(outcome.taken, count));
    if (!taken) return {true};
    TW_CHECK(*taken <= count && (*taken == count || answer.over()), "an answer takes all that is its own");
    outcome.taken += *taken;
  }
  outcome.over = answer.over();
  outcome.status = answer.status();
  outcome.rows = rows.rows;
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 3) return 0;
  const AnswerKind kind = static_cast<AnswerKind>(bytes[0] % 7);
  Capabilities capabilities = capability::kProtocol41;
  if (bytes[1] & 1) capabilities |= capability::kDeprecateEof;
  if (bytes[1] & 2) capabilities |= capability::kSessionTrack;
  if (bytes[1] & 4) capabilities |= capability::kCacheMetadata;
  const std::string text(reinterpret_cast<const char*>(bytes) + 3, size - 3);
  const Outcome whole = Follow(kind, capabilities, text, text.size() + 1);
  TW_CHECK(Follow(kind, capabilities, text, size_t{bytes[2]} + 1) == whole,
           "an answer does not depend on the pieces that it comes in");
  return 0;
}
