#include "pace/sensor.h"

#include <algorithm>
#include <iterator>
#include <utility>

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

void Activity::Merge(const Activity& other) {
  under_way += other.under_way;
  lately = std::max(lately, other.lately);
  quiet_s = std::min(quiet_s, other.quiet_s);
  gap_s = std::max(gap_s, other.gap_s);
}

void Activity::Add(const Activity& other) {
  gap_s = std::max(gap_s, other.gap_s);
  under_way += other.under_way;
  lately += other.lately;
  quiet_s = std::min(quiet_s, other.quiet_s);
}

void LatencyStream::Add(const LatencyStream& other) {
  latencies.Add(other.latencies);
  under_way.insert(other.under_way.begin(), other.under_way.end());
}

void SensorView::Add(const SensorView& other) {
  all.Add(other.all);
  for (const auto& [tenant, stream] : other.tenants) tenants[tenant].Add(stream);
  activity.Add(other.activity);
  usual.Add(other.usual);
}

void LatencyWindow::Add(const LatencyWindow& other) {
  auto place = slots_.begin();
  for (const auto& slot : other.slots_) {
    while (place != slots_.end() && (*place)->number < slot->number) ++place;
    if (place == slots_.end() || (*place)->number != slot->number)
      place = slots_.insert(place, std::make_unique<Slot>(*slot));
    else
      (*place)->latencies.Merge(slot->latencies);
  }
  std::deque<Ended> both;
  std::merge(newest_.begin(), newest_.end(), other.newest_.begin(), other.newest_.end(),
             std::back_inserter(both), [](const Ended& one, const Ended& two) { return one.at < two.at; });
  newest_ = std::move(both);
}

void LatencyWindow::Record(runtime::TimePoint now, runtime::Duration latency) {
  const int64_t number = NumberOf(now);
  if (slots_.empty() || slots_.back()->number != number) {
    std::unique_ptr<Slot> slot;
    if (!slots_.empty() && slots_.front()->number < number - kLongest / kSlot) {
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
  while (!newest_.empty() && (newest_.front().at + kNewest < now || newest_.size() >= kMostNewest))
    newest_.pop_front();
  newest_.push_back({now, latency});
}

Reading LatencyWindow::Read(runtime::TimePoint now, const std::multiset<runtime::TimePoint>& under_way,
                            runtime::TimePoint since) const {
  const bool all = since == runtime::TimePoint{};
  if (!all && now - since <= kNewest) return ReadNewest(now, under_way, since);
  const int64_t newest = NumberOf(now);
  LatencyHistogram merged;
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
    const int64_t age = newest - (*slot)->number;
    if (age > kLongest / kSlot || (age > kShortest / kSlot && merged.count() >= kEnoughSamples)) break;
    if (!all && (*slot)->number <= NumberOf(since)) break;
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

// A request that arrived before tells nothing by its whole length, but what it has waited since then does.
Reading LatencyWindow::ReadNewest(runtime::TimePoint now, const std::multiset<runtime::TimePoint>& under_way,
                                  runtime::TimePoint since) const {
  LatencyHistogram merged;
  for (auto ended = newest_.rbegin(); ended != newest_.rend() && ended->at > since; ++ended)
    if (ended->at - ended->latency >= since) merged.Record(ended->latency);
  const runtime::Duration p95 = merged.Quantile(0.95);
  for (const runtime::TimePoint arrived : under_way) {
    const runtime::Duration waited = now - std::max(arrived, since);
    if (waited <= p95) break;
    merged.Record(waited);
  }
  return ReadingOf(merged);
}

uint64_t LatencyWindow::CountEnded(runtime::TimePoint now, runtime::Duration span) const {
  uint64_t count = 0;
  for (auto ended = newest_.rbegin(); ended != newest_.rend() && ended->at + span > now; ++ended) ++count;
  return count;
}

void Sensor::NoteGap() {
  const runtime::TimePoint now = core_.Now();
  const double gap = std::chrono::duration<double>(now - last_seen_).count();
  if (std::exchange(seen_any_, true) && all_.under_way.empty())
    gap_.Note(gap <= kPauseSeconds ? gap : 0, gap);
  last_seen_ = now;
}

Sensor::Measurement::Measurement(Sensor& sensor, const TenantName& tenant, runtime::TimePoint arrived,
                                 size_t request_bytes, RequestKind kind)
    : sensor_(sensor), tenant_(tenant), arrived_(arrived), bulk_(request_bytes > kBulkBytes), kind_(kind) {
  sensor_.core_.AssertHere();
  sensor_.NoteGap();
  sensor_.all_.under_way.insert(arrived_);
  if (const auto found = sensor_.followed_.find(tenant_); found != sensor_.followed_.end())
    found->second.stream.under_way.insert(arrived_);
}

Sensor::Measurement::~Measurement() {
  const runtime::TimePoint now = sensor_.core_.Now();
  const auto end = [&](LatencyStream& stream) {
    const auto started = stream.under_way.find(arrived_);
    if (started == stream.under_way.end()) return;  // Followed only since.
    stream.under_way.erase(started);
    stream.latencies.Record(now, now - arrived_);
  };
  end(sensor_.all_);
  sensor_.totals_.Record(kind_, tenant_, now - arrived_);
  sensor_.last_seen_ = now;
  if (!bulk_) sensor_.usual_.Record(now, now - arrived_);
  if (const auto found = sensor_.followed_.find(tenant_); found != sensor_.followed_.end())
    end(found->second.stream);
}

const LatencyStream& Sensor::Follow(const TenantName& tenant) {
  const runtime::TimePoint now = core_.Now();
  std::erase_if(followed_, [&](const auto& entry) { return entry.second.asked + kForgotten < now; });
  Followed& followed = followed_[tenant];
  followed.asked = now;
  return followed.stream;
}

SensorView Sensor::View(const std::vector<TenantName>& tenants) {
  core_.AssertHere();
  SensorView view;
  view.all.Add(all_);
  for (const TenantName& tenant : tenants) view.tenants[tenant].Add(Follow(tenant));
  view.activity = ReadActivity();
  view.usual = usual_;
  return view;
}

Activity Sensor::ReadActivity() const {
  const runtime::TimePoint now = core_.Now();
  Activity activity;
  activity.under_way = all_.under_way.size();
  activity.lately = activity.under_way + all_.latencies.CountEnded(now, kLately);
  if (seen_any_) activity.quiet_s = std::chrono::duration<double>(now - last_seen_).count();
  if (activity.under_way > 0) activity.quiet_s = 0;
  activity.gap_s = gap_.value();
  return activity;
}

}  // namespace tradewind::pace
