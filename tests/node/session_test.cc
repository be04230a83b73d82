// Sessions of clients whose tenant moves, over HTTP, through either node.
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;

class SessionMoves : public TwoNodes {
 protected:
  // A client's stream through a node.
  class Client {
   public:
    Client(SessionMoves& test, Node& gateway) : test_(test), gateway_(gateway) {}

    // Each statement's rows ("a|b c|d"), or the code of its failure; all as one pipeline.
    std::vector<std::string> Run(const std::vector<std::string>& statements) {
      json::array requests;
      for (const std::string& sql : statements)
        requests.push_back(json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}});
      std::vector<std::string> texts;
      for (const json::value& result : Send(std::move(requests))) texts.push_back(TextOf(result));
      return texts;
    }
    std::string Say(const std::string& sql) { return Run({sql}).at(0); }
    json::array Send(json::array requests) {
      json::object body{{"requests", std::move(requests)}};
      body["baton"] = baton_.empty() ? json::value() : json::value(baton_);
      const json::value answer =
          test_.Json(200, test_.Call(gateway_, "POST", "/db/t/v2/pipeline", json::serialize(body)));
      const json::value* baton = answer.as_object().if_contains("baton");
      baton_ = baton && baton->is_string() ? json::value_to<std::string>(*baton) : "";
      return answer.at("results").as_array();
    }
    static std::string TextOf(const json::value& result) {
      if (result.at("type") == "error") return json::value_to<std::string>(result.at("error").at("code"));
      std::string text;
      for (const json::value& row : result.at("response").at("result").at("rows").as_array()) {
        std::string line;
        for (const json::value& value : row.as_array()) {
          if (!line.empty()) line += '|';
          const json::value* inner = value.as_object().if_contains("value");
          line += !inner               ? "NULL"
                  : inner->is_string() ? json::value_to<std::string>(*inner)
                                       : json::serialize(*inner);
        }
        text += (text.empty() ? "" : " ") + line;
      }
      return text;
    }

   private:
    SessionMoves& test_;
    Node& gateway_;
    std::string baton_;
  };
  friend class Client;

  void WithTenant(const std::function<void()>& body) {
    WithNodes([&] {
      Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"t","node":"n1"})"));
      Client(*this, *n1_)
          .Run({"CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
                "CREATE TABLE child (p REFERENCES parent)"});
      body();
    });
  }
  void StartMove(const std::string& to) {
    const json::value move =
        Json(202, Call(*n1_, "POST", "/v1/moves", R"({"tenant":"t","to":")" + to + "\"}"));
    move_ = json::serialize(move.at("id"));
  }
  void AwaitMove() {
    const std::string id = move_.front() == '"' ? move_.substr(1, move_.size() - 2) : move_;
    json::value now;
    while (true) {
      now = Json(200, Call(*n1_, "GET", "/v1/moves/" + id));
      const std::string phase = json::value_to<std::string>(now.at("phase"));
      if (phase == "done" || phase == "cancelled") break;
      runtime::SleepFor(std::chrono::milliseconds(2));
    }
    EXPECT_EQ(now.at("phase"), "done") << json::serialize(now);
  }
  void Move(const std::string& to) {
    StartMove(to);
    AwaitMove();
  }

  static constexpr const char* kCounters = "SELECT last_insert_rowid(), changes(), total_changes()";
  std::string move_;
};

TEST_F(SessionMoves, CountersGoAlongThereAndBackThroughEitherNode) {
  WithTenant([&] {
    Client one(*this, *n1_);
    Client two(*this, *n2_);
    EXPECT_EQ(one.Say("INSERT INTO t VALUES (77, 1)"), "");
    EXPECT_EQ(two.Say("INSERT INTO t VALUES (5, 1), (6, 2)"), "");
    for (const char* to : {"n2", "n1", "n2"}) {
      Move(to);
      EXPECT_EQ(one.Say(kCounters), "77|1|1") << to;
      EXPECT_EQ(two.Say(kCounters), "6|2|2") << to;
      EXPECT_EQ(Client(*this, *n1_).Say(kCounters), "0|0|0") << to;
    }
    // Streams that say nothing for two moves.
    Move("n1");
    Move("n2");
    EXPECT_EQ(one.Say("UPDATE t SET v = 0"), "");
    EXPECT_EQ(one.Say(kCounters), "77|3|4");
    EXPECT_EQ(two.Say("INSERT INTO t (id) SELECT last_insert_rowid() + changes()"), "");
    EXPECT_EQ(two.Say(kCounters), "8|1|3");
  });
}

