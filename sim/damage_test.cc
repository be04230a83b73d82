// Bits flip on the way between two nodes. While a tenant moves: the frame is refused, the move goes on over a
// new link, and nothing of it reaches a file or a client. In calls of any size: they fail, or are as they were
// sent.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "load/bank.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

TEST(ADamagedFrame, IsRefusedAndTheMoveGoesOn) {
  // The pieces that a source sends: few of them during init, the others when it answers pulls and pushes.
  for (const int pieces : {0, 1, 2, 4, 6}) {
    SCOPED_TRACE(fmt::format("after {} pieces", pieces));
    Cluster cluster(static_cast<uint64_t>(pieces) + 1, {"n1", "n2"});
    cluster.InClient([&] {
      load::BankOptions options;
      options.accounts = 40;
      options.entry_bytes = 1'500'000;
      options.pause = 3ms;
      const auto bank = cluster.OpenBank(options);
      cluster.world().DamageAfter("n1", pieces);
      const auto receipt = cluster.AwaitMove(cluster.StartMove("shop", "n2"));
      EXPECT_TRUE(cluster.world().damaged()) << "nothing was damaged";
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
      EXPECT_TRUE(receipt.at("verified").as_bool());
      cluster.AwaitUse(*bank);
      bank->Stop();
      cluster.ExpectNothingLost(*bank);
      EXPECT_EQ(bank->counts().failed, 0u);
      for (const std::string& complaint : bank->complaints()) ADD_FAILURE() << complaint;
    });
    if (testing::Test::HasFailure()) return;
  }
}

// Statements, calls of the catalog, admin calls and exports over a link that flips bits, by a few clients.
class DamagedCalls {
 public:
  DamagedCalls(uint64_t seed, uint64_t every) : cluster_(seed, {"n1", "n2"}), every_(every) {}

