// Each test makes servers of its own, on free ports of loopback, and ends them.
#include "mariadb/instance.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "mysql/native_password.h"
#include "runtime/network.h"
#include "runtime/real_core.h"
#include "runtime/test_folder.h"

namespace tradewind::mariadb {
namespace {

using namespace std::chrono_literals;

class InstanceTest : public testing::Test {
 protected:
  ~InstanceTest() override {
    // Of a test that has failed.
    if (const pid_t left = folder().LockHolder()) kill(left, SIGKILL);
  }

  // In a fiber, with a folder that was made.
  void Run(std::function<void()> body) {
    core_->RunUntilReturned("test", [&] {
      const auto programs = FindServerPrograms(*core_);
      ASSERT_TRUE(programs) << Describe(programs.error());
      programs_ = *programs;
      const auto made = InstanceFolder::EnsureTemplate(*core_, programs_, templates_);
      ASSERT_TRUE(made) << Describe(made.error());
      template_ = *made;
      const auto done = folder().Make(template_);
      ASSERT_TRUE(done) << Describe(done.error());
      body();
    });
  }
  InstanceFolder folder() { return {*core_, path()}; }
  std::string path() const { return root_.File("crm"); }
  runtime::TimePoint soon() const { return core_->Now() + 300s; }
  Result<std::unique_ptr<Instance>> TryOpen(InstanceOptions options = {}) {
    options.folder = path();
    options.buffer_pool_bytes = 16u << 20;
    options.redo_log_bytes = 8u << 20;
    return Instance::Open(*core_, programs_, std::move(options), soon());
  }
  std::unique_ptr<Instance> Open(InstanceOptions options = {}) {
    auto instance = TryOpen(std::move(options));
    if (!instance) ADD_FAILURE() << Describe(instance.error());
    return instance ? std::move(*instance) : nullptr;
  }
  // Values of the first row.
  mysql::ServerAnswer::Row Ask(Instance& instance, const std::string& sql) {
    const auto connection = instance.Connect(soon());
    if (!connection) {
      ADD_FAILURE() << Describe(connection.error());
      return {};
    }
    const auto answer = (*connection)->Query(sql, soon());
    if (!answer) ADD_FAILURE() << Describe(answer.error());
    return answer && !answer->rows.empty() ? answer->rows[0] : mysql::ServerAnswer::Row{};
  }
  // Makes the table and puts one row into it.
  void Write(Instance& instance) {
    ASSERT_TRUE(instance.MakeWritable(soon()));
    Ask(instance, "CREATE DATABASE shop");
    Ask(instance, "CREATE TABLE shop.t (id INT PRIMARY KEY)");
    Ask(instance, "INSERT INTO shop.t VALUES (7)");
  }
  static void ExpectReadOnly(Instance& instance, runtime::TimePoint deadline) {
    const auto read_only = instance.IsReadOnly(deadline);
    ASSERT_TRUE(read_only) << Describe(read_only.error());
    EXPECT_TRUE(*read_only);
  }
  void ExpectWritten(Instance& instance) {
    EXPECT_EQ(Ask(instance, "SELECT id FROM shop.t"), (mysql::ServerAnswer::Row{"7"}));
  }
  void Stop(Instance& instance) { EXPECT_EQ(instance.Stop(soon()), Instance::Ended::kCleanly); }

