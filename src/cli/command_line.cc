#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace tradewind::cli {

int RunCommandLine(int argc, const char* const* argv) {
  CLI::App app(
      "Tradewind hosts many small databases on a few servers, and moves any of them to another server while "
      "it is "
      "being used.",
      "tradewind");
  CommandLine line;
  const std::map<std::string, OutputFormat> formats{{"table", OutputFormat::kTable},
                                                    {"json", OutputFormat::kJson}};
  app.add_option("--server", line.global.server, "URL of any node of the cluster")
      ->envname("TRADEWIND_URL")
      ->capture_default_str()
      ->type_name("URL");
  app.add_option("--token", line.global.token, "Token for the admin API and for tenants")->type_name("TOKEN");
  app.add_option("-o,--output", line.global.output, "How results are printed: table (default) or json")
      ->transform(CLI::Transformer(formats))
      ->type_name("FORMAT");
  app.require_subcommand(1);
  app.fallthrough();
  AddServeCommand(app, line);
  AddTenantCommands(app, line);
  AddSqlCommand(app, line);
  AddMoveCommands(app, line);
  AddNodeCommands(app, line);
  AddDemoCommand(app, line);
  AddBenchCommand(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // What nobody knows is the likelier mistake, or the reason why something else is missing.
    const std::vector<std::string> unknown = app.remaining(true);
    if (unknown.empty())
      app.exit(error);
    else
      app.exit(CLI::ExtrasError(app.get_name(), unknown));
    return static_cast<int>(ExitCode::kUsage);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  return static_cast<int>(line.action());
}

}  // namespace tradewind::cli
