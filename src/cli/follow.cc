#include "cli/follow.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/limits.h"
#include "cli/exit_code.h"
#include "cli/live_line.h"
#include "runtime/fiber.h"

namespace tradewind::cli {
namespace {

using namespace std::chrono_literals;

constexpr runtime::Duration kUnreachablePatience = 30s;
constexpr runtime::Duration kFirstPause = 20ms;  // What is small is over soon.

Error Interrupted(const Followed& followed) {
  return {ErrorKind::kRefused, std::string(kInterruptedCode),
          fmt::format("the waiting ended, and {} goes on", followed.what),
          fmt::format("follow it with: {}", followed.later)};
}

bool IsFinal(const Error& error) {
  return error.kind == ErrorKind::kNotFound || error.kind == ErrorKind::kInvalid ||
         error.kind == ErrorKind::kUnauthorized;
}

}  // namespace

Interruption::Interruption(ClientContext& context) {
  context.core.OnSignal([event = event_](int) {
    if (event->is_set()) _exit(static_cast<int>(ExitCode::kInterrupted));
    event->Set();
  });
}

Result<boost::json::value> Follow(ClientContext& context, const Interruption& interruption,
                                  const Followed& followed) {
  runtime::TimePoint last_answer = context.core.Now();
  runtime::Duration pause = kFirstPause;
  LiveLine live;
  for (;;) {
    auto answer = context.admin.Get(followed.path);
    if (answer) {
      last_answer = context.core.Now();
      live.Show(followed.line(*answer));
      TW_TRY_ASSIGN(const bool over, followed.is_over(*answer));
      if (over) return answer;
    } else if (IsFinal(answer.error()) || context.core.Now() - last_answer > kUnreachablePatience) {
      return answer;
    }
    if (interruption.event().WaitUntil(context.core.Now() + pause)) return Fail(Interrupted(followed));
    pause = std::min<runtime::Duration>(pause * 2, limits::kMoveWatchPoll);
  }
}

}  // namespace tradewind::cli
