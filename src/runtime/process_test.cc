#include "runtime/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>

#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

class ProcessTest : public testing::Test {
 protected:
  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }
  TimePoint soon() const { return core_->Now() + 60s; }
  std::unique_ptr<Process> Start(std::vector<std::string> words) {
    auto process = Process::Start(*core_, {std::move(words)});
    EXPECT_TRUE(process) << Describe(process.error());
    return std::move(*process);
  }

  std::unique_ptr<RealCore> core_ = RealCore::Create();
};

TEST_F(ProcessTest, AProgramRunsToItsEndWithItsInputAndSaysHowItEnded) {
  Run([&] {
    const auto run = RunProgram(*core_, {"/bin/sh", "-c", "cat; echo two >&2; exit 3"}, "one\n", soon());
    ASSERT_TRUE(run) << Describe(run.error());
    EXPECT_EQ(run->output, "one\ntwo\n");
    EXPECT_EQ(run->status, 3);
    const auto killed = RunProgram(*core_, {"/bin/sh", "-c", "kill -9 $$"}, "", soon());
    ASSERT_TRUE(killed) << Describe(killed.error());
    EXPECT_EQ(killed->status, 128 + SIGKILL);
  });
}

TEST_F(ProcessTest, AProgramThatIsMissingIsAnErrorWithTheSystemsReason) {
  Run([&] {
    const auto process = Process::Start(*core_, {{"/no/such/program"}});
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().code, "PROCESS_NOT_STARTED");
    EXPECT_EQ(process.error().message, "/no/such/program could not be started: No such file or directory");
  });
}

TEST_F(ProcessTest, AProgramThatDoesNotEndIsKilledAtTheDeadline) {
  Run([&] {
    const auto run =
        RunProgram(*core_, {"/bin/sh", "-c", "echo begun; exec sleep 600"}, "", core_->Now() + 50ms);
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, "PROGRAM_NOT_ENDED");
  });
}

TEST_F(ProcessTest, AProgramHasNoneOfThisProcesssDescriptorsAndItsSignalsAsByDefault) {
  const int kept = dup(STDERR_FILENO);  // Not close-on-exec.
  ASSERT_GT(kept, 2);
  // As some programs that start others leave them: two, and the first that the C library keeps for itself.
  constexpr int kCancels = 32;
  std::array<uint64_t, 4> ignored{1};  // The system's struct sigaction, with SIG_IGN.
  std::array<uint64_t, 4> before{};
  ASSERT_EQ(syscall(SYS_rt_sigaction, kCancels, ignored.data(), before.data(), sizeof(uint64_t)), 0);
  const auto hangup = std::signal(SIGHUP, SIG_IGN);
  Run([&] {
    // Three, and that of the folder that it reads.
    const auto run = RunProgram(*core_, {"/bin/sh", "-c", "set -- /proc/$$/fd/*; echo $#"}, "", soon());
    ASSERT_TRUE(run) << Describe(run.error());
    EXPECT_EQ(run->output, "4\n");
    const auto signals =
        RunProgram(*core_, {"/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"}, "", soon());
    ASSERT_TRUE(signals) << Describe(signals.error());
    EXPECT_EQ(signals->output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  });
  std::signal(SIGHUP, hangup);
  syscall(SYS_rt_sigaction, kCancels, before.data(), nullptr, sizeof(uint64_t));
  close(kept);
}

TEST_F(ProcessTest, AProgramStandsBackBehindThisProcessAndIsPutBackWhereThatIsAllowed) {
  Run([&] {
    const int here = getpriority(PRIO_PROCESS, 0);
    ASSERT_LT(here, 19) << "run it with more of the processors: nobody stands back behind that";
    const auto process = Process::Start(*core_, {.words = {"/bin/sleep", "600"}, .niceness = 3});
    ASSERT_TRUE(process);
    const auto of = [&] { return getpriority(PRIO_PROCESS, static_cast<id_t>((*process)->identity().pid)); };
    EXPECT_EQ(of(), std::min(here + 3, 19));
    (*process)->SetNiceness(0);
    EXPECT_EQ(of(), CanLowerNiceness() ? here : std::min(here + 3, 19));
    (*process)->EndAtOnce();
  });
}

TEST_F(ProcessTest, AProcessIsFoundAgainByItsIdentityUntilItHasEnded) {
  Run([&] {
    const auto process = Start({"/bin/sleep", "600"});
    const ProcessIdentity identity = process->identity();
    EXPECT_GT(identity.start_time, 0u);
    EXPECT_FALSE(identity.boot.empty());
    const auto found = Process::Find(*core_, identity);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->identity(), identity);

    ProcessIdentity earlier = identity;
    --earlier.start_time;
    EXPECT_EQ(Process::Find(*core_, earlier), nullptr) << "the number is another process's now";
    ProcessIdentity other_boot = identity;
    other_boot.boot = "another";
    EXPECT_EQ(Process::Find(*core_, other_boot), nullptr) << "the machine has started again";

    EXPECT_FALSE(process->AwaitEnd(core_->Now()));
    found->Signal(SIGTERM);
    EXPECT_TRUE(process->AwaitEnd(soon()));
    EXPECT_EQ(process->status(), 128 + SIGTERM);
    EXPECT_TRUE(found->AwaitEnd(soon()));
    EXPECT_EQ(Process::Find(*core_, identity), nullptr);
    process->Signal(SIGTERM);  // Reaches nobody.
  });
}

TEST_F(ProcessTest, AProgramThatIsToEndWithThisProcessGetsItsSignalThenAndAnotherGoesOn) {
  // The system takes the end of the thread that started it for that of the process; these end with their core.
  auto ends = RealCore::Create();
  std::unique_ptr<Process> bound;
  std::unique_ptr<Process> free;
  ends->RunUntilReturned("start", [&] {
    const auto start = [&](int signal) {
      return Process::Find(
          *core_, Process::Start(*ends, {{"/bin/sleep", "600"}, -1, -1, -1, signal}).value()->identity());
    };
    bound = start(SIGTERM);
    free = start(0);
  });
  ends.reset();
  Run([&] {
    EXPECT_TRUE(bound->AwaitEnd(soon()));
    EXPECT_EQ(bound->status(), 128 + SIGTERM);
    EXPECT_FALSE(free->HasEnded());
    free->Kill();
    EXPECT_EQ(free->status(), 128 + SIGKILL);
  });
}

TEST_F(ProcessTest, AProcessThatHasEndedIsNotFoundThoughNobodyHasWaitedForIt) {
  Run([&] {
    const auto process = Start({"/bin/true"});
    const ProcessIdentity identity = process->identity();
    siginfo_t ended{};
    core_->RunOffCore([&] { waitid(P_PID, static_cast<id_t>(identity.pid), &ended, WEXITED | WNOWAIT); });
    EXPECT_EQ(Process::Find(*core_, identity), nullptr);
  });
}

}  // namespace
}  // namespace tradewind::runtime
