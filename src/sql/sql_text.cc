#include "sql/sql_text.h"

#include <algorithm>

#include "base/ascii.h"
#include "runtime/turns.h"

namespace tradewind::sql {

namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
// SQLite takes it for a blank wherever a token may begin; inside a word it is a letter like any other.
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Lets others run now and then: a text may have megabytes.
class Pace {
 public:
  void TakeToken() {
    if (++tokens_ % 4096 == 0) runtime::YieldIfTurnIsOver();
  }

 private:
  unsigned tokens_ = 0;
};

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         (static_cast<unsigned char>(c) & 0x80u) != 0;
}

size_t BlankLengthWithout(std::string_view sql, bool semicolons) {
  size_t at = 0;
  Pace pace;
  while (at < sql.size()) {
    pace.TakeToken();
    if (kWhiteSpace.find(sql[at]) != std::string_view::npos || (semicolons && sql[at] == ';')) {
      ++at;
    } else if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
    } else if (sql.substr(at, 2) == "/*") {
      const size_t end = sql.find("*/", at + 2);
      at = end == std::string_view::npos ? sql.size() : end + 2;
    } else if (sql.substr(at, kByteOrderMark.size()) == kByteOrderMark) {
      at += kByteOrderMark.size();
    } else {
      break;
    }
  }
  return at;
}

// Takes one word off the front of `sql`, blanks before it included.
std::string_view TakeWord(std::string_view& sql) {
  sql.remove_prefix(BlankLengthWithout(sql, false));
  size_t length = 0;
  Pace pace;  // A number may have megabytes.
  for (; length < sql.size() && IsWordCharacter(sql[length]); ++length) pace.TakeToken();
  const std::string_view word = sql.substr(0, length);
  sql.remove_prefix(word.size());
  return word;
}

}  // namespace

size_t BlankLength(std::string_view sql) {
  return BlankLengthWithout(sql, true);
}

std::string_view FirstWord(std::string_view sql) {
  sql.remove_prefix(BlankLength(sql));
  return TakeWord(sql);
}

// As libSQL's grammar: BEGIN [DEFERRED | IMMEDIATE | EXCLUSIVE | READONLY] [TRANSACTION [name]], where its
// clients put READONLY for the name.
ReadonlyBegin ReadonlyBeginOf(std::string_view sql) {
  std::string_view rest = sql.substr(BlankLength(sql));
  if (!EqualsIgnoringCase(TakeWord(rest), "BEGIN")) return {};
  std::string_view word = TakeWord(rest);
  const bool writes = EqualsIgnoringCase(word, "IMMEDIATE") || EqualsIgnoringCase(word, "EXCLUSIVE");
  bool readonly = EqualsIgnoringCase(word, "READONLY");
  if (writes || readonly || EqualsIgnoringCase(word, "DEFERRED")) word = TakeWord(rest);
  if (EqualsIgnoringCase(word, "TRANSACTION")) {
    word = TakeWord(rest);
    readonly |= EqualsIgnoringCase(word, "READONLY");
  } else if (!word.empty()) {
    return {};
  }
  rest.remove_prefix(BlankLengthWithout(rest, false));
  if (rest.starts_with(';'))
    rest.remove_prefix(1);
  else if (!rest.empty())
    return {};
  if (!readonly) return {};
  return {.length = sql.size() - rest.size(), .contradicts_itself = writes};
}

