// With real servers and the real tools.
#include "mariadb/backup.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "mariadb/restored_copy.h"
#include "mariadb/servers_fixture.h"
#include "runtime/process.h"

namespace tradewind::mariadb {
namespace {

using namespace std::chrono_literals;

class BackupTest : public ServersTest {
 protected:
  std::unique_ptr<Backup> Start(Instance& instance, BackupOptions options = {}) {
    auto backup = Backup::Start(*core_, backup_programs_, instance, options);
    if (!backup) ADD_FAILURE() << Describe(backup.error());
    return backup ? std::move(*backup) : nullptr;
  }
  // What is made of a backup by the tools, at `name`.
  void Restore(Backup& backup, const std::string& name) {
    InstanceFolder folder = Folder(name);
    const auto data = folder.BeginCopy();
    ASSERT_TRUE(data) << Describe(data.error());
    const auto unpacking = Unpacking::Start(*core_, backup_programs_, *data);
    ASSERT_TRUE(unpacking) << Describe(unpacking.error());
    std::vector<std::byte> piece(64u << 10);
    while (true) {
      const auto got = backup.Read(piece);
      ASSERT_TRUE(got) << Describe(got.error());
      if (*got == 0) break;
      ASSERT_TRUE((*unpacking)->Write(Bytes(piece).first(*got)));
    }
    const auto finished = (*unpacking)->Finish();
    ASSERT_TRUE(finished) << Describe(finished.error());
    AnyAllowance allowance;
    const auto prepared = PrepareData(*core_, backup_programs_, *data, 16u << 20, allowance);
    ASSERT_TRUE(prepared) << Describe(prepared.error());
    const auto position = ReadBackupPosition(*core_, *data);
    ASSERT_TRUE(position) << Describe(position.error());
    position_ = *position;
    const auto whole = folder.FinishCopy();
    ASSERT_TRUE(whole) << Describe(whole.error());
  }

  // The longest that a commit waited while a backup was read to its end.
  runtime::Duration LongestCommitDuring(Instance& instance, BackupOptions options) {
    const auto backup = Start(instance, options);
    const auto connection = Connect(instance);
    bool reading = true;
    runtime::Duration longest{};
    runtime::TaskGroup writer(*core_);
    writer.Spawn("writer", [&] {
      while (reading) {
        const auto began = core_->Now();
        Ask(*connection, "INSERT INTO shop.t (text) VALUES ('x')");
        longest = std::max(longest, core_->Now() - began);
      }
    });
    std::vector<std::byte> piece(64u << 10);
    while (true) {
      const auto got = backup->Read(piece);
      if (!got) ADD_FAILURE() << Describe(got.error());
      if (!got || *got == 0) break;
    }
    reading = false;
    backup->End();  // First: a backup that failed may keep the writer's last commit waiting.
    writer.Join();
    return longest;
  }

