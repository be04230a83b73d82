#include "outcome.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>

namespace tradewind::bench {

int Conclude(const Outcome& outcome, const std::string& json_file) {
  fmt::print("{}", outcome.text);
  if (!json_file.empty()) {
    std::ofstream file(json_file);
    file << boost::json::serialize(outcome.json) << "\n";
    if (!file.flush()) {
      fmt::print(stderr, "cannot write {}\n", json_file);
      return 1;
    }
  }
  return outcome.ok ? 0 : 1;
}

}  // namespace tradewind::bench
