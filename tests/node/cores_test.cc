// A node of two cores: a client is told the same whichever of them has its connection, its stream and its tenant.
#include "runtime/cores.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catalog/test_catalog.h"
#include "net/http_client.h"
#include "node/node.h"
#include "runtime/call_on.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kEndless[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n";

class NodeCoresTest : public testing::Test {
 protected:
  // Runs `body` with a node of two cores and a client on either: client 0 has its connection on core 0.
  void WithNode(const std::function<void()>& body) {
    const auto ran = cores_.RunUntilReturned("test", [&] {
      Start();
      if (node_) body();
      Stop();
    });
    EXPECT_TRUE(ran);
  }
  void Start() {
    NodeOptions options;
    options.name = "n1";
    options.listen = {"127.0.0.1", 0};
    options.data_folder = folder_.File("n1");
    auto node = Node::Start(cores_[0], options);
    ASSERT_TRUE(node) << Describe(node.error());
    node_ = std::move(*node);
    for (size_t core = 0; core < cores_.size(); ++core) {
      clients_.push_back(std::make_unique<net::HttpClient>(cores_[0]));
      EXPECT_EQ(Call(core, "GET", "/health").status, 200);
    }
  }
  void Stop() {
    if (node_) node_->Stop(cores_[0].Now() + 1s);
    node_.reset();
    for (const auto& client : clients_) client->Close();
    clients_.clear();
  }

  net::HttpResponse Call(size_t client, const std::string& method, const std::string& target,
                         std::string body = "") {
    net::HttpRequest request;
    request.method = method;
    request.headers.Set("content-type", "application/json");
    request.body = std::move(body);
    auto answer = clients_[client]->Call(node_->url() + target, std::move(request), cores_[0].Now() + 60s);
    if (!answer) ADD_FAILURE() << method << " " << target << ": " << Describe(answer.error());
    return answer ? *std::move(answer) : net::HttpResponse{};
  }
  void Create(size_t client, const TenantName& tenant) {
    const auto made = Call(client, "POST", "/v1/tenants", fmt::format(R"({{"name":"{}"}})", tenant));
    EXPECT_EQ(made.status, 201) << made.body;
  }
  static std::string Pipeline(const std::vector<std::string>& statements, const std::string& baton,
                              bool close = false) {
    json::array requests;
    for (const std::string& sql : statements)
      requests.push_back(json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}});
    if (close) requests.push_back(json::object{{"type", "close"}});
    json::object body{{"requests", std::move(requests)}};
    if (!baton.empty()) body["baton"] = baton;
    return json::serialize(body);
  }
  // Runs the statements on the stream of the baton, or on a new one; the next baton.
  std::string Run(size_t client, const TenantName& tenant, const std::vector<std::string>& statements,
                  const std::string& baton = "") {
    const auto answer = Call(client, "POST", "/db/" + tenant + "/v3/pipeline", Pipeline(statements, baton));
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.status != 200) return "";
    const json::value parsed = json::parse(answer.body);
    for (const json::value& result : parsed.at("results").as_array())
      EXPECT_EQ(result.at("type").as_string(), "ok") << json::serialize(result);
    return std::string(parsed.at("baton").as_string());
  }
  // The only value of a statement's result.
  std::string Value(size_t client, const TenantName& tenant, const std::string& sql) {
    const auto answer =
        Call(client, "POST", "/db/" + tenant + "/v3/pipeline", Pipeline({sql}, "", /*close=*/true));
    if (answer.status != 200) return answer.body;
    const auto parsed = json::parse(answer.body);
    const json::object& first = parsed.at("results").at(0).as_object();
    if (first.at("type").as_string() != "ok") return json::serialize(first);
    return std::string(first.at("response").at("result").at("rows").at(0).at(0).at("value").as_string());
  }
  template <typename Look>
  auto OnCore(size_t core, Look look) {
    return runtime::CallOn(cores_[core], [&] { return look(node_->parts(core)); });
  }
  std::vector<TenantName> NamesOn(size_t core) {
    return OnCore(core, [](CoreParts& parts) { return parts.tenants().names(); });
  }
  // Of a tenant that is open on the core.
  size_t Streams(size_t core, const TenantName& tenant) {
    return OnCore(core, [&](CoreParts& parts) {
      const auto use = parts.tenants().Find(tenant);
      return use ? (*use)->stream_count() : 0;
    });
  }
  static void Await(const std::function<bool()>& condition) {
    while (!condition()) runtime::Yield();
  }

  runtime::Cores cores_{2};
  catalog::TestFolder folder_;
  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<net::HttpClient>> clients_;
};

