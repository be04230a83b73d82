#include "program/config_file.h"

#include <gtest/gtest.h>

#include "program/program.h"

namespace tradewind::program {
namespace {

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() { AddServeCommand(arguments_.root(), line_); }
  Result<std::vector<std::string>> Arguments(std::string_view toml,
                                             const std::vector<std::string>& given = {}) {
    return ConfigArguments(toml, "tw.toml", arguments_.root().Find("serve"), given);
  }
  std::string ErrorOf(std::string_view toml) {
    const auto arguments = Arguments(toml);
    return arguments ? "no error" : arguments.error().message + " / " + arguments.error().action;
  }

 private:
  cli::Arguments arguments_{"", "tradewind"};
  cli::CommandLine line_;
};

TEST_F(ConfigFile, HasASettingForEachFlag) {
  const auto arguments = Arguments(
      "# a node\nname = \"n1\"\nopen_tenants = 500\ninsecure = true\nreplace-node = false\n"
      "domain = ['a.example', \"b.example\"]\n");
  ASSERT_TRUE(arguments) << Describe(arguments.error());
  auto sorted = *arguments;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, (std::vector<std::string>{"--domain=a.example", "--domain=b.example", "--insecure",
                                              "--name=n1", "--open-tenants=500"}));
}

TEST_F(ConfigFile, ComesAfterTheCommandLine) {
  const auto arguments = Arguments("name = 'n1'\nlisten = '127.0.0.1:1'\ninsecure = true",
                                   {"--listen=127.0.0.1:2", "--name", "n2", "--insecure"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->empty());
}

TEST_F(ConfigFile, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(ErrorOf("name = 'n1'\nlisen = 'x'"),
            "tw.toml, line 2: there is no setting lisen / did you mean listen?");
  EXPECT_EQ(ErrorOf("\nfrobnicate = 1"),
            "tw.toml, line 2: there is no setting frobnicate / tradewind serve --help lists them");
  EXPECT_EQ(ErrorOf("config = 'other.toml'"),
            "tw.toml, line 1: there is no setting config / tradewind serve --help lists them");
  EXPECT_EQ(ErrorOf("name = 'n1'\ntls-ca = ''"), "tw.toml, line 2: tls-ca is empty / leave the line out");
  EXPECT_EQ(ErrorOf("auth-key = ['a', '']"), "tw.toml, line 1: one of auth-key is empty / leave it out");
  EXPECT_EQ(ErrorOf("insecure = 'yes'").substr(0, 43), "tw.toml, line 1: insecure is true or false ");
  EXPECT_EQ(ErrorOf("name = true").substr(0, 44), "tw.toml, line 1: name is a text or a number ");
  EXPECT_EQ(ErrorOf("name = ['a', 'b']").substr(0, 44), "tw.toml, line 1: name is a text or a number ");
  EXPECT_EQ(ErrorOf("[serve]\nname = 'n1'").substr(0, 43), "tw.toml, line 1: there is no setting serve ");
  EXPECT_TRUE(ErrorOf("name = 'n1'\nname = 'n2'").starts_with("tw.toml, line 2: "));
  EXPECT_TRUE(ErrorOf("name = 'n1\n").starts_with("tw.toml, line 1: "));
}

}  // namespace
}  // namespace tradewind::program
