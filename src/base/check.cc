#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tradewind {

void CheckFailed(const char* condition, const char* file, int line, const char* why) {
  std::fprintf(stderr, "tradewind: %s:%d: check failed: %s: %s\n", file, line, condition, why);
  std::fflush(stderr);
  std::abort();
}

}  // namespace tradewind
