#include "admin/admin_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "admin/tenant_maker.h"
#include "sqlite/connection.h"
#include "sqlite/vfs.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

class AdminApiTest : public TwoNodes {
 protected:
  std::string Text(const json::value& value, std::string_view name) {
    const json::value* member = value.is_object() ? value.get_object().if_contains(name) : nullptr;
    return member && member->is_string() ? json::value_to<std::string>(*member) : "";
  }
  // Moves a tenant and returns the receipt of the end.
  json::value Move(Node& asked, const std::string& tenant, const std::string& to) {
    const json::value started = Json(
        202, Call(asked, "POST", "/v1/moves", json::serialize(json::value{{"tenant", tenant}, {"to", to}})));
    json::value receipt;
    Await([&] {
      receipt = Json(200, Call(asked, "GET", "/v1/moves/" + Text(started, "id")));
      return Text(receipt, "phase") == "done" || Text(receipt, "phase") == "cancelled" || HasFailure();
    });
    return receipt;
  }
};

TEST_F(AdminApiTest, ForgetsANodeThatIsGoneWithItsTenantsOnlyWhenToldTo) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})"));
    EXPECT_EQ(CodeOf(409, Call(*n1_, "DELETE", "/v1/nodes/n2?tenants=delete")), "NODE_RUNS");
    EXPECT_EQ(CodeOf(409, Call(*n1_, "DELETE", "/v1/nodes/n1?tenants=delete")), "NODE_RUNS");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "DELETE", "/v1/nodes/n9")), "NODE_NOT_FOUND");
    Stop(n2_);
    EXPECT_EQ(CodeOf(409, Call(*n1_, "DELETE", "/v1/nodes/n2")), "NODE_HAS_TENANTS");
    EXPECT_EQ(CodeOf(400, Call(*n1_, "DELETE", "/v1/nodes/n2?tenants=keep")), "QUERY_INVALID");
    EXPECT_EQ(Json(200, Call(*n1_, "DELETE", "/v1/nodes/n2?tenants=delete")).at("deleted_tenants"), 1);
    EXPECT_EQ(CodeOf(404, Call(*n1_, "GET", "/v1/tenants/shop")), "TENANT_NOT_FOUND");
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/nodes")).at("nodes").as_array().size(), 1u);
    // Its folder would bring back what was deleted.
    NodeOptions options;
    options.name = "n2";
    options.listen = {"127.0.0.1", 0};
    options.data_folder = folder_.File("n2");
    options.join_url = n1_->url();
    const auto back = Node::Start(*core_, options);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, "NODE_FORGOTTEN");
  });
}

TEST_F(AdminApiTest, AMoveToANodeWithAnOlderSqliteIsRefusedWithWhatToDo) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    const json::value nodes = Json(200, Call(*n2_, "GET", "/v1/nodes")).at("nodes");
    EXPECT_EQ(Text(nodes.at(0), "sqlite"), catalog::SqliteVersionText(sqlite::SqliteVersion()));
    EXPECT_EQ(Text(Json(200, Call(*n2_, "GET", "/v1/tenants/shop")), "sqlite"), Text(nodes.at(0), "sqlite"));
    // It comes back with another program.
    Stop(n2_);
    sqlite_version_ = 3'040'001;
    n2_ = Start("n2", n1_->url());
    EXPECT_EQ(Text(Json(200, Call(*n1_, "GET", "/v1/nodes")).at("nodes").at(1), "sqlite"), "3.40.1");
    const net::HttpResponse refused = Call(*n2_, "POST", "/v1/moves", R"({"tenant":"shop","to":"n2"})");
    EXPECT_EQ(CodeOf(409, refused), "SQLITE_OLDER");
    EXPECT_THAT(refused.body, HasSubstr("run a newer tradewind on node n2"));
    EXPECT_EQ(CodeOf(409, Call(*n1_, "POST", "/v1/nodes/n1/drain", R"({"to":["n2"]})")), "SQLITE_OLDER");
    EXPECT_EQ(Text(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")), "owner"), "n1");
    Stop(n2_);
    sqlite_version_.reset();
    n2_ = Start("n2", n1_->url());
    EXPECT_EQ(Text(Move(*n1_, "shop", "n2"), "phase"), "done");
  });
}

