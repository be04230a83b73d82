#include "sql/sql_shape.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "sql/sql_text.h"

namespace tradewind::sql {

namespace {

constexpr std::string_view kCut = "...";

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         (static_cast<unsigned char>(c) & 0x80u) != 0;
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Behind these words stands a name, whatever its quotes.
bool IsBeforeName(std::string_view word) {
  static constexpr std::array<std::string_view, 9> kWords = {"FROM",  "JOIN", "INTO",    "UPDATE", "TABLE",
                                                             "INDEX", "VIEW", "TRIGGER", "AS"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view known) { return EqualsIgnoringCase(word, known); });
}

class Shape {
 public:
  Shape(std::string_view sql, size_t most) : rest_(sql), most_(most) {}

  std::string Make() {
    while (!rest_.empty() && out_.size() <= most_) TakeToken();
    if (out_.size() <= most_) return std::move(out_);
    out_.resize(most_ - std::min(most_, kCut.size()));
    // Not in the middle of a character.
    while (!out_.empty() && (static_cast<unsigned char>(out_.back()) & 0x80u) != 0) out_.pop_back();
    return out_ + std::string(kCut.substr(0, most_));
  }

 private:
  void TakeToken() {
    if (const size_t blank = rest_.front() == ';' ? 0 : BlankLength(rest_); blank > 0) {
      rest_.remove_prefix(blank);
      blank_ = true;
      return;
    }
    const char first = rest_.front();
    if (first == '\'') return Value(QuotedLength());
    if (first == '"') {
      const size_t length = QuotedLength();
      return IsName(length) ? Text(length) : Value(length);
    }
    if (first == '`') return Text(QuotedLength());
    if (first == '[') return Text(std::min(rest_.find(']'), rest_.size() - 1) + 1);
    if (IsDigit(first) || (first == '.' && rest_.size() > 1 && IsDigit(rest_[1]) && !after_name_))
      return Value(NumberLength());
    if ((first == 'x' || first == 'X') && rest_.substr(1, 1) == "'") {
      rest_.remove_prefix(1);
      return Value(QuotedLength());
    }
    if (IsWord(first)) return Text(WordLength());
    // A parameter: what it is called says nothing of its value.
    if ((first == '?' || first == ':' || first == '@') && rest_.size() > 1 && IsWord(rest_[1])) {
      size_t length = 1;
      while (length < rest_.size() && IsWord(rest_[length])) ++length;
      return Text(length);
    }
    Text(1);
  }

  // With quotes inside that are written twice.
  size_t QuotedLength() const {
    const char quote = rest_.front();
    size_t at = 1;
    while (at < rest_.size()) {
      if (rest_[at] != quote) {
        ++at;
      } else if (at + 1 < rest_.size() && rest_[at + 1] == quote) {
        at += 2;
      } else {
        return at + 1;
      }
    }
    return rest_.size();
  }

  size_t WordLength() const {
    return static_cast<size_t>(std::find_if_not(rest_.begin(), rest_.end(), IsWord) - rest_.begin());
  }

  // 12, 1.5, .5, 1e-9, 0x1F.
  size_t NumberLength() const {
    size_t at = 0;
    while (at < rest_.size() &&
           (IsWord(rest_[at]) || rest_[at] == '.' ||
            ((rest_[at] == '-' || rest_[at] == '+') && (rest_[at - 1] == 'e' || rest_[at - 1] == 'E') &&
             !rest_.starts_with("0x") && !rest_.starts_with("0X"))))
      ++at;
    return at;
  }

  bool IsName(size_t length) const {
    return before_name_ || last_ == "." || rest_.substr(length).starts_with('.');
  }

  void Append(std::string_view text) {
    if (std::exchange(blank_, false) && !out_.empty()) out_ += ' ';
    out_ += text;
  }

  void Value(size_t length) {
    rest_.remove_prefix(length);
    // "?, ?" is one of a list.
    if (last_ == "," && before_last_ == "?") {
      out_.resize(out_.find_last_of('?') + 1);
      blank_ = false;
      last_ = "?";
      return;
    }
    Append("?");
    Note("?");
    after_name_ = before_name_ = false;
  }

  void Text(size_t length) {
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length);
    Append(text);
    Note(text);
    after_name_ = IsWord(text.back()) || text.size() > 1;
    before_name_ = IsBeforeName(text);
  }

  void Note(std::string_view text) {
    before_last_ = last_;
    last_ = text;
  }

  std::string_view rest_;
  const size_t most_;
  std::string out_;
  std::string_view last_;  // Tokens, as they were written.
  std::string_view before_last_;
  bool blank_ = false;
  bool after_name_ = false;
  bool before_name_ = false;
};

}  // namespace

std::string ShapeOf(std::string_view sql, size_t most) {
  return Shape(sql, most).Make();
}

}  // namespace tradewind::sql
