// tradewind sql NAME [SQL]: runs the statements one after the other in one session, so that BEGIN and COMMIT
// work, and prints the rows of each. The first error ends it, and what is in an open transaction by then is
// rolled back.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/load/hrana_client.h"
#include "cli/load/hrana_json.h"
#include "cli/sql_split.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

struct SqlOptions {
  std::string tenant;
  std::string sql;
  bool has_sql = false;
};

std::string CellText(const sqlite::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* blob = std::get_if<sqlite::Blob>(&value)) {
    std::string hex = "x'";
    for (char byte : blob->bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return hex + "'";
  }
  return "NULL";
}

// Integers beyond 2^53 stay exact: JSON sets no bound, and what reads this may keep 64 bits.
json::value CellJson(const sqlite::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value)) return json::value(*text);
  if (const auto* blob = std::get_if<sqlite::Blob>(&value))
    return json::object{{"base64", load::EncodeBase64(blob->bytes)}};
  return nullptr;
}

json::value ResultJson(const sqlite::StatementResult& result) {
  json::array columns;
  for (const auto& column : result.columns) columns.push_back(json::value(column.name));
  json::array rows;
  for (const auto& row : result.rows) {
    json::array cells;
    for (const auto& cell : row) cells.push_back(CellJson(cell));
    rows.push_back(std::move(cells));
  }
  const auto rowid = result.last_insert_rowid;
  return json::object{{"columns", std::move(columns)},
                      {"rows", std::move(rows)},
                      {"affected_row_count", result.affected_row_count},
                      {"last_insert_rowid", rowid ? json::value(*rowid) : json::value(nullptr)}};
}

void PrintTable(const sqlite::StatementResult& result) {
  if (result.columns.empty()) return;
  std::vector<std::string> headings;
  for (const auto& column : result.columns) headings.push_back(column.name);
  Table table(std::move(headings));
  for (const auto& row : result.rows) {
    std::vector<std::string> cells;
    for (const auto& cell : row) cells.push_back(CellText(cell));
    table.AddRow(std::move(cells));
  }
  fmt::print("{}", table.ToString());
}

Result<void> RunSql(ClientContext& context, const SqlOptions& options) {
  const std::vector<std::string> statements = SplitStatements(options.sql);
  if (statements.empty())
    return Fail(ErrorKind::kInvalid, "SQL_NO_STATEMENT", "there is no SQL to run", "give a statement");
  TW_TRY_ASSIGN(const load::HranaClient client,
                load::HranaClient::Make(context.core, context.http, context.global.server,
                                        EscapeSegment(options.tenant), context.global.token));
  load::HranaStream stream(client);
  json::array printed;
  for (size_t i = 0; i < statements.size(); ++i) {
    load::Statement statement;
    statement.sql = statements[i];
    auto results = stream.Execute({statement}, i + 1 == statements.size());
    if (!results) {
      [[maybe_unused]] auto closed =
          stream.Close();  // It rolls back; the statement's error is the one to show.
      Error error = std::move(results).error();
      // A statement that the database refuses is a failed command; kRefused would be about the tenant's
      // state.
      if (error.kind == ErrorKind::kRefused) error.kind = ErrorKind::kIo;
      error.message = fmt::format("{}: {}", error.code, error.message);
      return Fail(std::move(error));
    }
    if (context.json())
      printed.push_back(ResultJson(results->front()));
    else
      PrintTable(results->front());
  }
  // One statement, one result; several, a list of them.
  if (context.json()) PrintJson(printed.size() == 1 ? printed[0] : json::value(printed));
  return {};
}

ExitCode Run(const GlobalOptions& global, SqlOptions& options) {
  if (!options.has_sql) {
    if (isatty(STDIN_FILENO) == 1)
      return Report(
          NotThereYet("an interactive prompt (give the SQL as an argument or on standard input)").value());
    options.sql.assign(std::istreambuf_iterator<char>(std::cin), {});
  }
  return RunClient(global, [&](ClientContext& context) { return RunSql(context, options); });
}

}  // namespace

void AddSqlCommand(CLI::App& app, CommandLine& line) {
  CLI::App* sql = app.add_subcommand("sql", "Run SQL at a tenant, and print the rows");
  sql->fallthrough();
  auto options = std::make_shared<SqlOptions>();
  sql->add_option("NAME", options->tenant, "The tenant")->required();
  CLI::Option* text = sql->add_option("SQL", options->sql, "Statements; default: standard input");
  sql->callback([&line, options, text] {
    options->has_sql = text->count() > 0;
    line.action = [&line, options] { return Run(line.global, *options); };
  });
}

}  // namespace tradewind::cli