TEST_F(NodeCoresTest, TenantsArePinnedToAllCoresAndServedThroughAnyConnection) {
  WithNode([&] {
    for (const char* tenant : {"a", "b", "c", "d"}) Create(tenant[0] % 2, tenant);
    EXPECT_THAT(NamesOn(0), ElementsAre("a", "c"));
    EXPECT_THAT(NamesOn(1), ElementsAre("b", "d"));
    for (const char* tenant : {"a", "b", "c", "d"}) {
      Run(0, tenant, {"CREATE TABLE t(x)", "INSERT INTO t VALUES(1)"});
      Run(1, tenant, {"INSERT INTO t VALUES(2)"});
      for (const size_t client : {0, 1}) EXPECT_EQ(Value(client, tenant, "SELECT count(*) FROM t"), "2");
    }
    const std::string metrics = Call(1, "GET", "/metrics").body;
    for (const char* core : {"0", "1"}) {
      EXPECT_THAT(metrics, HasSubstr(fmt::format("tradewind_requests_total{{core=\"{}\"}} 8\n", core)));
      EXPECT_THAT(metrics, HasSubstr(fmt::format("tradewind_tenants{{core=\"{}\"}} 2\n", core)));
    }
    EXPECT_THAT(metrics, HasSubstr("tradewind_request_seconds_count{kind=\"pipeline\"} 16\n"))
        << "of both cores";
    EXPECT_THAT(metrics, HasSubstr("tradewind_tenant_requests_total{tenant=\"a\"} 4\n"));
    EXPECT_THAT(metrics, testing::ContainsRegex("\ntradewind_commit_sync_seconds_count [1-9]"));
  });
}

TEST_F(NodeCoresTest, AStreamGoesOnOverAConnectionOfTheOtherCore) {
  WithNode([&] {
    for (const char* tenant : {"a", "b"}) {
      Create(0, tenant);
      Run(0, tenant, {"CREATE TABLE t(x)"});
      for (const size_t client : {0, 1}) {
        std::string baton = Run(client, tenant, {"BEGIN", "INSERT INTO t VALUES(1)"});
        baton = Run(1 - client, tenant, {"INSERT INTO t VALUES(2)"}, baton);
        baton = Run(client, tenant, {"INSERT INTO t VALUES(3)"}, baton);
        Run(1 - client, tenant, {"COMMIT"}, baton);
      }
      EXPECT_EQ(Value(0, tenant, "SELECT count(*) FROM t"), "6");
    }
  });
}

TEST_F(NodeCoresTest, ABatonIsGoodForOneUseOnWhicheverCoreItComesIn) {
  WithNode([&] {
    Create(0, "a");
    Create(0, "b");
    for (const char* tenant : {"a", "b"})
      for (const size_t client : {0, 1}) {
        const std::string used = Run(client, tenant, {"BEGIN"});
        const std::string next = Run(client, tenant, {"SELECT 1"}, used);
        const std::string target = fmt::format("/db/{}/v3/pipeline", tenant);
        for (const size_t again : {0, 1}) {
          const auto refused = Call(again, "POST", target, Pipeline({"SELECT 1"}, used));
          EXPECT_EQ(refused.status, 400);
          EXPECT_THAT(refused.body, HasSubstr("the baton is unknown or was used before"));
        }
        const auto elsewhere =
            Call(1 - client, "POST", tenant[0] == 'a' ? "/db/b/v3/pipeline" : "/db/a/v3/pipeline",
                 Pipeline({"SELECT 1"}, next));
        EXPECT_EQ(elsewhere.status, 400) << "it is another tenant's";
        Run(1 - client, tenant, {"ROLLBACK"}, next);
      }
  });
}

