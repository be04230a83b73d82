// What the requests of a node take, as the controller of a move sees it: over the last seconds, for all
// tenants together and for those that have an objective of their own (design.md section 6).
//
// The window is as short as the load allows, since a controller can be no faster than what it sees: back to
// where it holds kEnoughSamples, but at least kShortest and at most kLongest. kShortest is Slacker's: in three
// seconds a stall of 50 ms is not yet a twentieth of the requests, so the 95th percentile does not show what
// has nothing to do with a move; but when all requests are slow it does after 150 ms. Requests that are still
// under way count as soon as they have taken longer than the 95th percentile: a node on which everything waits
// must not look idle.
//
// This core only. Time is the caller's, and does not go back.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "pace/latency_histogram.h"
#include "pace/objective.h"
#include "runtime/core.h"

namespace tradewind::pace {

struct Reading {
  uint64_t samples = 0;  // Zero: the rest means nothing.
  double mean_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
  double Of(Signal signal) const;
};

// The last seconds of one stream of latencies.
class LatencyWindow {
 public:
  static constexpr std::chrono::milliseconds kSlot{250};
  static constexpr std::chrono::milliseconds kShortest{3'000};
  static constexpr std::chrono::milliseconds kLongest{5'000};
  static constexpr std::chrono::milliseconds kKept{15'000};
  static constexpr uint64_t kEnoughSamples = 500;

  void Record(runtime::TimePoint now, runtime::Duration latency);
  Reading Read(runtime::TimePoint now, const std::multiset<runtime::TimePoint>& under_way) const;
  // Over all that is kept: what was usual.
  Reading ReadKept(runtime::TimePoint now) const;

 private:
  struct Slot {
    int64_t number;
    LatencyHistogram latencies;
  };
  static int64_t NumberOf(runtime::TimePoint now) { return now.time_since_epoch() / kSlot; }

  std::deque<std::unique_ptr<Slot>> slots_;  // The newest last; empty ones are left out.
};

class Sensor {
 public:
  explicit Sensor(runtime::Core& core) : core_(core) {}

  // A request, from its arrival to its answer.
  class Measurement {
   public:
    Measurement(Sensor& sensor, const TenantName& tenant, runtime::TimePoint arrived);
    ~Measurement();
    Measurement(const Measurement&) = delete;
    Measurement& operator=(const Measurement&) = delete;

   private:
    Sensor& sensor_;
    const TenantName tenant_;
    const runtime::TimePoint arrived_;
  };

  Reading Read() const { return Read(all_); }
  // Of the seconds before a move: what the default setpoint is derived from.
  Reading ReadUsual() const { return all_.latencies.ReadKept(core_.Now()); }
  // Of one tenant, which is followed from the first call on, for as long as it is asked for at least every
  // kForgotten.
  Reading ReadTenant(const TenantName& tenant);

 private:
  static constexpr std::chrono::minutes kForgotten{1};
  struct Stream {
    LatencyWindow latencies;
    std::multiset<runtime::TimePoint> under_way;  // By arrival.
    runtime::TimePoint asked{};
  };
  Reading Read(const Stream& stream) const { return stream.latencies.Read(core_.Now(), stream.under_way); }

  runtime::Core& core_;
  Stream all_;
  std::map<TenantName, Stream> followed_;
};

}  // namespace tradewind::pace