  GtidPosition position_;
};

TEST_F(BackupTest, ABackupOfAnInstanceInUseBecomesAnInstanceWithWhatWasCommitted) {
  Run([&] {
    const auto source = OpenWritable("source");
    ASSERT_NE(source, nullptr);
    Insert(*source, 20, 1000);
    const auto backup = Start(*source);
    ASSERT_NE(backup, nullptr);
    Restore(*backup, "copy");
    backup->End();
    EXPECT_TRUE(backup->in_final_stages());
    EXPECT_TRUE(backup->log_copied_to());
    EXPECT_EQ(position_.ToString(), Ask(*source, "SELECT @@gtid_binlog_pos"));

    const auto copy = Open("copy");
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(Ask(*copy, "SELECT COUNT(*) FROM shop.t"), "20");
    EXPECT_EQ(Ask(*copy, "SELECT @@read_only"), "1");
    EXPECT_NE(Ask(*copy, "SELECT @@server_id"), Ask(*source, "SELECT @@server_id"));
    Stop(*copy);
    Stop(*source);
  });
}

// Trap 1. The tool's own default is what it would be without our option.
TEST_F(BackupTest, CommitsWaitAtTheEndOfABackupOnlyForAShortRoundOfTheLogCopier) {
  Run([&] {
    const auto source = OpenWritable("source", 64u << 20);
    ASSERT_NE(source, nullptr);
    Insert(*source, 10, 1'000'000);
    // Long, but the tool itself gives up after 5 s.
    const BackupOptions rounds_of_seconds{.log_interval = 4s, .blocked = 60s};
    auto by_default = LongestCommitDuring(*source, rounds_of_seconds);
    auto ours = LongestCommitDuring(*source, {});
    // The disk may be slow now and then, and where the machine is, the end of a backup may happen to be that of a round.
    for (int tries = 1; tries < 4 && 2 * ours >= by_default; ++tries) {
      by_default = std::max(by_default, LongestCommitDuring(*source, rounds_of_seconds));
      ours = std::min(ours, LongestCommitDuring(*source, {}));
    }
    EXPECT_LT(2 * ours, by_default);
    Stop(*source);
  });
}

// Trap 3: that it is found out, whatever lets it happen.
TEST_F(BackupTest, ABackupThatTheLogHasOverrunIsNoBackup) {
  Run([&] {
    const auto source = OpenWritable("source", 8u << 20);
    ASSERT_NE(source, nullptr);
    Insert(*source, 4, 1'000'000);
    const auto backup = Start(*source);
    ASSERT_NE(backup, nullptr);
    std::vector<std::byte> piece(64u << 10);
    ASSERT_TRUE(backup->Read(piece));
    // Nobody reads, and more is written than the log holds.
    Insert(*source, 40, 1'000'000);
    std::optional<Error> error;
    while (!error) {
      const auto got = backup->Read(piece);
      ASSERT_FALSE(got && *got == 0) << "half a log is taken for a backup";
      if (!got) error = got.error();
    }
    // The tool looks for what it lacks for seconds, and keeps commits waiting meanwhile: it is not waited for.
    EXPECT_TRUE(error->code == "BACKUP_FAILED" || error->code == "BACKUP_BLOCKED") << Describe(*error);
    backup->End();
    Stop(*source);
  });
}

TEST_F(BackupTest, TheRedoLogSaysHowFarItIsAndHowMuchItHolds) {
  Run([&] {
    const auto source = OpenWritable("source", 8u << 20);
    ASSERT_NE(source, nullptr);
    KeptConnection connection(*core_, *source);
    const auto before = ReadRedoLog(connection, soon());
    ASSERT_TRUE(before) << Describe(before.error());
    EXPECT_EQ(before->capacity_bytes, 8u << 20);
    Insert(*source, 1, 100'000);
    const auto after = ReadRedoLog(connection, soon());
    ASSERT_TRUE(after);
    EXPECT_GE(after->written_to, before->written_to + 100'000);
    EXPECT_GT(DataBytes(*core_, source->folder()), 100'000u);
    Stop(*source);
  });
}

TEST_F(BackupTest, AToolThatIsKilledLeavesTheInstanceFree) {
  Run([&] {
    const auto source = OpenWritable("source");
    ASSERT_NE(source, nullptr);
    Insert(*source, 10, 1'000'000);
    const auto backup = Start(*source);
    ASSERT_NE(backup, nullptr);
    std::vector<std::byte> piece(64u << 10);
    ASSERT_TRUE(backup->Read(piece));
    backup->End();
    const auto got = backup->Read(piece);
    EXPECT_FALSE(got && *got == 0) << "what was killed is no backup";
    Insert(*source, 1);
    Stop(*source);
  });
}

// Of LOCK TABLES. What waits for the tool is freed when it gives up.
TEST_F(BackupTest, WhoCannotBeBackedUpIsSaidSo) {
  Run([&] {
    const auto source = OpenWritable("source");
    ASSERT_NE(source, nullptr);
    Ask(*source, "CREATE TABLE shop.m (id INT) ENGINE = MyISAM");
    const auto locker = Connect(*source);
    Ask(*locker, "LOCK TABLES shop.m WRITE");
    const auto backup = Start(*source, {.lock_wait = 1s});
    ASSERT_NE(backup, nullptr);
    std::vector<std::byte> piece(64u << 10);
    std::optional<Error> error;
    while (!error) {
      const auto got = backup->Read(piece);
      ASSERT_FALSE(got && *got == 0);
      if (!got) error = got.error();
    }
    EXPECT_TRUE(error->code == "BACKUP_FAILED" || error->code == "BACKUP_BLOCKED") << Describe(*error);
    backup->End();
    Ask(*locker, "UNLOCK TABLES");
    Insert(*source, 1);
    Stop(*source);
  });
}

// With --startup-wait-timeout the tool would wait for it.
TEST_F(BackupTest, AStatementThatRunsOnIsNotInTheWay) {
  Run([&] {
    const auto source = OpenWritable("source");
    ASSERT_NE(source, nullptr);
    const auto sleeper = Connect(*source);
    const std::string id = Ask(*sleeper, "SELECT CONNECTION_ID()");
    runtime::TaskGroup sleeping(*core_);
    bool ended = false;
    sleeping.Spawn("sleeper", [&] {
      static_cast<void>(sleeper->Query("DO SLEEP(600)", core_->Now() + 600s));
      ended = true;
    });
    while (Ask(*source, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP%'") !=
           "1")
      runtime::Yield();
    // For less than the statement runs, and longer than the disk keeps the tool waiting.
    const auto backup = Start(*source, {.lock_wait = 60s});
    ASSERT_NE(backup, nullptr);
    Restore(*backup, "copy");
    backup->End();
    EXPECT_FALSE(ended);
    Ask(*source, "KILL " + id);
    sleeping.Join();
    Stop(*source);
  });
}

// Of another tool, which says it: first, and once it was told that its last stages begin.
TEST_F(BackupTest, TheToolStandsBackForProcessorsUntilItsLastStagesBegin) {
  if (!runtime::CanLowerNiceness()) GTEST_SKIP() << "nothing that stands back could be put back here";
  Run([&] {
    const auto source = OpenWritable("source");
    ASSERT_NE(source, nullptr);
    const int here = getpriority(PRIO_PROCESS, 0);
    backup_programs_.backup = root_.File("backup.sh");
    std::ofstream(backup_programs_.backup) << "#!/bin/sh\nnice\necho '[00] Starting BACKUP STAGE START' >&2\n"
                                           << "until [ \"$(nice)\" = " << here << " ]; do :; done\nnice\n"
                                           << "echo 'completed OK!' >&2\n";
    std::filesystem::permissions(backup_programs_.backup, std::filesystem::perms::owner_all);
    const auto backup = Start(*source);
    ASSERT_NE(backup, nullptr);
    std::string said;
    std::vector<std::byte> piece(100);
    while (true) {
      const auto got = backup->Read(piece);
      EXPECT_TRUE(got) << Describe(got.error()) << "\n" << said;
      if (got.value_or(0) == 0) break;
      said.append(reinterpret_cast<const char*>(piece.data()), *got);
    }
    backup->End();
    EXPECT_EQ(said, std::to_string(std::min(here + 5, 19)) + "\n" + std::to_string(here) + "\n");
    Stop(*source);
  });
}

// In steps, each of which a test can see: stopped until it is allowed more.
class SteppedAllowance final : public Allowance {
 public:
  uint64_t allowed() const override { return allowed_; }
  void NoteUsed(uint64_t bytes) override {
    if (bytes <= allowed_) return;
    ++stops;
    // Nothing is used while it is stopped.
    if (bytes == last_) allowed_ += 1u << 20;
    last_ = bytes;
  }
  bool given_up() const override { return gives_up_after >= 0 && stops > gives_up_after; }

  int stops = 0;
  int gives_up_after = -1;

 private:
  uint64_t allowed_ = 0;
  uint64_t last_ = 0;
};

TEST_F(BackupTest, APreparationUsesTheDiskOnlyAsFarAsItIsAllowedTo) {
  Run([&] {
    const auto source = OpenWritable("source");
    ASSERT_NE(source, nullptr);
    Insert(*source, 3, 1'000'000);
    for (const int gives_up_after : {-1, 3}) {
      const auto backup = Start(*source);
      ASSERT_NE(backup, nullptr);
      const auto data = Folder("copy").BeginCopy();
      ASSERT_TRUE(data);
      const auto unpacking = Unpacking::Start(*core_, backup_programs_, *data);
      ASSERT_TRUE(unpacking);
      std::vector<std::byte> piece(64u << 10);
      while (const size_t got = backup->Read(piece).value_or(0))
        ASSERT_TRUE((*unpacking)->Write(Bytes(piece).first(got)));
      ASSERT_TRUE((*unpacking)->Finish());
      backup->End();
      SteppedAllowance allowance;
      allowance.gives_up_after = gives_up_after;
      const auto prepared = PrepareData(*core_, backup_programs_, *data, 16u << 20, allowance);
      EXPECT_EQ(prepared.has_value(), gives_up_after < 0);
      EXPECT_EQ(prepared ? "" : prepared.error().code, gives_up_after < 0 ? "" : "PREPARE_GIVEN_UP");
      EXPECT_GT(allowance.stops, 2) << "it was stopped, and went on";
    }
    ASSERT_TRUE(Folder("copy").Remove());
    EXPECT_FALSE(std::filesystem::exists(root_.File("copy.making")));
    Stop(*source);
  });
}

TEST_F(BackupTest, WhatIsNoStreamIsNotUnpackedAndWhatIsNoCopyNotPrepared) {
  Run([&] {
    const auto data = Folder("copy").BeginCopy();
    ASSERT_TRUE(data);
    const auto unpacking = Unpacking::Start(*core_, backup_programs_, *data);
    ASSERT_TRUE(unpacking);
    const std::string text(100, 'x');
    static_cast<void>((*unpacking)->Write(std::as_bytes(std::span(text))));
    const auto finished = (*unpacking)->Finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, "UNPACKING_FAILED");
    AnyAllowance allowance;
    const auto prepared = PrepareData(*core_, backup_programs_, *data, 16u << 20, allowance);
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().code, "PREPARE_FAILED");
    EXPECT_EQ(ReadBackupPosition(*core_, *data).error().code, "BACKUP_POSITION_UNKNOWN");
  });
}

}  // namespace
}  // namespace tradewind::mariadb
