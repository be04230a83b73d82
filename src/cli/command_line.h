// The commands of the program. Each adds itself to the parser and, when it was given, leaves its action to be
// run.
#pragma once

#include <functional>
#include <string>

#include "cli/exit_code.h"

namespace CLI {
class App;
}

namespace tradewind::cli {

enum class OutputFormat { kTable, kJson };

// What every command takes.
struct GlobalOptions {
  std::string server = "http://127.0.0.1:8080";
  std::string token;
  OutputFormat output = OutputFormat::kTable;
};

struct CommandLine {
  GlobalOptions global;
  std::function<ExitCode()> action;  // Set by the parser to the command that was given.
};

// Parses and runs; the exit code of the process.
int RunCommandLine(int argc, const char* const* argv);

// `line` must outlive `app`.
void AddServeCommand(CLI::App& app, CommandLine& line);
void AddTenantCommands(CLI::App& app, CommandLine& line);
void AddTransferCommands(CLI::App& tenant, CommandLine& line);  // tenant import, tenant export
void AddSqlCommand(CLI::App& app, CommandLine& line);
void AddMoveCommands(CLI::App& app, CommandLine& line);
void AddNodeCommands(CLI::App& app, CommandLine& line);
void AddRepairCommand(CLI::App& node, CommandLine& line);  // node repair
void AddDemoCommand(CLI::App& app, CommandLine& line);
void AddBenchCommand(CLI::App& app, CommandLine& line);

}  // namespace tradewind::cli
