#include "program/private_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cli/serve_process.h"

namespace tradewind::program {
namespace {

class PrivateFolder : public testing::Test {
 protected:
  PrivateFolder() { chmod(folder_.c_str(), 0755); }
  ~PrivateFolder() override { std::filesystem::remove_all(folder_); }

  std::string Make(const std::string& name, mode_t mode) const {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << "x";
    chmod(path.c_str(), mode);
    return path;
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  const std::string folder_ = cli::MakeTemporaryFolder("tradewind-private").value();
};

TEST_F(PrivateFolder, TakesTheRightsOfOthersFromWhatANodeKeeps) {
  const std::string tenant = Make("tenants/shop.db", 0644);
  const std::string wal = Make("tenants/shop.db-wal", 0666);
  const std::string draft = Make("transfers/import/part", 0640);
  const std::string catalog = Make("catalog.db-wal", 0644);
  const std::string evidence = Make("journal.1", 0604);
  const std::string closed = Make("node", 0400);
  chmod((folder_ + "/tenants").c_str(), 0755);
  const auto narrowed = KeepPrivate(folder_);
  ASSERT_TRUE(narrowed) << Describe(narrowed.error());
  EXPECT_FALSE(narrowed->shares_folder);
  for (const std::string& path : {tenant, wal, catalog, evidence, draft})
    EXPECT_EQ(ModeOf(path), 0600u) << path;
  EXPECT_EQ(ModeOf(closed), 0400u) << "what the user has taken from himself stays so";
  for (const char* path : {"", "/tenants", "/transfers", "/transfers/import"})
    EXPECT_EQ(ModeOf(folder_ + path), 0700u) << path;
  EXPECT_EQ(KeepPrivate(folder_)->entries, 0u);
}

TEST_F(PrivateFolder, LeavesAloneWhatIsNoNodes) {
  const std::string other = Make("photo.jpg", 0644);
  const std::string tenant = Make("tenants/shop.db", 0644);
  const std::string outside = Make("elsewhere/file", 0644);
  std::filesystem::create_symlink(outside, folder_ + "/tenants/link.db");
  std::filesystem::create_directory_symlink(folder_ + "/elsewhere", folder_ + "/removed");
  const auto narrowed = KeepPrivate(folder_);
  ASSERT_TRUE(narrowed) << Describe(narrowed.error());
  EXPECT_TRUE(narrowed->shares_folder);
  EXPECT_EQ(ModeOf(folder_), 0755u);
  EXPECT_EQ(ModeOf(other), 0644u);
  EXPECT_EQ(ModeOf(outside), 0644u);
  EXPECT_EQ(ModeOf(tenant), 0600u);
}

TEST_F(PrivateFolder, IsMadeForItsUserAloneWhateverTheUmask) {
  const mode_t before = umask(0);
  MakePrivateFiles();
  const std::string file = Make("new/file", 0666);
  std::ofstream(folder_ + "/new/other") << "x";
  EXPECT_EQ(umask(before), 0077u);
  EXPECT_EQ(ModeOf(folder_ + "/new"), 0700u);
  EXPECT_EQ(ModeOf(folder_ + "/new/other"), 0600u);
}

}  // namespace
}  // namespace tradewind::program
