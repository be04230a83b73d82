// SIGKILL of the source, the destination or the node of the catalog at any moment of a slow move: the moments
// are spread over the whole move by a fixed seed. And of the catalog's node as soon as each phase is seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "aftermath.h"
#include "cli/client_command.h"
#include "stage.h"

namespace tradewind::tests {
namespace {

// n1 hosts the catalog and takes no part in the move.
constexpr const char* kCatalog = "n1";
constexpr const char* kSource = "n2";
constexpr const char* kDestination = "n3";

using Moment = std::function<bool(const boost::json::value& receipt)>;

// `is_now` looks at the receipt as the source has it, for as long as there is one.
void KillAt(const std::string& victim, const Moment& is_now) {
  Play([&](Stage& stage) {
    const auto started = stage.StartNodes(3);
    ASSERT_TRUE(started) << Describe(started.error());
    const auto opened = stage.OpenBank(KillBank(), kSource);
    ASSERT_TRUE(opened) << Describe(opened.error());
    ASSERT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
    const auto id = stage.StartMove(kDestination, kKillRate);
    ASSERT_TRUE(id) << Describe(id.error());
    ASSERT_TRUE(stage.Eventually([&] {
      const auto receipt = stage.Receipt(kSource, *id);
      return receipt && is_now(*receipt);
    }));
    RestartKilled(stage, victim);
    if (testing::Test::HasFatalFailure()) return;
    ExpectARightEnd(stage, *id, kSource, kDestination);
  });
}

struct Midway {
  int number;
  std::string victim;
  double share;  // Of the pages that have arrived.
};

void PrintTo(const Midway& midway, std::ostream* out) {
  *out << midway.victim << " once " << midway.share << " of the pages have arrived";
}

std::vector<Midway> TwentyMoments() {
  std::mt19937 random(20);
  std::vector<Midway> moments;
  for (int i = 0; i < 20; ++i) {
    const char* const victim = i % 3 == 0 ? kSource : i % 3 == 1 ? kDestination : kCatalog;
    moments.push_back({i, victim, static_cast<double>(random() % 1'000) / 1'000});
  }
  return moments;
}

class KilledMidway : public testing::TestWithParam<Midway> {};

TEST_P(KilledMidway, LosesNothing) {
  KillAt(GetParam().victim, [](const boost::json::value& receipt) {
    return ShareArrived(receipt) >= GetParam().share || cli::TextAt(receipt, "phase") == "done";
  });
}

INSTANTIATE_TEST_SUITE_P(Moments, KilledMidway, testing::ValuesIn(TwentyMoments()), [](const auto& moment) {
  const std::string& victim = moment.param.victim;
  return (victim == kSource        ? "Source"
          : victim == kDestination ? "Destination"
                                   : "Catalog") +
         std::to_string(moment.param.number);
});

class CatalogKilledInPhase : public testing::TestWithParam<std::string> {};

TEST_P(CatalogKilledInPhase, LosesNothing) {
  const std::vector<std::string> order{"init", "dual", "finish", "done"};
  const auto at = [&](const std::string& phase) {
    return std::find(order.begin(), order.end(), phase) - order.begin();
  };
  KillAt(kCatalog, [&](const boost::json::value& receipt) {
    return at(cli::TextAt(receipt, "phase")) >= at(GetParam());
  });
}

INSTANTIATE_TEST_SUITE_P(Phases, CatalogKilledInPhase, testing::Values("init", "dual", "finish", "done"),
                         [](const auto& phase) { return phase.param; });

}  // namespace
}  // namespace tradewind::tests
