#include "balance/drain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/limits.h"
#include "catalog/test_catalog.h"
#include "runtime/test_core.h"

namespace tradewind::balance {
namespace {

using State = DrainProgress::State;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;

// The node n1 with tenants, and other nodes, all pretended. Time is virtual.
class DrainTest : public testing::Test {
 protected:
  void Run(const std::function<void()>& body) {
    core_.Run([&] {
      drain_ = Make();
      body();
      End();
    });
  }

  std::unique_ptr<Drain> Make() {
    Drain::Callbacks callbacks;
    callbacks.tenants = [this] {
      std::vector<TenantName> names;
      for (const auto& [name, bytes] : here_) names.push_back(name);
      return names;
    };
    callbacks.bytes_of = [this](const TenantName& name) { return here_.contains(name) ? here_.at(name) : 0; };
    callbacks.places = [this]() -> Result<std::vector<NodePlace>> {
      if (catalog_away_) return Fail(ErrorKind::kUnavailable, "CATALOG_UNAVAILABLE", "the catalog is away");
      return places_;
    };
    callbacks.record = [this](bool draining) -> Result<void> {
      recorded_ = draining;
      return {};
    };
    callbacks.move_to_end = [this](const move::MoveRequest& request) { return Move(request); };
    callbacks.set_pace = [this](const TenantName& name, const move::Pace& pace) {
      rates_[name] = pace.rate_bytes_per_s.value();
    };
    return std::make_unique<Drain>(core_, "n1", core_.folder() + "/drain", callbacks);
  }

  void End() {
    if (!drain_) return;
    drain_->Stop();
    drain_->Join();
    drain_.reset();
  }

  Result<move::Receipt> Move(const move::MoveRequest& request) {
    ++tried_[request.tenant];
    bytes_moving_ += here_.at(request.tenant);
    rates_[request.tenant] = request.options.pace.rate_bytes_per_s.value_or(0);
    ++moving_;
    most_moving_ = std::max(most_moving_, moving_);
    most_bytes_.push_back(bytes_moving_);
    runtime::SleepFor(move_time_);
    --moving_;
    bytes_moving_ -= here_.at(request.tenant);
    if (others_moves_.contains(request.tenant))
      return Fail(ErrorKind::kRefused, "MOVE_IN_PROGRESS", "it is in a move");
    if (const auto found = fails_.find(request.tenant); found != fails_.end())
      return Fail(ErrorKind::kUnavailable, "NODE_BUSY", found->second);
    move::Receipt receipt;
    receipt.phase = cancelled_.contains(request.tenant + " to " + request.to) ? move::Phase::kCancelled
                                                                              : move::Phase::kDone;
    if (receipt.phase == move::Phase::kDone) {
      receipt.bytes_sent = here_.at(request.tenant);
      here_.erase(request.tenant);
      moved_to_[request.to].push_back(request.tenant);
    }
    return receipt;
  }

  void AwaitState(State state) {
    while (drain_->progress().state != state) runtime::SleepFor(milliseconds(10));
  }
  void AwaitDrained() { AwaitState(State::kDrained); }

