#include "cli/sql_split.h"

#include "sql/sql_text.h"

namespace tradewind::cli {

std::vector<std::string> SplitStatements(std::string_view sql) {
  std::vector<std::string> statements;
  while (!sql.empty()) {
    const sql::StatementExtent first = sql::FirstStatement(sql);
    if (first.begin < first.end) statements.emplace_back(sql.substr(first.begin, first.end - first.begin));
    sql.remove_prefix(first.length);
  }
  return statements;
}

}  // namespace tradewind::cli
