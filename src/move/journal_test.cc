#include "move/journal.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "runtime/real_core.h"

namespace tradewind::move {
namespace {

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    std::string pattern = testing::TempDir() + "tradewind-journal-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/journal";
  }
  ~JournalTest() override { std::filesystem::remove_all(folder_); }

  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }
  std::unique_ptr<Journal> Open() { return Journal::Open(*core_, path_).value(); }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  std::string folder_;
  std::string path_;
};

TEST_F(JournalTest, TheLastRecordOfATenantCounts) {
  Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put({"shop", Role::kOwned, Epoch{1}, "", "", 0}));
    ASSERT_TRUE(journal->Put({"shop", Role::kSwapping, Epoch{1}, "m1", "n2", 0}));
    ASSERT_TRUE(journal->Put({"blog", Role::kReady, Epoch{3}, "m2", "n3", 7}));
    ASSERT_TRUE(journal->Put({"wiki", Role::kOwned, Epoch{1}, "", "", 0}));
    ASSERT_TRUE(journal->Erase("wiki"));
    journal = Open();
    ASSERT_EQ(journal->entries().size(), 2u);
    EXPECT_EQ(journal->entries().at("shop").role, Role::kSwapping);
    EXPECT_EQ(journal->entries().at("shop").peer, "n2");
    EXPECT_EQ(journal->entries().at("blog").list, 7u);
    EXPECT_EQ(journal->entries().at("blog").epoch, Epoch{3});
  });
}

TEST_F(JournalTest, ATornTailIsDroppedAndWritingGoesOn) {
  Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put({"shop", Role::kOwned, Epoch{1}, "", "", 0}));
    ASSERT_TRUE(journal->Put({"shop", Role::kSwapping, Epoch{1}, "m1", "n2", 0}));
    journal.reset();
    std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 5);
    journal = Open();
    EXPECT_EQ(journal->entries().at("shop").role, Role::kOwned);
    ASSERT_TRUE(journal->Put({"blog", Role::kOwned, Epoch{2}, "", "", 0}));
    journal = Open();
    EXPECT_EQ(journal->entries().size(), 2u);
  });
}

}  // namespace
}  // namespace tradewind::move
