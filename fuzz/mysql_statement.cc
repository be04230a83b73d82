// Any text as statements: what it does must not depend on the pieces that it comes in, and what stands behind a lock of
// tables must not hide it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "mysql/statement_text.h"
#include "mysql/tie.h"

namespace {

using namespace tradewind::mysql;

std::vector<TieChange> Read(std::string_view text, size_t part, bool backslash_escapes) {
  StatementText reader("shop", backslash_escapes);
  for (size_t at = 0; at < text.size(); at += part) reader.OnText(text.substr(at, part));
  return reader.Finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  const bool backslash_escapes = bytes[0] & 1;
  const auto whole = Read(text, text.size() + 1, backslash_escapes);
  const auto pieces = Read(text, size_t{bytes[1]} + 1, backslash_escapes);
  TW_CHECK(whole.size() == pieces.size(), "a text does not depend on the pieces that it comes in");
  for (size_t at = 0; at < whole.size(); ++at)
    TW_CHECK(whole[at].tie == pieces[at].tie && whole[at].does == pieces[at].does &&
                 whole[at].name == pieces[at].name,
             "a text does not depend on the pieces that it comes in");
  const auto locked = Read("LOCK TABLES t READ;" + text, 1'000, backslash_escapes);
  TW_CHECK(!locked.empty() && locked[0].tie == Tie::kTableLock && locked[0].does == TieChange::Does::kTakes,
           "what a text does first, the rest does not hide");
  return 0;
}
