#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/ascii.h"

namespace tradewind {
namespace {

struct Unit {
  std::string_view name;  // Lower case.
  double factor;
};

constexpr std::array<Unit, 7> kDurationUnits{
    {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 9> kSizeUnits{{{"b", 1},
                                          {"kb", 1e3},
                                          {"mb", 1e6},
                                          {"gb", 1e9},
                                          {"tb", 1e12},
                                          {"kib", 1024.0},
                                          {"mib", 1024.0 * 1024},
                                          {"gib", 1024.0 * 1024 * 1024},
                                          {"tib", 1024.0 * 1024 * 1024 * 1024}}};

tl::unexpected<Error> Invalid(std::string_view what, std::string_view text, std::string_view example) {
  return Fail(ErrorKind::kInvalid, "UNIT_INVALID", fmt::format("\"{}\" is not a {}", text, what),
              fmt::format("write a number and a unit, such as {}", example));
}

// The number times its unit's factor, rounded; false when `text` is no such thing or does not fit into 63
// bits.
template <size_t N>
bool Parse(std::string_view text, const std::array<Unit, N>& units, bool any_case, int64_t* value) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || number < 0 || std::signbit(number)) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.empty()) {
    *value = 0;
    return number == 0;
  }
  if (text.front() == ' ') text.remove_prefix(1);
  const std::string name = any_case ? LowerCase(text) : std::string(text);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    const double scaled = std::round(number * unit.factor);
    if (scaled >= static_cast<double>(std::numeric_limits<int64_t>::max())) return false;
    *value = static_cast<int64_t>(scaled);
    return true;
  }
  return false;
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  int64_t nanoseconds = 0;
  if (!Parse(text, kDurationUnits, false, &nanoseconds)) return Invalid("duration", text, "5ms or 2s");
  return std::chrono::nanoseconds(nanoseconds);
}

Result<uint64_t> ParseMilliseconds(std::string_view text) {
  TW_TRY_ASSIGN(const std::chrono::nanoseconds duration, ParseDuration(text));
  if (duration.count() == 0) return 0;
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<uint64_t>(std::max<int64_t>(1, whole));
}

Result<uint64_t> ParseSize(std::string_view text) {
  int64_t bytes = 0;
  if (!Parse(text, kSizeUnits, true, &bytes)) return Invalid("size", text, "64MB or 1GiB");
  return static_cast<uint64_t>(bytes);
}

Result<uint64_t> ParseRate(std::string_view text) {
  int64_t bytes = 0;
  if (!text.ends_with("/s") || !Parse(text.substr(0, text.size() - 2), kSizeUnits, true, &bytes) ||
      bytes == 0)
    return Invalid("rate", text, "50MB/s");
  return static_cast<uint64_t>(bytes);
}

Result<uint64_t> ParsePercent(std::string_view text) {
  const std::string_view digits = text.ends_with('%') ? text.substr(0, text.size() - 1) : text;
  uint64_t percent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  if (error != std::errc() || end != digits.data() + digits.size() || percent > 100)
    return Fail(ErrorKind::kInvalid, "UNIT_INVALID", fmt::format("\"{}\" is not a percentage", text),
                "write a whole number up to 100, such as 50%");
  return percent;
}

std::string FormatSize(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double number = static_cast<double>(bytes);
  std::string_view unit;
  for (std::string_view next : {"kB", "MB", "GB", "TB"}) {
    if (number < 999.95) break;
    number /= 1000;
    unit = next;
  }
  return fmt::format("{:.1f} {}", number, unit);
}

std::string FormatRate(uint64_t bytes_per_s) {
  return FormatSize(bytes_per_s) + "/s";
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const double microseconds = static_cast<double>(duration.count()) / 1e3;
  if (microseconds < 999.5) return fmt::format("{:.0f} us", microseconds);
  if (microseconds < 99'950) return fmt::format("{:.1f} ms", microseconds / 1e3);
  if (microseconds < 999'500) return fmt::format("{:.0f} ms", microseconds / 1e3);
  if (microseconds < 59.995e6) return fmt::format("{:.2f} s", microseconds / 1e6);
  const int64_t seconds = std::llround(microseconds / 1e6);
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} m", seconds / 3600, seconds / 60 % 60);
}

}  // namespace tradewind