namespace {

// The length of a quoted string or name at the start of `sql`, its quotes included; 0 when there is none.
size_t QuotedLength(std::string_view sql) {
  const char open = sql.front();
  if (open != '\'' && open != '"' && open != '`' && open != '[') return 0;
  const size_t end = sql.find(open == '[' ? ']' : open, 1);
  return end == std::string_view::npos ? sql.size() : end + 1;
}

// Follows the tokens of one statement to see where a CREATE TRIGGER ends: at the semicolon after "; END", as
// sqlite3_complete() has it.
class TriggerEnd {
 public:
  void SeeWord(std::string_view word) {
    ended_ = after_semicolon_ && EqualsIgnoringCase(word, "END");
    after_semicolon_ = false;
    if (opening_ == Opening::kStart && EqualsIgnoringCase(word, "CREATE"))
      opening_ = Opening::kCreate;
    else if (opening_ == Opening::kStart && (EqualsIgnoringCase(word, "EXPLAIN") || IsPlanWord(word)))
      opening_ = Opening::kStart;
    else if (opening_ == Opening::kCreate && EqualsIgnoringCase(word, "TRIGGER"))
      opening_ = Opening::kTrigger;
    else if (opening_ == Opening::kStart ||
             (opening_ == Opening::kCreate && !EqualsIgnoringCase(word, "TEMP") &&
              !EqualsIgnoringCase(word, "TEMPORARY")))
      opening_ = Opening::kOther;
  }
  void SeeOther() {
    after_semicolon_ = ended_ = false;
    if (opening_ != Opening::kTrigger) opening_ = Opening::kOther;
  }
  // Whether this semicolon ends the statement.
  bool SeeSemicolon() {
    if (opening_ != Opening::kTrigger || ended_) return true;
    after_semicolon_ = true;
    return false;
  }

 private:
  enum class Opening { kStart, kCreate, kTrigger, kOther };
  static bool IsPlanWord(std::string_view word) {
    return EqualsIgnoringCase(word, "QUERY") || EqualsIgnoringCase(word, "PLAN");
  }
  Opening opening_ = Opening::kStart;
  bool after_semicolon_ = false;
  bool ended_ = false;  // The last words were "; END".
};

}  // namespace

StatementExtent FirstStatement(std::string_view sql) {
  StatementExtent extent{.begin = BlankLength(sql)};
  extent.end = extent.length = extent.begin;
  std::string_view rest = sql.substr(extent.begin);
  TriggerEnd trigger;
  Pace pace;
  while (!rest.empty()) {
    pace.TakeToken();
    if (const size_t blank = BlankLengthWithout(rest, false); blank > 0) {
      rest.remove_prefix(blank);
      continue;
    }
    const bool semicolon = rest.front() == ';';
    if (semicolon && trigger.SeeSemicolon()) {
      rest.remove_prefix(1);
      break;
    }
    if (const size_t quoted = QuotedLength(rest); quoted > 0) {
      trigger.SeeOther();
      rest.remove_prefix(quoted);
    } else if (IsWordCharacter(rest.front())) {
      trigger.SeeWord(TakeWord(rest));
    } else {
      if (!semicolon) trigger.SeeOther();
      rest.remove_prefix(1);
    }
    extent.end = sql.size() - rest.size();
  }
  extent.length = sql.size() - rest.size();
  return extent;
}

size_t ClauseCount(std::string_view sql) {
  const bool create = EqualsIgnoringCase(FirstWord(sql), "CREATE");
  sql.remove_prefix(BlankLength(sql));
  size_t largest = 0;
  size_t count = 0;
  Pace pace;
  while (!sql.empty()) {
    pace.TakeToken();
    if (const size_t blank = BlankLengthWithout(sql, false); blank > 0) {
      sql.remove_prefix(blank);
    } else if (const size_t quoted = QuotedLength(sql); quoted > 0) {
      sql.remove_prefix(quoted);
    } else if (IsWordCharacter(sql.front())) {
      const std::string_view word = TakeWord(sql);
      const bool counts =
          EqualsIgnoringCase(word, "SELECT") || EqualsIgnoringCase(word, "VALUES") ||
          (EqualsIgnoringCase(word, "AS") && sql.substr(BlankLengthWithout(sql, false)).starts_with('('));
      count += counts ? 1 : 0;
      largest = std::max(largest, count);
    } else {
      if (sql.front() == ';') {
        if (!create) break;
        count = 0;
      }
      sql.remove_prefix(1);
    }
  }
  return largest;
}

}  // namespace tradewind::sql
