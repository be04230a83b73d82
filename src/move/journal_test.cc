#include "move/journal.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/hash.h"
#include "base/limits.h"
#include "runtime/test_core.h"

namespace tradewind::move {
namespace {

using namespace std::chrono_literals;

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(core_, path());
    if (!journal) ADD_FAILURE() << Describe(journal.error());
    return std::move(*journal);
  }
  // Closed, and opened again.
  JournalEntries Entries() {
    const auto journal = Open();
    journal->Close();
    return journal->entries();
  }
  std::string path() const { return core_.folder() + "/journal"; }
  std::string Content(const std::string& path) const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string Content() const { return Content(path()); }
  void SetContent(const std::string& content) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
  }
  std::vector<std::string> Evidence() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(core_.folder()))
      if (entry.path().filename().string().starts_with("journal.torn-")) names.push_back(entry.path());
    return names;
  }

  runtime::TestCore core_;
};

JournalEntry Owned(const std::string& tenant, uint64_t epoch = 1) {
  return {tenant, Role::kOwned, Epoch{epoch}, "", "", 0, false};
}

TEST_F(JournalTest, KeepsTheCoreThatATenantIsPinnedTo) {
  JournalChange change{"shop", JournalEntry{"shop", Role::kOwned, Epoch{3}, "", "", 0, false, CorePin{1, 2}}};
  JournalTail tail = NewJournalTail(7);
  std::string bytes = EncodeJournalHead(7, kJournalStart);
  bytes += EncodeJournalRecord(tail, kJournalStart, change);
  const ParsedJournal parsed = ParseJournal(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(parsed.entries.contains("shop"));
  EXPECT_EQ(parsed.entries.at("shop"), *change.entry);
}

TEST_F(JournalTest, TheLastRecordOfATenantCounts) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("shop")));
    ASSERT_TRUE(journal->Put({"shop", Role::kSwapping, Epoch{1}, "m1", "n2", 0}));
    ASSERT_TRUE(journal->Put({"blog", Role::kReceiving, Epoch{3}, "m2", "n3", 0}));
    ASSERT_TRUE(journal->Put({"blog", Role::kReady, Epoch{3}, "m2", "n3", 7}));
    ASSERT_TRUE(journal->Put(Owned("wiki")));
    ASSERT_TRUE(journal->Erase("wiki"));
    journal->Close();
    const JournalEntries entries = Entries();
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries.at("shop").role, Role::kSwapping);
    EXPECT_EQ(entries.at("shop").peer, "n2");
    EXPECT_EQ(entries.at("blog").list, 7u);
    EXPECT_EQ(entries.at("blog").epoch, Epoch{3});
  });
}

TEST_F(JournalTest, ATornTailIsDroppedAndKeptBesideAndWritingGoesOn) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("shop")));
    const std::string before = Content();
    const uint64_t end = journal->size_bytes();
    ASSERT_TRUE(journal->Put({"shop", Role::kSwapping, Epoch{1}, "m1", "n2", 0}));
    const uint64_t last_end = journal->size_bytes();
    const std::string after = Content();
    journal->Close();
    // As a loss of power in the middle of the second Put leaves it.
    std::string torn = before;
    torn.replace(end, last_end - end - 9, after, end, last_end - end - 9);
    SetContent(torn);
    journal = Open();
    EXPECT_EQ(journal->entries().at("shop").role, Role::kOwned);
    ASSERT_EQ(Evidence().size(), 1u);
    EXPECT_EQ(Content(Evidence()[0]), torn);
    ASSERT_TRUE(journal->Put(Owned("blog", 2)));
    journal->Close();
    EXPECT_EQ(Entries().size(), 2u);
    EXPECT_EQ(Evidence().size(), 1u);
  });
}

TEST_F(JournalTest, RecordsThatWereNotSyncedMayBeLostInAnyOrder) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("shop")));
    const uint64_t end = journal->size_bytes();
    core_.syncs.held = true;
    runtime::TaskGroup fibers(core_);
    for (const char* tenant : {"a", "b", "c"})
      fibers.Spawn("put", [&, tenant] { static_cast<void>(journal->Put(Owned(tenant))); });
    while (core_.syncs.waiting == 0) runtime::Yield();
    runtime::Yield();
    std::string lost = Content();
    core_.syncs.Release();
    fibers.Join();
    journal->Close();
    lost.replace(end, 64, std::string(64, '\0'));  // The first of three that no sync has covered.
    SetContent(lost);
    EXPECT_EQ(Entries(), (JournalEntries{{"shop", Owned("shop")}}));
    EXPECT_EQ(Evidence().size(), 1u);
  });
}

