// Durations, sizes and rates as people write and read them: 5ms, 2s, 64MB, 50MB/s.
//
// A number (a fraction is fine) and a unit, without or with one space between them. Durations: us, ms, s, m,
// h, d. Sizes: B, kB (or KB), MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB powers of 1024. A rate is a size
// with "/s" after it. Case does not matter in sizes. A bare number is refused, but for 0: which unit was
// meant is a guess.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tradewind {

// Fail with kInvalid, code UNIT_INVALID, and a sentence that quotes `text` and shows an example.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
// A duration in whole milliseconds, cut off; what is less than one, but not 0, is one.
Result<uint64_t> ParseMilliseconds(std::string_view text);
Result<uint64_t> ParseSize(std::string_view text);
// In bytes a second; 0 is refused, as nothing would ever arrive.
Result<uint64_t> ParseRate(std::string_view text);

// Whole percents, 0 to 100: "50%", or the number alone.
Result<uint64_t> ParsePercent(std::string_view text);

// What `text` of a flag was read as; an error names the flag: `--drain: "10" is not a duration`.
template <typename T>
Result<T> OfFlag(std::string_view flag, Result<T> read) {
  if (!read) read.error().message = std::string(flag) + ": " + read.error().message;
  return read;
}

// "300.0 MB"; below 1000 bytes "512 B".
std::string FormatSize(uint64_t bytes);
// "50.0 MB/s".
std::string FormatRate(uint64_t bytes_per_s);
// "850 us", "4.2 ms", "1.35 s", "2 m 05 s": three digits at most, in the unit that keeps the number small.
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace tradewind
