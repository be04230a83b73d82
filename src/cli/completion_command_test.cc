#include <gtest/gtest.h>

#include "cli/command_line.h"

namespace tradewind::cli {
namespace {

std::string ScriptOf(const char* shell) {
  Arguments arguments("", "tradewind");
  const Command app = arguments.root();
  CommandLine line;
  AddTenantCommands(app, line);
  AddNodeCommands(app, line);
  AddMoveCommands(app, line);
  AddSqlCommand(app, line);
  AddCompletionCommand(app, line);
  EXPECT_EQ(arguments.Parse({"completion", shell}), std::nullopt);
  testing::internal::CaptureStdout();
  EXPECT_EQ(line.action(), ExitCode::kDone);
  return testing::internal::GetCapturedStdout();
}

TEST(Completion, KnowsWhatTheParserKnows) {
  const std::string script = ScriptOf("bash");
  EXPECT_NE(script.find("\"\") words=\"tenant node move sql completion --help -h\""), std::string::npos)
      << script;
  EXPECT_NE(script.find("\"move set\") words=\"--help -h --rate --setpoint --verify-again"),
            std::string::npos)
      << script;
  EXPECT_NE(script.find("\"move start\"|"), std::string::npos) << script;
  EXPECT_NE(
      script.find("\"sql\") words=\"--help -h --tenants --parallel --dry-run $(_tradewind_names tenant)\""),
      std::string::npos)
      << script;
}

TEST(Completion, KnowsTheValuesOfOptionsAndThatOthersHaveFiles) {
  const std::string script = ScriptOf("bash");
  for (const char* line :
       {"\"move start:--method\") words=\"zephyr stop-and-copy\" ;;", "\"sql:--parallel\") words=\"\" ;;",
        "\"move start:--to\") words=\"$(_tradewind_names node)\" ;;",
        "\"completion\") words=\"bash zsh --help"})
    EXPECT_NE(script.find(line), std::string::npos) << line << "\n" << script;
  EXPECT_EQ(script.find(":--dry-run"), std::string::npos);
}

TEST(Completion, AsksForTheNamesThatACommandIsAbout) {
  const std::string script = ScriptOf("bash");
  for (const auto& [command, names] :
       {std::pair{"move start", "tenant"}, std::pair{"move show", "move"}, std::pair{"move watch", "move"},
        std::pair{"move cancel", "move"}, std::pair{"move set", "move"}, std::pair{"tenant show", "tenant"},
        std::pair{"tenant set", "tenant"}, std::pair{"tenant reset-password", "tenant"},
        std::pair{"tenant delete", "tenant"}, std::pair{"tenant export", "tenant"},
        std::pair{"node drain", "node"}, std::pair{"node undrain", "node"},
        std::pair{"node forget", "node"}}) {
    const size_t at = script.find(std::string("\"") + command + "\") words=\"");
    ASSERT_NE(at, std::string::npos) << command;
    const std::string line = script.substr(at, script.find('\n', at) - at);
    EXPECT_TRUE(line.ends_with(std::string(" $(_tradewind_names ") + names + ")\" ;;")) << line;
  }
  EXPECT_NE(script.find("\"tenant create:--engine\") words=\"sqlite mariadb\" ;;"), std::string::npos);
  EXPECT_NE(script.find("\"tenant create:--node\") words=\"$(_tradewind_names node)\" ;;"),
            std::string::npos);
}

TEST(Completion, LetsZshUseTheSame) {
  const std::string script = ScriptOf("zsh");
  EXPECT_TRUE(script.starts_with("autoload -U +X bashcompinit && bashcompinit\n"));
  // Of these names zsh has variables of its own: without a path no program is found.
  for (const char* name : {" path=", " status=", " argv=", " cdpath=", " fpath="})
    EXPECT_EQ(script.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace tradewind::cli
