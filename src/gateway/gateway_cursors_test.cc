// Cursors and version 1, over nodes in memory.
#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "base/limits.h"
#include "base/memory_pool.h"
#include "gateway/gateway.h"
#include "gateway/memory_cluster.h"

namespace tradewind::gateway {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr const char* kCount =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) "
    "SELECT x, 'a text that makes the row as long as rows are' FROM c";

// A client that takes the pieces of an answer.
class Pieces final : public net::BodyWriter {
 public:
  Result<void> Write(std::string_view piece) override {
    if (count == most) return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the client has gone");
    ++count;
    longest = std::max(longest, piece.size());
    text += piece;
    if (on_piece) on_piece();
    return {};
  }
  std::string text;
  size_t count = 0;
  size_t longest = 0;
  size_t most = SIZE_MAX;
  std::function<void()> on_piece;
};

class GatewayCursors : public MemoryClusterTest {
 protected:
  void WithShop(const NodeName& owner, const std::function<void()>& body) {
    Run([&] {
      MakeTenant("shop", owner);
      body();
    });
  }
  static net::HttpRequest Request(const std::string& path, json::object body) {
    net::HttpRequest request;
    request.method = "POST";
    request.target = "/db/shop" + path;
    request.body = json::serialize(body);
    return request;
  }
  static json::object Batch(const std::vector<std::string>& sqls) {
    json::array steps;
    for (const std::string& sql : sqls) steps.push_back(json::object{{"stmt", {{"sql", sql}}}});
    return {{"steps", std::move(steps)}};
  }
  static net::HttpResponse Open(MemoryNode& via, const std::vector<std::string>& sqls,
                                const json::value& baton = nullptr) {
    return via.Handle(Request("/v3/cursor", {{"baton", baton}, {"batch", Batch(sqls)}}));
  }
  // All of its lines; the first one is of the stream.
  static std::vector<json::value> Lines(const net::HttpResponse& answer) {
    Pieces pieces;
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.pieces && answer.pieces(pieces));
    return Parse(pieces.text);
  }
  static std::vector<json::value> Parse(const std::string& text) {
    std::vector<json::value> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      EXPECT_NE(end, std::string::npos) << "a line ends with a line feed";
      lines.push_back(json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    return lines;
  }
  static size_t CountOf(const std::vector<json::value>& lines, std::string_view type) {
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const json::value& line) {
      const json::value* found = line.as_object().if_contains("type");
      return found && found->as_string() == type;
    }));
  }
  json::value Sql(MemoryNode& via, const std::string& sql, const json::value& baton = nullptr) {
    json::array requests{json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}}};
    const net::HttpResponse answer =
        via.Handle(Request("/v3/pipeline", {{"baton", baton}, {"requests", requests}}));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.status == 200 ? json::parse(answer.body).at("baton") : nullptr;
  }
};

TEST_F(GatewayCursors, GiveALargeResultInPiecesWhereverTheTenantIs) {
  WithShop("n2", [&] {
    for (MemoryNode* via : {&n2(), &n1()}) {
      Pieces pieces;
      const net::HttpResponse answer = Open(*via, {kCount, "SELECT 1"});
      ASSERT_TRUE(answer.pieces && answer.pieces(pieces)) << answer.body;
      const auto lines = Parse(pieces.text);
      EXPECT_TRUE(lines[0].at("baton").is_string());
      EXPECT_TRUE(lines[0].at("base_url").is_null());
      EXPECT_EQ(lines[1].at("type"), "step_begin");
      EXPECT_EQ(CountOf(lines, "row"), 20'001u);
      EXPECT_EQ(CountOf(lines, "step_end"), 2u);
      EXPECT_EQ(lines.back().at("type"), "step_end");
      EXPECT_GT(pieces.count, 5u);
      EXPECT_LT(pieces.longest, 3 * limits::kCursorPieceBytes);
      Sql(*via, "SELECT 1", lines[0].at("baton"));
    }
    EXPECT_EQ(n2().streams.Metric().value, 0) << "what has no transaction is not kept";
  });
}

TEST_F(GatewayCursors, GoOnWithTheTransactionOfTheirStream) {
  WithShop("n2", [&] {
    json::value baton = Sql(n1(), "BEGIN");
    auto lines = Lines(
        Open(n1(), {"INSERT INTO note VALUES('a') RETURNING text", "SELECT count(*) FROM note"}, baton));
    EXPECT_EQ(CountOf(lines, "row"), 2u);
    EXPECT_EQ(lines[3].at("affected_row_count"), 1);
    baton = Sql(n1(), "ROLLBACK", lines[0].at("baton"));
    lines = Lines(Open(n1(), {"SELECT * FROM note"}, baton));
    EXPECT_EQ(CountOf(lines, "row"), 0u);
  });
}

TEST_F(GatewayCursors, AreRelayedByAGatewayThatDoesNotHaveTheStream) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n1(), "BEGIN");
    const auto lines = Lines(Open(n2(), {"INSERT INTO note VALUES('a')", kCount}, baton));
    EXPECT_EQ(CountOf(lines, "row"), 20'000u);
    Sql(n2(), "COMMIT", lines[0].at("baton"));
    EXPECT_EQ(CountOf(Lines(Open(n1(), {"SELECT * FROM note"})), "row"), 1u);
    EXPECT_EQ(Open(n2(), {"SELECT 1"}, baton).status, 400) << "its baton was used";
  });
}