TEST_F(SessionMoves, SettingsGoAlongAsSqliteHasThem) {
  WithTenant([&] {
    Client client(*this, *n2_);
    client.Run({"PRAGMA foreign_keys=ON", "BEGIN", "PRAGMA foreign_keys=OFF", "COMMIT",
                "PRAGMA recursive_triggers=ON", "EXPLAIN PRAGMA case_sensitive_like=ON",
                "PRAGMA query_only=ON garbage", "PRAGMA analysis_limit=12"});
    const std::vector<std::string> looks = {"PRAGMA foreign_keys", "PRAGMA recursive_triggers",
                                            "SELECT 'a' LIKE 'A'", "PRAGMA query_only",
                                            "PRAGMA analysis_limit"};
    const std::vector<std::string> before = client.Run(looks);
    EXPECT_EQ(before, (std::vector<std::string>{"1", "1", "0", "0", "12"}));
    for (const char* to : {"n2", "n1"}) {
      Move(to);
      EXPECT_EQ(client.Run(looks), before) << to;
      EXPECT_EQ(client.Say("INSERT INTO child VALUES (12345)"), "SQLITE_CONSTRAINT") << to;
    }
    Client off(*this, *n1_);
    off.Say("PRAGMA foreign_keys=OFF");
    Move("n2");
    EXPECT_EQ(off.Say("INSERT INTO child VALUES (12345)"), "");
  });
}

TEST_F(SessionMoves, ATransactionThatHasReadNothingGoesAlongWithItsSession) {
  WithTenant([&] {
    Client client(*this, *n1_);
    client.Run({"INSERT INTO t VALUES (9, 1)", "BEGIN", "SAVEPOINT a", "PRAGMA defer_foreign_keys=ON"});
    Move("n2");
    EXPECT_EQ(client.Run({"INSERT INTO child VALUES (last_insert_rowid())", "INSERT INTO parent VALUES (9)",
                          "RELEASE a", "COMMIT", "PRAGMA defer_foreign_keys"}),
              (std::vector<std::string>{"", "", "", "", "0"}));
    EXPECT_EQ(client.Say("SELECT p FROM child"), "9");
  });
}

// The hand-over comes between two statements of one request, wherever it happens to.
TEST_F(SessionMoves, AChildFindsItsParentAcrossAHandOverWithinARequest) {
  WithTenant([&] {
    runtime::TaskGroup clients(*core_);
    bool stop = false;
    int rounds = 0;
    for (int number = 0; number < 4; ++number)
      clients.Spawn("client", [&, number] {
        while (!stop) {
          Client client(*this, number % 2 == 0 ? *n1_ : *n2_);
          json::array steps;
          for (int pair = 0; pair < 4; ++pair) {
            steps.push_back(json::object{{"stmt", {{"sql", "INSERT INTO parent DEFAULT VALUES"}}}});
            steps.push_back(json::object{
                {"stmt", {{"sql", "INSERT INTO child SELECT last_insert_rowid() WHERE changes() = 1"}}}});
          }
          json::array requests;
          if (number < 2) {
            requests.push_back(json::object{{"type", "batch"}, {"batch", {{"steps", std::move(steps)}}}});
          } else {
            for (json::value& step : steps)
              requests.push_back(json::object{{"type", "execute"}, {"stmt", step.at("stmt")}});
          }
          requests.push_back(json::object{{"type", "close"}});
          for (const json::value& result : client.Send(std::move(requests)))
            EXPECT_EQ(result.at("type"), "ok") << json::serialize(result);
          ++rounds;
        }
      });
    for (int move = 0; move < 6; ++move) {
      const int before = rounds;
      Move(move % 2 == 0 ? "n2" : "n1");
      Await([&] { return rounds > before; });
    }
    stop = true;
    clients.Join();
    Client client(*this, *n1_);
    EXPECT_EQ(client.Say("SELECT count(*) FROM parent"), std::to_string(4 * rounds));
    EXPECT_EQ(client.Say("SELECT count(*), count(DISTINCT p) FROM child"),
              std::to_string(4 * rounds) + "|" + std::to_string(4 * rounds));
    EXPECT_EQ(client.Say("PRAGMA foreign_key_check"), "");
  });
}

TEST_F(SessionMoves, AHeldStreamFollowsTheSchemaToAnotherNode) {
  WithTenant([&] {
    Client held(*this, *n2_);
    EXPECT_EQ(held.Say("SELECT * FROM t"), "");
    Client(*this, *n1_).Say("ALTER TABLE t ADD COLUMN w");
    EXPECT_EQ(held.Say("INSERT INTO t VALUES (1, 2, 3)"), "");
    Move("n2");
    EXPECT_EQ(held.Say("SELECT * FROM t"), "1|2|3");
    Client(*this, *n1_).Say("ALTER TABLE t DROP COLUMN w");
    EXPECT_EQ(held.Say("INSERT INTO t VALUES (2, 2)"), "");
    Client(*this, *n1_).Say("ALTER TABLE t ADD COLUMN x");
    Move("n1");
    EXPECT_EQ(held.Say("INSERT INTO t VALUES (3, 2, 3)"), "");
  });
}

}  // namespace
}  // namespace tradewind::node
