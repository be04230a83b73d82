// Cuts SQL text into statements, so that `tradewind sql` can run each and show its rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tradewind::cli {

// The statements of `sql` in order, without their semicolons and surrounding white space; pieces that are
// white space or comments alone are left out. Knows quotes ('', "", ``, []), both kinds of comments, and
// that a CREATE TRIGGER ends at "; END;" (the rule of sqlite3_complete). An unfinished last statement is
// returned as it is: SQLite says what is wrong.
std::vector<std::string> SplitStatements(std::string_view sql);

}  // namespace tradewind::cli
