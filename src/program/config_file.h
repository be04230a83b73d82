// The configuration file of `tradewind serve --config FILE`: TOML, with a setting for each flag, named as the flag is
// without its dashes (listen = "0.0.0.0:8080"; cluster_secret_file is as good as cluster-secret-file). A flag that takes
// no value is true or false; one that may be repeated has a list. What the command line says comes before what the file
// says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/command_line.h"

namespace tradewind::program {

// The file's settings as arguments of the command, but for those of which `given` has the flag. Fails with
// CONFIG_INVALID (kInvalid), with the line: what is no TOML, no setting, or of another type. Any text.
Result<std::vector<std::string>> ConfigArguments(std::string_view toml, const std::string& file,
                                                 const cli::Command& command,
                                                 const std::vector<std::string>& given);

// The arguments with what the file of --config adds to them, if they are those of `serve` and have one. Fails with
// CONFIG_NOT_READABLE (kNotFound) and as above.
Result<std::vector<std::string>> WithConfig(std::vector<std::string> arguments, const cli::Command& app);

// tradewind config check FILE. `check` says whether `serve` could start with what it was given.
void AddConfigCommand(cli::Command app, cli::CommandLine& line);

}  // namespace tradewind::program
