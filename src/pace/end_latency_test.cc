#include "pace/end_latency.h"

#include <gtest/gtest.h>

#include "runtime/test_core.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

TEST(EndLatency, ComesThroughTheMessageAsItWas) {
  EndLatency latency{{100, 1.5, 3, 4}, 2.5, {3, 20, 0.25, 1.5}, {{"shop", {7, 1, 2, 3}}}};
  const auto read = DecodeEndLatency(Encode(latency));
  ASSERT_TRUE(read) << Describe(read.error());
  EXPECT_EQ(read->now.samples, 100u);
  EXPECT_EQ(read->now.p95_ms, 3);
  EXPECT_EQ(read->usual_p95_ms, 2.5);
  EXPECT_EQ(read->activity.under_way, 3u);
  EXPECT_EQ(read->activity.lately, 20u);
  EXPECT_EQ(read->activity.quiet_s, 0.25);
  EXPECT_EQ(read->activity.gap_s, 1.5);
  EXPECT_EQ(read->tenants.at("shop").mean_ms, 1);
}

TEST(NodeSensors, OfOneCoreSayWithoutACopyWhatItsSensorHolds) {
  runtime::TestCore core;
  Sensor sensor(core);
  NodeSensors sensors;
  sensors.Add(core, sensor);
  core.Run([&] {
    sensor.ReadTenant("shop");  // From here on it is followed.
    for (int i = 0; i < 500; ++i) {
      const Sensor::Measurement one(sensor, i % 2 == 0 ? "shop" : "other", core.Now());
      runtime::SleepFor(i % 2 == 0 ? 4ms : 8ms);
    }
    const Sensor::Measurement waiting(sensor, "shop", core.Now());
    runtime::SleepFor(100ms);
    const SensorView held = sensor.View({"shop"});
    for (const auto back : {runtime::Duration::max(), runtime::Duration(2s), runtime::Duration(500ms)}) {
      const bool all = back == runtime::Duration::max();
      const EndLatency read = sensors.Read({{"shop"}, all ? std::nullopt : std::optional(back)});
      const runtime::TimePoint since = all ? runtime::TimePoint{} : core.Now() - back;
      const Reading now = held.all.Read(core.Now(), since),
                    shop = held.tenants.at("shop").Read(core.Now(), since);
      EXPECT_EQ(read.now.samples, now.samples);
      EXPECT_NEAR(read.now.p95_ms, now.p95_ms, 0.1);
      EXPECT_EQ(read.tenants.at("shop").samples, shop.samples);
      EXPECT_NEAR(read.tenants.at("shop").mean_ms, shop.mean_ms, 0.1);
      EXPECT_LT(shop.samples, now.samples);
      EXPECT_EQ(read.activity.under_way, 1u);
      // The first read is the first that anybody hears of a move.
      EXPECT_EQ(read.usual_p95_ms, all ? held.usual.p95_ms(core.Now()) : 0);
    }
    EXPECT_EQ(sensors.ReadNow().samples, held.all.Read(core.Now(), {}).samples);
  });
}

TEST(NodeSensors, OfOneCoreNoteTheMoveThatAsksThem) {
  runtime::TestCore core;
  const auto usual = [&](bool in_move) {
    Sensor sensor(core);
    NodeSensors sensors;
    sensors.Add(core, sensor);
    for (int i = 0; i < 1'000; ++i) {
      if (in_move) sensors.Read({});
      const Sensor::Measurement one(sensor, "shop", core.Now());
      runtime::SleepFor(5ms);
    }
    return sensors.Read({}).usual_p95_ms;
  };
  core.Run([&] {
    EXPECT_GT(usual(false), 0);
    EXPECT_EQ(usual(true), 0) << "what requests take in a move is not what is usual";
  });
}

TEST(EndLatency, IsAskedForSinceACertainTimeOrForAsFarBackAsASensorLooks) {
  const auto some = DecodeLatencyCall(Encode(LatencyCall{{"shop"}, 300ms}));
  ASSERT_TRUE(some);
  EXPECT_EQ(some->tenants, std::vector<TenantName>{"shop"});
  EXPECT_EQ(some->back, 300ms);
  EXPECT_FALSE(DecodeLatencyCall(Encode(LatencyCall{}))->back);
  EXPECT_FALSE(DecodeLatencyCall(R"({"tenants":[],"back_s":1e300})")->back) << "no sensor looks back so far";
}

TEST(EndLatency, RefusesWhatMakesNoSense) {
  for (const char* text : {"", "7", "{}", R"({"tenants":[7]})", R"({"tenants":["A b"]})",
                           R"({"tenants":[],"back_s":-1})", R"({"tenants":[],"back_s":"soon"})"})
    EXPECT_EQ(DecodeLatencyCall(text).error().code, "LATENCY_MESSAGE") << text;
  const std::string good = Encode(EndLatency{});
  for (const char* name : {"now", "usual_p95_ms", "activity", "tenants", "samples", "quiet_s"}) {
    std::string text = good;
    text.replace(text.find(name), 1, "_");
    EXPECT_EQ(DecodeEndLatency(text).error().code, "LATENCY_MESSAGE") << text;
  }
  std::string negative = good;
  negative.replace(negative.find("\"samples\":0"), 11, "\"samples\":-1");
  EXPECT_FALSE(DecodeEndLatency(negative));
}

}  // namespace
}  // namespace tradewind::pace