  runtime::TestCore core_;
  std::map<TenantName, uint64_t> here_;
  std::vector<NodePlace> places_ = {{"n1", true, true, 0}, {"n2", true, false, 0}, {"n3", true, false, 0}};
  bool catalog_away_ = false;
  bool recorded_ = false;
  runtime::Duration move_time_ = milliseconds(20);
  std::map<TenantName, std::string> fails_;
  std::set<TenantName> others_moves_;
  std::set<std::string> cancelled_;  // "TENANT to NODE"
  std::map<TenantName, int> tried_;
  std::map<TenantName, uint64_t> rates_;
  std::map<NodeName, std::vector<TenantName>> moved_to_;
  size_t moving_ = 0;
  size_t most_moving_ = 0;
  uint64_t bytes_moving_ = 0;
  std::vector<uint64_t> most_bytes_;
  std::unique_ptr<Drain> drain_;
};

TEST_F(DrainTest, MovesEveryTenantManyAtATimeAndSpreadsThem) {
  for (int i = 0; i < 200; ++i) here_["t" + std::to_string(i)] = 1000;
  places_[2].tenants = 50;
  Run([&] {
    catalog::Need(drain_->Start({}));
    EXPECT_TRUE(recorded_);
    EXPECT_TRUE(drain_->draining());
    EXPECT_EQ(drain_->progress().total, 200u);
    AwaitDrained();
    EXPECT_THAT(here_, IsEmpty());
    EXPECT_EQ(moved_to_["n2"].size(), 125u);
    EXPECT_EQ(moved_to_["n3"].size(), 75u);
    EXPECT_EQ(most_moving_, limits::kDrainMoves);
    const DrainProgress progress = drain_->progress();
    EXPECT_EQ(progress.moved, 200u);
    EXPECT_EQ(progress.total, 200u);
    EXPECT_EQ(progress.bytes_moved, 200'000u);
    EXPECT_GT(progress.tenants_per_s, 200.0);
    EXPECT_THAT(progress.failures, IsEmpty());
  });
}

TEST_F(DrainTest, KeepsToItsBytesButForATenantThatIsLargerThanThat) {
  for (int i = 0; i < 10; ++i) here_["t" + std::to_string(i)] = limits::kDrainBytes / 3;
  here_["large"] = limits::kDrainBytes * 2;
  Run([&] {
    catalog::Need(drain_->Start({}));
    AwaitDrained();
    EXPECT_EQ(most_bytes_.back(), limits::kDrainBytes * 2) << "the large one, alone and last";
    most_bytes_.pop_back();
    EXPECT_THAT(most_bytes_, Each(Le(limits::kDrainBytes)));
  });
}

TEST_F(DrainTest, MovesOnlyToTheNodesThatWereNamed) {
  for (int i = 0; i < 10; ++i) here_["t" + std::to_string(i)] = 1;
  Run([&] {
    EXPECT_EQ(catalog::CodeOf(drain_->Start({{"n1"}, 0})), "DRAIN_TO_ITSELF");
    EXPECT_EQ(catalog::CodeOf(drain_->Start({{"n4"}, 0})), "NODE_NOT_FOUND");
    EXPECT_FALSE(recorded_);
    EXPECT_EQ(drain_->progress().state, State::kNone);
    catalog::Need(drain_->Start({{"n3"}, 0}));
    AwaitDrained();
    EXPECT_EQ(moved_to_["n3"].size(), 10u);
  });
}

TEST_F(DrainTest, LeavesOutNodesWithAnOlderSqlite) {
  for (int i = 0; i < 10; ++i) here_["t" + std::to_string(i)] = 1;
  places_[0].sqlite = 3'053'002;
  places_[1].sqlite = 3'053'001;
  places_[2].sqlite = 0;  // It does not say.
  Run([&] {
    const auto named = drain_->Start({{"n2"}, 0});
    EXPECT_EQ(catalog::CodeOf(named), "SQLITE_OLDER");
    EXPECT_THAT(named.error().message, HasSubstr("3.53.1"));
    EXPECT_FALSE(recorded_);
    catalog::Need(drain_->Start({}));
    runtime::SleepFor(seconds(5));
    EXPECT_TRUE(tried_.empty());
    EXPECT_THAT(drain_->progress().waiting_for, HasSubstr("SQLite 3.53.2 or later"));
    places_[2].sqlite = 3'053'002;
    AwaitDrained();
    EXPECT_EQ(moved_to_["n3"].size(), 10u);
  });
}

TEST_F(DrainTest, SaysThatThereIsNowhereToGoAndGoesOnWhenThereIs) {
  here_["t"] = 1;
  places_[1].up = false;
  places_[2].draining = true;
  Run([&] {
    catalog::Need(drain_->Start({}));
    runtime::SleepFor(seconds(5));
    EXPECT_EQ(drain_->progress().state, State::kDraining);
    EXPECT_THAT(drain_->progress().waiting_for, HasSubstr("another node that is up"));
    catalog_away_ = true;
    runtime::SleepFor(seconds(5));
    EXPECT_THAT(drain_->progress().waiting_for, HasSubstr("the catalog is away"));
    catalog_away_ = false;
    places_[1].up = true;
    AwaitDrained();
    EXPECT_EQ(drain_->progress().waiting_for, "");
    EXPECT_THAT(moved_to_["n2"], ElementsAre("t"));
  });
}

TEST_F(DrainTest, TriesAnotherNodeAfterACancelledMove) {
  here_["t"] = 1;
  cancelled_ = {"t to n2"};
  Run([&] {
    catalog::Need(drain_->Start({}));
    AwaitDrained();
    EXPECT_THAT(moved_to_["n3"], ElementsAre("t"));
    EXPECT_EQ(tried_["t"], 2);
  });
}

TEST_F(DrainTest, LooksAtTheNodesAgainSoonAfterAFailure) {
  here_["t"] = 1;
  cancelled_ = {"t to n2"};
  places_[2].up = false;
  Run([&] {
    catalog::Need(drain_->Start({}));
    while (tried_["t"] == 0) runtime::SleepFor(milliseconds(1));
    places_[2].up = true;
    AwaitDrained();
    EXPECT_THAT(moved_to_["n3"], ElementsAre("t"));
    EXPECT_LE(tried_["t"], 3) << "before the time at which it would have looked anyway";
  });
}

TEST_F(DrainTest, NamesATenantThatCannotBeMovedAndKeepsTryingIt) {
  for (int i = 0; i < 30; ++i) here_["t" + std::to_string(i)] = 1;
  fails_["t7"] = "it is stuck";
  Run([&] {
    catalog::Need(drain_->Start({}));
    runtime::SleepFor(seconds(60));
    const DrainProgress progress = drain_->progress();
    EXPECT_EQ(progress.state, State::kDraining);
    EXPECT_EQ(progress.moved, 29u);
    ASSERT_EQ(progress.failures.size(), 1u);
    EXPECT_EQ(progress.failures[0].tenant, "t7");
    EXPECT_THAT(progress.failures[0].reason, HasSubstr("it is stuck"));
    EXPECT_THAT(progress.waiting_for, HasSubstr("t7, which is tried again"));
    EXPECT_GE(tried_["t7"], 6);
    EXPECT_LE(tried_["t7"], 14) << "it is tried more slowly each time";
    fails_.clear();
    AwaitDrained();
    EXPECT_THAT(drain_->progress().failures, IsEmpty());
  });
}

TEST_F(DrainTest, BegunAgainTriesWhatFailedAtOnce) {
  here_["t"] = 1;
  fails_["t"] = "it is stuck";
  Run([&] {
    catalog::Need(drain_->Start({}));
    runtime::SleepFor(seconds(60));
    fails_.clear();
    const int tried = tried_["t"];
    const runtime::TimePoint before = core_.Now();
    catalog::Need(drain_->Start({}));
    AwaitDrained();
    EXPECT_EQ(tried_["t"], tried + 1);
    EXPECT_LT(core_.Now() - before, seconds(1));
  });
}

TEST_F(DrainTest, MovesTenantsThatArriveAllTheSame) {
  Run([&] {
    catalog::Need(drain_->Start({}));
    EXPECT_EQ(drain_->progress().state, State::kDrained) << "there was none";
    here_["late"] = 1;
    while (here_.contains("late")) runtime::SleepFor(milliseconds(10));
    AwaitDrained();
    EXPECT_EQ(drain_->progress().moved, 1u);
  });
}

TEST_F(DrainTest, StartsNothingMoreOnceItIsUndoneAndLetsMovesEnd) {
  for (int i = 0; i < 100; ++i) here_["t" + std::to_string(i)] = 1;
  Run([&] {
    catalog::Need(drain_->Start({}));
    while (moving_ == 0) runtime::SleepFor(milliseconds(1));
    catalog::Need(drain_->Undrain());
    EXPECT_FALSE(recorded_);
    EXPECT_FALSE(drain_->draining());
    EXPECT_EQ(drain_->progress().state, State::kStopped);
    runtime::SleepFor(seconds(5));
    EXPECT_EQ(drain_->progress().moved, limits::kDrainMoves);
    EXPECT_EQ(here_.size(), 100 - limits::kDrainMoves);
    catalog::Need(drain_->Start({}));
    AwaitDrained();
    EXPECT_EQ(drain_->progress().moved, 100 - limits::kDrainMoves) << "counted from the new start";
  });
}

TEST_F(DrainTest, ForgetsWhatItHasNotMovedOnceItIsUndone) {
  here_ = {{"moves", 1}, {"fails", 2}};
  fails_["fails"] = "it is stuck";
  others_moves_ = {"moves"};
  Run([&] {
    catalog::Need(drain_->Start({}));
    runtime::SleepFor(seconds(60));
    EXPECT_EQ(drain_->progress().total, 2u);
    catalog::Need(drain_->Undrain());
    runtime::SleepFor(seconds(1));
    EXPECT_EQ(drain_->progress().total, 0u);
    EXPECT_THAT(drain_->progress().failures, IsEmpty());
  });
}

TEST_F(DrainTest, GoesOnAsItWasAskedToAfterARestart) {
  for (int i = 0; i < 100; ++i) here_["t" + std::to_string(i)] = 1;
  Run([&] {
    catalog::Need(drain_->Start({{"n3"}, {.rate_bytes_per_s = 2400}}));
    while (moving_ == 0) runtime::SleepFor(milliseconds(1));
    End();
    EXPECT_FALSE(here_.empty());
    drain_ = Make();
    EXPECT_EQ(drain_->progress().state, State::kNone);
    drain_->Resume();
    AwaitDrained();
    EXPECT_EQ(moved_to_["n3"].size(), 100u);
    EXPECT_EQ(rates_["t0"], 2400 / limits::kDrainMoves);
  });
}

// A drain to one node must not become one to any.
TEST_F(DrainTest, MovesNothingWhenTheFileIsDamagedOrMissingUntilItIsToldAgain) {
  const std::string file = core_.folder() + "/drain";
  Run([&] {
    catalog::Need(drain_->Start({{"n3"}, {.rate_bytes_per_s = 2400}}));
    End();
    std::ifstream in(file, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    here_["t"] = 1;
    const auto try_with = [&](const std::string& content) {
      std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
      drain_ = Make();
      drain_->Resume();
    };
    for (size_t byte = 0; byte < whole.size(); ++byte) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << byte % 8));
      try_with(flipped);
      ASSERT_TRUE(drain_->draining());
      ASSERT_THAT(drain_->progress().waiting_for, HasSubstr("DRAIN_FILE_CORRUPT")) << byte;
      End();
    }
    try_with(whole.substr(0, 20));
    EXPECT_THAT(drain_->progress().waiting_for, HasSubstr("DRAIN_FILE_CORRUPT"));
    End();
    std::filesystem::remove(file);
    drain_ = Make();
    drain_->Resume();
    EXPECT_THAT(drain_->progress().waiting_for, HasSubstr("missing"));
    runtime::SleepFor(seconds(60));
    EXPECT_TRUE(moved_to_.empty());
    catalog::Need(drain_->Start({{"n3"}, {}}));
    AwaitDrained();
    EXPECT_THAT(moved_to_["n3"], ElementsAre("t"));
  });
}

TEST_F(DrainTest, ReadsTheFileOfAnEarlierVersion) {
  here_["t"] = 1;
  Run([&] {
    std::ofstream(core_.folder() + "/drain")
        << R"({"to":["n3"],"options":"{\"method\":\"zephyr\",\"warm_up\":\"none\"}"})";
    drain_->Resume();
    AwaitDrained();
    EXPECT_THAT(moved_to_["n3"], ElementsAre("t"));
  });
}