TEST_F(JournalTest, OneFlippedBitIsRefusedOrHarmlessAndTheFileStays) {
  core_.Run([&] {
    auto journal = Open();
    for (const char* tenant : {"a", "b", "c", "d"}) ASSERT_TRUE(journal->Put(Owned(tenant)));
    ASSERT_TRUE(journal->Put({"d", Role::kSwapping, Epoch{3}, "m2", "n3", 7}));
    const JournalEntries expected = journal->entries();
    const uint64_t end = journal->size_bytes();
    journal->Close();
    std::string content = Content();
    ASSERT_GT(content.size(), end + 64);
    size_t refused = 0;
    const std::string whole = content.substr(0, end + 64);
    for (size_t byte = 0; byte < whole.size(); ++byte) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = whole;
        flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
        const ParsedJournal parsed = ParseJournal(std::as_bytes(std::span(flipped)));
        const bool opens =
            parsed.state == ParsedJournal::State::kWhole || parsed.state == ParsedJournal::State::kTornTail;
        if (!opens)
          ++refused;
        else
          ASSERT_EQ(parsed.entries, expected) << "bit " << bit << " of byte " << byte;
        const bool sure = byte < 512 || (byte >= kJournalStart && byte < end);
        ASSERT_FALSE(opens && sure) << "bit " << bit << " of byte " << byte;
      }
    }
    EXPECT_GE(refused, 8 * (end - kJournalStart + 512));
    // Through the disk, in the header, the first record and the last one.
    for (const uint64_t byte : {uint64_t{20}, kJournalStart + 50, end - 9}) {
      std::string flipped = content;
      flipped[byte] = static_cast<char>(flipped[byte] ^ 4);
      SetContent(flipped);
      const auto refusal = Journal::Open(core_, path());
      ASSERT_FALSE(refusal);
      EXPECT_EQ(refusal.error().code, "JOURNAL_CORRUPT");
      EXPECT_NE(refusal.error().message.find(path()), std::string::npos);
      EXPECT_NE(refusal.error().action.find("tradewind node repair --data " + core_.folder()),
                std::string::npos);
      EXPECT_EQ(Content(), flipped);
    }
  });
}

TEST_F(JournalTest, TheLastRecordIsVouchedForAlsoAfterAKill) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("shop")));
    std::string killed = Content();  // The kernel has the slot in hand, though no sync has covered it.
    killed[journal->size_bytes() - 12] ^= 1;
    journal->Close();
    SetContent(killed);
    EXPECT_EQ(Journal::Open(core_, path()).error().code, "JOURNAL_CORRUPT");
  });
}

TEST_F(JournalTest, WhenItIsQuietTheEndIsSealedWithASync) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("shop")));
    const size_t before = core_.syncs.done;
    runtime::SleepFor(5s);
    EXPECT_EQ(core_.syncs.done, before + 1);
    journal->Close();
    EXPECT_EQ(core_.syncs.done, before + 1);
  });
}

TEST_F(JournalTest, APartThatIsMissingOrStaleIsDamage) {
  core_.Run([&] {
    auto journal = Open();
    std::vector<uint64_t> ends{journal->size_bytes()};
    std::vector<std::string> contents{Content()};
    for (const char* tenant : {"a", "b", "c"}) {
      ASSERT_TRUE(journal->Put(Owned(tenant)));
      ends.push_back(journal->size_bytes());
      contents.push_back(Content());
    }
    journal->Close();
    const std::string whole = Content();
    const auto state = [&](const std::string& content) {
      return ParseJournal(std::as_bytes(std::span(content))).state;
    };
    using State = ParsedJournal::State;
    EXPECT_EQ(state(whole), State::kWhole);
    EXPECT_EQ(state(whole.substr(0, ends[3])), State::kWhole);
    for (size_t i = 0; i < 3; ++i) {
      std::string lost = whole;
      lost.replace(ends[i], ends[i + 1] - ends[i], std::string(ends[i + 1] - ends[i], '\0'));
      EXPECT_EQ(state(lost), State::kDamaged) << "record " << i << " is zeros";
      EXPECT_EQ(state(whole.substr(0, ends[i])), State::kDamaged) << "cut before record " << i;
      EXPECT_EQ(state(whole.substr(0, ends[i + 1] - 3)), State::kDamaged) << "cut within record " << i;
      std::string repeated = whole;
      if (i > 0) repeated.replace(ends[i], ends[i] - ends[i - 1], whole, ends[i - 1], ends[i] - ends[i - 1]);
      EXPECT_EQ(state(repeated), i > 0 ? State::kDamaged : State::kWhole) << "a copy of record " << i - 1;
    }
    EXPECT_EQ(state(std::string(512, '\0') + whole.substr(512)), State::kDamaged)
        << "the first sector is zeros";
    for (const size_t size : {size_t{1}, size_t{8}, size_t{600}, size_t{1535}})
      EXPECT_EQ(state(whole.substr(0, size)), size < 4 ? State::kTornTail : State::kDamaged) << size;
  });
}

