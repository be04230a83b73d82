// Sessions of MySQL's clients at two nodes, whose tenant changes its node: the servers are real, and the hand-over is made
// by the test as a move would make it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mariadb/hosted_instance.h"
#include "mariadb/instance_files.h"
#include "mariadb/instance_folder.h"
#include "mysql/native_password.h"
#include "mysql/server_connection.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using namespace std::chrono_literals;
using catalog::Need;
using testing::HasSubstr;
using Row = mysql::ServerAnswer::Row;

class MysqlSessionsTest : public TwoNodes {
 protected:
  MysqlSessionsTest() {
    mysql_listen_ = {"127.0.0.1", 0};
    std::filesystem::create_directories(MARIADB_TEMPLATES);
    for (const char* const node : {"n1", "n2"}) {
      std::filesystem::create_directories(folder_.File(node));
      std::filesystem::create_directory_symlink(MARIADB_TEMPLATES, folder_.File(node) + "/templates");
    }
  }

  runtime::TimePoint soon() const { return core_->Now() + 300s; }

  void MakeTenant() {
    const auto made =
        Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"crm","engine":"mariadb","node":"n1"})"));
    password_ = boost::json::value_to<std::string>(made.at("password"));
  }
  std::unique_ptr<mysql::ServerConnection> LogIn(Node& node) {
    const mysql::ServerLogin login{{"crm", mysql::PasswordKey::OfPassword(password_)}, "crm"};
    return Need(mysql::ServerConnection::Open(*core_, node.mysql_address(), login, soon()));
  }
  // The first row.
  Row Ask(mysql::ServerConnection& session, const std::string& sql) {
    const auto answer = session.Query(sql, soon());
    if (!answer) ADD_FAILURE() << sql << ": " << Describe(answer.error());
    return answer && !answer->rows.empty() ? answer->rows.front() : Row{};
  }
  // COM_STMT_EXECUTE with one parameter, a number; its type is told if that is said.
  static mysql::ServerRequest Execute(uint32_t id, uint32_t number, bool with_type) {
    std::string payload("\x17", 1);
    const auto add = [&](uint32_t value) {
      payload.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    add(id);
    payload += '\0';
    add(1);
    payload += std::string(1, '\0') + (with_type ? std::string("\x01\x03\x00", 3) : std::string(1, '\0'));
    add(number);
    return {payload, mysql::AnswerKind::kResults};
  }
  Result<mysql::ServerAnswer> Send(mysql::ServerConnection& session, mysql::ServerRequest request) {
    return session.queries().AskAll(std::span(&request, 1), soon()).front();
  }

  // What a copy has once it has caught up: n2 has an instance with the same account and table.
  void MakeCopy() {
    mariadb::InstanceFiles files(*core_, MARIADB_TEMPLATES, [](const TenantName&) { return false; });
    ASSERT_TRUE(files.Make(*core_, n2_->tenants().PathOf("crm")));
    mariadb::InstanceOptions options;
    options.folder = mariadb::InstanceFolderOf(n2_->tenants().PathOf("crm"));
    const auto copy = Need(mariadb::Instance::Open(*core_, Need(files.FindPrograms()), options, soon()));
    const auto connection = Need(copy->Connect(soon()));
    for (const std::string& sql :
         {std::string("CREATE DATABASE crm"), "CREATE USER crm@'%' IDENTIFIED BY '" + password_ + "'",
          std::string("GRANT ALL PRIVILEGES ON crm.* TO crm@'%'"),
          std::string("CREATE TABLE crm.t (id INT PRIMARY KEY)"),
          std::string("INSERT INTO crm.t VALUES (1)")})
      ASSERT_TRUE(connection->Query(sql, soon())) << sql;
    ASSERT_EQ(copy->Stop(soon()), mariadb::Instance::Ended::kCleanly);
  }

  // From the closed gate on. What runs meanwhile is `meanwhile`.
  void HandOver(
      bool quiet_expected, const std::function<void()>& meanwhile = [] {}) {
    {
      const auto use = n1_->parts().tenants().Find("crm");
      ASSERT_TRUE(use) << Describe(use.error());
      auto& hosted = mariadb::AsInstance(use->hosted());
      EXPECT_EQ(hosted.AwaitQuiet(quiet_expected ? runtime::Duration(60s) : 1ms, [] { return false; }),
                quiet_expected);
      hosted.Park();
      hosted.EndVisitsOpenSince(n1_->parts().core().Now());
      ASSERT_TRUE(hosted.MakeReadOnly(soon()));
      meanwhile();
      catalog::MoveRecord move;
      move.id = "m1";
      move.tenant = "crm";
      move.source = "n1";
      move.destination = "n2";
      move.method = "slacker";
      move.epoch_before = Epoch{1};
      Need(n1_->catalog().BeginMove(move));
      ASSERT_TRUE(Need(n1_->catalog().Swap("crm", {"n1", Epoch{1}}, "n2", "m1")).applied);
      n2_->parts().tenants().AddOwned("crm", Epoch{2});
      hosted.SetMoved();
      n1_->parts().mysql().AwaitLeft("crm", soon());
      EXPECT_EQ(hosted.visits(), 0u);
    }
    n1_->parts().tenants().CloseAndForget("crm", tenant::LocalTenants::Files::kStay);
  }

  std::string password_;
};

