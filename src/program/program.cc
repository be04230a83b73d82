#include "program/program.h"

#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "cli/text_file.h"
#include "program/config_file.h"

namespace tradewind::program {

namespace {

Result<void> FindToken(cli::GlobalOptions& global) {
  if (!global.token.empty() || global.token_file.empty()) return {};
  const auto text = cli::TextOfFile(global.token_file);
  if (!text)
    return Fail(ErrorKind::kNotFound, "FILE_NOT_READABLE",
                "the file of the token, " + global.token_file + ", cannot be read",
                "name another with --token-file or in TRADEWIND_TOKEN_FILE");
  global.token = Trimmed(*text);
  return {};
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv) {
  cli::Arguments arguments(
      "Tradewind hosts many small databases on a few servers, and moves any of them to another server while "
      "it is being used.",
      "tradewind");
  const cli::Command app = arguments.root();
  cli::CommandLine line;
  app.AddOption("--server", line.global.server, "URL of any node of the cluster")
      .FromEnvironment("TRADEWIND_URL")
      .ShowDefault()
      .ValueName("URL");
  app.AddOption("--token", line.global.token, "Token for the admin API and for tenants").ValueName("TOKEN");
  app.AddOption("--token-file", line.global.token_file,
                "The same from a file, so that no other user sees it among the processes")
      .FromEnvironment("TRADEWIND_TOKEN_FILE")
      .ValueName("FILE");
  app.AddOption(
         "--tls-ca", line.global.tls_ca,
         "The CAs (PEM) that a server at https:// must have its certificate from [those of this machine]")
      .FromEnvironment("TRADEWIND_TLS_CA")
      .ValueName("FILE");
  std::string output;
  app.AddOption("-o,--output", output, "How results are printed: table (default) or json")
      .OneOf({"table", "json"})
      .ValueName("FORMAT");
  app.AddVersion("tradewind " TRADEWIND_VERSION);
  app.RequireCommand();
  app.FallThrough();
  AddServeCommand(app, line);
  cli::AddTenantCommands(app, line);
  cli::AddCatalogCommands(app, line);
  cli::AddSqlCommand(app, line);
  cli::AddMoveCommands(app, line);
  cli::AddNodeCommands(app, line);
  AddRepairCommand(app.Find("node"), line);
  cli::AddDemoCommand(app, line);
  cli::AddBenchCommand(app, line);
  cli::AddTokenCommands(app, line);
  cli::AddCompletionCommand(app, line);
  AddConfigCommand(app, line);
  auto words = WithConfig(std::vector<std::string>(argv + 1, argv + argc), app);
  if (!words) return static_cast<int>(cli::Report(words.error()));
  if (const auto over = arguments.Parse(std::move(*words))) return static_cast<int>(*over);
  if (output == "json") line.global.output = cli::OutputFormat::kJson;
  if (const auto token = FindToken(line.global); !token) return static_cast<int>(cli::Report(token.error()));
  return static_cast<int>(line.action());
}

}  // namespace tradewind::program
