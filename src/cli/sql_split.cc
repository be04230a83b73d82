#include "cli/sql_split.h"

#include "sqlite/sql_text.h"

namespace tradewind::cli {

std::vector<std::string> SplitStatements(std::string_view sql) {
  std::vector<std::string> statements;
  while (!sql.empty()) {
    const sqlite::StatementExtent first = sqlite::FirstStatement(sql);
    if (first.begin < first.end) statements.emplace_back(sql.substr(first.begin, first.end - first.begin));
    sql.remove_prefix(first.length);
  }
  return statements;
}

}  // namespace tradewind::cli