TEST_F(NodeCoresTest, AClosedStreamIsSaidToBeClosedOnWhicheverCoreItsBatonComesIn) {
  WithNode([&] {
    Create(0, "a");
    for (const size_t client : {0, 1}) {
      const std::string baton = Run(client, "a", {"BEGIN"});
      const std::string target = "/db/a/v3/pipeline";
      EXPECT_EQ(Call(1 - client, "POST", target, Pipeline({}, baton, /*close=*/true)).status, 200);
      for (const size_t again : {0, 1}) {
        const auto gone = Call(again, "POST", target, Pipeline({"SELECT 1"}, baton));
        EXPECT_THAT(gone.body, HasSubstr("the stream was closed"));
      }
      EXPECT_EQ(Streams(0, "a"), 0u);
    }
  });
}

TEST_F(NodeCoresTest, WhatAClientThatGoesHasBegunEndsOnTheCoreOfItsTenant) {
  WithNode([&] {
    Create(0, "a");
    Create(0, "b");
    for (const size_t client : {0, 1}) {
      for (const size_t core : {0, 1}) {
        const TenantName tenant = core == 0 ? "a" : "b";
        runtime::TaskGroup group(cores_[0]);
        auto leaving = std::make_unique<net::HttpClient>(cores_[0]);
        // Each connection after the first two goes to the next core.
        net::HttpRequest health;
        if (client == 1) {
          auto other = std::make_unique<net::HttpClient>(cores_[0]);
          EXPECT_TRUE(other->Call(node_->url() + "/health", health, cores_[0].Now() + 60s));
          other->Close();
        }
        group.Spawn("client that goes", [&] {
          net::HttpRequest request;
          request.method = "POST";
          request.headers.Set("content-type", "application/json");
          request.body = Pipeline({"BEGIN IMMEDIATE", kEndless}, "");
          const auto answer =
              leaving->Call(node_->url() + "/db/" + tenant + "/v3/pipeline", request, cores_[0].Now() + 300s);
          EXPECT_FALSE(answer);
        });
        Await([&] { return Streams(core, tenant) == 1; });
        const runtime::TimePoint went = cores_[0].Now();
        leaving->Close();
        group.Join();
        Await([&] { return Streams(core, tenant) == 0; });
        EXPECT_LT(cores_[0].Now() - went, 30s) << "it ended with the time that a statement has";
        if (client == 0) {
          auto other = std::make_unique<net::HttpClient>(cores_[0]);
          EXPECT_TRUE(other->Call(node_->url() + "/health", health, cores_[0].Now() + 60s));
          other->Close();
        }
      }
    }
  });
}

TEST_F(NodeCoresTest, ANameIsMadeAndDeletedAgainAndAgainOverBothConnections) {
  WithNode([&] {
    Create(0, "other");  // So that the name goes to core 1 first.
    for (int round = 0; round < 6; ++round) {
      const size_t client = round % 2;
      Create(client, "a");
      if (round % 3 == 0)
        Create(client, "filler" + std::to_string(round));  // It is made on the other core next.
      Run(1 - client, "a", {"CREATE TABLE t(x)", "INSERT INTO t VALUES(" + std::to_string(round) + ")"});
      EXPECT_EQ(Value(client, "a", "SELECT max(x) FROM t"), std::to_string(round));
      const std::string open = Run(client, "a", {"BEGIN", "INSERT INTO t VALUES(7)"});
      EXPECT_EQ(Call(1 - client, "DELETE", "/v1/tenants/a").status, 204);
      EXPECT_NE(Call(client, "POST", "/db/a/v3/pipeline", Pipeline({"COMMIT"}, open)).status, 200);
      for (const size_t after : {0, 1})
        EXPECT_THAT(Call(after, "POST", "/db/a/v3/pipeline", Pipeline({"SELECT 1"}, "")).body,
                    HasSubstr("TENANT_NOT_FOUND"));
    }
  });
}

