#include "tenant/removed_files.h"

#include <gtest/gtest.h>

#include <optional>

#include "runtime/test_core.h"

namespace tradewind::tenant {
namespace {

constexpr uint64_t kPiece = RemovedFiles::kPieceBytes;

class RemovedFilesTest : public testing::Test {
 protected:
  std::string File(const std::string& name) const { return core_.folder() + "/" + name; }
  void Make(const std::string& path, uint64_t size) {
    ASSERT_TRUE(core_.disk().Open(path, runtime::OpenMode::kCreate).value()->Truncate(size));
  }
  std::vector<std::string> Left() { return core_.disk().List(File("removed")).value(); }
  uint64_t SizeOf(const std::string& path) {
    return core_.disk().Open(path, runtime::OpenMode::kExisting).value()->Size().value();
  }

  runtime::TestCore core_;
};

TEST_F(RemovedFilesTest, ALargeFileIsGoneFromItsNameAtOnceAndThenCutAwayInPieces) {
  core_.Run([&] {
    RemovedFiles removed(core_, File("removed"));
    ASSERT_TRUE(removed.Start());
    Make(File("a"), 5 * kPiece);
    ASSERT_TRUE(removed.Take(File("a")));
    EXPECT_FALSE(core_.disk().Exists(File("a")).value());
    Make(File("a"), 1);  // The name is free.
    ASSERT_EQ(Left().size(), 1u);
    uint64_t size = 5 * kPiece;
    int sizes = 1;
    while (!Left().empty()) {
      if (const uint64_t now = SizeOf(File("removed/" + Left().front())); now != size) {
        EXPECT_EQ(now, size - kPiece) << "others have their turn after each piece";
        size = now;
        ++sizes;
      }
      runtime::SleepFor(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(sizes, 5);
    EXPECT_TRUE(core_.disk().Exists(File("a")).value());
    removed.Stop();
  });
}

TEST_F(RemovedFilesTest, ASmallFileIsGoneWhenItWasTakenAndAMissingOneIsNoError) {
  core_.Run([&] {
    RemovedFiles removed(core_, File("removed"));
    ASSERT_TRUE(removed.Start());
    Make(File("a"), kPiece);
    EXPECT_TRUE(removed.Take(File("a")));
    EXPECT_FALSE(core_.disk().Exists(File("a")).value());
    EXPECT_TRUE(Left().empty());
    EXPECT_TRUE(removed.Take(File("a")));
    removed.Stop();
  });
}

TEST_F(RemovedFilesTest, AStartGoesOnWithWhatAnEarlierOneHasLeftAndTakesNoNameTwice) {
  core_.Run([&] {
    {
      RemovedFiles removed(core_, File("removed"));
      ASSERT_TRUE(removed.Start());
      Make(File("a"), 3 * kPiece);
      Make(File("b"), 3 * kPiece);
      ASSERT_TRUE(removed.Take(File("a")));
      ASSERT_TRUE(removed.Take(File("b")));
      EXPECT_EQ(Left().size(), 2u);
      removed.Stop();
    }
    EXPECT_EQ(Left().size(), 2u);
    RemovedFiles removed(core_, File("removed"));
    ASSERT_TRUE(removed.Start());
    Make(File("a"), 3 * kPiece);
    ASSERT_TRUE(removed.Take(File("a")));
    EXPECT_EQ(Left().size(), 3u);
    while (!Left().empty()) runtime::SleepFor(std::chrono::milliseconds(1));
    removed.Stop();
  });
}

}  // namespace
}  // namespace tradewind::tenant