TEST_F(DrainTest, SharesItsRateAmongItsMoves) {
  here_ = {{"a", 1}, {"b", 2}};
  move_time_ = seconds(30);
  Run([&] {
    catalog::Need(drain_->Start({{}, {.rate_bytes_per_s = 1000}}));
    runtime::SleepFor(seconds(1));
    EXPECT_EQ(rates_["a"] + rates_["b"], 1000u);
    here_["c"] = 3;
    runtime::SleepFor(seconds(5));
    EXPECT_LE(rates_["a"] + rates_["b"] + rates_["c"], 1000u);
    EXPECT_GE(rates_["a"] + rates_["b"] + rates_["c"], 999u);
  });
}

TEST_F(DrainTest, WaitsForAMoveThatSomebodyElseStarted) {
  here_ = {{"a", 1}, {"b", 2}};
  others_moves_ = {"a"};
  Run([&] {
    catalog::Need(drain_->Start({}));
    runtime::SleepFor(seconds(60));
    EXPECT_EQ(drain_->progress().moving, 1u);
    EXPECT_THAT(drain_->progress().failures, IsEmpty());
    EXPECT_THAT(drain_->progress().waiting_for, HasSubstr("the move that tenant a is in"));
    others_moves_.clear();  // It was cancelled.
    AwaitDrained();
    EXPECT_EQ(drain_->progress().moving, 0u);
  });
}