TEST_F(AdminApiTest, EveryNodeAnswersForEveryTenant) {
  WithNodes([&] {
    const json::value made = Json(201, Call(*n2_, "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})"));
    EXPECT_EQ(Text(made, "owner"), "n1");
    EXPECT_EQ(Text(made, "state"), "serving");
    EXPECT_EQ(Text(made, "engine"), "sqlite");
    EXPECT_EQ(made.at("page_size").to_number<int>(), 4096);
    EXPECT_TRUE(made.at("move").is_null());
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")), made);
    EXPECT_EQ(Json(200, Call(*n2_, "GET", "/v1/tenants/shop")), made);

    Json(201, Call(*n2_, "POST", "/v1/tenants", R"({"name":"forum"})"));
    const json::value list = Json(200, Call(*n1_, "GET", "/v1/tenants"));
    ASSERT_EQ(list.at("tenants").as_array().size(), 2u);
    EXPECT_EQ(Text(list.at("tenants").at(0), "owner"), "n2");
    EXPECT_EQ(list.at("tenants").at(0).at("size_bytes").to_number<int>(), 4096);
    EXPECT_EQ(Text(list.at("tenants").at(1), "owner"), "n1");
    EXPECT_FALSE(list.at("tenants").at(1).at("size_bytes").is_null());

    EXPECT_EQ(CodeOf(409, Call(*n2_, "POST", "/v1/tenants", R"({"name":"shop"})")), "TENANT_EXISTS");
    EXPECT_EQ(Call(*n2_, "DELETE", "/v1/tenants/shop").status, 204);
    EXPECT_EQ(CodeOf(404, Call(*n2_, "GET", "/v1/tenants/shop")), "TENANT_NOT_FOUND");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "DELETE", "/v1/tenants/shop")), "TENANT_NOT_FOUND");
  });
}

TEST_F(AdminApiTest, AForwardedCallIsNotForwardedAgain) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    net::HttpClient nodes(*core_, net::HttpClient::Peers::kNodes);
    const auto forward = [&](Node& to, const char* method, const char* target, const char* body = "") {
      net::HttpRequest request;
      request.method = method;
      request.headers.Set("x-tradewind-forwarded", "1");
      request.body = body;
      return nodes.Call(to.url() + target, request, core_->Now() + std::chrono::seconds(60)).value();
    };
    EXPECT_EQ(CodeOf(503, forward(*n2_, "DELETE", "/v1/tenants/shop")), "TENANT_MOVED_AWAY");
    EXPECT_EQ(CodeOf(503, forward(*n2_, "GET", "/v1/tenants/shop")), "TENANT_MOVED_AWAY");
    EXPECT_EQ(CodeOf(503, forward(*n2_, "POST", "/v1/moves", R"({"tenant":"shop","to":"n2"})")),
              "TENANT_MOVED_AWAY");
    EXPECT_EQ(CodeOf(503, forward(*n2_, "POST", "/v1/tenants", R"({"name":"a","node":"n1"})")), "WRONG_NODE");
    EXPECT_EQ(forward(*n1_, "GET", "/v1/tenants/shop").status, 200);
    nodes.Close();
  });
}

