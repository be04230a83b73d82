// Each test makes servers of its own, and ends them.
#include "mariadb/hosted_instance.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "mariadb/instance_files.h"
#include "mariadb/instance_folder.h"
#include "mariadb/tenant_account.h"
#include "mysql/native_password.h"
#include "mysql/server_connection.h"
#include "runtime/real_core.h"
#include "runtime/test_folder.h"
#include "tenant/tenant.h"

namespace tradewind::mariadb {
namespace {

using namespace std::chrono_literals;
using tenant::Gate;

class HostedInstanceTest : public testing::Test {
 protected:
  // In a fiber, with an instance that is hosted, and of which the catalog says what owns_ says.
  void Run(const std::function<void(HostedInstance&)>& body) {
    core_->RunUntilReturned("test", [&] {
      InstanceFiles files(*core_, MARIADB_TEMPLATES, [this](const TenantName&) {
        ++asked_;
        return owns_;
      });
      const std::string path = root_.File("crm.db");
      const auto made = files.Make(*core_, path);
      ASSERT_TRUE(made) << Describe(made.error());
      EXPECT_TRUE(files.Has(*core_, path).value());
      {
        const auto hosted = files.Open(*core_, "crm", path, {});
        ASSERT_TRUE(hosted) << Describe(hosted.error());
        body(AsInstance(**hosted));
        (*hosted)->Close(/*keep_log=*/false);
      }
      InstanceFolder folder(*core_, InstanceFolderOf(path));
      EXPECT_EQ(folder.LockHolder(), 0) << "the server has ended";
    });
  }
  runtime::TimePoint soon() const { return core_->Now() + 300s; }
  // Suspends until the condition holds; a test that waits for ever is ended from outside.
  static void Await(const std::function<bool()>& condition) {
    while (!condition()) runtime::SleepFor(5ms);
  }
  // As a client with no privileges of the server's.
  Result<mysql::ServerAnswer> Ask(HostedInstance& hosted, const TenantAccount& account,
                                  const std::string& sql) {
    TW_TRY_ASSIGN(Server* const server, hosted.AwaitServer(soon()));
    const mysql::ServerLogin login{{account.user, mysql::PasswordKey::OfPassword(account.password)},
                                   account.database};
    TW_TRY_ASSIGN(const auto connection,
                  mysql::ServerConnection::Open(*core_, server->address(), login, soon()));
    return connection->Query(sql, soon());
  }