TEST_F(GatewayCursors, ThatTheirClientsLeaveEndWithTheirStreams) {
  WithShop("n2", [&] {
    for (MemoryNode* via : {&n2(), &n1()}) {
      Pieces pieces;
      pieces.most = 1;
      const net::HttpResponse answer = Open(*via, {"INSERT INTO note VALUES('a')", kCount});
      EXPECT_FALSE(answer.pieces(pieces));
      runtime::SleepFor(std::chrono::milliseconds(100));
      EXPECT_EQ(n2().streams.Metric().value, 0);
      const std::string baton(
          Parse(pieces.text.substr(0, pieces.text.find('\n') + 1))[0].at("baton").as_string());
      EXPECT_THAT(Open(*via, {"SELECT 1"}, baton.c_str()).body, HasSubstr("STREAM_EXPIRED"));
    }
  });
}

TEST_F(GatewayCursors, ThatNobodyReadsEndByThemselves) {
  WithShop("n1", [&] {
    for (const bool memory_is_full : {false, true}) {
      const uint64_t before = MemoryOf(MemoryKind::kAnswers).load();
      StreamCall call;
      call.tenant = "shop";
      call.gateway = "n9.some";
      call.stream = runtime::RandomId(core_);
      call.opens = call.keep = true;
      call.cursor = StreamCall::Cursor::kOpen;
      hrana::Batch batch;
      batch.steps = {{{}, {{.sql = kCount}, {}}}};
      call.requests = {batch};
      const StreamAnswer first = n1().streams.Run(call).value();
      EXPECT_EQ(first.status, StreamAnswer::Status::kMore);
      EXPECT_EQ(n1().streams.Metric().value, 1);
      runtime::SleepFor(std::chrono::milliseconds(100));  // It comes to where it waits for a reader.
      const auto lie_there = [&] {
        return MemoryOf(MemoryKind::kAnswers).load() - before - first.held.bytes();
      };
      EXPECT_GE(first.held.bytes(), first.entries.capacity());
      EXPECT_GE(lie_there(), 2 * limits::kCursorPieceBytes);
      if (memory_is_full) {
        MemoryCharge others(MemoryKind::kBodies);
        others.Set(Memory().bound());
        runtime::SleepFor(2 * limits::kCursorIdleWhenFull);
      } else {
        runtime::SleepFor(limits::kCursorIdle - std::chrono::seconds(1));
        EXPECT_EQ(n1().streams.Metric().value, 1) << "there is room for it";
        runtime::SleepFor(std::chrono::seconds(2));
      }
      EXPECT_EQ(n1().streams.Metric().value, 0);
      EXPECT_EQ(lie_there(), 0u) << "nobody has it any more";
      call.opens = false;
      call.epoch = first.epoch;
      call.cursor = StreamCall::Cursor::kNext;
      call.requests.clear();
      const StreamAnswer late = n1().streams.Run(call).value();
      EXPECT_EQ(late.status, StreamAnswer::Status::kLost);
      EXPECT_THAT(
          late.lost_because,
          HasSubstr(memory_is_full ? "nobody has read on for a second, while the server's memory was used up"
                                   : "nobody has read on for a minute"));
    }
  });
}