TEST_F(AdminApiTest, SaysWhatIsWrongWithARequest) {
  WithNodes([&] {
    const net::HttpResponse method = Call(*n1_, "PUT", "/v1/tenants/shop");
    EXPECT_EQ(CodeOf(405, method), "METHOD_NOT_ALLOWED");
    EXPECT_EQ(method.headers.Get("allow"), "GET, PATCH, DELETE");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "GET", "/v1/tenants/shop/pages")), "PATH_NOT_FOUND");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "GET", "/v1/tenants/")), "PATH_NOT_FOUND");
    EXPECT_EQ(CodeOf(400, Call(*n1_, "POST", "/v1/tenants", R"({"nmae":"shop"})")), "FIELD_UNKNOWN");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "POST", "/v1/tenants", R"({"name":"a","node":"n9"})")),
              "NODE_NOT_FOUND");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "PUT", "/v1/imports/n2.00?offset=0", "x")), "TRANSFER_NOT_FOUND");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "GET", "/v1/exports/what")), "TRANSFER_NOT_FOUND");
    EXPECT_EQ(CodeOf(400, Call(*n1_, "PUT", "/v1/imports/n1.00", "x")), "FIELD_MISSING");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "GET", "/v1/moves/m0")), "MOVE_NOT_FOUND");
  });
}

TEST_F(AdminApiTest, ExportsAndImportsThroughAnyNode) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    const json::value out = Json(201, Call(*n2_, "POST", "/v1/exports", R"({"tenant":"shop"})"));
    EXPECT_THAT(Text(out, "id"), HasSubstr("n1."));
    const auto size = out.at("size_bytes").to_number<size_t>();
    std::string file;
    while (file.size() < size && !HasFailure())
      file +=
          Call(*n2_, "GET",
               "/v1/exports/" + Text(out, "id") + "?offset=" + std::to_string(file.size()) + "&length=1000")
              .body;
    EXPECT_EQ(Call(*n2_, "DELETE", "/v1/exports/" + Text(out, "id")).status, 204);
    EXPECT_EQ(CodeOf(404, Call(*n2_, "GET", "/v1/exports/" + Text(out, "id"))), "TRANSFER_NOT_FOUND");

    const std::string body =
        json::serialize(json::value{{"tenant", "copy"}, {"node", "n2"}, {"size_bytes", file.size()}});
    const json::value in = Json(201, Call(*n1_, "POST", "/v1/imports", body));
    EXPECT_EQ(in.at("chunk_bytes").to_number<size_t>(), limits::kTransferChunkBytes);
    const std::string path = "/v1/imports/" + Text(in, "id");
    EXPECT_EQ(Call(*n1_, "PUT", path + "?offset=0", file).status, 204);
    const json::value tenant = Json(201, Call(*n1_, "POST", path + "/commit", "{}"));
    EXPECT_EQ(Text(tenant, "name"), "copy");
    EXPECT_EQ(Text(tenant, "owner"), "n2");
    EXPECT_EQ(tenant.at("size_bytes").to_number<size_t>(), size);
  });
}

TEST_F(AdminApiTest, MovesATenantAndShowsTheReceiptAnywhere) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    const json::value receipt = Move(*n2_, "shop", "n2");
    EXPECT_EQ(Text(receipt, "phase"), "done") << json::serialize(receipt);
    EXPECT_EQ(Text(receipt, "tenant"), "shop");
    EXPECT_TRUE(receipt.at("verified").as_bool());
    EXPECT_EQ(Text(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")), "owner"), "n2");

    const json::value back = Move(*n2_, "shop", "n1");
    EXPECT_EQ(Text(back, "phase"), "done") << json::serialize(back);
    const json::value list = Json(200, Call(*n2_, "GET", "/v1/moves"));
    ASSERT_EQ(list.at("moves").as_array().size(), 2u);
    EXPECT_EQ(Text(list.at("moves").at(0), "id"), Text(back, "id"));
    EXPECT_EQ(Text(list.at("moves").at(1), "id"), Text(receipt, "id"));
  });
}

