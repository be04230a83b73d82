#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "node/node.h"
#include "program/program.h"

namespace tradewind::program {
namespace {

// What is said of the words after `serve --name n1 --data d`, by the parser or by the checks behind it.
std::string ErrorOf(std::vector<std::string> words) {
  cli::Arguments arguments("", "tradewind");
  cli::CommandLine line;
  const auto check = AddServeCommand(arguments.root(), line);
  const std::vector<std::string> usual = {"serve", "--data", "d"};
  words.insert(words.begin(), usual.begin(), usual.end());
  if (std::find(words.begin(), words.end(), "--name") == words.end())
    words.insert(words.end(), {"--name", "n1"});
  if (const auto mistake = arguments.MistakeIn(words)) return *mistake;
  const auto checked = check();
  return checked ? "no error" : checked.error().message;
}

TEST(ServeCommand, NamesTheFlagWhoseNumberIsOutOfRange) {
  EXPECT_EQ(ErrorOf({"--cores", "0"}), "--cores: '0' is no whole number from 1 to 256");
  EXPECT_EQ(ErrorOf({"--cores", "100000"}), "--cores: '100000' is no whole number from 1 to 256");
  EXPECT_EQ(ErrorOf({"--cores", "1.5"}), "--cores: '1.5' is no whole number from 1 to 256");
  EXPECT_EQ(ErrorOf({"--quota-streams", "0"}), "--quota-streams: '0' is no number above zero");
  EXPECT_EQ(ErrorOf({"--open-tenants", "many"}), "--open-tenants: 'many' is no number above zero");
  EXPECT_EQ(ErrorOf({"--metrics-tenants", "-1"}), "--metrics-tenants: '-1' is no number from zero on");
  EXPECT_EQ(ErrorOf({"--cores", "2", "--metrics-tenants", "0", "--quota-requests", "5"}), "no error");
}

TEST(ServeCommand, NamesTheFlagThatIsWrittenWrong) {
  EXPECT_EQ(ErrorOf({"--drain", "10"}), "--drain: \"10\" is not a duration");
  EXPECT_EQ(ErrorOf({"--slow-statement", "1"}), "--slow-statement: \"1\" is not a duration");
  EXPECT_EQ(ErrorOf({"--stream-idle", "x"}), "--stream-idle: \"x\" is not a duration");
  EXPECT_EQ(ErrorOf({"--memory", "1XB"}), "--memory: \"1XB\" is not a size");
  EXPECT_EQ(ErrorOf({"--quota-size", "2"}), "--quota-size: \"2\" is not a size");
  EXPECT_EQ(ErrorOf({"--quota-memory", "x"}), "--quota-memory: \"x\" is not a size");
  EXPECT_EQ(ErrorOf({"--quota-cpu", "150%"}), "--quota-cpu: \"150%\" is not a percentage");
  EXPECT_EQ(ErrorOf({"--mysql-listen", "3306"}), "--mysql-listen 3306 is no address to listen on");
  EXPECT_EQ(ErrorOf({"--mysql-listen-for", "crm=x"}), "--mysql-listen-for x is no address to listen on");
}

TEST(ServeCommand, TakesNoQuotaThatWouldAllowNothing) {
  for (const auto& [flag, nothing] :
       {std::pair{"--quota-size", "0"}, std::pair{"--quota-memory", "0B"},
        std::pair{"--quota-statement-time", "0s"}, std::pair{"--quota-cpu", "0%"}})
    EXPECT_EQ(ErrorOf({flag, nothing}), std::string(flag) + ": a quota of 0 would allow nothing");
}

TEST(ServeCommand, TakesNoBoundThatNoNodeCouldKeep) {
  for (const char* time : {"999ms", "61m"})
    EXPECT_TRUE(ErrorOf({"--stream-idle", time})
                    .starts_with(std::string("--stream-idle ") + time + " is not between "))
        << time;
  for (const char* time : {"1s", "60m"}) EXPECT_EQ(ErrorOf({"--stream-idle", time}), "no error");
  EXPECT_EQ(ErrorOf({"--memory", "1MB"}), "--memory 1MB is less than a server needs");
  EXPECT_EQ(ErrorOf({"--memory", "200MB"}), "no error");
  EXPECT_EQ(ErrorOf({"--quota-statement-time", "20000d"}), "statement_ms can't be 1728000000000");
  EXPECT_EQ(ErrorOf({"--quota-statement-time", "10000d"}), "no error");
}

TEST(ServeCommand, HasAsManyPortsForTenantsAsTheirClientsCanBeToldApartAt) {
  std::vector<std::string> words;
  for (size_t port = 1; port < gateway::kMysqlPorts; ++port)
    words.insert(words.end(), {"--mysql-listen-for", "crm=127.0.0.1:" + std::to_string(port)});
  EXPECT_EQ(ErrorOf(words), "no error");
  words.insert(words.end(), {"--mysql-listen-for", "crm=127.0.0.1:0"});
  EXPECT_EQ(ErrorOf(words), "a node has 64 ports for MySQL's protocol at most");
}

TEST(ServeCommand, ListensToOtherMachinesOnlyWhereThatWasAskedFor) {
  for (const auto& [flag, address] :
       {std::pair{"--listen", "0.0.0.0:0"}, std::pair{"--mysql-listen", "0.0.0.0:0"},
        std::pair{"--mysql-listen-for", "crm=0.0.0.0:0"}}) {
    const std::string said = ErrorOf({flag, address});
    EXPECT_TRUE(said.starts_with(std::string(flag) + " 0.0.0.0:0 can be reached by other machines")) << said;
    EXPECT_EQ(ErrorOf({flag, address, "--insecure"}), "no error") << flag;
  }
}

TEST(ServeCommand, SaysBeforeItStartsThatNobodyCouldBeReachedSo) {
  EXPECT_EQ(ErrorOf({"--join", "n1"}), "--join: \"n1\" is not a usable URL: it does not parse");
  EXPECT_TRUE(
      ErrorOf({"--advertise", "ftp://n1"}).starts_with("--advertise: \"ftp://n1\" is not a usable URL"));
  EXPECT_EQ(ErrorOf({"--name", "N 1"}), "--name 'N 1' is no name for a node");
}

}  // namespace
}  // namespace tradewind::program
