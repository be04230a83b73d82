// The results of a load, as JSON of format 1 (docs/bench.md) and as a table for people.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "load/generator.h"

namespace tradewind::cli {

struct BenchRun {
  std::string title;
  std::string workload;
  int64_t started_at = 0;  // Unix milliseconds.
  double warm_up_s = 0;    // Requests of these seconds are left out, and time counts from their end.
  double duration_s = 0;   // From the start of the load.
  double interval_s = 1;
  std::vector<std::string> tenants;
  boost::json::object options;
  boost::json::array moves;  // MoveObserver::Json(), their times from the start of the load.
  std::vector<std::pair<double, double>> moving;  // From when to when, of each.
  boost::json::value checks;                      // null: none.
  bool ok = false;
  std::vector<std::string> complaints;
};

boost::json::object MakeResults(const BenchRun& run, const std::vector<load::Sent>& sent,
                                const std::vector<std::string>& operations);
// Requests, failures and percentiles: SUMMARY of the format, over requests of `per_s_over_s` seconds.
boost::json::object SummaryOf(std::vector<const load::Sent*> requests, double seconds);

std::string ResultsText(const boost::json::value& results);

}  // namespace tradewind::cli
