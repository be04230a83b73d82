#include "mysql/statement_text.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"

namespace tradewind::mysql {
namespace {

constexpr size_t kTokens = 24;          // Kept of a statement.
constexpr size_t kTokenBytes = 4 * 64;  // The longest name, of four bytes a character.
constexpr std::string_view kGetLock = "get_lock";
constexpr size_t kMostChanges = 4 * limits::kMysqlNamedThings;

bool IsBlank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

constexpr std::array<bool, 256> kOfWord = [] {
  std::array<bool, 256> of_word{};
  for (size_t byte = 0x80; byte < of_word.size(); ++byte) of_word[byte] = true;
  for (const char c : std::string_view("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$"))
    of_word[static_cast<uint8_t>(c)] = true;
  return of_word;
}();

bool IsOfWord(char c) {
  return kOfWord[static_cast<uint8_t>(c)];
}

size_t WordLength(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsOfWord) - text.begin());
}

// How much of a quoted text has neither its quote nor a backslash. Looks no further at a time than it may have to again.
size_t LengthBefore(std::string_view text, char quote) {
  const std::string_view window = text.substr(0, 512);
  const size_t length = std::min(window.find(quote), window.size());
  return std::min(window.substr(0, length).find('\\'), length);
}

bool IsAmong(std::string_view word, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view other) { return EqualsIgnoringCase(word, other); });
}

// Of compound statements: behind them begins another statement, which may not run.
constexpr std::array<std::string_view, 10> kCompoundBegins = {"IF",     "ELSEIF", "ELSE", "WHILE", "LOOP",
                                                              "REPEAT", "CASE",   "WHEN", "BEGIN", "FOR"};
constexpr std::array<std::string_view, 5> kCompoundRestarts = {"THEN", "ELSE", "DO", "LOOP", "REPEAT"};

}  // namespace

StatementText::StatementText(std::string database, bool backslash_escapes)
    : database_(std::move(database)), backslash_escapes_(backslash_escapes) {}

void StatementText::OnText(std::string_view piece) {
  while (!piece.empty()) {
    // Most of a long text are words, and values of which nothing but the end matters.
    size_t passed = 0;
    if (lexing_ == Lexing::kWord)
      passed = WordLength(piece);
    else if (lexing_ == Lexing::kQuoted && !escaped_ && !holds_statement_)
      passed = LengthBefore(piece, quote_);
    if (passed > 0) {
      if (token_.text.size() < kTokenBytes)
        token_.text += piece.substr(0, std::min(passed, kTokenBytes - token_.text.size()));
      piece.remove_prefix(passed);
      continue;
    }
    OnByte(piece.front());
    piece.remove_prefix(1);
  }
}

const std::vector<TieChange>& StatementText::Finish() {
  if (!std::exchange(finished_, true)) EndStatement();
  return changes_;
}

void StatementText::OnByte(char c) {
  switch (lexing_) {
    case Lexing::kQuoted: return OnQuoted(c);
    case Lexing::kLineComment:
      if (c == '\n') lexing_ = Lexing::kPlain;
      previous_ = 0;
      return;
    case Lexing::kBlockComment:
      if (previous_ == '*' && c == '/') {
        lexing_ = Lexing::kPlain;
        c = 0;
      }
      previous_ = c;
      return;
    // Behind "/*": an executable comment is "/*!" or "/*M!", and a version.
    case Lexing::kCommentBegin:
      if (c == '!') {
        lexing_ = Lexing::kVersion;
        executable_ = conditional_ = true;
      } else if (c != 'M') {
        lexing_ = Lexing::kBlockComment;
        previous_ = c;
      } else if (previous_ == 'M') {
        lexing_ = Lexing::kBlockComment;
      } else {
        previous_ = 'M';
      }
      return;
    case Lexing::kVersion:
      if (c >= '0' && c <= '9') return;
      lexing_ = Lexing::kPlain;
      previous_ = 0;
      return OnPlain(c);
    case Lexing::kWord:
      EndToken();
      previous_ = 0;
      return OnPlain(c);
    case Lexing::kPlain: return OnPlain(c);
  }
}

