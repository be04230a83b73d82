// The pace of moves on a simulated cluster: whole nodes, their sensors and the controller, in virtual time.
// What a request takes there is what the simulated network and disk take, whatever is sent; so a setpoint far
// below it can never be met, and one far above it never gets in the way.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <set>
#include <string>

#include "base/json_fields.h"
#include "load/bank.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

double NumberAt(const json::object& receipt, const char* name) {
  return FindReal(receipt, name).value_or(0);
}

std::string TextAt(const json::object& receipt, const char* name) {
  return std::string(FindText(receipt, name).value_or(""));
}

// The lowest: that of a move whose pages nobody waits for, as with a warm-up of them all.
bool IsAtItsFloor(const json::object& receipt) {
  return TextAt(receipt, "limited_by") == "floor" && NumberAt(receipt, "rate_bytes_per_s") == 1e6;
}

class PaceOfMoves : public testing::Test {
 protected:
  // A tenant "shop" of some 16 MB on n1. In a fiber.
  void Fill() {
    cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
    load::BankOptions options;
    options.servers = cluster_.urls();
    options.accounts = 40;
    options.entry_bytes = 16'000'000;
    options.pause = 20ms;
    bank_ = load::Bank::Make(cluster_.client(), cluster_.http(), options).value();
    const auto filled = bank_->Fill();
    ASSERT_TRUE(filled) << Describe(filled.error());
  }
  // The same, and under load if so wished. In a fiber.
  void Prepare(bool under_load) {
    Fill();
    runtime::SleepFor(20s);  // Until the filling is no longer what is usual.
    if (under_load) bank_->Start();
    runtime::SleepFor(3s);
  }
  // One that only this node serves, not in use yet. In a fiber.
  std::unique_ptr<load::Bank> MakeNeighbour(const std::string& node) {
    cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"neighbour","node":")" + node + "\"}");
    load::BankOptions options;
    options.tenant = "neighbour";
    options.servers = {"http://" + node + ":8080"};
    options.accounts = 10;
    auto bank = load::Bank::Make(cluster_.client(), cluster_.http(), options).value();
    const auto filled = bank->Fill();
    EXPECT_TRUE(filled) << Describe(filled.error());
    return bank;
  }
  void End() {
    bank_->Stop();
    EXPECT_EQ(bank_->counts().failed, 0u);
    bank_.reset();
  }
  std::string Start(const json::object& pace) {
    json::object request{{"tenant", "shop"}, {"to", "n2"}};
    for (const auto& [name, value] : pace) request[name] = value;
    return std::string(
        cluster_.Call("n1", "POST", "/v1/moves", json::serialize(request)).at("id").as_string());
  }
  json::object Show(const std::string& id) {
    return cluster_.Call("n2", "GET", "/v1/moves/" + id).as_object();
  }
  double MillisecondsOf(const json::object& receipt) {
    EXPECT_EQ(TextAt(receipt, "phase"), "done") << json::serialize(receipt);
    return NumberAt(receipt, "ended_at") - NumberAt(receipt, "started_at");
  }
  // Suspends until the tenant has left nothing there. In a fiber.
  void AwaitGone(const std::string& node) {
    for (int look = 0; look < 1000 && cluster_.HasFile(node, "shop"); ++look) runtime::SleepFor(10ms);
  }
  // Load begins at the node while an idle tenant moves. In a fiber.
  void BeginLoadInTheMiddle(const std::string& node) {
    cluster_.world().SlowDownLinks(10ms);  // So that there is a middle.
    Fill();
    const auto neighbour = MakeNeighbour(node);
    runtime::SleepFor(20s);
    const std::string id = Start({{"setpoint_ms", 0.001}, {"warm_up", "all"}});
    const auto idle = Await(id, [](const json::object& r) { return NumberAt(r, "bytes_sent") > 2e6; });
    EXPECT_EQ(NumberAt(idle, "rate_bytes_per_s"), 0);
    EXPECT_TRUE(idle.at("p95_ms").is_null());
    neighbour->Start();
    const runtime::TimePoint began = cluster_.client().Now();
    Await(id, IsAtItsFloor);
    EXPECT_LT(cluster_.client().Now() - began, 1s);
    cluster_.Call("n1", "PATCH", "/v1/moves/" + id, R"({"rate_bytes_per_s":null})");
    cluster_.AwaitMove(id);
    neighbour->Stop();
    EXPECT_EQ(neighbour->counts().failed, 0u);
    End();
  }
  // The receipt, as soon as it is as wanted.
  json::object Await(const std::string& id, const std::function<bool(const json::object&)>& wanted) {
    const auto patience = cluster_.client().Now() + 10min;
    json::object receipt;
    while (cluster_.client().Now() < patience) {
      receipt = Show(id);
      if (wanted(receipt)) return receipt;
      runtime::SleepFor(50ms);
    }
    ADD_FAILURE() << "never as wanted: " << json::serialize(receipt);
    return receipt;
  }

  Cluster cluster_{1, {"n1", "n2"}};
  std::unique_ptr<load::Bank> bank_;
};

