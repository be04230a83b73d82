#include "cli/text_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tradewind::cli {
namespace {

TEST(TextFile, HasTheBytesOfTheFile) {
  const std::string path = testing::TempDir() + "/text_file_test";
  for (const std::string& bytes : {std::string(), std::string("a\r\n\0b", 5), std::string(100'000, 'x')}) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    EXPECT_EQ(TextOfFile(path), bytes);
  }
  std::filesystem::remove(path);
}

TEST(TextFile, HasNoneWhereThereIsNoFile) {
  EXPECT_EQ(TextOfFile(testing::TempDir() + "/no such file"), std::nullopt);
  EXPECT_EQ(TextOfFile(testing::TempDir()), std::nullopt);
  EXPECT_EQ(TextOfFile(""), std::nullopt);
}

}  // namespace
}  // namespace tradewind::cli
