// The sums of the two ends of a move differ, because a page or what is noted of it is not what was sent: the
// move stops where it is. The tenant is served, nothing is deleted at either end, and nothing goes on by itself,
// whichever node is restarted, until the operator has the copies compared again or cancels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "load/hrana_client.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr uint32_t kPageBytes = 4096;
constexpr PageNumber kDamaged{300};

class Mismatch : public testing::Test {
 protected:
  Mismatch() : cluster_(3, {"n3", "n1", "n2"}) {}

  std::vector<sql::StatementResult> Run(const std::string& sql) {
    const auto client =
        load::HranaClient::Make(cluster_.client(), cluster_.http(), cluster_.urls()[0], "shop").value();
    load::HranaStream stream(client);
    auto answer = stream.Execute({{sql, {}}}, /*then_close=*/true);
    if (!answer) ADD_FAILURE() << sql << ": " << Describe(answer.error());
    return answer.value_or(std::vector<sql::StatementResult>(1));
  }
  void ExpectServed() {
    const auto rows = Run("SELECT count(*) FROM t")[0].rows;
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(std::get<int64_t>(rows[0][0]), 1000);
    Run("UPDATE used SET n = n + 1");
  }

  // Begins a move to n2 that will be in its finish for a while.
  std::string StartSlowMove() {
    cluster_.Call("n3", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
    Run("CREATE TABLE used(n)");
    Run("INSERT INTO used VALUES (0)");
    Run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    Run("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<1000) "
        "INSERT INTO t SELECT x, printf('%03000d', x) FROM c");
    const std::string id = cluster_.StartMove("shop", "n2", 2'000'000);
    while (Show(id).at("phase").as_string() != "finish") runtime::SleepFor(5ms);
    return id;
  }
  json::object Show(const std::string& id) {
    return cluster_.Call("n3", "GET", "/v1/moves/" + id).as_object();
  }

  // At n2, once the page has come: its content too, or only what is noted of it.
  void Damage(bool content) {
    cluster_.InNode("n2", [&](node::Node& node) {
      auto use = node.parts().tenants().Find("shop");
      ASSERT_TRUE(use) << Describe(use.error());
      const auto* const known = (*use)->store().arrival().presence();
      ASSERT_NE(known, nullptr);
      while (!known->HasArrived(kDamaged)) runtime::SleepFor(1ms);
      ASSERT_FALSE(known->complete()) << "too late";
      auto& map = const_cast<sqlite::PresenceMap&>(*known);
      map.Forget(kDamaged);
      map.NoteArrived(kDamaged, 12345);
      if (!content) return;
      cluster_.checkers().Stop();  // They would find it.
      auto file = node.core().disk().Open("/data/tenants/shop.db", runtime::OpenMode::kExisting);
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->Write(uint64_t{kDamaged.value - 1} * kPageBytes + 3000, Bytes(damage_)));
      ASSERT_TRUE((*file)->Sync());
    });
  }

  json::object AwaitStop(const std::string& id) {
    json::object receipt;
    for (int tries = 0; tries < 2000; ++tries) {
      receipt = Show(id);
      if (!receipt.at("stopped").is_null()) break;
      runtime::SleepFor(20ms);
    }
    EXPECT_EQ(receipt.at("stopped"), json::value("HASH_MISMATCH")) << json::serialize(receipt);
    EXPECT_EQ(receipt.at("phase").as_string(), "finish");
    EXPECT_FALSE(receipt.at("verified").as_bool());
    const std::string error =
        receipt.at("error").is_string() ? std::string(receipt.at("error").as_string()) : "";
    EXPECT_THAT(error, HasSubstr("HASH_MISMATCH"));
    EXPECT_THAT(error, HasSubstr("tradewind move set " + id + " --verify-again"));
    EXPECT_THAT(error, HasSubstr("tradewind move cancel " + id));
    return receipt;
  }
  void ExpectStopped(const std::string& id) {
    AwaitStop(id);
    runtime::SleepFor(30s);
    AwaitStop(id);
    EXPECT_EQ(cluster_.Call("n3", "GET", "/v1/tenants/shop").at("owner").as_string(), "n2");
    EXPECT_TRUE(cluster_.HasFile("n1", "shop"));
    EXPECT_TRUE(cluster_.HasFile("n2", "shop"));
    ExpectServed();
  }
  void Restart(const std::string& host, bool power_lost) {
    cluster_.TakeDown(host, power_lost);
    cluster_.world().RunUntil([] { return false; }, 2s);
    cluster_.BringBack();
  }
  void VerifyAgain(const std::string& id) {
    cluster_.Call("n3", "PATCH", "/v1/moves/" + id, R"({"verify_again":true})");
  }
  void Delete(const std::string& host, const std::string& target) {
    net::HttpRequest request;
    request.method = "DELETE";
    const auto answer =
        cluster_.http().Call("http://" + host + ":8080" + target, request, cluster_.client().Now() + 30s);
    ASSERT_TRUE(answer) << Describe(answer.error());
    EXPECT_LT(answer->status, 300) << answer->body;
  }
  void ExpectAtOnly(const std::string& owner, const std::string& other) {
    EXPECT_EQ(cluster_.Call("n3", "GET", "/v1/tenants/shop").at("owner").as_string(), owner);
    const runtime::TimePoint patience = cluster_.client().Now() + 1min;
    while (cluster_.HasFile(other, "shop") && cluster_.client().Now() < patience) runtime::SleepFor(10ms);
    EXPECT_FALSE(cluster_.HasFile(other, "shop"));
    ExpectServed();
    EXPECT_EQ(std::get<std::string>(Run("PRAGMA integrity_check")[0].rows[0][0]), "ok");
    EXPECT_EQ(std::get<int64_t>(Run("SELECT count(*) FROM t WHERE v = printf('%03000d', id)")[0].rows[0][0]),
              1000);
  }

