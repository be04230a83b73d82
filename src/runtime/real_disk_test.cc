#include "runtime/real_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

std::string ReadText(File& file, uint64_t offset, size_t size) {
  std::string text(size, '?');
  text.resize(file.Read(offset, std::as_writable_bytes(std::span(text))).value());
  return text;
}

class RealDiskTest : public testing::Test {
 protected:
  RealDiskTest() {
    std::string pattern = testing::TempDir() + "tradewind-disk-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~RealDiskTest() override { std::filesystem::remove_all(folder_); }

  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }
  Disk& disk() { return core_->disk(); }

  std::unique_ptr<RealCore> core_ = RealCore::Create();
  std::string folder_;
};

TEST_F(RealDiskTest, MakesFilesAndFoldersForItsUserAlone) {
  const mode_t before = ::umask(0);
  Run([&] {
    ASSERT_TRUE(disk().CreateFolders(folder_ + "/a/b/"));
    ASSERT_TRUE(disk().CreateFolders(folder_ + "/a/b")) << "again";
    ASSERT_TRUE(disk().Open(folder_ + "/a/b/file", OpenMode::kCreate));
    ASSERT_TRUE(disk().Open(folder_ + "/a/b/new", OpenMode::kCreateExclusive));
  });
  ::umask(before);
  const auto mode_of = [&](const char* name) {
    return std::filesystem::status(folder_ + name).permissions();
  };
  EXPECT_EQ(mode_of("/a"), std::filesystem::perms::owner_all);
  EXPECT_EQ(mode_of("/a/b"), std::filesystem::perms::owner_all);
  for (const char* name : {"/a/b/file", "/a/b/new"})
    EXPECT_EQ(mode_of(name), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  Run([&] { EXPECT_FALSE(disk().CreateFolders(folder_ + "/a/b/file/c")) << "below a file"; });
}

TEST_F(RealDiskTest, ReadsWhatWasWritten) {
  Run([&] {
    auto file = disk().Open(folder_ + "/a", OpenMode::kCreate).value();
    ASSERT_TRUE(file->Write(0, AsBytes("hello")));
    ASSERT_TRUE(file->Write(10, AsBytes("world")));
    EXPECT_EQ(file->Size().value(), 15u);
    EXPECT_EQ(ReadText(*file, 0, 100), std::string("hello\0\0\0\0\0world", 15)) << "fewer only at the end";
    EXPECT_EQ(ReadText(*file, 15, 1), "");
    ASSERT_TRUE(file->Truncate(3));
    ASSERT_TRUE(file->Truncate(5));
    EXPECT_EQ(ReadText(*file, 0, 100), std::string("hel\0\0", 5));
    EXPECT_TRUE(file->Sync());
    EXPECT_TRUE(disk().SyncDirectory(folder_));
  });
}

TEST_F(RealDiskTest, ALockKeepsOtherHoldersOutUntilTheFileIsClosed) {
  Run([&] {
    const std::string path = folder_ + "/a";
    auto file = disk().Open(path, OpenMode::kCreate).value();
    auto other = disk().Open(path, OpenMode::kExisting).value();
    ASSERT_TRUE(file->Lock({1000, 10}));
    ASSERT_TRUE(file->Lock({1000, 10})) << "it is its own already";
    const auto refused = other->Lock({1009, 5});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "FILE_LOCKED");
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_TRUE(other->Lock({1010, 5}));
    // As programs lock that know nothing of this: to close another descriptor of this process drops nothing.
    disk().Open(path, OpenMode::kExisting).value().reset();
    const int descriptor = ::open(path.c_str(), O_RDWR);
    struct flock lock = {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = 1000;
    lock.l_len = 1;
    EXPECT_NE(::fcntl(descriptor, F_SETLK, &lock), 0);
    file.reset();
    EXPECT_EQ(::fcntl(descriptor, F_SETLK, &lock), 0);
    EXPECT_FALSE(other->Lock({1000, 1}));
    ::close(descriptor);
    EXPECT_TRUE(other->Lock({1000, 1}));
  });
}

TEST_F(RealDiskTest, ReadsWhatIsNotCached) {
  const std::string path = folder_ + "/cold";
  std::string text(1 << 20, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7919 >> 8);
  std::ofstream(path, std::ios::binary) << text;
  Run([&] {
    auto file = disk().Open(path, OpenMode::kExisting).value();
    ASSERT_TRUE(file->Sync());
    // Drops the file's pages, where the system takes the advice.
    const int descriptor = ::open(path.c_str(), O_RDONLY);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    ::close(descriptor);
    EXPECT_EQ(ReadText(*file, 500'000, 8'192), text.substr(500'000, 8'192));
    EXPECT_TRUE(ReadText(*file, 0, 2 << 20) == text);
  });
}

TEST_F(RealDiskTest, OpensByMode) {
  Run([&] {
    const std::string path = folder_ + "/a";
    EXPECT_EQ(disk().Open(path, OpenMode::kExisting).error().kind, ErrorKind::kNotFound);
    EXPECT_TRUE(disk().Open(path, OpenMode::kCreateExclusive));
    EXPECT_EQ(disk().Open(path, OpenMode::kCreateExclusive).error().kind, ErrorKind::kExists);
    EXPECT_TRUE(disk().Open(path, OpenMode::kCreate));
    EXPECT_TRUE(disk().Open(path, OpenMode::kExisting));
  });
}

TEST_F(RealDiskTest, NamesFilesAndFolders) {
  Run([&] {
    ASSERT_TRUE(disk().CreateFolders(folder_ + "/x/y"));
    ASSERT_TRUE(disk().CreateFolders(folder_ + "/x/y"));
    for (const char* name : {"/x/b", "/x/a", "/x/c"})
      ASSERT_TRUE(disk().Open(folder_ + name, OpenMode::kCreate).value()->Write(0, AsBytes(name)));
    EXPECT_EQ(disk().List(folder_ + "/x").value(), (std::vector<std::string>{"a", "b", "c", "y"}));
    ASSERT_TRUE(disk().Rename(folder_ + "/x/a", folder_ + "/x/b"));
    ASSERT_TRUE(disk().Remove(folder_ + "/x/c"));
    EXPECT_TRUE(disk().Remove(folder_ + "/x/c")) << "a missing file is no error";
    EXPECT_EQ(disk().List(folder_ + "/x").value(), (std::vector<std::string>{"b", "y"}));
    EXPECT_EQ(ReadText(*disk().Open(folder_ + "/x/b", OpenMode::kExisting).value(), 0, 10), "/x/a");
    EXPECT_TRUE(disk().Exists(folder_ + "/x/b").value());
    EXPECT_FALSE(disk().Exists(folder_ + "/x/c").value());
    EXPECT_FALSE(disk().Exists(folder_ + "/x/b/below-a-file").value());
    EXPECT_EQ(disk().List(folder_ + "/none").error().kind, ErrorKind::kNotFound);
    EXPECT_GT(disk().FreeBytes(folder_).value(), 0u);
  });
}

TEST_F(RealDiskTest, SaysThatTheDiskIsFull) {
  Run([&] {
    if (!disk().Exists("/dev/full").value()) GTEST_SKIP() << "no /dev/full here";
    const auto written = disk().Open("/dev/full", OpenMode::kExisting).value()->Write(0, AsBytes("x"));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, "DISK_FULL");
    EXPECT_EQ(written.error().kind, ErrorKind::kTooLarge);
  });
}

}  // namespace
}  // namespace tradewind::runtime