  const runtime::TestFolder root_;
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  Result<bool> owns_ = true;
  int asked_ = 0;
};

class TestVisit final : public HostedInstance::Visit {
 public:
  using Visit::Visit;
  void OnGate() override { ++gates; }
  void OnEnd() override { ended = true; }
  int gates = 0;
  bool ended = false;
};

TEST_F(HostedInstanceTest, TakesWritesWhenTheCatalogSaysThatItMayAndNotBefore) {
  owns_ = Fail(ErrorKind::kUnavailable, "CATALOG_AWAY", "nobody answers");
  Run([&](HostedInstance& hosted) {
    const auto account = MakeAccount(*core_, hosted, soon());
    ASSERT_TRUE(account) << Describe(account.error());
    EXPECT_FALSE(hosted.is_writable());
    EXPECT_EQ(Ask(hosted, *account, "CREATE TABLE t (id INT)").error().code, "MYSQL_1290");
    EXPECT_TRUE(Ask(hosted, *account, "SELECT 1")) << "it can be read";
    owns_ = true;
    Await([&] { return hosted.is_writable(); });
    const auto written = Ask(hosted, *account, "CREATE TABLE t (id INT)");
    EXPECT_TRUE(written) << Describe(written.error());
  });
}

TEST_F(HostedInstanceTest, TakesNoMoreWritesOnceTheCatalogSaysThatItMayNot) {
  Run([&](HostedInstance& hosted) {
    const auto account = MakeAccount(*core_, hosted, soon());
    ASSERT_TRUE(account) << Describe(account.error());
    Await([&] { return hosted.is_writable(); });
    owns_ = false;
    Await([&] { return !hosted.is_writable(); });
    EXPECT_EQ(Ask(hosted, *account, "CREATE TABLE t (id INT)").error().code, "MYSQL_1290");
  });
}

TEST_F(HostedInstanceTest, AServerThatDiedTakesWritesAgainAfterTheCatalogWasAsked) {
  Run([&](HostedInstance& hosted) {
    const auto server = hosted.AwaitServer(soon());
    ASSERT_TRUE(server) << Describe(server.error());
    Await([&] { return hosted.is_writable(); });
    const int asked = asked_;
    kill(static_cast<Instance*>(*server)->pid(), SIGKILL);
    Await([&] { return hosted.restarts() == 1 && hosted.is_writable(); });
    EXPECT_GT(asked_, asked);
  });
}

TEST_F(HostedInstanceTest, AClosedGateHoldsWhatBeginsAndAnOpenedOneLetsItGoOn) {
  Run([&](HostedInstance& hosted) {
    ASSERT_TRUE(hosted.AwaitServer(soon()));
    {
      TestVisit inside(hosted);
      TestVisit outside(hosted);
      ASSERT_TRUE(inside.Begin());
      runtime::TaskGroup fibers(*core_);
      bool quiet = false;
      fibers.Spawn("quiet", [&] { quiet = hosted.AwaitQuiet(60s, [] { return false; }); });
      Await([&] { return hosted.gate() == Gate::kHeld; });
      bool began = false;
      fibers.Spawn("begin", [&] {
        EXPECT_TRUE(outside.Begin());
        began = true;
      });
      runtime::Yield();
      EXPECT_FALSE(quiet);
      EXPECT_FALSE(began);
      inside.End(/*tied=*/true);
      runtime::Yield();
      EXPECT_FALSE(quiet) << "what ties a session is open too";
      inside.End(/*tied=*/false);
      Await([&] { return quiet; });
      hosted.Park();
      ASSERT_TRUE(hosted.MakeReadOnly(soon()));
      EXPECT_FALSE(hosted.is_writable());
      EXPECT_FALSE(began);
      hosted.Unpark();
      fibers.Join();
      EXPECT_TRUE(began);
      EXPECT_TRUE(hosted.is_writable()) << "who was let in may write";
      EXPECT_EQ(inside.gates, 3) << "held, parked, open";
    }
  });
}

TEST_F(HostedInstanceTest, APasswordIsResetBehindAHandOverAndNotInTheMidstOfIt) {
  Run([&](HostedInstance& hosted) {
    const auto account = MakeAccount(*core_, hosted, soon());
    ASSERT_TRUE(account) << Describe(account.error());
    hosted.Park();
    ASSERT_TRUE(hosted.MakeReadOnly(soon()));
    std::optional<Result<TenantAccount>> reset;
    runtime::TaskGroup fibers(*core_);
    fibers.Spawn("reset", [&] { reset = ResetPassword(*core_, hosted, soon()); });
    Await([&] { return hosted.visits() == 1 || reset; });
    EXPECT_FALSE(reset);
    EXPECT_TRUE(Ask(hosted, *account, "SELECT 1")) << "nothing was changed";
    hosted.Unpark();
    fibers.Join();
    ASSERT_TRUE(*reset) << Describe(reset->error());
    EXPECT_TRUE(Ask(hosted, **reset, "SELECT 1"));
    EXPECT_EQ(Ask(hosted, *account, "SELECT 1").error().code, "MYSQL_1045");
    EXPECT_EQ(hosted.visits(), 0u);
  });
}

TEST_F(HostedInstanceTest, NoPasswordIsInTheLogsOfItsServer) {
  Run([&](HostedInstance& hosted) {
    const auto made = MakeAccount(*core_, hosted, soon());
    const auto reset = ResetPassword(*core_, hosted, soon());
    ASSERT_TRUE(made && reset);
    std::string logs;
    const std::filesystem::path data = InstanceFolderOf(root_.File("crm.db")) + "/data";
    for (const auto& file : std::filesystem::directory_iterator(data))
      if (file.path().filename().string().starts_with("binlog."))
        logs += (std::ostringstream() << std::ifstream(file.path()).rdbuf()).str();
    EXPECT_NE(logs.find("ALTER USER"), std::string::npos) << "it is what a replica follows";
    for (const auto& account : {*made, *reset}) EXPECT_EQ(logs.find(account.password), std::string::npos);
  });
}

TEST_F(HostedInstanceTest, StatementsOfClientsEndWhereTheirQuotaDoesAndThoseOfTheNodeDoNot) {
  Run([&](HostedInstance& hosted) {
    const auto account = MakeAccount(*core_, hosted, soon());
    ASSERT_TRUE(account) << Describe(account.error());
    const auto server = hosted.AwaitServer(soon());
    ASSERT_TRUE(server) << Describe(server.error());
    // It begins first and runs longer than all that a client has.
    const auto control = static_cast<Instance*>(*server)->Connect(soon());
    ASSERT_TRUE(control) << Describe(control.error());
    std::optional<Result<mysql::ServerAnswer>> ours;
    runtime::TaskGroup fibers(*core_);
    fibers.Spawn("ours", [&] { ours = (*control)->Query("SELECT SLEEP(100000) AS of_the_node", soon()); });
    const auto runs = [&] {
      const auto found = (*server)->Query(
          "SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE 'SELECT SLEEP%of_the_node'",
          soon());
      return found && found->rows.at(0).at(0) == "1";
    };
    Await(runs);
    hosted.SetQuotas({.statement_ms = 1});
    for (int statement = 0; statement < 3; ++statement) {
      const auto ended = Ask(hosted, *account, "SELECT SLEEP(100000)");
      // The function says 1 when it is interrupted.
      EXPECT_TRUE(ended ? ended->rows.at(0).at(0) == "1" : ended.error().code == "MYSQL_1317");
    }
    EXPECT_TRUE(runs()) << "a sum of a large table takes its time";
    EXPECT_FALSE(ours);
    hosted.SetQuotas({});
    ASSERT_TRUE((*server)->Query(fmt::format("KILL {}", (*control)->connection_id()), soon()));
    fibers.Join();
  });
}

TEST_F(HostedInstanceTest, WhatBeginsWhereTheTenantWasIsToldThatItHasMoved) {
  Run([&](HostedInstance& hosted) {
    ASSERT_TRUE(hosted.AwaitServer(soon()));
    TestVisit visit(hosted);
    hosted.Park();
    hosted.SetMoved();
    EXPECT_EQ(visit.Begin().error().code, tenant::kMovedCode);
  });
}

TEST_F(HostedInstanceTest, VisitsThatAreStillOpenAreEndedAndOthersStay) {
  Run([&](HostedInstance& hosted) {
    ASSERT_TRUE(hosted.AwaitServer(soon()));
    TestVisit open(hosted);
    TestVisit later(hosted);
    TestVisit free(hosted);
    EXPECT_EQ(hosted.OldestOpen(), std::nullopt);
    ASSERT_TRUE(open.Begin());
    const runtime::TimePoint then = core_->Now();
    EXPECT_LE(hosted.OldestOpen(), then);
    while (core_->Now() == then) runtime::Yield();
    ASSERT_TRUE(later.Begin());
    open.End(/*tied=*/true);
    EXPECT_FALSE(hosted.AwaitQuiet(1ms, [] { return false; }));
    EXPECT_LE(hosted.OldestOpen(), then) << "what was open has become what ties it";
    hosted.EndVisitsOpenSince(then);
    EXPECT_TRUE(open.ended);
    EXPECT_FALSE(later.ended) << "it ends by itself";
    EXPECT_FALSE(free.ended);
  });
}

}  // namespace
}  // namespace tradewind::mariadb
