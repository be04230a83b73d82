// The middle of what several rounds of a measurement gave.
#pragma once

#include <algorithm>
#include <vector>

namespace tradewind::bench {

// Between the two in the middle where there are two; 0 of nothing.
inline double Median(std::vector<double> numbers) {
  if (numbers.empty()) return 0;
  std::sort(numbers.begin(), numbers.end());
  const size_t middle = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[middle] : (numbers[middle - 1] + numbers[middle]) / 2;
}

}  // namespace tradewind::bench