// A block of an earlier journal of the same node.
TEST_F(JournalTest, ARecordOfAnotherFileIsDamage) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("a", 1)));
    const std::string earlier = Content();
    const uint64_t end = journal->size_bytes();
    journal->Close();
    std::filesystem::remove(path());
    journal = Open();
    ASSERT_TRUE(journal->Put(Owned("a", 2)));
    ASSERT_TRUE(journal->Put(Owned("b", 2)));
    journal->Close();
    std::string mixed = Content();
    mixed.replace(kJournalStart, end - kJournalStart, earlier, kJournalStart, end - kJournalStart);
    EXPECT_EQ(ParseJournal(std::as_bytes(std::span(mixed))).state, ParsedJournal::State::kDamaged);
  });
}

// -- Format 1

// {"tenant":NAME,"role":"owned",...} as the first version wrote it.
std::string OldRecord(const std::string& tenant) {
  JournalTail tail = NewJournalTail(1);
  const std::string record = EncodeJournalRecord(tail, 0, {tenant, Owned(tenant)});
  std::string payload = record.substr(40);
  while (payload.back() == ' ') payload.pop_back();
  const auto length = static_cast<uint32_t>(payload.size());
  const uint64_t hash = Hash64(std::as_bytes(std::span(payload)));
  std::string old(12, '\0');
  std::memcpy(old.data(), &length, 4);
  std::memcpy(old.data() + 4, &hash, 8);
  return old + payload;
}

TEST_F(JournalTest, AnOldJournalIsReadAndWrittenAnew) {
  core_.Run([&] {
    SetContent(OldRecord("a") + OldRecord("b"));
    EXPECT_EQ(Entries().size(), 2u);
    EXPECT_TRUE(Content().starts_with("TWJOURN2"));
    EXPECT_EQ(Entries().size(), 2u);
  });
}

TEST_F(JournalTest, AnOldJournalWithABadRecordBeforeAGoodOneIsRefused) {
  core_.Run([&] {
    std::string content = OldRecord("a") + OldRecord("b") + OldRecord("c");
    content[20] ^= 1;
    SetContent(content);
    EXPECT_EQ(Journal::Open(core_, path()).error().code, "JOURNAL_CORRUPT");
    EXPECT_EQ(Content(), content);
    SetContent(OldRecord("a") + OldRecord("b").substr(0, 30));
    EXPECT_EQ(Entries().size(), 1u);
    EXPECT_EQ(Evidence().size(), 1u);
  });
}

TEST_F(JournalTest, AMissingOrEmptyJournalBesideTenantsIsRefused) {
  core_.Run([&] {
    EXPECT_EQ(Journal::Open(core_, path(), Journal::Missing::kRefuse).error().code, "JOURNAL_MISSING");
    EXPECT_FALSE(std::filesystem::exists(path()));
    SetContent("");
    EXPECT_EQ(Journal::Open(core_, path(), Journal::Missing::kRefuse).error().code, "JOURNAL_MISSING");
    EXPECT_EQ(Content(), "");
    Open()->Close();
    const auto journal = Journal::Open(core_, path(), Journal::Missing::kRefuse);
    ASSERT_TRUE(journal) << "one without entries is a journal";
    (*journal)->Close();
  });
}

// -- While the node runs

TEST_F(JournalTest, ItIsWrittenAnewWhenItHasGrown) {
  core_.Run([&] {
    auto journal = Open();
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(journal->Put(Owned("t" + std::to_string(i))));
    uint64_t longest = 0;
    uint64_t epoch = 0;
    for (int round = 0; round < 60; ++round) {
      runtime::TaskGroup fibers(core_);
      for (int i = 0; i < 200; ++i)
        fibers.Spawn("put", [&] { ASSERT_TRUE(journal->Put(Owned("shop", ++epoch))); });
      fibers.Join();
      longest = std::max(longest, journal->size_bytes());
    }
    EXPECT_LT(longest, limits::kJournalRewriteBytes + 100'000);
    EXPECT_GT(longest, limits::kJournalRewriteBytes - 100'000);
    EXPECT_LT(std::filesystem::file_size(path()), 2 * limits::kJournalRewriteBytes);
    const JournalEntries entries = journal->entries();
    EXPECT_EQ(entries.size(), 51u);
    EXPECT_EQ(entries.at("shop").epoch, Epoch{epoch});
    journal->Close();
    EXPECT_EQ(Entries(), entries);
  });
}

TEST_F(JournalTest, AfterAFailedSyncItIsWrittenAnewWithWhatTheSyncWasToCover) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("a")));
    core_.syncs.held = true;
    Result<void> put;
    runtime::TaskGroup fibers(core_);
    fibers.Spawn("put", [&] { put = journal->Put(Owned("b")); });
    while (core_.syncs.waiting == 0) runtime::Yield();
    core_.syncs.failing = true;  // The waiting one alone.
    core_.syncs.ReleaseOne();
    runtime::Yield();
    core_.syncs.failing = false;
    core_.syncs.Release();
    fibers.Join();
    EXPECT_TRUE(put);
    ASSERT_TRUE(journal->Put(Owned("c")));
    EXPECT_EQ(journal->entries().size(), 3u);
    journal->Close();
    EXPECT_EQ(Entries().size(), 3u);
  });
}

