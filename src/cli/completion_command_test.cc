#include <gtest/gtest.h>

#include "cli/command_line.h"

namespace tradewind::cli {
namespace {

std::string ScriptOf(const char* shell) {
  Arguments arguments("", "tradewind");
  const Command app = arguments.root();
  CommandLine line;
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
  EXPECT_NE(script.find("\"\") words=\"move sql completion --help -h\""), std::string::npos) << script;
  EXPECT_NE(script.find("\"move set\") words=\"--help -h --rate --setpoint --verify-again"),
            std::string::npos)
      << script;
  EXPECT_NE(script.find("\"move start\"|"), std::string::npos) << script;
  EXPECT_NE(
      script.find("\"sql\") words=\"--help -h --tenants --parallel --dry-run $(_tradewind_names tenant)\""),
      std::string::npos)
      << script;
}

TEST(Completion, LetsZshUseTheSame) {
  EXPECT_TRUE(ScriptOf("zsh").starts_with("autoload -U +X bashcompinit && bashcompinit\n"));
}

}  // namespace
}  // namespace tradewind::cli
