// The report of a run of `tradewind bench`: one HTML page that needs nothing else, neither network nor
// server.
//
// The page carries the results as JSON and draws every figure and chart from them in the browser, so that
// what a reader sees cannot differ from what `-o json` says. page/ holds its HTML, CSS and JavaScript as they
// are read and edited; the build embeds them in the program.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace tradewind::report {

// `results` in format 1, as `tradewind bench -o json` gives it. A point of a timeline is about the interval
// that begins at its `t`. Names and complaints may hold anything: none can end the embedded JSON or become
// markup. Requires: no number in it is infinite or NaN, which JSON cannot say. Does not suspend.
std::string RenderReport(const boost::json::value& results);

}  // namespace tradewind::report