void StatementText::OnPlain(char c) {
  // "--" begins a comment only before a blank.
  if (std::exchange(dashes_, false) && IsBlank(c)) {
    lexing_ = c == '\n' ? Lexing::kPlain : Lexing::kLineComment;
    previous_ = 0;
    return;
  }
  const char before = std::exchange(previous_, c);
  if (c == '\'' || c == '"' || c == '`') {
    lexing_ = Lexing::kQuoted;
    quote_ = c;
    escaped_ = false;
    token_ = {c == '`' ? Kind::kName : Kind::kText, {}};
    holds_statement_ = IsOneOf(0, {"PREPARE", "EXECUTE"});
    matched_ = 0;
  } else if (IsOfWord(c)) {
    lexing_ = Lexing::kWord;
    token_ = {Kind::kWord, std::string(1, c)};
  } else if (c == '#') {
    lexing_ = Lexing::kLineComment;
  } else if (c == '*' && before == '/') {
    lexing_ = Lexing::kCommentBegin;
    previous_ = 0;
    // The slash was taken for a symbol.
    if (!tokens_.empty() && tokens_.back().text == "/") tokens_.pop_back();
  } else if (c == '-' && before == '-') {
    dashes_ = true;
    if (!tokens_.empty() && tokens_.back().text == "-") tokens_.pop_back();
  } else if (c == '/' && before == '*' && executable_) {
    executable_ = false;
    previous_ = 0;
    if (!tokens_.empty() && tokens_.back().text == "*") tokens_.pop_back();
  } else if (c == ';') {
    EndStatement();
  } else if (!IsBlank(c)) {
    Add({Kind::kSymbol, std::string(1, c)});
  }
}