TEST_F(MysqlSessionsTest, GoOnAtTheServerThatTheirTenantHasNowWithAllThatTheyHad) {
  WithNodes([&] {
    MakeTenant();
    MakeCopy();
    const auto near = LogIn(*n1_);
    const auto far = LogIn(*n2_);
    Ask(*near, "CREATE TABLE t (id INT PRIMARY KEY)");
    Ask(*near, "INSERT INTO t VALUES (1)");
    std::vector<uint32_t> ids;
    for (const auto& session : {near.get(), far.get()}) {
      Ask(*session, "SET @kept = 'kept', SESSION sql_mode = 'ANSI_QUOTES'");
      const auto prepared = Need(Send(*session, mysql::ServerRequest::Prepare("SET @last = ?")));
      ids.push_back(prepared.prepared.value().statement);
      EXPECT_TRUE(Send(*session, Execute(ids.back(), 10, true)));
    }
    // An error, after which nobody knows what is open until the server is asked.
    EXPECT_EQ(near->Query("SELECT * FROM missing", soon()).error().code, "MYSQL_1146");
    const Row server = Ask(*near, "SELECT @@server_id");

    runtime::TaskGroup requests(*core_);
    bool answered = false;
    HandOver(true, [&] {
      requests.Spawn("request", [&] {
        EXPECT_EQ(Ask(*near, "SELECT @kept, COUNT(*) FROM t"), (Row{"kept", "1"}));
        answered = true;
      });
      runtime::SleepFor(20ms);
      EXPECT_FALSE(answered) << "it waits at the gate";
    });
    requests.Join();
    EXPECT_TRUE(answered);
    EXPECT_NE(Ask(*near, "SELECT @@server_id"), server);
    size_t at = 0;
    for (const auto& session : {near.get(), far.get()}) {
      EXPECT_EQ(Ask(*session, "SELECT @kept, @@sql_mode, DATABASE()"), (Row{"kept", "ANSI_QUOTES", "crm"}));
      EXPECT_TRUE(Send(*session, Execute(ids[at++], 41, false))) << "by its old id and without types";
      EXPECT_EQ(Ask(*session, "SELECT @last"), Row{"41"});
      Ask(*session, "INSERT INTO t SELECT MAX(id) + 1 FROM t");
    }
    EXPECT_EQ(Ask(*far, "SELECT COUNT(*) FROM t"), Row{"3"});
  });
}

TEST_F(MysqlSessionsTest, WhatCannotBeTakenAlongKeepsTheHandOverWaitingAndIsEndedWithAnError) {
  WithNodes([&] {
    MakeTenant();
    MakeCopy();
    const auto open = LogIn(*n1_);
    const auto far = LogIn(*n2_);
    const auto tied = LogIn(*n1_);
    const auto free = LogIn(*n1_);
    Ask(*open, "CREATE TABLE t (id INT PRIMARY KEY)");
    Ask(*open, "INSERT INTO t VALUES (1)");
    for (const auto& session : {open.get(), far.get()}) Ask(*session, "START TRANSACTION");
    Ask(*open, "INSERT INTO t VALUES (2)");
    Ask(*tied, "CREATE TEMPORARY TABLE own (id INT)");
    HandOver(false);
    for (const auto& session : {open.get(), far.get(), tied.get()}) {
      const auto refused = session->Query("SELECT 1", soon());
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, "MYSQL_1053") << Describe(refused.error());
    }
    EXPECT_EQ(Ask(*free, "SELECT COUNT(*) FROM t"), Row{"1"}) << "what was not committed is gone";
  });
}

TEST_F(MysqlSessionsTest, ATransactionThatEndsInTimeIsWaitedForAndItsSessionMoves) {
  WithNodes([&] {
    MakeTenant();
    MakeCopy();
    const auto session = LogIn(*n2_);
    Ask(*session, "CREATE TABLE t (id INT PRIMARY KEY)");
    Ask(*session, "START TRANSACTION");
    Ask(*session, "INSERT INTO t VALUES (1)");
    runtime::TaskGroup fibers(*core_);
    fibers.Spawn("commit", [&] {
      const auto use = n1_->parts().tenants().Find("crm");
      ASSERT_TRUE(use);
      Await([&] { return use->hosted().gate() == tenant::Gate::kHeld; });
      Ask(*session, "INSERT INTO t VALUES (2)");
      Ask(*session, "COMMIT");
    });
    HandOver(true);
    fibers.Join();
    EXPECT_EQ(Ask(*session, "SELECT COUNT(*) FROM t"), Row{"1"}) << "the copy's own";
  });
}

}  // namespace
}  // namespace tradewind::node