TEST_F(JournalTest, WhileNoSyncSucceedsRecordsFailAndLaterOnesComeThroughByThemselves) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("a")));
    core_.syncs.failing = true;
    for (int i = 0; i < 3; ++i) {
      const auto put = journal->Put(Owned("b"));
      ASSERT_FALSE(put);
      EXPECT_EQ(put.error().code, kJournalFailedCode);
    }
    EXPECT_FALSE(journal->Settle());
    EXPECT_EQ(journal->entries().size(), 1u);
    core_.syncs.failing = false;
    EXPECT_TRUE(journal->Settle());
    const std::string settled = Content();
    EXPECT_EQ(ParseJournal(std::as_bytes(std::span(settled))).entries.size(), 1u) << "it is not there";
    ASSERT_TRUE(journal->Put(Owned("c")));
    journal->Close();
    EXPECT_EQ(Entries(), (JournalEntries{{"a", Owned("a")}, {"c", Owned("c")}}));
  });
}

// -- A full disk

TEST_F(JournalTest, OnAFullDiskNothingBeginsButWhatIsOnEndsAndAllGoesOnWhenThereIsRoom) {
  core_.Run([&] {
    auto journal = Open();
    for (const Role role : {Role::kReceiving, Role::kReady})
      ASSERT_TRUE(journal->Put({"a", role, Epoch{1}, "m1", "n1", 7}));
    core_.disk_full = true;
    uint64_t begun = 0;
    Result<void> put;
    while ((put = journal->Put({"b", Role::kReceiving, Epoch{1}, "m1", "n1", ++begun})))
      ASSERT_LT(begun, 5000u);
    EXPECT_EQ(put.error().code, "DISK_FULL");
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(journal->Put({"a", Role::kOwner, Epoch{2}, "m1", "n1", 7}));
      ASSERT_TRUE(journal->Put({"c", Role::kDeleting, Epoch{2}, "m1", "n1", 7}));
      ASSERT_TRUE(journal->Erase("c"));
    }
    EXPECT_FALSE(journal->Put({"d", Role::kReceiving, Epoch{1}, "m2", "n1", 1}));
    while ((put = journal->Put(Owned("e", ++begun)))) ASSERT_LT(begun, 5000u);
    EXPECT_EQ(put.error().code, "DISK_FULL") << "the reserve is used up";
    const JournalEntries entries = journal->entries();
    core_.disk_full = false;
    ASSERT_TRUE(journal->Put({"d", Role::kReceiving, Epoch{1}, "m2", "n1", 1}));
    ASSERT_TRUE(journal->Erase("d"));
    journal->Close();
    EXPECT_EQ(Entries(), entries);
  });
}

TEST_F(JournalTest, ANodeStartsOnAFullDisk) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("a")));
    journal->Close();
    core_.disk_full = true;
    journal = Open();
    EXPECT_EQ(journal->entries().size(), 1u);
    ASSERT_TRUE(journal->Put(Owned("b"))) << "from the reserve";
    core_.disk_full = false;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(journal->Put(Owned("c")));
    journal->Close();
    EXPECT_EQ(Entries().size(), 3u);
  });
}

TEST_F(JournalTest, AFailedSyncOnAFullDiskRecoversWhenThereIsRoom) {
  core_.Run([&] {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(Owned("a")));
    core_.disk_full = true;
    core_.syncs.failing = true;
    EXPECT_EQ(journal->Put(Owned("b")).error().code, kJournalFailedCode);
    core_.syncs.failing = false;
    EXPECT_EQ(journal->Put(Owned("b")).error().code, kJournalFailedCode) << "there is no room for a new file";
    core_.disk_full = false;
    ASSERT_TRUE(journal->Put(Owned("b")));
    journal->Close();
    EXPECT_EQ(Entries().size(), 2u);
  });
}

}  // namespace
}  // namespace tradewind::move