TEST_F(PaceOfMoves, FallsToItsFloorUnderASetpointThatCannotBeMetAndGetsThereAllTheSame) {
  cluster_.InClient([&] {
    Prepare(true);
    const std::string id = Start({{"setpoint_ms", 0.001}, {"warm_up", "all"}});
    const auto slow = Await(id, IsAtItsFloor);
    EXPECT_EQ(NumberAt(slow, "setpoint_ms"), 0.001);
    EXPECT_EQ(TextAt(slow, "signal"), "p95");
    EXPECT_GT(NumberAt(slow, "p95_ms"), 0.001);
    const auto receipt = cluster_.AwaitMove(id);
    EXPECT_EQ(TextAt(receipt, "phase"), "done");
    EXPECT_GT(NumberAt(receipt, "p95_ms"), 0);
    EXPECT_GT(NumberAt(receipt, "ended_at") - NumberAt(receipt, "started_at"), 2000);
    End();
  });
}

TEST_F(PaceOfMoves, PushesSeveralTimesAsFastAsIsPulledWhateverTheSetpoint) {
  cluster_.InClient([&] {
    Prepare(true);
    const std::string id = Start({{"setpoint_ms", 0.001}});
    const auto pulled =
        Await(id, [](const json::object& r) { return NumberAt(r, "rate_bytes_per_s") > 16e6; });
    EXPECT_GT(pulled.at("pages").at("pulled").to_number<double>(), 0);
    EXPECT_EQ(TextAt(cluster_.AwaitMove(id), "phase"), "done");
    End();
  });
}

TEST_F(PaceOfMoves, RisesAtOnceWhenTheSetpointIsRaised) {
  cluster_.InClient([&] {
    Prepare(true);
    const std::string id = Start({{"setpoint_ms", 0.001}, {"warm_up", "all"}});
    Await(id, IsAtItsFloor);
    const auto set =
        cluster_.Call("n2", "PATCH", "/v1/moves/" + id, R"({"setpoint_ms":1000,"signal":"mean"})");
    Await(id, [](const json::object& r) {
      return NumberAt(r, "setpoint_ms") == 1000 && TextAt(r, "signal") == "mean" &&
             (NumberAt(r, "rate_bytes_per_s") > 1.5e6 || TextAt(r, "phase") == "done");
    });
    EXPECT_EQ(TextAt(cluster_.AwaitMove(id), "phase"), "done");
    End();
  });
}

TEST_F(PaceOfMoves, KeepsADeadlineAtTheCostOfLatency) {
  cluster_.InClient([&] {
    Prepare(true);
    const auto receipt =
        cluster_.AwaitMove(Start({{"setpoint_ms", 0.001}, {"warm_up", "all"}, {"finish_within_s", 5}}));
    EXPECT_EQ(TextAt(receipt, "phase"), "done");
    EXPECT_LT(NumberAt(receipt, "ended_at") - NumberAt(receipt, "finish_by"), 0) << json::serialize(receipt);
    EXPECT_GT(NumberAt(receipt, "ended_at") - NumberAt(receipt, "started_at"), 3000) << "and no faster";
    End();
  });
}

TEST_F(PaceOfMoves, TakesTheObjectiveOfItsTenantAndHeedsThatOfANeighbour) {
  cluster_.InClient([&] {
    Prepare(true);
    cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"neighbour","node":"n2"})");
    cluster_.Call("n1", "PATCH", "/v1/tenants/shop", R"({"latency":"p99:1000ms"})");
    load::BankOptions options;
    options.tenant = "neighbour";
    options.servers = cluster_.urls();
    options.accounts = 10;
    auto bank = load::Bank::Make(cluster_.client(), cluster_.http(), options).value();
    ASSERT_TRUE(bank->Fill());
    bank->Start();
    const std::string id = Start({});
    const auto own = Await(id, [](const json::object& r) { return NumberAt(r, "setpoint_ms") == 1000; });
    EXPECT_EQ(TextAt(own, "signal"), "p99");
    EXPECT_EQ(TextAt(cluster_.AwaitMove(id), "phase"), "done");
    // Only the neighbour cannot be satisfied; it lives where the tenant comes from now.
    EXPECT_EQ(
        TextAt(cluster_.Call("n1", "PATCH", "/v1/tenants/neighbour", R"({"latency":"p95:1us"})").as_object(),
               "latency"),
        "p95:0.001ms");
    runtime::SleepFor(6s);  // The objectives are looked at every five seconds.
    const json::value back =
        cluster_.Call("n1", "POST", "/v1/moves", R"({"tenant":"shop","to":"n1","warm_up":"all"})");
    const std::string second(back.at("id").as_string());
    const auto slow = Await(second, IsAtItsFloor);
    EXPECT_EQ(NumberAt(slow, "setpoint_ms"), 1000);
    EXPECT_EQ(TextAt(cluster_.AwaitMove(second), "phase"), "done");
    bank->Stop();
    End();
  });
}