  const runtime::TestFolder root_;
  // To make one takes longer than most tests do.
  std::string templates_ = MARIADB_TEMPLATES;
  std::string template_;
  ServerPrograms programs_;
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

// Servers remove at their start what looks like temporary tables of earlier ones, in any folder that they share.
TEST_F(InstanceTest, ATemplateIsMadeWithoutTheFolderForTemporaryFilesOfTheMachine) {
  Run([&] {
    setenv("TMPDIR", "/nonexistent", 1);
    const auto made = InstanceFolder::EnsureTemplate(*core_, programs_, root_.File("templates"));
    unsetenv("TMPDIR");
    ASSERT_TRUE(made) << Describe(made.error());
    const std::filesystem::directory_iterator in(root_.File("templates"));
    EXPECT_EQ(std::distance(in, {}), 1) << "something else is left there";
  });
}

TEST_F(InstanceTest, AnInstanceIsWrittenToStoppedAndStartedAgainReadOnly) {
  Run([&] {
    const auto first = Open();
    ASSERT_NE(first, nullptr);
    ExpectReadOnly(*first, soon());
    EXPECT_FALSE(first->adopted());
    Write(*first);
    ASSERT_TRUE(first->MakeReadOnly(soon()));
    ExpectReadOnly(*first, soon());
    ASSERT_TRUE(first->MakeWritable(soon()));
    const auto address = first->address();
    Stop(*first);
    EXPECT_EQ(folder().LockHolder(), 0);
    EXPECT_EQ(first->Connect(soon()).error().code, "INSTANCE_DOWN");

    InstanceOptions options;
    options.port_chosen = [&](uint16_t port) {
      // Unless another program of this machine has got it meanwhile.
      EXPECT_TRUE(port == address.port || !core_->network().Listen(address))
          << "the port is free, and clients know it";
    };
    const auto second = Open(options);
    ASSERT_NE(second, nullptr);
    ExpectReadOnly(*second, soon());
    ExpectWritten(*second);
    Stop(*second);
  });
}

TEST_F(InstanceTest, AServerIsSetUpToBeReplicatedAndToLoseNothing) {
  Run([&] {
    const auto instance = Open();
    ASSERT_NE(instance, nullptr);
    EXPECT_EQ(
        Ask(*instance,
            "SELECT @@log_bin, @@binlog_format, @@log_slave_updates, @@gtid_strict_mode, @@sync_binlog, "
            "@@innodb_flush_log_at_trx_commit, @@skip_name_resolve, @@bind_address, @@gtid_binlog_pos"),
        (mysql::ServerAnswer::Row{"1", "ROW", "1", "1", "1", "1", "1", "127.0.0.1", ""}))
        << "the last: what makes the control account is this copy's and no replica's";
    const auto id = Ask(*instance, "SELECT @@server_id");
    EXPECT_EQ(id, (mysql::ServerAnswer::Row{std::to_string(folder().ReadControl().value().server_id)}));
    InstanceFolder other(*core_, root_.File("other"));
    ASSERT_TRUE(other.Make(template_));
    EXPECT_NE(other.ReadControl().value().server_id, folder().ReadControl().value().server_id);
    EXPECT_NE(other.ReadControl().value().password, folder().ReadControl().value().password);
    Stop(*instance);
  });
}

TEST_F(InstanceTest, NobodyElseHasAnAccountOrReadsTheFolder) {
  templates_ = root_.File("templates");  // One as it is made today.
  Run([&] {
    const auto instance = Open();
    ASSERT_NE(instance, nullptr);
    EXPECT_EQ(
        Ask(*instance, "SELECT GROUP_CONCAT(CONCAT(User, '@', Host) ORDER BY User) FROM mysql.global_priv"),
        (mysql::ServerAnswer::Row{"mariadb.sys@localhost,tradewind_control@127.0.0.1"}));
    for (const std::string_view name : {std::string_view("root"), std::string_view(),
                                        std::string_view("mariadb.sys"), std::string_view(kControlUser)}) {
      const std::string user(name);
      mysql::ServerLogin login;
      login.credentials.user = user;
      const auto let_in = mysql::ServerConnection::Open(*core_, instance->address(), login, soon());
      ASSERT_FALSE(let_in) << user;
      EXPECT_TRUE(let_in.error().code == "MYSQL_1045" || let_in.error().code == "MYSQL_1698" ||
                  let_in.error().code == "MYSQL_4151")
          << Describe(let_in.error());
    }
    Stop(*instance);
  });
  struct stat seen {};
  for (const std::string& name : {path(), path() + "/data", path() + "/temporary"}) {
    ASSERT_EQ(stat(name.c_str(), &seen), 0);
    EXPECT_EQ(seen.st_mode & 0777u, 0700u) << name;
  }
  for (const char* const name : {"/control", "/account.sql", "/process"}) {
    ASSERT_EQ(stat((path() + name).c_str(), &seen), 0);
    EXPECT_EQ(seen.st_mode & 0777u, 0600u) << name;
  }
}

TEST_F(InstanceTest, AServerThatIsKilledIsStartedAgainReadOnlyWithWhatItAcknowledged) {
  Run([&] {
    int told = 0;
    InstanceOptions options;
    options.on_restart = [&] { ++told; };
    const auto instance = Open(options);
    ASSERT_NE(instance, nullptr);
    Write(*instance);
    for (uint64_t starts = 2; starts <= 3; ++starts) {
      const pid_t killed = instance->pid();
      kill(killed, SIGKILL);
      ASSERT_TRUE(instance->AwaitStart(starts, soon()));
      EXPECT_NE(instance->pid(), killed);
      ExpectReadOnly(*instance, soon());
      ExpectWritten(*instance);
      ASSERT_TRUE(instance->MakeWritable(soon()));
    }
    Stop(*instance);
    EXPECT_EQ(told, 2);
    EXPECT_FALSE(instance->AwaitStart(4, soon())) << "it is to end";
  });
}

TEST_F(InstanceTest, ARunningServerIsAdoptedAndMadeReadOnlyOnceItsNodeIsGone) {
  Run([&] {
    const auto first = Open();
    ASSERT_NE(first, nullptr);
    Write(*first);
    const pid_t runs = first->pid();
    first->Leave();
    const auto second = Open();
    ASSERT_NE(second, nullptr);
    EXPECT_TRUE(second->adopted());
    EXPECT_EQ(second->pid(), runs);
    ExpectReadOnly(*second, soon());
    ExpectWritten(*second);
    // Watched as one that was started here.
    kill(runs, SIGKILL);
    ASSERT_TRUE(second->AwaitStart(2, soon()));
    ExpectWritten(*second);
    Stop(*second);
  });
}

TEST_F(InstanceTest, AServerThatNobodyWroteDownIsEndedBeforeAnotherStarts) {
  Run([&] {
    const auto first = Open();
    ASSERT_NE(first, nullptr);
    Write(*first);
    const auto orphan = runtime::Process::FindNumber(*core_, first->pid());
    ASSERT_NE(orphan, nullptr);
    EXPECT_EQ(folder().LockHolder(), first->pid());
    first->Leave();
    std::filesystem::remove(path() + "/process");
    const auto second = Open();
    ASSERT_NE(second, nullptr);
    EXPECT_FALSE(second->adopted());
    EXPECT_TRUE(orphan->HasEnded());
    ExpectWritten(*second);
    Stop(*second);
  });
}

TEST_F(InstanceTest, AServerThatRefusesTheControlAccountIsEndedBeforeAnotherStarts) {
  Run([&] {
    const auto first = Open();
    ASSERT_NE(first, nullptr);
    Write(*first);
    const auto connection = first->Connect(soon());
    ASSERT_TRUE(connection);
    ASSERT_TRUE((*connection)->Query("SET PASSWORD = PASSWORD('another')", soon()));
    const pid_t before = first->pid();
    first->Leave();
    const auto second = Open();
    ASSERT_NE(second, nullptr);
    EXPECT_FALSE(second->adopted());
    EXPECT_NE(second->pid(), before);
    ExpectWritten(*second);
    Stop(*second);
  });
}

TEST_F(InstanceTest, AnotherProcessThatHasGotTheNumberIsLeftAlone) {
  Run([&] {
    const auto first = Open();
    ASSERT_NE(first, nullptr);
    auto written = folder().ReadRunning();
    ASSERT_TRUE(written);
    Stop(*first);
    auto other = runtime::Process::Start(*core_, {{"/bin/sleep", "600"}});
    ASSERT_TRUE(other) << Describe(other.error());
    written->process.pid = (*other)->identity().pid;
    ASSERT_TRUE(folder().WriteRunning(*written));
    const auto second = Open();
    ASSERT_NE(second, nullptr);
    EXPECT_FALSE(second->adopted());
    EXPECT_FALSE((*other)->HasEnded());
    (*other)->Signal(SIGKILL);
    EXPECT_TRUE((*other)->AwaitEnd(soon()));
    Stop(*second);
  });
}

TEST_F(InstanceTest, AServerThatDoesNotEndIsKilledAtTheDeadlineAndSaysSo) {
  Run([&] {
    const auto first = Open();
    ASSERT_NE(first, nullptr);
    Write(*first);
    kill(first->pid(), SIGSTOP);
    EXPECT_EQ(first->Stop(core_->Now() + 50ms), Instance::Ended::kKilled);
    EXPECT_EQ(folder().LockHolder(), 0);
    const auto second = Open();
    ASSERT_NE(second, nullptr);
    ExpectWritten(*second);
    Stop(*second);
  });
}

TEST_F(InstanceTest, APortThatAnotherProgramTakesFirstIsGivenUpForAnotherOne) {
  Run([&] {
    std::vector<std::unique_ptr<runtime::Listener>> others;
    std::vector<uint16_t> chosen;
    InstanceOptions options;
    options.port_chosen = [&](uint16_t port) {
      chosen.push_back(port);
      if (chosen.size() > 1) return;
      auto other = core_->network().Listen({"127.0.0.1", port});
      ASSERT_TRUE(other) << Describe(other.error());
      others.push_back(std::move(*other));
    };
    const auto first = Open(options);
    ASSERT_NE(first, nullptr);
    EXPECT_GE(chosen.size(), 2u) << "more if yet another program is faster";
    EXPECT_NE(chosen.front(), chosen.back());
    EXPECT_EQ(first->address().port, chosen.back());
    Stop(*first);

    // One that was its own, and is another's when it comes back; if not this test's, then yet another program's.
    const auto other = core_->network().Listen(first->address());
    const auto second = Open();
    ASSERT_NE(second, nullptr);
    EXPECT_NE(second->address(), first->address());
    Stop(*second);

    // With none left it says so.
    options.port_chosen = [&](uint16_t port) {
      if (auto taken = core_->network().Listen({"127.0.0.1", port})) others.push_back(std::move(*taken));
    };
    const auto none = TryOpen(options);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, "INSTANCE_PORT_TAKEN");
  });
}

TEST_F(InstanceTest, AServerThatCannotStartSaysWhatItsLogSaysAndNothingRunsThen) {
  Run([&] {
    std::filesystem::resize_file(path() + "/data/ibdata1", 100);
    const auto opened = TryOpen();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "INSTANCE_NOT_STARTED");
    EXPECT_NE(opened.error().message.find("ended instead of answering"), std::string::npos)
        << opened.error().message;
    EXPECT_NE(opened.error().message.find("ibdata1"), std::string::npos) << opened.error().message;
    EXPECT_EQ(folder().LockHolder(), 0);
  });
}

TEST_F(InstanceTest, AnInstanceMadeByHalfIsMadeAnewAndAWholeOneIsNeverTouched) {
  Run([&] {
    InstanceFolder half(*core_, root_.File("half"));
    std::filesystem::create_directories(half.path() + ".making/data/mysql");
    std::ofstream(half.path() + ".making/data/ibdata1") << "torn";
    ASSERT_TRUE(half.Make(template_));
    EXPECT_FALSE(std::filesystem::exists(half.path() + ".making"));
    EXPECT_EQ(std::filesystem::file_size(half.data() + "/ibdata1"),
              std::filesystem::file_size(template_ + "/ibdata1"));

    const auto again = half.Make(template_);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, "INSTANCE_EXISTS");
    EXPECT_TRUE(half.ReadControl());

    const auto control = half.ReadControl();
    const auto say = [&](const std::string& first) {
      std::ofstream(half.path() + "/control")
          << first << "password " << control->password << "\nserver_id " << control->server_id << "\n";
    };
    say("format 2\n");
    EXPECT_EQ(half.ReadControl().error().code, "INSTANCE_FORMAT") << "of a later version";
    say("");
    ASSERT_TRUE(half.ReadControl()) << "as the first ones were";
    EXPECT_EQ(half.ReadControl()->password, control->password);

    std::filesystem::remove(half.path() + "/control");
    EXPECT_EQ(half.ReadControl().error().code, "INSTANCE_DAMAGED");
    ASSERT_TRUE(half.Remove());
    EXPECT_EQ(half.ReadControl().error().code, "INSTANCE_NOT_FOUND");
    ASSERT_TRUE(half.Remove()) << "what is gone is no error";
  });
}