// A doubled quote ends one text and begins another; so no name is made of it.
void StatementText::OnQuoted(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\' && quote_ != '`' && backslash_escapes_) {
    escaped_ = true;
  } else if (c == quote_) {
    lexing_ = Lexing::kPlain;
    previous_ = 0;
    Add(std::exchange(token_, {}));
    return;
  }
  if (token_.text.size() < kTokenBytes) token_.text += c;
  // A statement in a statement: PREPARE … FROM '…', EXECUTE IMMEDIATE '…'.
  if (!holds_statement_) return;
  if (LowerCase(c) != kGetLock[matched_]) matched_ = 0;
  if (LowerCase(c) == kGetLock[matched_] && ++matched_ == kGetLock.size()) {
    gets_lock_ = true;
    matched_ = 0;
  }
}

void StatementText::EndToken() {
  lexing_ = Lexing::kPlain;
  const std::string& word = token_.text;
  if (EqualsIgnoringCase(word, kGetLock)) gets_lock_ = true;
  if (EqualsIgnoringCase(word, "SQL_CALC_FOUND_ROWS")) counts_rows_ = true;
  const bool compound =
      !tokens_.empty() && tokens_[0].kind == Kind::kWord && IsAmong(tokens_[0].text, kCompoundBegins);
  const bool restarts = IsAmong(word, kCompoundRestarts);
  // SET STATEMENT variable = value FOR another statement.
  if ((set_statement_ && EqualsIgnoringCase(word, "FOR")) || (compound && restarts)) {
    if (compound && restarts) conditional_ = true;
    set_statement_ = false;
    tokens_.clear();
    all_tokens_ = true;
    token_ = {};
    return;
  }
  Add(std::exchange(token_, {}));
  if (tokens_.size() == 2 && Is(0, "SET") && Is(1, "STATEMENT")) set_statement_ = true;
  const size_t count = tokens_.size();
  const bool begins_block = (count == 3 && Is(0, "BEGIN") && Is(1, "NOT") && Is(2, "ATOMIC")) ||
                            (count == 1 && IsOneOf(0, {"ELSE", "LOOP", "REPEAT"})) ||
                            (conditional_ && count == 1 && Is(0, "BEGIN")) ||
                            (conditional_ && count == 2 && Is(0, "NOT") && Is(1, "ATOMIC"));
  if (begins_block) {
    conditional_ = true;
    tokens_.clear();
  }
}

void StatementText::Add(Token token) {
  if (tokens_.size() < kTokens)
    tokens_.push_back(std::move(token));
  else
    all_tokens_ = false;
}

void StatementText::EndStatement() {
  if (lexing_ == Lexing::kWord) EndToken();
  lexing_ = Lexing::kPlain;
  previous_ = 0;
  dashes_ = false;
  // A label, or the parentheses of a SELECT.
  if (tokens_.size() > 1 && tokens_[0].kind != Kind::kSymbol && tokens_[1].text == ":")
    tokens_.erase(tokens_.begin(), tokens_.begin() + 2);
  if (!tokens_.empty()) Classify();
  if (counts_rows_) Take(Tie::kFoundRows);
  ClassifyFunction();
  tokens_.clear();
  all_tokens_ = true;
  set_statement_ = gets_lock_ = counts_rows_ = false;
}

bool StatementText::Is(size_t at, std::string_view word) const {
  return at < tokens_.size() && tokens_[at].kind != Kind::kText && tokens_[at].kind != Kind::kName &&
         EqualsIgnoringCase(tokens_[at].text, word);
}

bool StatementText::IsOneOf(size_t at, std::initializer_list<std::string_view> words) const {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return Is(at, word); });
}

bool StatementText::Contains(std::string_view word) const {
  for (size_t at = 0; at < tokens_.size(); ++at)
    if (Is(at, word)) return true;
  return false;
}

std::string StatementText::NameAt(size_t& at) const {
  const auto is_name = [&](size_t place) {
    return place < tokens_.size() && tokens_[place].kind != Kind::kSymbol;
  };
  if (!is_name(at)) return {};
  std::string name = tokens_[at++].text;
  if (Is(at, ".") && is_name(at + 1)) {
    name += "." + tokens_[at + 1].text;
    at += 2;
  } else {
    name = database_ + "." + name;
  }
  // The other half of a name with a quote in it.
  return at < tokens_.size() && tokens_[at].kind == Kind::kName ? std::string() : name;
}

void StatementText::Classify() {
  size_t at = 1;
  if (Is(0, "CREATE")) return ClassifyCreate();
  if (Is(0, "DROP")) return ClassifyDrop(1);
  if (Is(0, "USE") && tokens_.size() >= 2) {
    if (!conditional_) database_ = tokens_[1].text;
  } else if (Is(0, "LOCK")) {
    Take(Tie::kTableLock);
  } else if (Is(0, "UNLOCK")) {
    ReleaseAll(Tie::kTableLock);
    ReleaseAll(Tie::kGlobalLock);
  } else if (Is(0, "FLUSH")) {
    if (Contains("LOCK") || Contains("EXPORT") || !all_tokens_) Take(Tie::kGlobalLock);
    if (Contains("STATUS")) resets_counters_ = true;
  } else if (Is(0, "BACKUP")) {
    if (Is(1, "UNLOCK") || Is(2, "END"))
      ReleaseAll(Tie::kBackupLock);
    else
      Take(Tie::kBackupLock);
  } else if (Is(0, "HANDLER")) {
    std::string name = NameAt(at);
    if (Is(at, "CLOSE")) return Release(Tie::kHandler, name);
    if (!Is(at, "OPEN")) return;
    ++at;
    if (Is(at, "AS")) ++at;
    if (at < tokens_.size()) name = NameAt(at);
    Take(Tie::kHandler, name);
  } else if (Is(0, "XA")) {
    if (IsOneOf(1, {"COMMIT", "ROLLBACK"})) ReleaseAll(Tie::kXaTransaction);
    if (IsOneOf(1, {"START", "BEGIN"})) Take(Tie::kXaTransaction);
  } else if (Is(0, "PREPARE")) {
    Take(Tie::kPreparedBySql, tokens_.size() > 1 ? LowerCase(tokens_[1].text) : "");
  } else if (Is(0, "DEALLOCATE")) {
    return ClassifyDrop(1);
  } else if (Is(0, "SET") && Is(1, "TRANSACTION")) {
    Take(Tie::kNextTransaction);
  } else if (IsOneOf(0, {"BEGIN", "START", "COMMIT", "ROLLBACK"})) {
    ReleaseAll(Tie::kNextTransaction);
  }
}

void StatementText::ClassifyCreate() {
  size_t at = 1;
  if (Is(at, "OR") && Is(at + 1, "REPLACE")) at += 2;
  if (!Is(at, "TEMPORARY")) {
    // The body of a routine looks like statements that follow.
    if (Contains("PROCEDURE") || Contains("FUNCTION") || Contains("TRIGGER") || Contains("EVENT") ||
        Contains("PACKAGE"))
      conditional_ = true;
    return;
  }
  at += 2;
  if (Is(at, "IF") && Is(at + 1, "NOT") && Is(at + 2, "EXISTS")) at += 3;
  Take(Tie::kTemporaryTable, NameAt(at));
}

void StatementText::ClassifyDrop(size_t at) {
  if (Is(at, "PREPARE")) {
    if (at + 1 < tokens_.size()) Release(Tie::kPreparedBySql, LowerCase(tokens_[at + 1].text));
    return;
  }
  if (Is(at, "TEMPORARY")) ++at;
  if (!IsOneOf(at, {"TABLE", "TABLES", "SEQUENCE"}) || !all_tokens_) return;
  ++at;
  if (Is(at, "IF") && Is(at + 1, "EXISTS")) at += 2;
  for (;;) {
    Release(Tie::kTemporaryTable, NameAt(at));
    if (!Is(at, ",")) return;
    ++at;
  }
}

// GET_LOCK may stand anywhere; it has a name, and can be released, as SELECT GET_LOCK('name', …) alone.
void StatementText::ClassifyFunction() {
  const bool asks = IsOneOf(0, {"SELECT", "DO"}) && Is(2, "(");
  const bool named = asks && tokens_.size() > 4 && tokens_[3].kind == Kind::kText;
  if (gets_lock_)
    Take(Tie::kUserLock, named && Is(1, "GET_LOCK") && Is(4, ",") ? LowerCase(tokens_[3].text) : "");
  if (named && tokens_.size() == 5 && Is(1, "RELEASE_LOCK") && Is(4, ")"))
    Release(Tie::kUserLock, LowerCase(tokens_[3].text));
  if (asks && tokens_.size() == 4 && Is(1, "RELEASE_ALL_LOCKS") && Is(3, ")")) ReleaseAll(Tie::kUserLock);
}

void StatementText::Take(Tie tie, std::string name) {
  // Beyond the bound nothing is released, so that once without a name is enough.
  if (changes_.size() >= kMostChanges) {
    const uint32_t bit = 1u << static_cast<unsigned>(tie);
    if (taken_without_name_ & bit) return;
    taken_without_name_ |= bit;
    name.clear();
  }
  changes_.push_back({tie, TieChange::Does::kTakes, std::move(name)});
}

void StatementText::Release(Tie tie, std::string name) {
  if (conditional_ || name.empty() || changes_.size() >= kMostChanges) return;
  changes_.push_back({tie, TieChange::Does::kReleases, std::move(name)});
}

void StatementText::ReleaseAll(Tie tie) {
  if (conditional_ || changes_.size() >= kMostChanges) return;
  changes_.push_back({tie, TieChange::Does::kReleasesAll, {}});
}

}  // namespace tradewind::mysql
