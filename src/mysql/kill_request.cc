#include "mysql/kill_request.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "mysql/fields.h"
#include "mysql/protocol.h"

namespace tradewind::mysql {

namespace {

constexpr size_t kNumberBytes = 4;
constexpr size_t kLongestText = 200;

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The next word, in lower case, and where it ends.
std::string WordAt(std::string_view text, size_t& at) {
  while (at < text.size() && IsBlank(text[at])) ++at;
  std::string word;
  while (at < text.size() && !IsBlank(text[at]) && text[at] != ';') word += LowerCase(text[at++]);
  return word;
}

}  // namespace

std::string KillRequest::PayloadFor(uint32_t other) const {
  if (is_text) return before + std::to_string(other) + behind;
  std::string number;
  AddInteger(number, other, kNumberBytes);
  return before + number + behind;
}

std::optional<KillRequest> ParseKill(std::string_view payload) {
  if (payload.empty() || payload.size() > kLongestText) return std::nullopt;
  KillRequest request;
  const auto command = static_cast<Command>(payload[0]);
  if (command == Command::kProcessKill) {
    if (payload.size() != 1 + kNumberBytes) return std::nullopt;
    request.connection = FieldReader(payload.substr(1)).Word();
    request.before = payload.substr(0, 1);
    return request;
  }
  if (command != Command::kQuery) return std::nullopt;
  size_t at = 1;
  if (WordAt(payload, at) != "kill") return std::nullopt;
  size_t end = at;
  std::string word = WordAt(payload, end);
  const auto skip = [&] {
    at = end;
    word = WordAt(payload, end);
  };
  if (word == "hard" || word == "soft") skip();
  if (word == "connection" || word == "query") skip();
  const auto read = std::from_chars(word.data(), word.data() + word.size(), request.connection);
  if (word.empty() || read.ec != std::errc() || read.ptr != word.data() + word.size()) return std::nullopt;
  const auto rest = payload.substr(end);
  if (!std::all_of(rest.begin(), rest.end(), [](char c) { return IsBlank(c) || c == ';'; }))
    return std::nullopt;
  request.is_text = true;
  request.before = payload.substr(0, end - word.size());
  request.behind = rest;
  return request;
}

}  // namespace tradewind::mysql