TEST_F(InstanceTest, AFullDiskIsSaidAndLeavesNothing) {
  Run([&] {
    // To a file that must not grow the system says what it says on a full disk, by another number.
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit small{.rlim_cur = 1u << 20, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    InstanceFolder full(*core_, root_.File("full"));
    const auto made = full.Make(template_);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::signal(SIGXFSZ, before);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, "DISK_FULL") << made.error().message;
    EXPECT_FALSE(std::filesystem::exists(full.path()));
    EXPECT_FALSE(std::filesystem::exists(full.path() + ".making"));
    ASSERT_TRUE(full.Make(template_));
  });
}

TEST_F(InstanceTest, WhoWantsItReadOnlyWaitsForAWriterNoLongerThanTheDeadline) {
  Run([&] {
    const auto instance = Open();
    ASSERT_NE(instance, nullptr);
    Write(*instance);
    const auto writer = instance->Connect(soon());
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->Query("LOCK TABLES shop.t WRITE", soon()));
    // For the login too.
    const auto refused = instance->MakeReadOnly(core_->Now() + 3s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "MYSQL_1205") << Describe(refused.error());
    ASSERT_TRUE((*writer)->Query("INSERT INTO shop.t VALUES (8)", soon()));
    ASSERT_TRUE((*writer)->Query("UNLOCK TABLES", soon()));
    EXPECT_FALSE(instance->IsReadOnly(soon()).value());
    ASSERT_TRUE(instance->MakeReadOnly(soon()));
    Stop(*instance);
  });
}

}  // namespace
}  // namespace tradewind::mariadb
