// What a measurement prints and leaves.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace tradewind::bench {

struct Outcome {
  std::string text;
  boost::json::value json;
  bool ok = true;
};

// Prints the text, and writes the JSON to the file if it has a name. The exit code of the program.
int Conclude(const Outcome& outcome, const std::string& json_file);

}  // namespace tradewind::bench
