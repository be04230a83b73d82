// Tenants of a few names that many clients make, delete, move and use at once, while nodes go down and come back;
// and nodes of one name. From a seed: each name has one tenant and its one file, and what was acknowledged is
// there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/fiber.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr int kClients = 8;
constexpr int kTurns = 30;
constexpr int kNames = 4;
constexpr int kKeptNames = 2;  // The first of them are never deleted.

class Race {
 public:
  Race(uint64_t seed, bool with_crashes, size_t cores)
      : with_crashes_(with_crashes),
        cluster_(seed, {"n1", "n2"},
                 {.open_tenants = seed % 2 == 0 ? std::optional<size_t>(1) : std::nullopt, .cores = cores}),
        clients_(cluster_.client()) {}

  void Play() {
    cluster_.InClient([&] {
      for (int client = 0; client < kClients; ++client)
        clients_.Spawn("client", [this, client] { RunClient(client); });
    });
    for (int crash = 0; with_crashes_ && crash < 3; ++crash) {
      Pass(Dice(5, 400));
      cluster_.TakeDown(Dice(0, 1) ? "n1" : "n2", Dice(0, 1));
      Pass(Dice(10, 2000));
      cluster_.BringBack();
    }
    cluster_.InClient([&] {
      clients_.Join();
      Check();
    });
  }

  size_t acknowledged() const { return rows_.size(); }

 private:
  struct Row {
    std::string name, id;
    runtime::TimePoint begun;
  };
  struct Deletion {
    std::string name;
    runtime::TimePoint ended;
  };
  struct Answer {
    int status = 0;  // 0: none came.
    json::value body;
  };

  uint64_t Dice(uint64_t from, uint64_t to) { return cluster_.world().random().Between(from, to); }
  void Pass(uint64_t ms) {
    cluster_.world().RunUntil([] { return false; }, std::chrono::milliseconds(ms));
  }
  std::string AnyHost() { return Dice(0, 1) ? "n1" : "n2"; }

  Answer Call(const std::string& method, const std::string& target, const json::value& body = nullptr) {
    net::HttpRequest request;
    request.method = method;
    request.headers.Set("content-type", "application/json");
    if (!body.is_null()) request.body = json::serialize(body);
    const auto answer = cluster_.http().Call("http://" + AnyHost() + ":8080" + target, request,
                                             cluster_.client().Now() + 30s);
    if (!answer) return {};
    json::error_code failed;
    return {answer->status, answer->body.empty() ? json::value() : json::parse(answer->body, failed)};
  }

  // The rows of the last statement; none when anything failed.
  std::optional<json::array> Run(const std::string& name, const std::vector<std::string>& statements) {
    json::array requests;
    for (const std::string& sql : statements)
      requests.push_back(json::object{{"type", "execute"}, {"stmt", json::object{{"sql", sql}}}});
    requests.push_back(json::object{{"type", "close"}});
    const Answer answer = Call("POST", "/db/" + name + "/v2/pipeline", {{"requests", requests}});
    if (answer.status != 200) return std::nullopt;
    const json::array& results = answer.body.at("results").as_array();
    for (const json::value& result : results)
      if (result.at("type") != "ok") return std::nullopt;
    if (results.size() != requests.size()) return std::nullopt;
    return results.at(statements.size() - 1).at("response").at("result").at("rows").as_array();
  }

  void RunClient(int client) {
    for (int turn = 0; turn < kTurns; ++turn) {
      const auto number = static_cast<int>(Dice(0, kNames - 1));
      const std::string name = "t" + std::to_string(number);
      const uint64_t dice = Dice(0, 99);
      if (dice < 30) {
        const Answer answer = Call("POST", "/v1/tenants", {{"name", name}, {"node", AnyHost()}});
        made_[name] += answer.status == 201;
      } else if (dice < 45) {
        if (number >= kKeptNames) Delete(name);
      } else if (dice < 55) {
        Call("POST", "/v1/moves", {{"tenant", name}, {"to", AnyHost()}});
      } else {
        Insert(name, fmt::format("{}-{}", client, turn));
      }
      runtime::SleepFor(std::chrono::milliseconds(Dice(0, 20)));
    }
  }

  void Delete(const std::string& name) {
    const Answer answer = Call("DELETE", "/v1/tenants/" + name);
    const bool refused = answer.status >= 400 && answer.status < 500;
    // One whose answer was lost may still be on its way.
    const bool is_over = answer.status == 204;
    if (!refused) deletions_.push_back({name, is_over ? cluster_.client().Now() : runtime::TimePoint::max()});
  }

