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

}  // namespace tradewind::sqlite
