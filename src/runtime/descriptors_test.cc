// What a process that has no file descriptor left does: it waits, and goes on when there is one.
#include "runtime/descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "runtime/call_on.h"
#include "runtime/cores.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "runtime/network.h"
#include "runtime/real_core.h"
#include "runtime/real_disk.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

class DescriptorsTest : public testing::Test {
 protected:
  DescriptorsTest() {
    std::string pattern = testing::TempDir() + "tradewind-files-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP()
        << "UndefinedBehaviorSanitizer looks at objects through a pipe, and takes them for broken without "
           "descriptors for one";
#endif
  }
  ~DescriptorsTest() override {
    Free(taken_.size());
    std::filesystem::remove_all(folder_);
  }

  void Run(std::function<void()> body) {
    core_->RunUntilReturned("test", std::move(body));
  }
  Disk& disk() {
    return core_->disk();
  }
  // Until the process may have no more.
  void TakeAll() {
    rlimit before = {};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few{std::min<rlim_t>(before.rlim_max, 256), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (int file; (file = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(file);
    ::setrlimit(RLIMIT_NOFILE, &few);
    limited_ = before;
  }
  void Free(size_t count) {
    for (; count > 0 && !taken_.empty(); --count) {
      ::close(taken_.back());
      taken_.pop_back();
    }
    if (taken_.empty() && limited_.rlim_max > 0) ::setrlimit(RLIMIT_NOFILE, &limited_);
  }
  // `call` begins without a descriptor, waits, and returns once there are some.
  void ExpectToWait(const std::function<void()>& call) {
    TakeAll();
    const uint64_t waits = core_->descriptors().waits();
    bool done = false;
    TaskGroup group(*core_);
    group.Spawn("caller", [&] {
      call();
      done = true;
    });
    while (core_->descriptors().waits() < waits + 3) Yield();
    EXPECT_FALSE(done);
    Free(8);
    group.Join();
    Free(taken_.size());
  }

  std::unique_ptr<RealCore> core_ = RealCore::Create();
  std::string folder_;
  std::vector<int> taken_;
  rlimit limited_{};
};

TEST_F(DescriptorsTest, AFileIsOpenedWhenThereIsOneAgain) {
  Run([&] { ExpectToWait([&] { EXPECT_TRUE(disk().Open(folder_ + "/a", OpenMode::kCreate)); }); });
}

TEST_F(DescriptorsTest, AFolderIsListedWhenThereIsOneAgain) {
  Run([&] {
    ASSERT_TRUE(disk().Open(folder_ + "/b", OpenMode::kCreate));
    ASSERT_TRUE(disk().Open(folder_ + "/a", OpenMode::kCreate));
    ExpectToWait([&] { EXPECT_EQ(disk().List(folder_).value(), (std::vector<std::string>{"a", "b"})); });
  });
}

TEST_F(DescriptorsTest, AConnectionIsMadeAndTakenWhenThereAreSomeAgain) {
  Run([&] {
    const auto listener = core_->network().Listen({"127.0.0.1", 0}).value();
    ExpectToWait([&] {
      TaskGroup group(*core_);
      group.Spawn("accept", [&] { EXPECT_TRUE(listener->Accept()); });
      EXPECT_TRUE(core_->network().Connect(listener->local(), core_->Now() + 20s));
      group.Join();
    });
  });
}

TEST_F(DescriptorsTest, AConnectionThatWaitsInTheBacklogIsTakenWhenThereIsOneAgain) {
  Run([&] {
    const auto listener = core_->network().Listen({"127.0.0.1", 0}).value();
    const auto client = core_->network().Connect(listener->local(), core_->Now() + 20s);
    ASSERT_TRUE(client);
    ExpectToWait([&] { EXPECT_TRUE(listener->Accept()); });
  });
}

TEST_F(DescriptorsTest, AConnectThatFindsNoneFailsAtItsDeadlineAndCanBeTriedAgain) {
  Run([&] {
    const auto listener = core_->network().Listen({"127.0.0.1", 0}).value();
    TakeAll();
    const auto connected = core_->network().Connect(listener->local(), core_->Now() + 50ms);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().kind, ErrorKind::kUnavailable);
  });
}

// A commit may wait for it, and so may what makes room for others.
TEST_F(DescriptorsTest, AFolderIsSyncedWithoutAny) {
  Run([&] {
    TakeAll();
    TaskGroup group(*core_);
    for (int caller = 0; caller < 4; ++caller)
      group.Spawn("sync", [&] { EXPECT_TRUE(disk().SyncDirectory(folder_)); });
    group.Join();
    EXPECT_TRUE(disk().SyncDirectory(folder_)) << "the spare one is there again";
  });
}

TEST_F(DescriptorsTest, WhoCanDoWithoutOneIsAskedAtOnce) {
  Run([&] {
    auto relief = core_->descriptors().AddRelief([&] {
      Free(1);
      return true;
    });
    const uint64_t waits = core_->descriptors().waits();
    TakeAll();
    for (int file = 0; file < 10; ++file)
      EXPECT_TRUE(disk().Open(folder_ + "/" + std::to_string(file), OpenMode::kCreate));
    EXPECT_EQ(core_->descriptors().waits(), waits + 1) << "each file is closed before the next one";
    TakeAll();
    EXPECT_TRUE(disk().Open(folder_ + "/more", OpenMode::kCreate));
    EXPECT_EQ(core_->descriptors().waits(), waits + 2) << "asked for the first time, he gives one";
    relief = {};
    const uint64_t taken = taken_.size();
    core_->descriptors().AwaitRoom(core_->Now() + 1s);
    EXPECT_EQ(taken_.size(), taken) << "it is not asked any more";
  });
}

TEST_F(DescriptorsTest, ACoreThatHasNothingToGiveAsksTheOthers) {
  constexpr size_t kCores = 3;
  Cores cores(kCores);
  const Result<void> ran = cores.RunUntilReturned("test", [&] {
    std::vector<Descriptors::Registration> reliefs(kCores);
    std::vector<size_t> asked(kCores);
    for (size_t at = 1; at < kCores; ++at)
      CallOn(cores[at], [&] {
        reliefs[at] = cores[at].descriptors().AddRelief([&, at] {
          TW_CHECK(cores[at].IsHere(), "asked on its own core");
          // Only the last has one, and its fiber alone frees them.
          if (asked[at]++ > 0 || at + 1 < kCores) return false;
          Free(8);
          return true;
        });
      });
    TakeAll();
    EXPECT_TRUE(cores[0].disk().Open(folder_ + "/a", OpenMode::kCreate));
    for (size_t at = 1; at < kCores; ++at) {
      EXPECT_GE(CallOn(cores[at], [&] { return asked[at]; }), 1u);
      CallOn(cores[at], [&] { reliefs[at] = {}; });
    }
    EXPECT_EQ(cores[1].descriptors().waits(), 0u) << "who gives does not wait";
  });
  EXPECT_TRUE(ran);
}

TEST_F(DescriptorsTest, OutsideAFiberNobodyWaits) {
  EXPECT_FALSE(core_->descriptors().AwaitRoom(TimePoint::max()));
  TakeAll();
  const auto opened = disk().Open(folder_ + "/a", OpenMode::kCreate);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, kTooManyFilesCode);
  EXPECT_EQ(opened.error().kind, ErrorKind::kUnavailable);
}

TEST_F(DescriptorsTest, SharesLeaveAReserveWhateverTheLimit) {
  for (const uint64_t limit :
       {uint64_t{0}, uint64_t{40}, uint64_t{256}, uint64_t{1024}, uint64_t{20'000}, uint64_t{1} << 30}) {
    core_->descriptors().SetLimit(limit);
    const auto shares = core_->descriptors().shares();
    EXPECT_LE(shares.tenants + shares.connections + std::min<uint64_t>(limit, 64),
              std::max<uint64_t>(limit, 64));
  }
  core_->descriptors().SetLimit(20'000);
  EXPECT_EQ(core_->descriptors().shares().tenants, 9'488u);
  core_->descriptors().SetMostOfTenants(100);
  EXPECT_EQ(core_->descriptors().shares().tenants, 100u);
  EXPECT_EQ(core_->descriptors().shares().connections, 18'876u) << "what tenants have no use for";
}

}  // namespace
}  // namespace tradewind::runtime