TEST_F(AdminApiTest, RefusesMovesThatMakeNoSense) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    const auto start = [&](const char* body) { return Call(*n2_, "POST", "/v1/moves", body); };
    EXPECT_EQ(CodeOf(409, start(R"({"tenant":"shop","to":"n1"})")), "ALREADY_THERE");
    EXPECT_EQ(CodeOf(404, start(R"({"tenant":"shop","to":"n9"})")), "NODE_NOT_FOUND");
    EXPECT_EQ(CodeOf(404, start(R"({"tenant":"none","to":"n2"})")), "TENANT_NOT_FOUND");
    EXPECT_EQ(CodeOf(400, start(R"({"tenant":"shop","to":"n2","setpoint_ms":-5})")), "FIELD_INVALID");
  });
}

// A tenant of this many bytes, more or less.
void Fill(Node& node, const std::string& tenant, size_t bytes) {
  auto use = node.parts().tenants().Find(tenant);
  ASSERT_TRUE(use) << Describe(use.error());
  auto connection = sqlite::Connection::Open((*use)->store());
  ASSERT_TRUE(connection) << Describe(connection.error());
  sql::Statement statement;
  for (const std::string& sql :
       {std::string("CREATE TABLE filling(bytes BLOB)"),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
            std::to_string(bytes / 1000) + ") INSERT INTO filling SELECT randomblob(1000) FROM n"}) {
    statement.sql = sql;
    const auto ran = (*connection)->Run(statement);
    ASSERT_TRUE(ran) << Describe(ran.error());
  }
}

TEST_F(AdminApiTest, ChangesTheRateOfAMoveAndCancelsItThroughAnyNode) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    Fill(*n1_, "shop", 4'000'000);
    const json::value started =
        Json(202, Call(*n2_, "POST", "/v1/moves",
                       R"({"tenant":"shop","to":"n2","warm_up":"all","rate_bytes_per_s":1000})"));
    const std::string path = "/v1/moves/" + Text(started, "id");
    const json::value set = Json(200, Call(*n2_, "PATCH", path, R"({"rate_bytes_per_s":2000})"));
    EXPECT_EQ(set.at("rate_bytes_per_s").to_number<int>(), 2000);
    EXPECT_EQ(Json(200, Call(*n1_, "GET", path)).at("rate_bytes_per_s").to_number<int>(), 2000);

    EXPECT_EQ(Text(Json(202, Call(*n2_, "POST", path + "/cancel")), "id"), Text(started, "id"));
    Await([&] { return Text(Json(200, Call(*n2_, "GET", path)), "phase") == "cancelled" || HasFailure(); });
    EXPECT_EQ(Text(Json(200, Call(*n2_, "GET", "/v1/tenants/shop")), "owner"), "n1");
    EXPECT_EQ(CodeOf(409, Call(*n2_, "POST", path + "/cancel")), "MOVE_OVER");
    EXPECT_EQ(CodeOf(409, Call(*n1_, "PATCH", path, R"({"rate_bytes_per_s":null})")), "MOVE_OVER");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "POST", "/v1/moves/m0/cancel")), "MOVE_NOT_FOUND");
  });
}