TEST_F(DrainTest, WaitsForATenantThatIsLeavingAlready) {
  here_["t"] = 1;
  Run([&] {
    // As a node says while it closes a tenant that has been moved.
    Drain::Callbacks callbacks;
    int tries = 0;
    callbacks.tenants = [this] {
      return here_.empty() ? std::vector<TenantName>() : std::vector<TenantName>{"t"};
    };
    callbacks.bytes_of = [](const TenantName&) { return 1; };
    callbacks.places = [this]() -> Result<std::vector<NodePlace>> { return places_; };
    callbacks.record = [](bool) -> Result<void> { return {}; };
    callbacks.move_to_end = [&tries](const move::MoveRequest&) -> Result<move::Receipt> {
      ++tries;
      return Fail(ErrorKind::kRefused, std::string(tenant::kNotHereCode), "it is leaving");
    };
    Drain drain(core_, "n1", core_.folder() + "/drain", callbacks);
    catalog::Need(drain.Start({}));
    runtime::SleepFor(seconds(10));
    EXPECT_LE(tries, 50);
    EXPECT_THAT(drain.progress().failures, IsEmpty());
    here_.clear();
    while (drain.progress().state != State::kDrained) runtime::SleepFor(milliseconds(10));
    drain.Stop();
    drain.Join();
  });
}

TEST(DrainProgressJson, NamesEverything) {
  DrainProgress progress;
  progress.node = "n1";
  EXPECT_EQ(boost::json::parse(ToJson(progress)).at("state").as_string(), "none");
  EXPECT_TRUE(boost::json::parse(ToJson(progress)).at("started_at").is_null());
  progress.state = State::kDraining;
  progress.failures = {{"t", "stuck"}};
  const auto value = boost::json::parse(ToJson(progress));
  EXPECT_EQ(value.at("failed").to_number<int>(), 1);
  EXPECT_EQ(value.at("failures").at(0).at("reason").as_string(), "stuck");
  EXPECT_TRUE(value.at("eta_s").is_null());
}

}  // namespace
}  // namespace tradewind::balance