TEST_F(NodeCoresTest, ManyClientsMakeAndUseTheirTenantsAtOnce) {
  WithNode([&] {
    runtime::TaskGroup group(cores_[0]);
    for (int number = 0; number < 8; ++number)
      group.Spawn("client", [&, number] {
        const size_t client = number % 2;
        const TenantName tenant = "t" + std::to_string(number / 2);  // Two of them want each.
        const auto made = Call(client, "POST", "/v1/tenants", fmt::format(R"({{"name":"{}"}})", tenant));
        EXPECT_TRUE(made.status == 201 || made.status == 409) << made.body;
        Run(client, tenant, {"CREATE TABLE IF NOT EXISTS t(x)"});
        for (int at = 0; at < 20; ++at) Run(client, tenant, {"INSERT INTO t VALUES(1)"});
      });
    group.Join();
    for (int number = 0; number < 4; ++number)
      EXPECT_EQ(Value(number % 2, "t" + std::to_string(number), "SELECT count(*) FROM t"), "40");
    EXPECT_EQ(NamesOn(0).size(), 2u);
    EXPECT_EQ(NamesOn(1).size(), 2u);
  });
}

TEST_F(NodeCoresTest, ATenantOfTheOtherCoreIsExportedAndImportedAgain) {
  WithNode([&] {
    Create(0, "a");
    Create(0, "b");
    Run(0, "b", {"CREATE TABLE t(x)", "INSERT INTO t VALUES(7)"});
    const auto begun = Call(1, "POST", "/v1/exports", R"({"tenant":"b"})");
    ASSERT_EQ(begun.status, 201) << begun.body;
    const std::string id(json::parse(begun.body).at("id").as_string());
    const std::string file = Call(0, "GET", "/v1/exports/" + id).body;
    const auto import = Call(1, "POST", "/v1/imports",
                             fmt::format(R"({{"tenant":"{}","size_bytes":{}}})", "copy", file.size()));
    ASSERT_EQ(import.status, 201) << import.body;
    const std::string into(json::parse(import.body).at("id").as_string());
    EXPECT_EQ(Call(1, "PUT", "/v1/imports/" + into + "?offset=0", file).status, 204);
    EXPECT_EQ(Call(1, "POST", "/v1/imports/" + into + "/commit").status, 201);
    EXPECT_EQ(Value(0, "copy", "SELECT x FROM t"), "7");
    EXPECT_EQ(Value(1, "copy", "SELECT x FROM t"), "7");
    const auto listed = json::parse(Call(1, "GET", "/v1/tenants").body).at("tenants").as_array();
    EXPECT_EQ(listed.size(), 3u);
    for (const json::value& tenant : listed) EXPECT_FALSE(tenant.at("size_bytes").is_null());
  });
}

TEST_F(NodeCoresTest, AfterARestartEveryTenantIsServedAgain) {
  WithNode([&] {
    for (const char* tenant : {"a", "b", "c"}) {
      Create(0, tenant);
      Run(1, tenant, {"CREATE TABLE t(x)", "INSERT INTO t VALUES(1)"});
    }
    const std::string open = Run(1, "b", {"BEGIN", "INSERT INTO t VALUES(2)"});
    Stop();
    Start();
    ASSERT_TRUE(node_);
    EXPECT_THAT(NamesOn(0), ElementsAre("a", "c"));
    EXPECT_THAT(NamesOn(1), ElementsAre("b"));
    for (const char* tenant : {"a", "b", "c"})
      for (const size_t client : {0, 1}) EXPECT_EQ(Value(client, tenant, "SELECT count(*) FROM t"), "1");
    for (const size_t client : {0, 1})
      EXPECT_THAT(Call(client, "POST", "/db/b/v3/pipeline", Pipeline({"COMMIT"}, open)).body,
                  HasSubstr("has been restarted since"));
  });
}

