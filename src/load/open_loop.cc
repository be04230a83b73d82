#include "load/open_loop.h"

#include <utility>

#include "base/check.h"

namespace tradewind::load {

OpenLoop::OpenLoop(runtime::Core& core, OpenLoopOptions options, Request request)
    : core_(core), options_(options), request_(std::move(request)), running_(core) {
  TW_CHECK(options_.per_second > 0 && options_.workers > 0, "such a load sends nothing");
}

OpenLoop::~OpenLoop() {
  TW_CHECK(running_.size() == 0, "requests use the load until Stop() has returned");
}

void OpenLoop::Start() {
  started_ = core_.Now();
  for (int i = 0; i < options_.workers; ++i) running_.Spawn("open-loop worker", [this] { Work(); });
}

void OpenLoop::Stop() {
  end_ = core_.Now();
  stopping_.Set();
  running_.Join();
}

runtime::TimePoint OpenLoop::TimeOf(uint64_t arrival) const {
  return started_ + std::chrono::duration_cast<runtime::Duration>(
                        std::chrono::duration<double>(static_cast<double>(arrival) / options_.per_second));
}

void OpenLoop::Work() {
  for (;;) {
    const uint64_t arrival = next_;
    const runtime::TimePoint intended = TimeOf(arrival);
    if (intended > end_) return;
    ++next_;
    while (core_.Now() < intended && !stopping_.is_set()) stopping_.WaitUntil(intended);
    if (intended > end_) return;
    request_(arrival, intended);
  }
}

}  // namespace tradewind::load
