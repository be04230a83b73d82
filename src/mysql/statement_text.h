// What SQL text does to its session that no other server can be told: each such thing ties the session to its server
// until it is given up. Found by the first words of each statement, and by some words anywhere; nothing is parsed
// further. Where it cannot be known what a text does, a tie is taken rather than missed, and kept rather than released:
//
//   - what is named by an expression, or in a list that is too long, has no name here, and stays
//   - what compound statements, bodies of routines and executable comments take is taken, what they release is not
//
// What routines, triggers and PREPARE … FROM @variable do, no text shows; the server's counters do, but for GET_LOCK
// (SessionState::Agree()). Texts in a character set in which a backslash may be part of a character are misread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "mysql/request.h"
#include "mysql/tie.h"

namespace tradewind::mysql {

class StatementText final : public Request::TextReader {
 public:
  // `database` is the session's, for names without one. With the sql_mode NO_BACKSLASH_ESCAPES (its status flag),
  // `backslash_escapes` is false.
  StatementText(std::string database, bool backslash_escapes);

  // Keeps a few words of each statement, however long it is.
  void OnText(std::string_view piece) override;
  // The end of the text. Then what it has done, in order; what is released, if all of it succeeded.
  const std::vector<TieChange>& Finish();
  // After the USE statements in it, if they succeeded.
  const std::string& database() const { return database_; }
  // FLUSH STATUS: the session's counters begin anew.
  bool resets_counters() const { return resets_counters_; }

 private:
  enum class Kind : uint8_t { kWord, kName, kText, kSymbol };
  struct Token {
    Kind kind = Kind::kSymbol;
    std::string text = {};
  };
  enum class Lexing : uint8_t {
    kPlain,
    kWord,
    kQuoted,
    kLineComment,
    kBlockComment,
    kCommentBegin,
    kVersion
  };

  void OnByte(char c);
  void OnPlain(char c);
  void OnQuoted(char c);
  void EndToken();
  void Add(Token token);
  void EndStatement();
  void Classify();
  void ClassifyCreate();
  void ClassifyDrop(size_t at);
  void ClassifyFunction();
  void Take(Tie tie, std::string name = {});
  void Release(Tie tie, std::string name);
  void ReleaseAll(Tie tie);
  bool Is(size_t at, std::string_view word) const;
  bool IsOneOf(size_t at, std::initializer_list<std::string_view> words) const;
  bool Contains(std::string_view word) const;
  // The name that begins at `at`, with its database, and where it ends. Empty: none.
  std::string NameAt(size_t& at) const;

  std::string database_;
  const bool backslash_escapes_;
  Lexing lexing_ = Lexing::kPlain;
  char quote_ = 0;
  bool escaped_ = false;
  char previous_ = 0;          // In plain text and comments.
  bool dashes_ = false;        // Two of them, which begin a comment before a blank.
  Token token_;                // Under way.
  std::vector<Token> tokens_;  // The first of the statement.
  bool all_tokens_ = true;     // It has no others.
  bool set_statement_ = false;
  bool gets_lock_ = false;
  bool holds_statement_ = false;  // The text under way is a statement itself.
  size_t matched_ = 0;            // Of that word, in one.
  bool counts_rows_ = false;
  bool executable_ = false;          // In an executable comment.
  bool conditional_ = false;         // What follows may not run.
  uint32_t taken_without_name_ = 0;  // A bit for each tie.
  bool resets_counters_ = false;
  bool finished_ = false;
  std::vector<TieChange> changes_;
};

}  // namespace tradewind::mysql
