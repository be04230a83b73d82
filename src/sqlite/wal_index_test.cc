#include "sqlite/wal_index.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace tradewind::sqlite {
namespace {

TEST(FileLocks, OneWriterIsReservedWhileOthersRead) {
  FileLocks locks;
  LockHold first, second;
  EXPECT_TRUE(locks.Raise(first, SQLITE_LOCK_SHARED));
  EXPECT_TRUE(locks.Raise(second, SQLITE_LOCK_SHARED));
  EXPECT_TRUE(locks.Raise(first, SQLITE_LOCK_RESERVED));
  EXPECT_FALSE(locks.Raise(second, SQLITE_LOCK_RESERVED));
  EXPECT_TRUE(locks.reserved());
}

TEST(FileLocks, AnExclusiveLockWaitsForReadersAndKeepsNewOnesOut) {
  FileLocks locks;
  LockHold writer, reader, late;
  locks.Raise(writer, SQLITE_LOCK_SHARED);
  locks.Raise(reader, SQLITE_LOCK_SHARED);
  EXPECT_FALSE(locks.Raise(writer, SQLITE_LOCK_EXCLUSIVE));
  EXPECT_FALSE(locks.Raise(late, SQLITE_LOCK_SHARED)) << "pending";
  locks.Lower(reader, SQLITE_LOCK_NONE);
  EXPECT_TRUE(locks.Raise(writer, SQLITE_LOCK_EXCLUSIVE));
  locks.Lower(writer, SQLITE_LOCK_NONE);
  EXPECT_TRUE(locks.Raise(late, SQLITE_LOCK_SHARED));
}

TEST(WalIndex, SharedAndExclusiveHoldersOfASlotKeepEachOtherOut) {
  WalIndex index;
  LockHold first, second;
  EXPECT_TRUE(index.LockShared(first, 3, 1));
  EXPECT_TRUE(index.LockShared(second, 3, 1));
  EXPECT_FALSE(index.LockExclusive(first, 3, 1));
  index.Unlock(second, 3, 1);
  EXPECT_TRUE(index.LockExclusive(first, 3, 1));
  EXPECT_FALSE(index.LockShared(second, 3, 1));
}

TEST(WalIndex, SeveralSlotsAreGrantedTogetherOrNotAtAll) {
  WalIndex index;
  LockHold first, second;
  EXPECT_TRUE(index.LockShared(first, 4, 1));
  EXPECT_FALSE(index.LockExclusive(second, 3, 3));
  EXPECT_TRUE(index.LockExclusive(first, 3, 1)) << "the refused request must not have kept slot 3";
}

TEST(WalIndex, ClosingGivesEveryLockBack) {
  WalIndex index;
  LockHold first, second;
  index.LockShared(first, 3, 1);
  index.LockExclusive(first, 0, 2);
  index.UnlockAll(first);
  EXPECT_TRUE(index.LockExclusive(second, 0, WalIndex::kSlots));
}

}  // namespace
}  // namespace tradewind::sqlite