TEST_F(AdminApiTest, DrainsANodeAndKeepsItEmptyAlsoOverARestart) {
  WithNodes([&] {
    for (const char* name : {"a", "b", "c"})
      Json(201, Call(*n2_, "POST", "/v1/tenants", R"({"name":")" + std::string(name) + "\"}"));
    EXPECT_EQ(Text(Json(200, Call(*n1_, "GET", "/v1/nodes/n2/drain")), "state"), "none");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "POST", "/v1/nodes/n9/drain")), "NODE_NOT_FOUND");
    EXPECT_EQ(CodeOf(404, Call(*n1_, "POST", "/v1/nodes/n2/drain", R"({"to":["n9"]})")), "NODE_NOT_FOUND");

    const json::value begun = Json(202, Call(*n1_, "POST", "/v1/nodes/n2/drain", R"({"to":["n1"]})"));
    EXPECT_EQ(begun.at("total").to_number<int>(), 3);
    const auto drained = [&] {
      json::value progress;
      Await([&] {
        progress = Json(200, Call(*n1_, "GET", "/v1/nodes/n2/drain"));
        return Text(progress, "state") == "drained" || HasFailure();
      });
      return progress;
    };
    EXPECT_EQ(drained().at("moved").to_number<int>(), 3);
    const json::value nodes = Json(200, Call(*n2_, "GET", "/v1/nodes"));
    EXPECT_EQ(nodes.at("nodes").at(0).at("tenants").to_number<int>(), 3);
    EXPECT_TRUE(nodes.at("nodes").at(1).at("draining").as_bool());

    // What is made through it goes elsewhere, and nothing moves to it.
    EXPECT_EQ(Text(Json(201, Call(*n2_, "POST", "/v1/tenants", R"({"name":"d"})")), "owner"), "n1");
    EXPECT_THAT(
        Text(Json(201, Call(*n2_, "POST", "/v1/imports", R"({"tenant":"e","size_bytes":512})")), "id"),
        HasSubstr("n1."));
    EXPECT_EQ(CodeOf(409, Call(*n1_, "POST", "/v1/tenants", R"({"name":"e","node":"n2"})")), "NODE_DRAINING");
    EXPECT_EQ(CodeOf(409, Call(*n1_, "POST", "/v1/moves", R"({"tenant":"a","to":"n2"})")), "NODE_DRAINING");

    Stop(n2_);
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_EQ(drained().at("total").to_number<int>(), 0);
    EXPECT_EQ(Text(Json(200, Call(*n1_, "DELETE", "/v1/nodes/n2/drain")), "state"), "stopped");
    EXPECT_EQ(Text(Json(201, Call(*n2_, "POST", "/v1/tenants", R"({"name":"f"})")), "owner"), "n2");
    EXPECT_EQ(Text(Move(*n1_, "a", "n2"), "phase"), "done");
  });
}

TEST_F(AdminApiTest, MakesNoTenantWhereEveryNodeDrains) {
  WithNodes([&] {
    for (const char* name : {"n1", "n2"})
      Json(202, Call(*n1_, "POST", "/v1/nodes/" + std::string(name) + "/drain"));
    EXPECT_EQ(CodeOf(503, Call(*n2_, "POST", "/v1/tenants", R"({"name":"a"})")), "NO_NODE_TAKES_TENANTS");
  });
}

TEST_F(AdminApiTest, GivesMetricsInTheFormatThatItNames) {
  WithNodes([&] {
    const net::HttpResponse metrics = Call(*n1_, "GET", "/metrics");
    EXPECT_EQ(metrics.headers.Get("content-type"), "text/plain; version=0.0.4");
    EXPECT_THAT(metrics.body, HasSubstr("tradewind_moves{phase=\"finish\"} 0"));
  });
}

TEST_F(AdminApiTest, CountsARequestWhereItCameInWhereverItsTenantIs) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})"));
    const std::string pipeline =
        R"({"requests":[{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]})";
    for (int i = 0; i < 3; ++i) Json(200, Call(*n1_, "POST", "/db/shop/v3/pipeline", pipeline));
    const std::string here = Call(*n1_, "GET", "/metrics").body;
    const std::string there = Call(*n2_, "GET", "/metrics").body;
    EXPECT_THAT(here, HasSubstr("tradewind_request_seconds_count{kind=\"pipeline\"} 3\n"));
    EXPECT_THAT(here, HasSubstr("tradewind_tenant_requests_total{tenant=\"shop\"} 3\n"));
    EXPECT_THAT(there, HasSubstr("tradewind_request_seconds_count{kind=\"pipeline\"} 0\n"));
    EXPECT_THAT(there, HasSubstr("tradewind_request_seconds_count{kind=\"from_node\"} 3\n"));
    EXPECT_THAT(there, Not(HasSubstr("tenant=\"shop\"")));
  });
}

