// Tests of each step of a move: how a step is called in a test's name.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <string_view>
#include <utility>

namespace tradewind::sim {

// "source-pushed-half" is SourcePushedHalf.
inline std::string StepTestName(const testing::TestParamInfo<std::string_view>& info) {
  std::string name;
  bool upper = true;
  for (const char c : info.param) {
    if (c == '-')
      upper = true;
    else
      name += std::exchange(upper, false) ? static_cast<char>(std::toupper(c)) : c;
  }
  return name;
}

}  // namespace tradewind::sim