TEST_F(NodeCoresTest, TheNodeStopsWhileBothCoresServe) {
  WithNode([&] {
    Create(0, "a");
    Create(0, "b");
    runtime::TaskGroup group(cores_[0]);
    std::vector<std::unique_ptr<net::HttpClient>> clients;
    for (int number = 0; number < 4; ++number)
      clients.push_back(std::make_unique<net::HttpClient>(cores_[0]));
    const std::string url = node_->url();
    for (int number = 0; number < 4; ++number)
      group.Spawn("client", [&, number] {
        net::HttpRequest request;
        request.method = "POST";
        request.headers.Set("content-type", "application/json");
        request.body = Pipeline({kEndless}, "");
        static_cast<void>(clients[number]->Call(
            url + (number < 2 ? "/db/a/v3/pipeline" : "/db/b/v3/pipeline"), request, cores_[0].Now() + 300s));
      });
    Await([&] { return Streams(0, "a") == 2 && Streams(1, "b") == 2; });
    node_->Stop(cores_[0].Now());
    node_.reset();
    group.Join();
    for (const auto& client : clients) client->Close();
  });
}

TEST_F(NodeCoresTest, ATenantChangesItsCoreAndItsStreamsGoOn) {
  WithNode([&] {
    Create(0, "a");
    Run(0, "a", {"CREATE TABLE t(x)"});
    std::string baton = Run(1, "a", {"INSERT INTO t VALUES(1)"});
    for (const int core : {1, 0, 1}) {
      const auto changed = Call(core, "PATCH", "/v1/tenants/a", fmt::format(R"({{"core":{}}})", core));
      EXPECT_EQ(changed.status, 200) << changed.body;
      EXPECT_EQ(json::parse(changed.body).at("core").to_number<int>(), core);
      EXPECT_THAT(NamesOn(core), ElementsAre("a"));
      EXPECT_THAT(NamesOn(1 - core), ElementsAre());
      for (const size_t client : {0, 1}) Run(client, "a", {"INSERT INTO t VALUES(2)"});
    }
    baton = Run(1, "a", {"INSERT INTO t VALUES(3)"}, baton);
    EXPECT_EQ(Value(0, "a", "SELECT count(*) FROM t"), "8");
  });
}

TEST_F(NodeCoresTest, ACoreThatTheNodeDoesNotHaveIsRefused) {
  WithNode([&] {
    Create(0, "a");
    const auto refused = Call(0, "PATCH", "/v1/tenants/a", R"({"core":2})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.body, HasSubstr("CORE_UNKNOWN"));
    EXPECT_EQ(Call(0, "PATCH", "/v1/tenants/b", R"({"core":1})").status, 404);
  });
}

TEST_F(NodeCoresTest, ATenantIsOnTheSameCoreAfterARestart) {
  WithNode([&] {
    for (const char* tenant : {"a", "b", "c"}) Create(0, tenant);
    EXPECT_EQ(Call(0, "PATCH", "/v1/tenants/c", R"({"core":1})").status, 200);
    Stop();
    Start();
    EXPECT_THAT(NamesOn(0), ElementsAre("a"));
    EXPECT_THAT(NamesOn(1), ElementsAre("b", "c"));
  });
}

class NodeCoresDeathTest : public NodeCoresTest {};

TEST_F(NodeCoresDeathTest, ATenantIsNotTouchedOnAnotherCore) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(WithNode([&] {
                 Create(0, "a");
                 Create(0, "b");
                 static_cast<void>(node_->parts(1).tenants().Find("b"));
               }),
               "what belongs to one core is used on another");
}

}  // namespace
}  // namespace tradewind::node
