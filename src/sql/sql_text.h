// What has to be known about SQL text without parsing it: where blanks and comments end, where a statement
// does, the first word, and the one statement of clients that SQLite's grammar does not have.
#pragma once

#include <cstddef>
#include <string_view>

namespace tradewind::sql {

// How many bytes at the start of `sql` are white space, comments (an unclosed one goes to the end), byte order
// marks and semicolons.
size_t BlankLength(std::string_view sql);

// The first word after blanks; empty when something else comes first. Compare with EqualsIgnoringCase() (base/ascii.h).
std::string_view FirstWord(std::string_view sql);

// Where the first statement of a script is: SQLite copies the text that it is given and has a bound for it, so
// it gets one statement at a time. Takes time by the length of that statement alone.
struct StatementExtent {
  size_t begin = 0;   // After blanks.
  size_t end = 0;     // After its last token, without the semicolon.
  size_t length = 0;  // Its semicolon included; the whole text when there is none.
};
StatementExtent FirstStatement(std::string_view sql);

// libSQL clients open read transactions with BEGIN [DEFERRED] TRANSACTION READONLY or BEGIN READONLY
// [TRANSACTION].
struct ReadonlyBegin {
  size_t length = 0;  // Of such a statement at the start, its semicolon included; 0: another one.
  bool contradicts_itself = false;  // BEGIN IMMEDIATE TRANSACTION READONLY.
};
ReadonlyBegin ReadonlyBeginOf(std::string_view sql);

// How many subqueries, rows of constants, common table expressions and windows the first statement of `sql`
// has, counted as the words SELECT and VALUES and as AS before a parenthesis. SQLite's compiler takes time by
// the square of their number, and without pause. In CREATE, whose triggers hold statements of their own, the
// largest of those.
size_t ClauseCount(std::string_view sql);

}  // namespace tradewind::sql
