// The program: all commands, and among them the two that work on a node's own machine. The others are clients of a
// node (cli/).
#pragma once

#include <functional>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/command_line.h"

namespace tradewind::program {

// Parses and runs; the exit code of the process.
int RunCommandLine(int argc, const char* const* argv);

// `line` must live as long as what `app` belongs to.
// What it returns says, after the parser has run, whether what was given would do for a node; it changes nothing.
std::function<Result<void>()> AddServeCommand(cli::Command app, cli::CommandLine& line);
void AddRepairCommand(cli::Command node, cli::CommandLine& line);  // node repair

}  // namespace tradewind::program