  void Insert(const std::string& name, const std::string& id) {
    const auto begun = cluster_.client().Now();
    if (Run(name, {"CREATE TABLE IF NOT EXISTS r(id)", "INSERT INTO r VALUES('" + id + "')"}))
      rows_.push_back({name, id, begun});
  }

  // A delete that ended before the row was begun did not take it.
  bool MayBeDeleted(const Row& row) const {
    return std::any_of(deletions_.begin(), deletions_.end(), [&](const Deletion& deletion) {
      return deletion.name == row.name && deletion.ended >= row.begun;
    });
  }

  json::array AwaitRest() {
    for (int tries = 0; tries < 3000; ++tries) {
      const Answer answer = Call("GET", "/v1/tenants");
      if (answer.status == 200) {
        const json::array& tenants = answer.body.at("tenants").as_array();
        if (std::all_of(tenants.begin(), tenants.end(),
                        [](const json::value& tenant) { return tenant.at("state") == "serving"; }))
          return tenants;
      }
      runtime::SleepFor(100ms);
    }
    ADD_FAILURE() << "the moves do not end";
    return {};
  }

  void Check() {
    std::map<std::string, std::string> owners;
    std::map<std::string, std::set<std::string>> there;
    for (const json::value& tenant : AwaitRest()) {
      const std::string name(tenant.at("name").as_string());
      owners[name] = std::string(tenant.at("owner").as_string());
      std::optional<json::array> rows;
      for (int tries = 0; tries < 50 && !rows; ++tries)
        rows = Run(name, {"CREATE TABLE IF NOT EXISTS r(id)", "SELECT id FROM r"});
      ASSERT_TRUE(rows) << name << " cannot be read";
      for (const json::value& row : *rows)
        there[name].insert(std::string(row.as_array().at(0).at("value").as_string()));
    }
    for (const Row& row : rows_)
      EXPECT_TRUE(there[row.name].contains(row.id) || MayBeDeleted(row))
          << row.name << " has lost " << row.id;
    for (int number = 0; number < kNames; ++number) {
      const std::string name = "t" + std::to_string(number);
      if (number < kKeptNames) {
        EXPECT_LE(made_[name], 1) << name;
        if (made_[name] == 1) {
          EXPECT_TRUE(owners.contains(name)) << name;
        }
      }
      for (const char* host : {"n1", "n2"}) {
        const bool wanted = owners.contains(name) && owners[name] == host;
        for (int tries = 0; tries < 300 && cluster_.HasFile(host, name) != wanted; ++tries)
          runtime::SleepFor(100ms);
        EXPECT_EQ(cluster_.HasFile(host, name), wanted) << name << " at " << host;
      }
    }
  }

  const bool with_crashes_;
  Cluster cluster_;
  runtime::TaskGroup clients_;
  std::map<std::string, int> made_;
  std::vector<Row> rows_;
  std::vector<Deletion> deletions_;
};

void PlayRaces(bool with_crashes, size_t cores = 1) {
  size_t acknowledged = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Race race(seed, with_crashes, cores);
    race.Play();
    acknowledged += race.acknowledged();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(acknowledged, 500u) << "the races do little";
}

TEST(SimulatedNames, AreMadeOnceEachAndKeepTheirRows) {
  PlayRaces(false);
}

TEST(SimulatedNames, AreMadeOnceEachAndKeepTheirRowsAlsoWhenNodesGoDown) {
  PlayRaces(true);
}

TEST(SimulatedNames, AreMadeOnceEachAndKeepTheirRowsOnNodesOfTwoCores) {
  PlayRaces(false, 2);
}

TEST(SimulatedNames, AreMadeOnceEachAndKeepTheirRowsWhenNodesOfThreeCoresGoDown) {
  PlayRaces(true, 3);
}

TEST(SimulatedNames, OfTwoNodesTheFirstHasItUntilAnotherIsToldToTakeIt) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Cluster cluster(seed, {"n1", "n2"});
    cluster.InClient([&] { cluster.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})"); });
    EXPECT_EQ(cluster.TryStart("n3", "n2", false), "NODE_NAME_TAKEN");
    EXPECT_EQ(cluster.TryStart("n4", "n2", true), "NODE_RUNS_ELSEWHERE");
    cluster.InClient(
        [&] { EXPECT_EQ(cluster.Call("n1", "GET", "/v1/tenants/shop").at("state").as_string(), "serving"); });
    cluster.TakeDown("n2", cluster.world().random().Between(0, 1));
    EXPECT_EQ(cluster.TryStart("n5", "n2", false), "NODE_NAME_TAKEN");
    cluster.BringBack();
    cluster.InClient(
        [&] { EXPECT_EQ(cluster.Call("n1", "GET", "/v1/tenants/shop").at("state").as_string(), "serving"); });
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tradewind::sim