TEST_F(AdminApiTest, SaysHowLongTheMovesTookThatEnded) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop"})"));
    EXPECT_EQ(Text(Move(*n1_, "shop", "n2"), "phase"), "done");
    const auto has = [&](const std::string& line) {
      return Call(*n1_, "GET", "/metrics").body.find(line) != std::string::npos;
    };
    // The node tidies up for a moment before the move has ended for it.
    Await([&] { return has("tradewind_move_seconds_count{method=\"zephyr\",outcome=\"done\"} 1\n"); });
    EXPECT_TRUE(has("tradewind_move_phase_seconds_count{method=\"zephyr\",phase=\"handover\"} 1\n"));
  });
}

TEST_F(AdminApiTest, AnswersWhoeverLooksWhetherItLivesAndWhetherItServes) {
  WithNodes([&] {
    for (const char* path : {"/health", "/health/ready", "/health/live"}) {
      Json(200, Call(*n1_, "GET", path));
      EXPECT_EQ(Call(*n1_, "HEAD", path).status, 200);
    }
    n1_->parts().state().serving = false;
    Json(200, Call(*n1_, "GET", "/health/live"));
    EXPECT_EQ(Call(*n1_, "GET", "/health/ready").status, 503);
    for (const char* method : {"GET", "HEAD"}) EXPECT_EQ(Call(*n1_, method, "/health").status, 503);
    n1_->parts().state().serving = true;
  });
}

TEST_F(AdminApiTest, ShowsWhatItKnowsOfANodeThatIsAway) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})"));
    const std::string version = catalog::SqliteVersionText(sqlite::SqliteVersion());
    const json::value both = Json(200, Call(*n2_, "GET", "/v1/nodes"));
    EXPECT_EQ(both, (json::value{{"nodes", json::array{json::value{{"name", "n1"},
                                                                   {"url", n1_->url()},
                                                                   {"state", "up"},
                                                                   {"draining", false},
                                                                   {"sqlite", version},
                                                                   {"cores", 1},
                                                                   {"tenants", 0}},
                                                       json::value{{"name", "n2"},
                                                                   {"url", n2_->url()},
                                                                   {"state", "up"},
                                                                   {"draining", false},
                                                                   {"sqlite", version},
                                                                   {"cores", 1},
                                                                   {"tenants", 1}}}}}));
    Stop(n2_);
    const json::value one = Json(200, Call(*n1_, "GET", "/v1/nodes"));
    EXPECT_EQ(Text(one.at("nodes").at(0), "state"), "up");
    EXPECT_EQ(Text(one.at("nodes").at(1), "state"), "unreachable");
    EXPECT_TRUE(one.at("nodes").at(1).at("cores").is_null());
    const json::value tenant = Json(200, Call(*n1_, "GET", "/v1/tenants/shop"));
    EXPECT_EQ(Text(tenant, "owner"), "n2");
    EXPECT_EQ(Text(tenant, "state"), "unreachable");
    EXPECT_TRUE(tenant.at("size_bytes").is_null());
    EXPECT_EQ(CodeOf(503, Call(*n1_, "DELETE", "/v1/tenants/shop")), "PEER_UNREACHABLE");
  });
}

TEST_F(AdminApiTest, ShowsTheCatalogsReceiptWhenTheSourceIsAway) {
  WithNodes([&] {
    const auto tenant = catalog::Need(n2_->maker().Create("shop", ""));
    catalog::MoveRecord move;
    move.id = "m1";
    move.tenant = "shop";
    move.source = "n2";
    move.destination = "n1";
    move.method = "zephyr";
    move.epoch_before = tenant.ownership.epoch;
    catalog::Need(n1_->catalog().BeginMove(move));
    Stop(n2_);
    const json::value receipt = Json(200, Call(*n1_, "GET", "/v1/moves/m1"));
    EXPECT_EQ(Text(receipt, "phase"), "init");
    EXPECT_THAT(Text(receipt, "waiting_for"), HasSubstr("n2"));
    EXPECT_EQ(Text(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")), "move"), "m1");
  });
}

}  // namespace
}  // namespace tradewind::node
