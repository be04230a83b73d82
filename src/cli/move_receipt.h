// The receipt of a move (design.md section 9), shown to a person.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

namespace tradewind::cli {

// Whether the phase is one of the end states.
bool MoveHasEnded(const boost::json::value& receipt);
// Property lines; what does not apply yet is "-".
std::string ReceiptText(const boost::json::value& receipt);
// One line for a move that runs: phase, bar, share, bytes.
std::string ProgressLine(const boost::json::value& receipt);
// A number of milliseconds as a duration; "-" for null.
std::string MillisecondsText(const boost::json::value& milliseconds);

}  // namespace tradewind::cli
