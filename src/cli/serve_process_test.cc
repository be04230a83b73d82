#include "cli/serve_process.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "runtime/real_core.h"

namespace tradewind::cli {
namespace {

using namespace std::chrono_literals;

// A script stands for the program.
class ServeProcessTest : public testing::Test {
 protected:
  ~ServeProcessTest() override { std::filesystem::remove_all(folder_); }
  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }
  Result<std::unique_ptr<ServeProcess>> Start(const std::string& script) {
    ServeProcessOptions options;
    options.program = folder_ + "/program";
    options.name = "n1";
    options.data = folder_ + "/data";
    options.log = folder_ + "/log";
    std::ofstream(options.program) << "#!/bin/sh\n" << script;
    std::filesystem::permissions(options.program, std::filesystem::perms::owner_all);
    return ServeProcess::Start(*core_, options);
  }

  const std::string folder_ = MakeTemporaryFolder("tradewind").value();
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

TEST_F(ServeProcessTest, ANodeIsReadyWhereItSaysAndEndsWhenAsked) {
  Run([&] {
    const auto node =
        Start("trap 'exit 0' TERM\necho \"ready $3 http://127.0.0.1:4711\"\nwhile :; do sleep 0.01; done\n");
    ASSERT_TRUE(node) << Describe(node.error());
    EXPECT_TRUE((*node)->running());
    EXPECT_EQ((*node)->url(), "http://127.0.0.1:4711");
    EXPECT_EQ((*node)->address(), "127.0.0.1:4711");
    const auto stopped = (*node)->Stop(60s);
    EXPECT_TRUE(stopped) << Describe(stopped.error());
    EXPECT_FALSE((*node)->running());
    EXPECT_TRUE((*node)->Stop(60s)) << "it has ended";
  });
}

TEST_F(ServeProcessTest, ANodeThatEndsBeforeItIsReadySaysWhatItsLogSays) {
  Run([&] {
    const auto node = Start("echo 'no such address' >&2\nexit 1\n");
    ASSERT_FALSE(node);
    EXPECT_EQ(node.error().code, "NODE_NOT_READY");
    EXPECT_EQ(node.error().message, "node n1 did not get ready; its log ends with:\nno such address\n");
  });
}

TEST_F(ServeProcessTest, ANodeThatFailsOrDoesNotReactWhenAskedToEndIsAnError) {
  Run([&] {
    const auto fails =
        Start("trap 'echo bad >&2; exit 1' TERM\necho 'ready n1 http://h:1'\nwhile :; do sleep 0.01; done\n");
    ASSERT_TRUE(fails) << Describe(fails.error());
    const auto failed = (*fails)->Stop(60s);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, "NODE_NOT_STOPPED");
    EXPECT_EQ(failed.error().message, "node n1 failed when asked to end; its log ends with:\nbad\n");

    const auto deaf = Start("trap '' TERM\necho 'ready n1 http://h:1'\nexec sleep 600\n");
    ASSERT_TRUE(deaf) << Describe(deaf.error());
    const auto killed = (*deaf)->Stop(10ms);
    ASSERT_FALSE(killed);
    EXPECT_NE(killed.error().message.find("node n1 did not react or crashed when asked to end"),
              std::string::npos);
  });
}

TEST_F(ServeProcessTest, AKilledNodeIsGoneAtOnceAndSoIsOneThatNobodyHoldsAnyMore) {
  Run([&] {
    const auto node = Start("echo 'ready n1 http://h:1'\nexec sleep 600\n");
    ASSERT_TRUE(node) << Describe(node.error());
    const pid_t killed = (*node)->pid();
    (*node)->Kill();
    EXPECT_EQ(kill(killed, 0), -1);
    EXPECT_FALSE((*node)->running());
    pid_t dropped = 0;
    {
      const auto other = Start("echo 'ready n1 http://h:1'\nexec sleep 600\n");
      ASSERT_TRUE(other) << Describe(other.error());
      dropped = (*other)->pid();
    }
    EXPECT_EQ(kill(dropped, 0), -1);
  });
}

}  // namespace
}  // namespace tradewind::cli
