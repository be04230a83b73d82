#include "move/options.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json_fields.h"

namespace tradewind::move {

namespace {

namespace json = boost::json;

constexpr std::string_view kZstd = "zstd";

template <typename Kind, size_t kCount>
std::optional<Kind> Parse(const std::array<std::string_view, kCount>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Kind>(found - names.begin());
}

tl::unexpected<Error> Corrupt() {
  return Fail(ErrorKind::kCorrupt, "MOVE_OPTIONS_CORRUPT",
              "the catalog holds options of a move that make no sense",
              "they may come from a newer version of tradewind; run that one");
}

}  // namespace

std::string_view NameOf(Method method) {
  return kMethodNames[static_cast<size_t>(method)];
}
std::string_view NameOf(WarmUp warm_up) {
  return kWarmUpNames[static_cast<size_t>(warm_up)];
}
std::optional<Method> ParseMethod(std::string_view name) {
  return Parse<Method>(kMethodNames, name);
}
std::optional<WarmUp> ParseWarmUp(std::string_view name) {
  return Parse<WarmUp>(kWarmUpNames, name);
}

std::string ToText(const MoveOptions& options) {
  json::object object{{"method", NameOf(options.method)}, {"warm_up", NameOf(options.warm_up)}};
  if (options.pace.rate_bytes_per_s) object["rate_bytes_per_s"] = *options.pace.rate_bytes_per_s;
  if (options.pace.setpoint) object["setpoint"] = pace::ToText(*options.pace.setpoint);
  if (options.finish_by_ms != 0) object["finish_by_ms"] = options.finish_by_ms;
  if (options.keep_source.count() != 0) object["keep_source_ms"] = options.keep_source.count();
  if (options.compress) object["compress"] = kZstd;
  return json::serialize(object);
}

Result<MoveOptions> ParseMoveOptions(std::string_view text) {
  MoveOptions options;
  if (text.empty()) return options;
  const auto object = ParseJsonObject(text);
  if (!object) return Corrupt();
  const auto name_at = [&](const char* key) { return FindText(*object, key).value_or(""); };
  const auto method = ParseMethod(name_at("method"));
  const auto warm_up = ParseWarmUp(name_at("warm_up"));
  if (!method || !warm_up) return Corrupt();
  options.method = *method;
  options.warm_up = *warm_up;
  json::error_code inexact;
  if (const json::value* rate = object->if_contains("rate_bytes_per_s"))
    options.pace.rate_bytes_per_s = rate->to_number<uint64_t>(inexact);
  if (const json::value* finish_by = object->if_contains("finish_by_ms"))
    options.finish_by_ms = finish_by->to_number<int64_t>(inexact);
  if (const json::value* keep = object->if_contains("keep_source_ms"))
    options.keep_source = std::chrono::milliseconds(keep->to_number<int64_t>(inexact));
  if (inexact || options.keep_source.count() < 0) return Corrupt();
  if (object->contains("compress")) {
    if (name_at("compress") != kZstd) return Corrupt();
    options.compress = true;
  }
  if (object->contains("setpoint")) {
    const auto setpoint = pace::ParseObjective(name_at("setpoint"));
    if (!setpoint) return Corrupt();
    options.pace.setpoint = *setpoint;
  }
  return options;
}

}  // namespace tradewind::move
