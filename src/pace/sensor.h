// What the requests of a node take, as the controller of a move sees it: over the last seconds, for all
// tenants together and for those that have an objective of their own (docs/pacing.md).
//
// The window is as short as the load allows, since a controller can be no faster than what it sees: back to
// where it holds kEnoughSamples, but at least kShortest and at most kLongest. kShortest is Slacker's: in three
// seconds a stall of 50 ms is not yet a twentieth of the requests, so the 95th percentile does not show what
// has nothing to do with a move; but when all requests are slow it does after 150 ms. Requests that are still
// under way count as soon as they have taken longer than the 95th percentile: a node on which everything waits
// must not look idle.
//
// A reading since a point in time holds what has arrived after it, so it shows what a rate does that holds since
// then. Within kNewest of that point it looks at single requests, those that still wait included.
//
// This core only. Time is the caller's, and does not go back.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "pace/decaying_peak.h"
#include "pace/latency_histogram.h"
#include "pace/objective.h"
#include "pace/request_totals.h"
#include "pace/usual_latency.h"
#include "runtime/core.h"

namespace tradewind::pace {

struct Reading {
  uint64_t samples = 0;  // Zero: the rest means nothing.
  double mean_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
  double Of(Signal signal) const;
};

// Whether anybody is there.
struct Activity {
  static constexpr double kLongAgo = 1e6;

  uint64_t under_way = 0;     // Requests.
  uint64_t lately = 0;        // That ended in the last kLately, or are under way.
  double quiet_s = kLongAgo;  // Since the last one; 0 while one is under way.
  double gap_s = 0;           // The longest of late between two, but for those that are a pause.
  // Of two ends together.
  void Merge(const Activity& other);
  // Of two cores of an end. A gap of the one may be filled by the other; without looking at each request that is not
  // known, and too long a gap is the mistake that slows a move down rather than requests.
  void Add(const Activity& other);
};

// The last seconds of one stream of latencies.
class LatencyWindow {
 public:
  static constexpr std::chrono::milliseconds kSlot{250};
  static constexpr std::chrono::milliseconds kShortest{3'000};
  static constexpr std::chrono::milliseconds kLongest{5'000};
  static constexpr std::chrono::milliseconds kNewest{1'000};
  static constexpr uint64_t kEnoughSamples = 500;

  void Record(runtime::TimePoint now, runtime::Duration latency);
  // What another one holds, by the same clock, is in this one too.
  void Add(const LatencyWindow& other);
  Reading Read(runtime::TimePoint now, const std::multiset<runtime::TimePoint>& under_way,
               runtime::TimePoint since = {}) const;
  // Requests that ended in the last `span`, which is at most kNewest (and no more than kMostNewest of them).
  uint64_t CountEnded(runtime::TimePoint now, runtime::Duration span) const;

 private:
  static constexpr size_t kMostNewest = 4096;
  struct Slot {
    int64_t number;
    LatencyHistogram latencies;
  };
  struct Ended {
    runtime::TimePoint at;
    runtime::Duration latency;
  };
  static int64_t NumberOf(runtime::TimePoint now) { return now.time_since_epoch() / kSlot; }
  Reading ReadNewest(runtime::TimePoint now, const std::multiset<runtime::TimePoint>& under_way,
                     runtime::TimePoint since) const;

  std::deque<std::unique_ptr<Slot>> slots_;  // The newest last; empty ones are left out.
  std::deque<Ended> newest_;                 // In their order.
};

// The requests of one stream, from their arrivals to their answers.
struct LatencyStream {
  LatencyWindow latencies;
  std::multiset<runtime::TimePoint> under_way;  // By arrival.
  void Add(const LatencyStream& other);
  Reading Read(runtime::TimePoint now, runtime::TimePoint since) const {
    return latencies.Read(now, under_way, since);
  }
};

// What a sensor holds at a moment; those of a node's cores add up.
struct SensorView {
  LatencyStream all;
  std::map<TenantName, LatencyStream> tenants;  // Those that were asked for.
  Activity activity;
  UsualLatency usual;
  void Add(const SensorView& other);
};

class Sensor {
 public:
  explicit Sensor(runtime::Core& core) : core_(core) {}

  // A request, from its arrival to its answer.
  class Measurement {
   public:
    // A large request is a bulk load: what it takes is not what is usual.
    Measurement(Sensor& sensor, const TenantName& tenant, runtime::TimePoint arrived,
                size_t request_bytes = 0, RequestKind kind = RequestKind::kMysql);
    ~Measurement();
    Measurement(const Measurement&) = delete;
    Measurement& operator=(const Measurement&) = delete;

   private:
    Sensor& sensor_;
    const TenantName tenant_;
    const runtime::TimePoint arrived_;
    const bool bulk_;
    const RequestKind kind_;
  };

  Reading Read(runtime::TimePoint since = {}) const { return all_.Read(core_.Now(), since); }
  // The same of a tenant, which is followed from the first call on, for as long as it is asked for at least every
  // kForgotten.
  Reading ReadTenant(const TenantName& tenant, runtime::TimePoint since = {}) {
    return Follow(tenant).Read(core_.Now(), since);
  }
  // Without moves; 0 when it is not known.
  double usual_p95_ms() const { return usual_.p95_ms(core_.Now()); }
  Activity ReadActivity() const;
  // Of all requests since the node started.
  const RequestTotals& totals() const { return totals_; }
  // A copy of all that it holds of these tenants, which are followed too, and of all together.
  SensorView View(const std::vector<TenantName>& tenants);
  // A move is felt at this node: what requests take now is not what is usual.
  void NoteMove() { usual_.NoteMove(core_.Now()); }

 private:
  static constexpr std::chrono::minutes kForgotten{1};
  static constexpr std::chrono::milliseconds kLately{500};
  static constexpr size_t kBulkBytes = 16u << 10;
  static constexpr double kPauseSeconds = 20;  // A longer gap is a pause.
  static constexpr double kGapSeconds = 30;    // In which a gap is forgotten.
  struct Followed {
    LatencyStream stream;
    runtime::TimePoint asked{};
  };
  const LatencyStream& Follow(const TenantName& tenant);
  void NoteGap();

  runtime::Core& core_;
  LatencyStream all_;
  std::map<TenantName, Followed> followed_;
  UsualLatency usual_;
  RequestTotals totals_;
  bool seen_any_ = false;
  runtime::TimePoint last_seen_{};  // The last arrival or end.
  DecayingPeak gap_{kGapSeconds};
};

}  // namespace tradewind::pace
