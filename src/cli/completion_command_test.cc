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

TEST(Completion, KnowsTheValuesOfOptionsAndThatOthersHaveFiles) {
  const std::string script = ScriptOf("bash");
  for (const char* line :
       {"\"move start:--method\") words=\"zephyr stop-and-copy\" ;;", "\"sql:--parallel\") words=\"\" ;;",
        "\"move start:--to\") words=\"$(_tradewind_names node)\" ;;",
        "\"completion\") words=\"bash zsh --help"})
    EXPECT_NE(script.find(line), std::string::npos) << line << "\n" << script;
  EXPECT_EQ(script.find(":--dry-run"), std::string::npos);
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
