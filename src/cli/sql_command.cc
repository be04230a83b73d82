// tradewind sql NAME [SQL]: runs the statements one after the other in one session, so that BEGIN and COMMIT
// work, and prints the rows of each. The first error ends it, and what is in an open transaction by then is
// rolled back. Without SQL, at a terminal: a prompt (sql_prompt.h).
//
// tradewind sql --tenants GLOB FILE: a migration (sql_migration.h).
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/sql_migration.h"
#include "cli/sql_printer.h"
#include "cli/sql_prompt.h"
#include "cli/sql_split.h"
#include "load/hrana_client.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

struct SqlOptions {
  std::string tenant;
  std::string sql;
  bool has_sql = false;
  MigrationOptions migration;
};

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
      fmt::print("{}", RowsText(results->front(), RowMode::kTable));
  }
  // One statement, one result; several, a list of them.
  if (context.json()) PrintJson(printed.size() == 1 ? printed[0] : json::value(printed));
  return {};
}

ExitCode Run(const GlobalOptions& global, SqlOptions& options) {
  if (!options.migration.tenants.empty()) {
    if (options.has_sql)
      return Report({ErrorKind::kInvalid, "USAGE", "--tenants takes a FILE and no SQL",
                     "put the statements into the file"});
    options.migration.file = options.tenant;
    return RunClient(global,
                     [&](ClientContext& context) { return RunMigration(context, options.migration); });
  }
  if (!options.has_sql) {
    if (isatty(STDIN_FILENO) == 1)
      return RunClient(global, [&](ClientContext& context) { return RunPrompt(context, options.tenant); });
    options.sql.assign(std::istreambuf_iterator<char>(std::cin), {});
  }
  return RunClient(global, [&](ClientContext& context) { return RunSql(context, options); });
}

}  // namespace

void AddSqlCommand(Command app, CommandLine& line) {
  const Command sql = app.AddCommand("sql", "Run SQL at a tenant, or a migration at many");
  sql.FallThrough();
  auto options = std::make_shared<SqlOptions>();
  sql.AddOption("NAME", options->tenant, "The tenant; with --tenants the file with the statements")
      .Required();
  const Option text =
      sql.AddOption("SQL", options->sql, "Statements; default: standard input, or a prompt at a terminal");
  MigrationOptions& migration = options->migration;
  sql.AddOption("--tenants", migration.tenants,
                "Run the file once at every tenant whose name matches, each in one "
                "transaction; a second run goes "
                "on with those that lack it")
      .ValueName("GLOB");
  sql.AddOption("--parallel", migration.parallel, "With --tenants: how many at a time")
      .Between(1, 256)
      .ShowDefault()
      .Needs("--tenants");
  sql.AddFlag("--dry-run", migration.dry_run, "With --tenants: say who lacks it, and change nothing")
      .Needs("--tenants");
  sql.OnGiven([&line, options, text] {
    options->has_sql = text.given();
    line.action = [&line, options] { return Run(line.global, *options); };
  });
}

}  // namespace tradewind::cli
