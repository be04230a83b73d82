// Any bytes as what is written on a command line: durations, sizes, rates, percents, objectives, loads, addresses.
#include "base/units.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cli/move_observer.h"
#include "load/arrivals.h"
#include "pace/objective.h"
#include "program/listen_address.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto duration = ParseDuration(text)) {
    TW_CHECK(duration->count() >= 0, "a duration must not be negative");
    static_cast<void>(FormatDuration(*duration));
  }
  if (const auto bytes_of_it = ParseSize(text)) static_cast<void>(FormatSize(*bytes_of_it));
  if (const auto rate = ParseRate(text)) TW_CHECK(*rate > 0, "a rate must not be 0");
  if (const auto percent = ParsePercent(text)) TW_CHECK(*percent <= 100, "a part must not be more than all");
  if (const auto objective = pace::ParseObjective(text))
    TW_CHECK(objective->milliseconds > 0, "an objective must be above 0");
  static_cast<void>(program::ParseListenAddress(text));
  static_cast<void>(load::ParseSteps(text));
  load::RateCurve curve;
  static_cast<void>(load::ParseWave(text, curve));
  static_cast<void>(load::ParseMoments(text));
  return 0;
}
