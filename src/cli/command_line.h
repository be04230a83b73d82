// The commands of the program. Each adds itself to the parser and, when it was given, leaves its action to be
// run.
#pragma once

#include <functional>
#include <string>

#include "cli/arguments.h"
#include "cli/exit_code.h"

namespace tradewind::cli {

enum class OutputFormat { kTable, kJson };

// What every command takes.
struct GlobalOptions {
  std::string server = "http://127.0.0.1:8080";
  std::string token;
  std::string token_file;
  std::string tls_ca;  // A file; empty: those that the machine believes.
  OutputFormat output = OutputFormat::kTable;
};

struct CommandLine {
  GlobalOptions global;
  std::function<ExitCode()> action;  // Set by the parser to the command that was given.
};

// `line` must live as long as what `app` belongs to.
void AddTenantCommands(Command app, CommandLine& line);
void AddTransferCommands(Command tenant, CommandLine& line);  // tenant import, tenant export
void AddCatalogCommands(Command app, CommandLine& line);
void AddSqlCommand(Command app, CommandLine& line);
void AddMoveCommands(Command app, CommandLine& line);
void AddNodeCommands(Command app, CommandLine& line);
void AddDemoCommand(Command app, CommandLine& line);
void AddBenchCommand(Command app, CommandLine& line);
void AddTokenCommands(Command app, CommandLine& line);
void AddCompletionCommand(Command app, CommandLine& line);

}  // namespace tradewind::cli
