#include "pace/end_latency.h"

#include <boost/json.hpp>

#include "base/json_fields.h"
#include "runtime/call_on.h"

namespace tradewind::pace {

namespace {

namespace json = boost::json;

constexpr double kMostBackSeconds = 60;

tl::unexpected<Error> Corrupt() {
  return Fail(ErrorKind::kCorrupt, "LATENCY_MESSAGE",
              "another node sent a message about latency that makes no sense",
              "the nodes may be of different versions");
}

json::object Json(const Reading& reading) {
  return {{"samples", reading.samples},
          {"mean_ms", reading.mean_ms},
          {"p95_ms", reading.p95_ms},
          {"p99_ms", reading.p99_ms}};
}

// Numbers of an object, of which none is negative.
class Numbers {
 public:
  explicit Numbers(const json::object* object) : object_(object) {}
  double At(const char* name) {
    const double number = object_ ? FindReal(*object_, name).value_or(-1) : -1;
    good_ = good_ && number >= 0 && number < 1e15;
    return number;
  }
  bool good() const { return good_; }

 private:
  const json::object* object_;
  bool good_ = true;
};

Result<Reading> ReadingIn(const json::object* object) {
  Numbers numbers(object);
  const double samples = numbers.At("samples");
  const double mean = numbers.At("mean_ms"), p95 = numbers.At("p95_ms"), p99 = numbers.At("p99_ms");
  if (!numbers.good()) return Corrupt();
  return Reading{static_cast<uint64_t>(samples), mean, p95, p99};
}

Result<Activity> ActivityIn(const json::object* object) {
  Numbers numbers(object);
  const double under_way = numbers.At("under_way"), lately = numbers.At("lately");
  const double quiet = numbers.At("quiet_s"), gap = numbers.At("gap_s");
  if (!numbers.good()) return Corrupt();
  return Activity{static_cast<uint64_t>(under_way), static_cast<uint64_t>(lately), quiet, gap};
}

}  // namespace

SensorView NodeSensors::View(const std::vector<TenantName>& tenants, bool in_move) const {
  SensorView view;
  for (const OfCore& one : sensors_) {
    SensorView of_core = runtime::CallOn(one.core, [&] {
      SensorView held = one.sensor.View(tenants);
      if (in_move) one.sensor.NoteMove();
      return held;
    });
    if (&one == &sensors_.front())
      view = std::move(of_core);
    else
      view.Add(of_core);
  }
  return view;
}

EndLatency NodeSensors::Read(const LatencyCall& call) const {
  if (sensors_.size() == 1) return ReadOnly(call);
  const SensorView view = View(call.tenants, true);
  const runtime::TimePoint now = sensors_.front().core.Now();
  const runtime::TimePoint since = call.back ? now - *call.back : runtime::TimePoint{};
  EndLatency latency{view.all.Read(now, since), view.usual.p95_ms(now), view.activity, {}};
  for (const auto& [tenant, stream] : view.tenants) latency.tenants[tenant] = stream.Read(now, since);
  return latency;
}

// Nothing is to be added up, so nothing is copied.
EndLatency NodeSensors::ReadOnly(const LatencyCall& call) const {
  const auto& [core, sensor] = sensors_.front();
  core.AssertHere();
  const runtime::TimePoint since = call.back ? core.Now() - *call.back : runtime::TimePoint{};
  EndLatency latency{sensor.Read(since), sensor.usual_p95_ms(), sensor.ReadActivity(), {}};
  for (const TenantName& tenant : call.tenants) latency.tenants[tenant] = sensor.ReadTenant(tenant, since);
  sensor.NoteMove();
  return latency;
}

Reading NodeSensors::ReadNow() const {
  if (sensors_.size() == 1) return sensors_.front().sensor.Read();
  return View({}, false).all.Read(sensors_.front().core.Now(), {});
}

std::string Encode(const LatencyCall& call) {
  json::object object{{"tenants", json::array(call.tenants.begin(), call.tenants.end())}};
  if (call.back) object["back_s"] = std::chrono::duration<double>(*call.back).count();
  return json::serialize(object);
}

Result<LatencyCall> DecodeLatencyCall(std::string_view text) {
  const auto object = ParseJsonObject(text);
  const json::array* const list = object ? FindArray(*object, "tenants") : nullptr;
  if (!list) return Corrupt();
  LatencyCall call;
  for (const json::value& name : *list) {
    if (!name.is_string() || !IsValidName(std::string_view(name.get_string()))) return Corrupt();
    call.tenants.emplace_back(name.get_string());
  }
  if (object->contains("back_s")) {
    const double seconds = FindReal(*object, "back_s").value_or(-1);
    if (!(seconds >= 0)) return Corrupt();
    // Longer than any sensor looks back, and short enough to be subtracted from a clock that begins at zero.
    if (seconds < kMostBackSeconds)
      call.back = std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(seconds));
  }
  return call;
}

std::string Encode(const EndLatency& latency) {
  json::object tenants;
  for (const auto& [tenant, reading] : latency.tenants) tenants[tenant] = Json(reading);
  const Activity& activity = latency.activity;
  return json::serialize(json::object{{"now", Json(latency.now)},
                                      {"usual_p95_ms", latency.usual_p95_ms},
                                      {"activity",
                                       {{"under_way", activity.under_way},
                                        {"lately", activity.lately},
                                        {"quiet_s", activity.quiet_s},
                                        {"gap_s", activity.gap_s}}},
                                      {"tenants", std::move(tenants)}});
}

Result<EndLatency> DecodeEndLatency(std::string_view text) {
  const auto object = ParseJsonObject(text);
  if (!object) return Corrupt();
  EndLatency latency;
  Numbers numbers(&*object);
  latency.usual_p95_ms = numbers.At("usual_p95_ms");
  if (!numbers.good()) return Corrupt();
  TW_TRY_ASSIGN(latency.now, ReadingIn(FindObject(*object, "now")));
  TW_TRY_ASSIGN(latency.activity, ActivityIn(FindObject(*object, "activity")));
  const json::object* const tenants = FindObject(*object, "tenants");
  if (!tenants) return Corrupt();
  for (const auto& member : *tenants) {
    if (!IsValidName(std::string_view(member.key()))) return Corrupt();
    TW_TRY_ASSIGN(latency.tenants[TenantName(member.key())], ReadingIn(member.value().if_object()));
  }
  return latency;
}

}  // namespace tradewind::pace