  Cluster cluster_;
  const std::vector<std::byte> damage_ = std::vector<std::byte>(8, std::byte{'x'});
};

TEST_F(Mismatch, StopsTheMoveUntilTheCopiesAreComparedAgain) {
  std::string id;
  cluster_.InClient([&] { id = StartSlowMove(); });
  Damage(/*content=*/false);
  cluster_.InClient([&] {
    const auto receipt = AwaitStop(id);
    EXPECT_THAT(std::string(receipt.at("error").as_string()), HasSubstr("1 of "));
    EXPECT_THAT(std::string(receipt.at("error").as_string()), HasSubstr(": 300;"));
    ExpectStopped(id);
    VerifyAgain(id);
    const auto end = cluster_.AwaitMove(id);
    EXPECT_EQ(end.at("phase").as_string(), "done");
    EXPECT_TRUE(end.at("verified").as_bool());
    EXPECT_TRUE(end.at("error").is_null()) << json::serialize(end);
    ExpectAtOnly("n2", "n1");
  });
}

TEST_F(Mismatch, StaysOverRestartsOfEitherNodeAndADrain) {
  std::string id;
  cluster_.InClient([&] { id = StartSlowMove(); });
  Damage(/*content=*/false);
  cluster_.InClient([&] { ExpectStopped(id); });
  for (const bool power_lost : {false, true})
    for (const char* host : {"n1", "n2"}) {
      SCOPED_TRACE(host);
      Restart(host, power_lost);
      cluster_.InClient([&] { ExpectStopped(id); });
      if (HasFailure()) return;
    }
  cluster_.InClient([&] {
    for (const char* host : {"n1", "n2"}) {
      cluster_.Call(host, "POST", std::string("/v1/nodes/") + host + "/drain");
      ExpectStopped(id);
      Delete(host, std::string("/v1/nodes/") + host + "/drain");
    }
    VerifyAgain(id);
    EXPECT_EQ(cluster_.AwaitMove(id).at("phase").as_string(), "done");
    ExpectAtOnly("n2", "n1");
  });
}

TEST_F(Mismatch, OfContentIsSeenAgainAndACancelGoesBackToTheGoodCopy) {
  std::string id;
  cluster_.InClient([&] { id = StartSlowMove(); });
  Damage(/*content=*/true);
  cluster_.InClient([&] {
    ExpectStopped(id);
    VerifyAgain(id);
    runtime::SleepFor(5s);
    const auto receipt = AwaitStop(id);
    EXPECT_THAT(std::string(receipt.at("error").as_string()), HasSubstr("1 of ")) << "by what it reads now";
    EXPECT_THAT(std::string(receipt.at("error").as_string()), HasSubstr(": 300;"));
    ExpectStopped(id);
    cluster_.Call("n3", "POST", "/v1/moves/" + id + "/cancel");
    const auto end = cluster_.AwaitMove(id);
    EXPECT_EQ(end.at("phase").as_string(), "cancelled");
    ExpectAtOnly("n1", "n2");
    EXPECT_EQ(std::get<int64_t>(Run("SELECT n > 0 FROM used")[0].rows[0][0]), 1) << "what n2 wrote came back";
  });
}

TEST_F(Mismatch, CanBeCancelledAfterARestartOfBothNodes) {
  std::string id;
  cluster_.InClient([&] { id = StartSlowMove(); });
  Damage(/*content=*/true);
  cluster_.InClient([&] { ExpectStopped(id); });
  Restart("n2", true);
  Restart("n1", true);
  cluster_.InClient([&] {
    ExpectStopped(id);
    cluster_.Call("n3", "POST", "/v1/moves/" + id + "/cancel");
    EXPECT_EQ(cluster_.AwaitMove(id).at("phase").as_string(), "cancelled");
    ExpectAtOnly("n1", "n2");
  });
}

TEST_F(Mismatch, ThatIsCancelledGoesBackWhateverNodeIsRestartedOnTheWay) {
  for (const char* host : {"n1", "n2"}) {
    SCOPED_TRACE(host);
    std::string id;
    cluster_.InClient([&] { id = StartSlowMove(); });
    Damage(/*content=*/true);
    cluster_.InClient([&] {
      ExpectStopped(id);
      cluster_.Call("n3", "POST", "/v1/moves/" + id + "/cancel");
    });
    Restart(host, true);
    cluster_.InClient([&] {
      EXPECT_EQ(cluster_.AwaitMove(id).at("phase").as_string(), "cancelled");
      ExpectAtOnly("n1", "n2");
      Delete("n3", "/v1/tenants/shop");
    });
    if (HasFailure()) return;
  }
}

TEST_F(Mismatch, IsNotWhatOtherMovesCanBeComparedFor) {
  cluster_.InClient([&] {
    const std::string id = StartSlowMove();
    EXPECT_FALSE(cluster_.TryCall("n3", "PATCH", "/v1/moves/" + id, R"({"verify_again":true})"));
    EXPECT_EQ(cluster_.AwaitMove(id).at("phase").as_string(), "done");
    EXPECT_FALSE(cluster_.TryCall("n3", "PATCH", "/v1/moves/" + id, R"({"verify_again":true})"));
  });
}

}  // namespace
}  // namespace tradewind::sim
