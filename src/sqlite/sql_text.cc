#include "sqlite/sql_text.h"

#include <algorithm>

namespace tradewind::sqlite {

namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

char UpperCase(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

size_t BlankLengthWithout(std::string_view sql, bool semicolons) {
  size_t at = 0;
  while (at < sql.size()) {
    if (kWhiteSpace.find(sql[at]) != std::string_view::npos || (semicolons && sql[at] == ';')) {
      ++at;
    } else if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
    } else if (sql.substr(at, 2) == "/*") {
      const size_t end = sql.find("*/", at + 2);
      at = end == std::string_view::npos ? sql.size() : end + 2;
    } else {
      break;
    }
  }
  return at;
}

// Takes one word off the front of `sql`, blanks before it included.
std::string_view TakeWord(std::string_view& sql) {
  sql.remove_prefix(BlankLengthWithout(sql, false));
  const auto end = std::find_if_not(sql.begin(), sql.end(), IsWordCharacter);
  const std::string_view word = sql.substr(0, static_cast<size_t>(end - sql.begin()));
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

bool EqualsIgnoringCase(std::string_view text, std::string_view upper_case) {
  return std::equal(text.begin(), text.end(), upper_case.begin(), upper_case.end(),
                    [](char left, char right) { return UpperCase(left) == right; });
}

size_t ReadonlyBeginLength(std::string_view sql) {
  std::string_view rest = sql.substr(BlankLength(sql));
  if (!EqualsIgnoringCase(TakeWord(rest), "BEGIN")) return 0;
  std::string_view word = TakeWord(rest);
  if (EqualsIgnoringCase(word, "TRANSACTION")) word = TakeWord(rest);
  if (!EqualsIgnoringCase(word, "READONLY")) return 0;
  rest.remove_prefix(BlankLengthWithout(rest, false));
  if (rest.starts_with(';'))
    rest.remove_prefix(1);
  else if (!rest.empty())
    return 0;
  return sql.size() - rest.size();
}

namespace {

// The length of a quoted string or name at the start of `sql`, its quotes included; 0 when there is none.
size_t QuotedLength(std::string_view sql) {
  const char open = sql.front();
  if (open != '\'' && open != '"' && open != '`' && open != '[') return 0;
  const size_t end = sql.find(open == '[' ? ']' : open, 1);
  return end == std::string_view::npos ? sql.size() : end + 1;
}

}  // namespace

size_t ClauseCount(std::string_view sql) {
  const bool create = EqualsIgnoringCase(FirstWord(sql), "CREATE");
  sql.remove_prefix(BlankLength(sql));
  size_t largest = 0;
  size_t count = 0;
  while (!sql.empty()) {
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

}  // namespace tradewind::sqlite