TEST_F(PaceOfMoves, GoesAtFullSpeedWithoutLoad) {
  cluster_.InClient([&] {
    Prepare(false);
    const auto receipt = cluster_.AwaitMove(Start({}));
    EXPECT_EQ(TextAt(receipt, "phase"), "done");
    EXPECT_TRUE(receipt.at("p95_ms").is_null()) << "nobody was there";
    EXPECT_LT(NumberAt(receipt, "ended_at") - NumberAt(receipt, "started_at"), 3000);
    End();
  });
}

TEST_F(PaceOfMoves, TakesNoLongerThanWithoutALimitWhenNobodyIsThereAndSaysSo) {
  cluster_.InClient([&] {
    Prepare(false);
    // One who is to be heeded whenever he comes, and does not.
    cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"neighbour","node":"n1"})");
    cluster_.Call("n1", "PATCH", "/v1/tenants/neighbour", R"({"latency":"p95:1us"})");
    // Disks and links of the simulation take now this long and now that: several of each, in turns.
    double without = 0;
    double with = 0;
    for (int pair = 0; pair < 40; ++pair) {
      without += MillisecondsOf(cluster_.AwaitMove(cluster_.StartMove("shop", "n2")));
      AwaitGone("n1");
      std::set<std::string> limits;
      const std::string id = Start({{"to", "n1"}, {"setpoint_ms", 0.001}, {"finish_within_s", 600}});
      const auto receipt = Await(id, [&](const json::object& seen) {
        limits.insert(TextAt(seen, "limited_by"));
        return TextAt(seen, "phase") == "done";
      });
      AwaitGone("n2");
      EXPECT_FALSE(limits.contains("setpoint") || limits.contains("floor")) << json::serialize(receipt);
      EXPECT_TRUE(receipt.at("p95_ms").is_null());
      EXPECT_EQ(NumberAt(receipt, "rate_bytes_per_s"), 0);
      with += MillisecondsOf(receipt);
    }
    EXPECT_LE(with, without * 1.15 + 5);
    End();
  });
}

TEST_F(PaceOfMoves, HasTheLeastSetpointAndIsSoonOverRightAfterItsTenantWasFilled) {
  cluster_.InClient([&] {
    Fill();
    const auto receipt = cluster_.AwaitMove(Start({}));
    EXPECT_EQ(NumberAt(receipt, "setpoint_ms"), 5);
    EXPECT_LT(MillisecondsOf(receipt), 1500);
    End();
  });
}

TEST_F(PaceOfMoves, HeedsWithinASecondWhoComesInTheMiddleAtTheSource) {
  cluster_.InClient([&] { BeginLoadInTheMiddle("n1"); });
}

TEST_F(PaceOfMoves, HeedsWithinASecondWhoComesInTheMiddleAtTheDestination) {
  cluster_.InClient([&] { BeginLoadInTheMiddle("n2"); });
}

TEST_F(PaceOfMoves, LearnsBesideALoadThatIsSlowByItselfWhatIsUsualThere) {
  cluster_.InClient([&] {
    cluster_.world().SlowDownLinks(10ms);
    Fill();
    const auto neighbour = MakeNeighbour("n1");
    runtime::SleepFor(20s);
    const std::string id = Start({{"warm_up", "all"}});
    Await(id, [](const json::object& r) { return NumberAt(r, "bytes_sent") > 1e6; });
    neighbour->Start();
    const auto learned = Await(id, [](const json::object& r) { return NumberAt(r, "setpoint_ms") > 8; });
    EXPECT_LT(NumberAt(learned, "setpoint_ms"), NumberAt(learned, "p95_ms") * 3);
    EXPECT_EQ(TextAt(cluster_.AwaitMove(id), "phase"), "done");
    neighbour->Stop();
    End();
  });
}

