#include "base/path.h"

#include <gtest/gtest.h>

namespace tradewind {
namespace {

TEST(FolderOf, IsWhatHoldsTheFile) {
  EXPECT_EQ(FolderOf("/var/lib/file"), "/var/lib");
  EXPECT_EQ(FolderOf("folder/file"), "folder");
}

TEST(FolderOf, IsAlwaysOneThatCanBeOpened) {
  EXPECT_EQ(FolderOf("file"), ".");
  EXPECT_EQ(FolderOf("/file"), "/");
}

}  // namespace
}  // namespace tradewind
