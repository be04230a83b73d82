#include "node/end_latency.h"

#include <boost/json.hpp>

namespace tradewind::node {

namespace {

namespace json = boost::json;

tl::unexpected<Error> Corrupt() {
  return Fail(ErrorKind::kCorrupt, "LATENCY_MESSAGE",
              "another node sent a message about latency that makes no sense",
              "the nodes may be of different versions");
}

json::object Json(const pace::Reading& reading) {
  return {{"samples", reading.samples},
          {"mean_ms", reading.mean_ms},
          {"p95_ms", reading.p95_ms},
          {"p99_ms", reading.p99_ms}};
}

Result<pace::Reading> ReadingIn(const json::value* value) {
  const json::object* object = value ? value->if_object() : nullptr;
  if (!object) return Corrupt();
  json::error_code failed;
  const auto number = [&](const char* name) {
    const json::value* member = object->if_contains(name);
    if (!member || failed) return failed = json::error::not_found, 0.0;
    return member->to_number<double>(failed);
  };
  const double samples = number("samples");
  pace::Reading reading{0, number("mean_ms"), number("p95_ms"), number("p99_ms")};
  if (failed || !(samples >= 0 && samples < 1e15)) return Corrupt();
  reading.samples = static_cast<uint64_t>(samples);
  return reading;
}

Result<json::object> ObjectIn(std::string_view text) {
  json::error_code failed;
  json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) return Corrupt();
  return std::move(value.get_object());
}

}  // namespace

EndLatency ReadEnd(pace::Sensor& sensor, const std::vector<TenantName>& tenants) {
  EndLatency latency{sensor.Read(), sensor.ReadUsual(), {}};
  for (const TenantName& tenant : tenants) latency.tenants[tenant] = sensor.ReadTenant(tenant);
  return latency;
}

std::string EncodeLatencyCall(const std::vector<TenantName>& tenants) {
  return json::serialize(json::object{{"tenants", json::array(tenants.begin(), tenants.end())}});
}

Result<std::vector<TenantName>> DecodeLatencyCall(std::string_view text) {
  TW_TRY_ASSIGN(const json::object object, ObjectIn(text));
  const json::value* list = object.if_contains("tenants");
  if (!list || !list->is_array()) return Corrupt();
  std::vector<TenantName> tenants;
  for (const json::value& name : list->get_array()) {
    if (!name.is_string()) return Corrupt();
    tenants.emplace_back(name.get_string());
  }
  return tenants;
}

std::string Encode(const EndLatency& latency) {
  json::object tenants;
  for (const auto& [tenant, reading] : latency.tenants) tenants[tenant] = Json(reading);
  return json::serialize(json::object{
      {"now", Json(latency.now)}, {"usual", Json(latency.usual)}, {"tenants", std::move(tenants)}});
}

Result<EndLatency> DecodeEndLatency(std::string_view text) {
  TW_TRY_ASSIGN(const json::object object, ObjectIn(text));
  EndLatency latency;
  TW_TRY_ASSIGN(latency.now, ReadingIn(object.if_contains("now")));
  TW_TRY_ASSIGN(latency.usual, ReadingIn(object.if_contains("usual")));
  const json::value* tenants = object.if_contains("tenants");
  if (!tenants || !tenants->is_object()) return Corrupt();
  for (const auto& member : tenants->get_object()) {
    TW_TRY_ASSIGN(latency.tenants[TenantName(member.key())], ReadingIn(&member.value()));
  }
  return latency;
}

}  // namespace tradewind::node
