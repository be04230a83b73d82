#include "cli/sql_split.h"

#include <algorithm>
#include <cctype>

namespace tradewind::cli {
namespace {

bool IsSpace(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool IsWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80u);
}

std::string Upper(std::string_view word) {
  std::string upper(word);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

// The end of the token that starts at `at`: a quoted text, a comment, a word, or one character.
size_t TokenEnd(std::string_view sql, size_t at) {
  const auto after = [&](std::string_view close, size_t from) {
    const size_t found = sql.find(close, from);
    return found == std::string_view::npos ? sql.size() : found + close.size();
  };
  const char c = sql[at];
  if (c == '\'' || c == '"' || c == '`') return after(std::string_view(&sql[at], 1), at + 1);
  if (c == '[') return after("]", at + 1);
  if (sql.substr(at, 2) == "--") return after("\n", at);
  if (sql.substr(at, 2) == "/*") return after("*/", at + 2);
  size_t end = at + 1;
  if (IsWord(c))
    while (end < sql.size() && IsWord(sql[end])) ++end;
  return end;
}

// Follows the tokens of one statement to see where a CREATE TRIGGER ends.
class TriggerTracker {
 public:
  void SeeWord(const std::string& word) {
    if (after_semicolon_ && word == "END") {
      ended_ = true;
    } else {
      ended_ = false;
    }
    after_semicolon_ = false;
    switch (opening_) {
      case Opening::kStart:
        if (word == "CREATE")
          opening_ = Opening::kCreate;
        else if (word != "EXPLAIN" && word != "QUERY" && word != "PLAN")
          opening_ = Opening::kOther;
        break;
      case Opening::kCreate:
        if (word == "TRIGGER")
          opening_ = Opening::kTrigger;
        else if (word != "TEMP" && word != "TEMPORARY")
          opening_ = Opening::kOther;
        break;
      default: break;
    }
  }
  void SeeOther() { after_semicolon_ = ended_ = false; }
  // Whether this semicolon ends the statement.
  bool SeeSemicolon() {
    if (opening_ != Opening::kTrigger || ended_) return true;
    after_semicolon_ = true;
    return false;
  }

 private:
  enum class Opening { kStart, kCreate, kTrigger, kOther };
  Opening opening_ = Opening::kStart;
  bool after_semicolon_ = false;
  bool ended_ = false;  // The last words were "; END".
};

}  // namespace

std::vector<std::string> SplitStatements(std::string_view sql) {
  std::vector<std::string> statements;
  TriggerTracker tracker;
  size_t first = std::string_view::npos;  // Where the statement's first token begins.
  size_t last = 0;                        // Where its last token ended.
  const auto finish = [&] {
    if (first != std::string_view::npos) statements.emplace_back(sql.substr(first, last - first));
    first = std::string_view::npos;
    tracker = TriggerTracker();
  };
  for (size_t at = 0; at < sql.size();) {
    const size_t end = TokenEnd(sql, at);
    const std::string_view token = sql.substr(at, end - at);
    at = end;
    if (IsSpace(token.front()) || token.starts_with("--") || token.starts_with("/*")) continue;
    if (token == ";" && (first == std::string_view::npos || tracker.SeeSemicolon())) {
      finish();
      continue;
    }
    if (first == std::string_view::npos) first = end - token.size();
    last = end;
    if (IsWord(token.front()))
      tracker.SeeWord(Upper(token));
    else if (token != ";")
      tracker.SeeOther();
  }
  finish();
  return statements;
}

}  // namespace tradewind::cli
