// What has to be known about SQL text without parsing it: where blanks and comments end, the first word, and
// the one statement of clients that SQLite's grammar does not have.
#pragma once

#include <cstddef>
#include <string_view>

namespace tradewind::sqlite {

// How many bytes at the start of `sql` are white space, comments (an unclosed one goes to the end) and
// semicolons.
size_t BlankLength(std::string_view sql);

// The first word after blanks; empty when something else comes first. Compare with EqualsIgnoringCase.
std::string_view FirstWord(std::string_view sql);

bool EqualsIgnoringCase(std::string_view text, std::string_view upper_case);

// libSQL clients open read transactions with BEGIN [TRANSACTION] READONLY. The length of such a statement at
// the start of `sql`, its semicolon included; 0 when there is another one.
size_t ReadonlyBeginLength(std::string_view sql);

// How many subqueries, rows of constants, common table expressions and windows the first statement of `sql`
// has, counted as the words SELECT and VALUES and as AS before a parenthesis. SQLite's compiler takes time by
// the square of their number, and without pause. In CREATE, whose triggers hold statements of their own, the
// largest of those.
size_t ClauseCount(std::string_view sql);

}  // namespace tradewind::sqlite
