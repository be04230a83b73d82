#include "sqlite/wal_tracker.h"

#include <gtest/gtest.h>

namespace tradewind::sqlite {
namespace {

constexpr uint32_t kPageSize = 512;
constexpr uint64_t kFrame = WalTracker::kFrameHeaderBytes + kPageSize;

void PutBigEndian32(std::vector<std::byte>& bytes, size_t at, uint32_t value) {
  for (size_t index = 0; index < 4; ++index)
    bytes[at + index] = static_cast<std::byte>((value >> (24 - 8 * index)) & 0xff);
}

std::vector<std::byte> WalHeader() {
  std::vector<std::byte> header(WalTracker::kHeaderBytes);
  PutBigEndian32(header, 8, kPageSize);
  return header;
}

std::vector<std::byte> FrameHeader(uint32_t page, uint32_t database_pages_if_commit) {
  std::vector<std::byte> header(WalTracker::kFrameHeaderBytes);
  PutBigEndian32(header, 0, page);
  PutBigEndian32(header, 4, database_pages_if_commit);
  return header;
}

// Writes a WAL as SQLite does with spill off.
class WalTrackerTest : public testing::Test {
 protected:
  WalTrackerTest() { tracker_.Note(0, WalHeader()); }

  uint64_t At(uint32_t frame) const { return WalTracker::kHeaderBytes + (frame - 1) * kFrame; }
  void Frame(uint32_t frame, uint32_t page, uint32_t database_pages_if_commit = 0) {
    tracker_.Note(At(frame), FrameHeader(page, database_pages_if_commit));
    tracker_.Note(At(frame) + WalTracker::kFrameHeaderBytes, std::vector<std::byte>(kPageSize));
  }

  WalTracker tracker_;
};

TEST_F(WalTrackerTest, AVersionIsNewestOnlyOnceItsCommitHasHappened) {
  Frame(1, 5);
  Frame(2, 7, 10);
  EXPECT_EQ(tracker_.accepted_frame(), 2u);
  EXPECT_FALSE(tracker_.Newest(PageNumber{5}));
  EXPECT_EQ(tracker_.Commit(CommitSequence{1}), (std::vector<PageNumber>{PageNumber{5}, PageNumber{7}}));
  EXPECT_EQ(tracker_.Newest(PageNumber{5})->frame, 1u);
  EXPECT_EQ(tracker_.Newest(PageNumber{7})->commit, CommitSequence{1});
  EXPECT_EQ(tracker_.database_pages(), 10u);
}

TEST_F(WalTrackerTest, TheTransactionIsEveryFrameSinceTheLastCommit) {
  Frame(1, 5, 10);
  tracker_.Commit(CommitSequence{1});
  Frame(2, 6);
  Frame(3, 8);
  EXPECT_EQ(tracker_.TransactionPages(At(4), FrameHeader(9, 10)),
            (std::vector<PageNumber>{PageNumber{6}, PageNumber{8}, PageNumber{9}}));
}

TEST_F(WalTrackerTest, FramesOfARolledBackTransactionAreForgottenWhenTheyAreWrittenOver) {
  Frame(1, 5);
  Frame(2, 6);
  Frame(1, 8, 10);  // The first transaction was rolled back; the next one starts at the same frame.
  EXPECT_EQ(tracker_.Commit(CommitSequence{1}), (std::vector<PageNumber>{PageNumber{8}}));
  EXPECT_FALSE(tracker_.Newest(PageNumber{6}));
}

TEST_F(WalTrackerTest, AFailedCommitIsCutOffAfterTheLastOneThatHappened) {
  Frame(1, 5, 10);
  tracker_.Commit(CommitSequence{1});
  Frame(2, 5, 10);
  EXPECT_EQ(tracker_.CutAccepted(), WalTracker::kHeaderBytes + kFrame);
  EXPECT_EQ(tracker_.Newest(PageNumber{5})->frame, 1u);
  EXPECT_EQ(tracker_.accepted_frame(), 0u);
}

TEST_F(WalTrackerTest, ANewHeaderStartsANewGenerationWithNothingInIt) {
  Frame(1, 5, 10);
  tracker_.Commit(CommitSequence{1});
  const uint64_t before = tracker_.generation();
  tracker_.Note(0, WalHeader());
  EXPECT_NE(tracker_.generation(), before);
  EXPECT_FALSE(tracker_.Newest(PageNumber{5}));
  EXPECT_EQ(tracker_.committed_frame(), 0u);
}

TEST_F(WalTrackerTest, PagesPastTheEndOfAShrunkDatabaseAreForgotten) {
  Frame(1, 9, 10);
  tracker_.Commit(CommitSequence{1});
  Frame(2, 1, 4);
  tracker_.Commit(CommitSequence{2});
  EXPECT_FALSE(tracker_.Newest(PageNumber{9}));
  EXPECT_TRUE(tracker_.Newest(PageNumber{1}));
}

TEST_F(WalTrackerTest, AnIrregularWriteEndsTheProcess) {
  EXPECT_DEATH(tracker_.Note(At(2), FrameHeader(5, 0)), "gap");
  EXPECT_DEATH(tracker_.Note(At(1) + 7, std::vector<std::byte>(8)), "irregular");
}

}  // namespace
}  // namespace tradewind::sqlite
