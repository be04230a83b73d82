#include "base/fixed_histogram.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tradewind {
namespace {

size_t BoundOf(double seconds) {
  for (size_t bound = 0; bound < FixedHistogram::kBounds.size(); ++bound)
    if (FixedHistogram::kBounds[bound] == seconds) return bound;
  ADD_FAILURE() << seconds << " is no bound";
  return 0;
}

TEST(FixedHistogram, CountsWhatTookNoLongerThanEachBound) {
  FixedHistogram histogram;
  for (const double seconds : {0.0, 0.001, 0.0011, 3.0, 20000.0}) histogram.Record(seconds);
  EXPECT_EQ(histogram.CountUpTo(BoundOf(0.0001)), 1u);
  EXPECT_EQ(histogram.CountUpTo(BoundOf(0.001)), 2u) << "a bound belongs to its own bucket";
  EXPECT_EQ(histogram.CountUpTo(BoundOf(0.0025)), 3u);
  EXPECT_EQ(histogram.CountUpTo(BoundOf(5)), 4u);
  EXPECT_EQ(histogram.CountUpTo(BoundOf(10000)), 4u) << "what is beyond all bounds is only in the count";
  EXPECT_EQ(histogram.count(), 5u);
  EXPECT_DOUBLE_EQ(histogram.sum_seconds(), 20003.0021);
}

TEST(FixedHistogram, OfTwoPlacesAddUpToThatOfBoth) {
  FixedHistogram here, there, both;
  for (const double seconds : {0.003, 0.2, 7.0}) {
    here.Record(seconds);
    both.Record(seconds);
  }
  for (const double seconds : {0.0002, 0.2, 9000.0, 12000.0}) {
    there.Record(seconds);
    both.Record(seconds);
  }
  here.Add(there);
  for (size_t bound = 0; bound < FixedHistogram::kBounds.size(); ++bound)
    EXPECT_EQ(here.CountUpTo(bound), both.CountUpTo(bound)) << FixedHistogram::kBounds[bound];
  EXPECT_EQ(here.count(), both.count());
  EXPECT_DOUBLE_EQ(here.sum_seconds(), both.sum_seconds());
}

TEST(FixedHistogram, TakesAClockThatWentBackForNoTime) {
  FixedHistogram histogram;
  histogram.Record(-1);
  histogram.Record(std::nan(""));
  EXPECT_EQ(histogram.CountUpTo(0), 2u);
  EXPECT_EQ(histogram.sum_seconds(), 0);
}

}  // namespace
}  // namespace tradewind
