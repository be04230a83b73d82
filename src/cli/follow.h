// Waiting for something at the cluster that goes on by itself: a move, a drain. The waiting can be ended
// (Ctrl-C) without ending the thing.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/client_command.h"
#include "runtime/fiber.h"

namespace tradewind::cli {

struct Followed {
  std::string path;   // Of the admin API, to be asked again and again.
  std::string what;   // "move m1"; for what is said when the waiting ends before it.
  std::string later;  // The command that follows it again.
  // Whether it is over; an error ends the waiting with it.
  std::function<Result<bool>(const boost::json::value&)> is_over;
  // The progress, for a terminal.
  std::function<std::string(const boost::json::value&)> line;
};

// From when it is made, the first Ctrl-C ends the waiting, and only a second one the program. To be made before what is
// waited for begins.
class Interruption {
 public:
  explicit Interruption(ClientContext& context);
  runtime::Event& event() const { return *event_; }

 private:
  const std::shared_ptr<runtime::Event> event_ = std::make_shared<runtime::Event>();
};

// Suspends until it is over, and returns the last answer. A node that does not answer for a while does not
// end the waiting: it may be restarting. Fails with INTERRUPTED, or with the last error of a call.
Result<boost::json::value> Follow(ClientContext& context, const Interruption& interruption,
                                  const Followed& followed);

}  // namespace tradewind::cli
