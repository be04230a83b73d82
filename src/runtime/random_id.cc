#include "runtime/random_id.h"

#include <array>
#include <cstddef>

namespace tradewind::runtime {

namespace {
constexpr std::string_view kDigits = "0123456789abcdef";
}

std::string RandomId(Core& core) {
  std::array<std::byte, kRandomIdDigits / 2> random;
  core.FillRandom(random);
  std::string id(kRandomIdDigits, '0');
  for (size_t index = 0; index < random.size(); ++index) {
    id[2 * index] = kDigits[std::to_integer<size_t>(random[index]) >> 4];
    id[2 * index + 1] = kDigits[std::to_integer<size_t>(random[index]) & 15];
  }
  return id;
}

bool IsRandomId(std::string_view text) {
  return text.size() == kRandomIdDigits && text.find_first_not_of(kDigits) == std::string_view::npos;
}

}  // namespace tradewind::runtime