  void Play() {
    cluster_.InClient([&] {
      cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})");
      ASSERT_EQ(Run("n2", "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)").code, "");
      const auto begun = cluster_.Call("n2", "POST", "/v1/exports", R"({"tenant":"shop"})");
      cluster_.world().DamageLink("n1", "n2", every_);
      runtime::TaskGroup clients(cluster_.client());
      for (int client = 0; client < 3; ++client) clients.Spawn("inserts", [&] { Insert(); });
      clients.Spawn("tenants", [&] { MakeTenants(); });
      clients.Spawn("exports", [&] { Export(begun.as_object()); });
      clients.Join();
      cluster_.world().DamageLink("n1", "n2", 0);
      CheckRows();
      CheckTenants();
    });
    EXPECT_GT(cluster_.world().flipped_bits(), 20u);
    EXPECT_GT(done_, kRows / 3) << "hardly anything goes through";
  }

 private:
  static constexpr int kRows = 150;
  static constexpr int kTenants = 15;

  struct Outcome {
    std::string code;  // Of the error; empty: none.
    boost::json::array rows;
  };

  static std::string TextOf(int64_t id) {
    std::string text = fmt::format("row {} ", id);
    for (int64_t i = 0; i < id * 37 % 900; ++i) text += static_cast<char>('a' + (i + id) % 26);
    return text;
  }

  Outcome Run(const std::string& via, const std::string& sql) {
    const boost::json::object body{
        {"baton", nullptr},
        {"requests",
         boost::json::array{{{"type", "execute"}, {"stmt", {{"sql", sql}}}}, {{"type", "close"}}}}};
    net::HttpRequest request;
    request.method = "POST";
    request.headers.Set("content-type", "application/json");
    request.body = boost::json::serialize(body);
    const auto answer = cluster_.http().Call("http://" + via + ":8080/db/shop/v3/pipeline", request,
                                             cluster_.client().Now() + 5min);
    if (!answer) return {answer.error().code, {}};
    const auto parsed = boost::json::parse(answer->body).as_object();
    if (answer->status != 200) return {std::string(parsed.at("code").as_string()), {}};
    const auto& result = parsed.at("results").at(0);
    if (result.at("type").as_string() == "error")
      return {std::string(result.at("error").at("code").as_string()), {}};
    return {"", result.at("response").at("result").at("rows").as_array()};
  }

  void ExpectRight(const boost::json::array& rows) {
    for (const auto& row : rows) {
      const int64_t id = std::stoll(std::string(row.at(0).at("value").as_string()));
      EXPECT_EQ(row.at(1).at("value").as_string(), TextOf(id));
    }
  }

  void Insert() {
    while (next_ < kRows) {
      const int id = next_++;
      outcomes_[id] = Run("n1", fmt::format("INSERT INTO note VALUES({}, '{}')", id, TextOf(id))).code;
      if (outcomes_[id].empty()) ++done_;
      if (id % 4 == 0) ExpectRight(Run("n1", "SELECT id, text FROM note ORDER BY id DESC LIMIT 4").rows);
    }
  }

  void MakeTenants() {
    for (int i = 0; i < kTenants; ++i) {
      const std::string name = fmt::format("made-{}", i);
      const auto body = fmt::format(R"({{"name":"{}","node":"n{}"}})", name, i % 2 + 1);
      if (cluster_.TryCall(i % 3 ? "n1" : "n2", "POST", "/v1/tenants", body)) made_.insert(name);
      if (const auto shown = cluster_.TryCall("n2", "GET", "/v1/tenants/" + name)) {
        EXPECT_EQ(shown->at("name").as_string(), name);
      }
    }
  }

  void Export(const boost::json::object& begun) {
    const std::string id(begun.at("id").as_string());
    for (int64_t offset = 0; offset < begun.at("size_bytes").as_int64(); offset += 1000) {
      const std::string path = fmt::format("/v1/exports/{}?offset={}&length=1000", id, offset);
      const auto get = [&](const char* via) {
        return cluster_.http().Call(fmt::format("http://{}:8080{}", via, path), net::HttpRequest(),
                                    cluster_.client().Now() + 20min);
      };
      const auto straight = get("n2"), through = get("n1");
      ASSERT_TRUE(straight && straight->status == 200);
      if (through && through->status == 200) {
        EXPECT_EQ(through->body, straight->body) << offset;
      }
    }
  }

  void CheckRows() {
    const auto rows = Run("n2", "SELECT id, text FROM note").rows;
    ExpectRight(rows);
    std::set<int64_t> stored;
    for (const auto& row : rows) stored.insert(std::stoll(std::string(row.at(0).at("value").as_string())));
    for (const auto& [id, code] : outcomes_) {
      if (code.empty()) {
        EXPECT_TRUE(stored.contains(id)) << "row " << id << " was acknowledged";
      }
      if (code == "CALL_DAMAGED") {
        EXPECT_FALSE(stored.contains(id)) << "row " << id << " surely did not run";
      }
    }
  }

  void CheckTenants() {
    std::set<std::string> listed;
    const auto answer = cluster_.Call("n1", "GET", "/v1/tenants");
    for (const auto& tenant : answer.at("tenants").as_array())
      listed.insert(std::string(tenant.at("name").as_string()));
    for (const std::string& name : made_) EXPECT_TRUE(listed.contains(name)) << name << " was made";
    for (int i = 0; i < kTenants; ++i) listed.erase(fmt::format("made-{}", i));
    EXPECT_EQ(listed, std::set<std::string>{"shop"}) << "a name that nobody gave";
  }

  Cluster cluster_;
  const uint64_t every_;
  int next_ = 0;
  int done_ = 0;
  std::map<int, std::string> outcomes_;
  std::set<std::string> made_;
};

TEST(DamagedCalls, FailOrAreAsTheyWereSent) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    DamagedCalls(seed, seed % 2 == 0 ? 2'000 : 8'000).Play();
    if (testing::Test::HasFailure()) return;
  }
}

// The attempts of a move may all be damaged, so that it is given up: the tenant stays where it was then.
TEST(AMove, OverALinkThatFlipsBitsLosesNothing) {
  uint64_t flipped = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Cluster cluster(seed, {"n1", "n2"});
    cluster.InClient([&] {
      load::BankOptions options;
      options.accounts = 40;
      options.entry_bytes = 300'000;
      options.pause = 20ms;
      const auto bank = cluster.OpenBank(options);
      cluster.world().DamageLink("n1", "n2", 500'000);
      for (int move = 0; move < 3; ++move) {
        const auto shown = cluster.Call("n1", "GET", "/v1/tenants/shop");
        const bool at_first = shown.at("owner").as_string() == "n1";
        cluster.AwaitMove(cluster.StartMove("shop", at_first ? "n2" : "n1"));
      }
      cluster.world().DamageLink("n1", "n2", 0);
      cluster.AwaitUse(*bank);
      bank->Stop();
      cluster.ExpectNothingLost(*bank);
    });
    flipped += cluster.world().flipped_bits();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(flipped, 0u);
}

}  // namespace
}  // namespace tradewind::sim
