#include "pace/sensor.h"

#include <algorithm>

namespace tradewind::pace {

namespace {

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Reading ReadingOf(const LatencyHistogram& latencies) {
  return {latencies.count(), Milliseconds(latencies.Mean()), Milliseconds(latencies.Quantile(0.95)),
          Milliseconds(latencies.Quantile(0.99))};
}

}  // namespace

double Reading::Of(Signal signal) const {
  switch (signal) {
    case Signal::kP95: return p95_ms;
    case Signal::kP99: return p99_ms;
    case Signal::kMean: return mean_ms;
  }
  return p95_ms;
}

void LatencyWindow::Record(runtime::TimePoint now, runtime::Duration latency) {
  const int64_t number = NumberOf(now);
  if (slots_.empty() || slots_.back()->number != number) {
    std::unique_ptr<Slot> slot;
    if (!slots_.empty() && slots_.front()->number <= number - kKept / kSlot) {
      slot = std::move(slots_.front());
      slots_.pop_front();
      slot->latencies.Clear();
    } else {
      slot = std::make_unique<Slot>();
    }
    slot->number = number;
    slots_.push_back(std::move(slot));
  }
  slots_.back()->latencies.Record(latency);
}

Reading LatencyWindow::Read(runtime::TimePoint now,
                            const std::multiset<runtime::TimePoint>& under_way) const {
  const int64_t newest = NumberOf(now);
  LatencyHistogram merged;
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
    const int64_t age = newest - (*slot)->number;
    if (age > kLongest / kSlot || (age > kShortest / kSlot && merged.count() >= kEnoughSamples)) break;
    merged.Merge((*slot)->latencies);
  }
  const runtime::Duration p95 = merged.Quantile(0.95);
  const runtime::Duration slow = std::max<runtime::Duration>(p95, kSlot);
  for (const runtime::TimePoint arrived : under_way) {
    if (now - arrived < slow) break;
    merged.Record(now - arrived);
  }
  return ReadingOf(merged);
}

Reading LatencyWindow::ReadKept(runtime::TimePoint now) const {
  LatencyHistogram merged;
  for (const auto& slot : slots_)
    if (NumberOf(now) - slot->number <= kKept / kSlot) merged.Merge(slot->latencies);
  return ReadingOf(merged);
}

Sensor::Measurement::Measurement(Sensor& sensor, const TenantName& tenant, runtime::TimePoint arrived)
    : sensor_(sensor), tenant_(tenant), arrived_(arrived) {
  sensor_.all_.under_way.insert(arrived_);
  if (const auto found = sensor_.followed_.find(tenant_); found != sensor_.followed_.end())
    found->second.under_way.insert(arrived_);
}

Sensor::Measurement::~Measurement() {
  const runtime::TimePoint now = sensor_.core_.Now();
  const auto end = [&](Stream& stream) {
    const auto started = stream.under_way.find(arrived_);
    if (started == stream.under_way.end()) return;  // Followed only since.
    stream.under_way.erase(started);
    stream.latencies.Record(now, now - arrived_);
  };
  end(sensor_.all_);
  if (const auto found = sensor_.followed_.find(tenant_); found != sensor_.followed_.end())
    end(found->second);
}

Reading Sensor::ReadTenant(const TenantName& tenant) {
  const runtime::TimePoint now = core_.Now();
  std::erase_if(followed_, [&](const auto& entry) { return entry.second.asked + kForgotten < now; });
  Stream& stream = followed_[tenant];
  stream.asked = now;
  return Read(stream);
}

}  // namespace tradewind::pace
