#include "load/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tradewind::load {
namespace {

std::vector<double> Until(Arrivals& arrivals, double end_s) {
  std::vector<double> moments;
  for (auto next = arrivals.Next(); next && *next < end_s; next = arrivals.Next()) moments.push_back(*next);
  return moments;
}

size_t CountIn(const std::vector<double>& moments, double from, double to) {
  size_t count = 0;
  for (const double at : moments) count += from <= at && at < to ? 1 : 0;
  return count;
}

RateCurve At(double per_second) {
  RateCurve curve;
  curve.steps = {{0, per_second}};
  return curve;
}

TEST(Arrivals, OfIndependentUsersHaveTheRateAndTheSpreadOfAPoissonProcess) {
  const auto arrivals = MakePoissonArrivals(At(500), 3);
  const auto moments = Until(*arrivals, 100);
  EXPECT_NEAR(static_cast<double>(moments.size()), 50'000, 4 * std::sqrt(50'000));
  double mean = 0, square = 0;
  for (size_t at = 1; at < moments.size(); ++at) {
    const double pause = moments[at] - moments[at - 1];
    EXPECT_GE(pause, 0);
    mean += pause / 50'000;
    square += pause * pause / 50'000;
  }
  EXPECT_NEAR(std::sqrt(square - mean * mean) / mean, 1, 0.03) << "as exponential pauses have it";
  EXPECT_EQ(Until(*MakePoissonArrivals(At(500), 3), 1), Until(*MakePoissonArrivals(At(500), 3), 1));
  EXPECT_NE(Until(*MakePoissonArrivals(At(500), 3), 1), Until(*MakePoissonArrivals(At(500), 4), 1));
}

TEST(Arrivals, AtAFixedRateAreEven) {
  const auto moments = Until(*MakeFixedArrivals(At(4)), 1.1);
  EXPECT_EQ(moments, (std::vector<double>{0, 0.25, 0.5, 0.75, 1}));
}

TEST(Arrivals, FollowStepsAndWaves) {
  RateCurve curve;
  curve.steps = ParseSteps("400@0s,600@10s,200@20s").value();
  const auto stepped = Until(*MakePoissonArrivals(curve, 1), 30);
  EXPECT_NEAR(static_cast<double>(CountIn(stepped, 0, 10)), 4000, 260);
  EXPECT_NEAR(static_cast<double>(CountIn(stepped, 10, 20)), 6000, 320);
  EXPECT_NEAR(static_cast<double>(CountIn(stepped, 20, 30)), 2000, 180);
  RateCurve wave = At(400);
  ASSERT_TRUE(ParseWave("50%/20s", wave));
  const auto up_and_down = Until(*MakeFixedArrivals(wave), 20);
  EXPECT_NEAR(static_cast<double>(CountIn(up_and_down, 0, 10)), 4000 * (1 + 0.5 * 2 / M_PI), 20);
  EXPECT_NEAR(static_cast<double>(CountIn(up_and_down, 10, 20)), 4000 * (1 - 0.5 * 2 / M_PI), 20);
}

TEST(Arrivals, AreRepeatedAsTheyWereRecorded) {
  const auto moments = ParseMoments("# seconds\n0\n0.5\n\n0.5\n2.25\n").value();
  const auto arrivals = MakeRecordedArrivals(moments);
  EXPECT_EQ(Until(*arrivals, 100), (std::vector<double>{0, 0.5, 0.5, 2.25}));
  EXPECT_FALSE(arrivals->Next());
}

TEST(Arrivals, ThatMakeNoSenseAreRefused) {
  for (const char* text :
       {"", "400", "400@", "400@1s", "0@0s", "400@0s,500@0s", "400@0s,500@5s,600@4s", "x@0s"})
    EXPECT_FALSE(ParseSteps(text)) << text;
  RateCurve curve;
  for (const char* text : {"", "30%", "30/20s", "100%/20s", "30%/0s"})
    EXPECT_FALSE(ParseWave(text, curve)) << text;
  for (const char* text : {"", "1\n0\n", "-1\n", "soon\n"}) EXPECT_FALSE(ParseMoments(text)) << text;
}

}  // namespace
}  // namespace tradewind::load