TEST_F(PaceOfMoves, HasNoLimitAnyMoreOnceAFixedRateIsTakenAway) {
  cluster_.InClient([&] {
    Prepare(false);
    for (const char* pace :
         {R"({"setpoint_ms":null})", R"({"setpoint_ms":0.001})", R"({"rate_bytes_per_s":null})"}) {
      const std::string to = cluster_.HasFile("n1", "shop") ? "n2" : "n1";
      const std::string id = Start({{"to", to}, {"rate_bytes_per_s", 1'000'000}});
      Await(id, [](const json::object& r) { return TextAt(r, "limited_by") == "rate"; });
      cluster_.Call("n2", "PATCH", "/v1/moves/" + id, pace);
      const runtime::TimePoint set = cluster_.client().Now();
      const auto seen = Await(id, [](const json::object& r) {
        return NumberAt(r, "rate_bytes_per_s") == 0 || TextAt(r, "phase") == "done";
      });
      const std::string limit = TextAt(seen, "limited_by");
      EXPECT_TRUE(limit != "rate" && limit != "setpoint" && limit != "floor") << limit << " after " << pace;
      cluster_.AwaitMove(id);
      EXPECT_LT(cluster_.client().Now() - set, 2s) << pace;
      AwaitGone(to == "n2" ? "n1" : "n2");
    }
    End();
  });
}

// Neither is somebody who must be heeded, nor may what was before hold up what is left.
TEST_F(PaceOfMoves, GoesOnAtFullSpeedWhenAnEndWasRestarted) {
  for (const std::string node : {"n2", "n1"}) {
    std::string id;
    runtime::TimePoint back;
    cluster_.InClient([&] {
      cluster_.world().SlowDownLinks(10ms);
      if (!bank_) Prepare(false);
      id = Start({{"to", node == "n2" ? "n2" : "n1"}});
      Await(id, [](const json::object& r) { return TextAt(r, "phase") == "finish"; });
    });
    cluster_.TakeDown("n2", false);
    cluster_.InClient([&] { runtime::SleepFor(2s); });
    cluster_.BringBack();
    cluster_.InClient([&] {
      back = cluster_.client().Now();
      EXPECT_EQ(TextAt(cluster_.AwaitMove(id), "phase"), "done");
      EXPECT_LT(cluster_.client().Now() - back, 4s) << (node == "n2" ? "destination" : "source");
      AwaitGone(node == "n2" ? "n1" : "n2");
    });
  }
  cluster_.InClient([&] { End(); });
}

TEST_F(PaceOfMoves, DrainsIdleTenantsNoSlowerThanWithoutALimit) {
  cluster_.InClient([&] {
    Prepare(false);
    for (int i = 0; i < 40; ++i)
      cluster_.Call("n1", "POST", "/v1/tenants", fmt::format(R"({{"name":"t{}","node":"n1"}})", i));
    const auto drain = [&](const std::string& node, const std::string& pace) {
      cluster_.Call("n1", "DELETE", "/v1/nodes/" + std::string(node == "n1" ? "n2" : "n1") + "/drain");
      const runtime::TimePoint began = cluster_.client().Now();
      cluster_.Call("n1", "POST", "/v1/nodes/" + node + "/drain", pace);
      while (TextAt(cluster_.Call("n1", "GET", "/v1/nodes/" + node + "/drain").as_object(), "state") !=
             "drained")
        runtime::SleepFor(5ms);
      return std::chrono::duration<double>(cluster_.client().Now() - began).count();
    };
    const double without = drain("n1", R"({"rate_bytes_per_s":0})");
    AwaitGone("n1");
    EXPECT_LE(drain("n2", "{}"), without * 1.15 + 0.05);
    End();
  });
}

TEST_F(PaceOfMoves, TellsInItsMetricsHowItStands) {
  cluster_.InClient([&] {
    Prepare(true);
    const std::string id = Start({{"setpoint_ms", 0.001}, {"warm_up", "all"}});
    Await(id, IsAtItsFloor);
    const auto answer =
        cluster_.http().Call("http://n1:8080/metrics", net::HttpRequest{}, cluster_.client().Now() + 10s);
    ASSERT_TRUE(answer) << Describe(answer.error());
    for (const char* name : {"tradewind_request_latency_seconds{signal=\"p95\"}",
                             "tradewind_pace_rate_bytes_per_second 1000000", "tradewind_pace_worst_ratio"})
      EXPECT_NE(answer->body.find(name), std::string::npos) << name << " in\n" << answer->body;
    EXPECT_EQ(TextAt(cluster_.AwaitMove(id), "phase"), "done");
    End();
  });
}

}  // namespace
}  // namespace tradewind::sim