TEST_F(GatewayCursors, ThatAreLargeDoNotBeginWhereMemoryIsUsedUp) {
  WithShop("n1", [&] {
    MemoryCharge others(MemoryKind::kBodies);
    others.Set(Memory().bound());
    const auto large = Lines(Open(n1(), {kCount}));
    EXPECT_EQ(CountOf(large, "step_error"), 1u);
    EXPECT_LT(CountOf(large, "row"), 2'000u);
    EXPECT_EQ(CountOf(Lines(Open(n1(), {"SELECT 1"})), "row"), 1u);
    others.Set(0);
    EXPECT_EQ(CountOf(Lines(Open(n1(), {kCount})), "row"), 20'000u);
  });
}

TEST_F(GatewayCursors, FollowATenantThatMovesBetweenTwoSteps) {
  WithShop("n2", [&] {
    Pieces pieces;
    bool moved = false;
    pieces.on_piece = [&] {
      if (std::exchange(moved, true)) return;
      SetMoved("shop", n2());
    };
    const net::HttpResponse answer =
        Open(n1(), {kCount, "INSERT INTO note VALUES('a')", "SELECT * FROM note"});
    runtime::TaskGroup move(core_);
    move.Spawn("hand-over", [&] {
      runtime::SleepFor(std::chrono::milliseconds(50));
      const Epoch epoch = Swap("shop", "n1");
      n2().streams.EndAllOf("shop");
      n2().tenants.CloseAndForget("shop", tenant::LocalTenants::Files::kStay);
      n1().tenants.AddOwned("shop", epoch);
    });
    EXPECT_TRUE(answer.pieces(pieces));
    move.Join();
    const auto lines = Parse(pieces.text);
    EXPECT_EQ(CountOf(lines, "row"), 20'001u) << pieces.text.substr(pieces.text.size() - 500);
    EXPECT_EQ(CountOf(lines, "step_end"), 3u);
  });
}

TEST_F(GatewayCursors, FailAsAWholeWhenTheyCannotBegin) {
  WithShop("n1", [&] {
    EXPECT_EQ(Open(n1(), {"SELECT 1"}, "what is this").status, 400);
    net::HttpRequest request = Request("/v3/cursor", {{"batch", Batch({"SELECT 1"})}});
    request.target = "/db/nobody/v3/cursor";
    EXPECT_EQ(n1().Handle(request).status, 404);
    request = Request("/v3/cursor", {{"no_batch", 1}});
    EXPECT_THAT(n1().Handle(request).body, HasSubstr("batch: is missing"));
  });
}

TEST_F(GatewayCursors, ARequestOfVersionOneHasAStreamOfItsOwn) {
  WithShop("n2", [&] {
    for (MemoryNode* via : {&n1(), &n2()}) {
      auto answer = via->Handle(Request("/v1/execute", {{"stmt", {{"sql", "SELECT 5 AS five"}}}}));
      EXPECT_EQ(answer.status, 200);
      const json::value result = json::parse(answer.body).at("result");
      EXPECT_EQ(result.at("cols").at(0).at("name"), "five");
      EXPECT_EQ(result.at("rows").at(0).at(0).at("value"), "5");
      answer = via->Handle(
          Request("/v1/batch", {{"batch", Batch({"INSERT INTO note VALUES('a')", "SELECT no"})}}));
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(json::parse(answer.body).at("result").at("step_results").at(0).at("affected_row_count"), 1);
      EXPECT_TRUE(json::parse(answer.body).at("result").at("step_errors").at(1).at("message").is_string());
      answer = via->Handle(Request("/v1/execute", {{"stmt", {{"sql", "SELECT no"}}}}));
      EXPECT_EQ(answer.status, 400);
      EXPECT_THAT(std::string(json::parse(answer.body).at("message").as_string()),
                  HasSubstr("no such column"));
      answer = via->Handle(Request("/v1/execute", {{"stmt", {{"sql", "BEGIN IMMEDIATE"}}}}));
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(n2().streams.Metric().value, 0) << "its transaction ends with it";
    }
  });
}

}  // namespace
}  // namespace tradewind::gateway
