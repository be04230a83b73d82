#include "admin/admin_request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <utility>
#include <vector>

#include "base/json_fields.h"
#include "base/limits.h"
#include "mariadb/hosted_instance.h"
#include "tenant/tenant.h"

namespace tradewind::admin {

namespace {

namespace json = boost::json;

constexpr std::string_view kNameRule = "use up to 63 of a-z, 0-9, - and _, beginning with a letter or digit";

tl::unexpected<Error> Invalid(std::string_view field, std::string_view wanted) {
  return Fail(ErrorKind::kInvalid, "FIELD_INVALID", fmt::format("\"{}\" must be {}", field, wanted));
}

// The object of a body. null counts as absent.
class Body {
 public:
  static Result<Body> Parse(std::string_view text, const std::vector<std::string_view>& known) {
    if (text.size() > limits::kOffCoreBytes)
      return Fail(ErrorKind::kTooLarge, "BODY_TOO_LARGE",
                  fmt::format("the body has more than {} bytes", limits::kOffCoreBytes));
    json::error_code failed;
    json::value value = json::parse(text, failed);
    if (failed) return Fail(ErrorKind::kInvalid, "BODY_INVALID", "the body is no JSON: " + failed.message());
    json::object* object = value.if_object();
    if (!object) return Fail(ErrorKind::kInvalid, "BODY_INVALID", "the body must be a JSON object");
    for (const auto& member : *object) {
      const std::string_view name(member.key().data(), member.key().size());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      return Fail(ErrorKind::kInvalid, "FIELD_UNKNOWN", fmt::format("there is no field \"{}\" here", name),
                  known.empty() ? "leave it out" : fmt::format("known are: {}", fmt::join(known, ", ")));
    }
    Body body;
    body.object_ = std::move(*object);
    return body;
  }

  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  // Whether the field is there, be it null.
  bool Mentions(std::string_view name) const { return object_.contains(name); }

  bool IsTrue(std::string_view name) const { return FindFlag(object_, name).value_or(false); }

  Result<std::optional<std::string>> Text(std::string_view name) const {
    const json::value* member = Find(name);
    if (!member) return std::optional<std::string>();
    if (!member->is_string()) return Invalid(name, "a text");
    return std::optional(json::value_to<std::string>(*member));
  }

  Result<std::optional<std::string>> Name(std::string_view name) const {
    TW_TRY_ASSIGN(std::optional<std::string> text, Text(name));
    if (text && !IsValidName(*text))
      return Fail(ErrorKind::kInvalid, "NAME_INVALID", fmt::format("\"{}\": '{}' is no name", name, *text),
                  std::string(kNameRule));
    return text;
  }

  Result<std::vector<std::string>> Names(std::string_view name) const {
    std::vector<std::string> names;
    const json::value* member = Find(name);
    if (!member) return names;
    if (!member->is_array()) return Invalid(name, "a list of names");
    for (const json::value& element : member->get_array()) {
      const std::string text = element.is_string() ? json::value_to<std::string>(element) : "";
      if (!IsValidName(text))
        return Fail(ErrorKind::kInvalid, "NAME_INVALID", fmt::format("\"{}\": '{}' is no name", name, text),
                    std::string(kNameRule));
      names.push_back(text);
    }
    return names;
  }

  Result<std::string> RequiredName(std::string_view name) const {
    TW_TRY_ASSIGN(std::optional<std::string> text, Name(name));
    if (!text) return Missing(name);
    return *std::move(text);
  }

  Result<std::optional<uint64_t>> Number(std::string_view name) const {
    const json::value* member = Find(name);
    if (!member) return std::optional<uint64_t>();
    json::error_code inexact;
    const auto number = member->to_number<uint64_t>(inexact);
    if (inexact) return Invalid(name, "a whole number that is not negative");
    return std::optional(number);
  }

  // The members of an object, each a number or null.
  Result<std::vector<std::pair<std::string, std::optional<uint64_t>>>> Numbers(std::string_view name) const {
    std::vector<std::pair<std::string, std::optional<uint64_t>>> numbers;
    const json::value* member = Find(name);
    if (!member) return numbers;
    if (!member->is_object()) return Invalid(name, "an object");
    for (const auto& [key, value] : member->get_object()) {
      json::error_code inexact;
      const auto number = value.is_null() ? 0 : value.to_number<uint64_t>(inexact);
      if (inexact) return Invalid(std::string(key), "a whole number that is not negative, or null");
      numbers.emplace_back(key, value.is_null() ? std::optional<uint64_t>() : number);
    }
    return numbers;
  }

  Result<std::optional<double>> Real(std::string_view name) const {
    const json::value* member = Find(name);
    if (!member) return std::optional<double>();
    json::error_code failed;
    const double number = member->to_number<double>(failed);
    if (failed) return Invalid(name, "a number");
    return std::optional(number);
  }

  static tl::unexpected<Error> Missing(std::string_view name) {
    return Fail(ErrorKind::kInvalid, "FIELD_MISSING", fmt::format("the body lacks \"{}\"", name));
  }

 private:
  const json::value* Find(std::string_view name) const { return FindField(object_, name); }

  json::object object_;
};

Result<std::string> EngineOf(const std::optional<std::string>& engine) {
  if (!engine) return std::string(tenant::kSqliteEngine);
  if (*engine == tenant::kSqliteEngine || *engine == mariadb::kMariadbEngine) return *engine;
  return Invalid("engine", "sqlite or mariadb");
}

// A setpoint, or the wish for the default one.
Result<std::optional<pace::Objective>> SetpointIn(const Body& body) {
  TW_TRY_ASSIGN(const auto milliseconds, body.Real("setpoint_ms"));
  TW_TRY_ASSIGN(const auto name, body.Text("signal"));
  if (!milliseconds) {
    if (name) return Body::Missing("setpoint_ms");
    return std::optional<pace::Objective>();
  }
  const auto signal = name ? pace::ParseSignal(*name) : pace::Signal::kP95;
  if (!signal) return Invalid("signal", fmt::format("{}", fmt::join(pace::kSignalNames, " or ")));
  if (!(*milliseconds > 0)) return Invalid("setpoint_ms", "more than 0");
  return std::optional(pace::Objective{*signal, *milliseconds});
}

Result<move::Pace> PaceIn(const Body& body) {
  move::Pace pace;
  TW_TRY_ASSIGN(pace.rate_bytes_per_s, body.Number("rate_bytes_per_s"));
  TW_TRY_ASSIGN(pace.setpoint, SetpointIn(body));
  if (pace.rate_bytes_per_s && pace.setpoint)
    return Fail(ErrorKind::kInvalid, "FIELD_INVALID",
                "\"rate_bytes_per_s\" and \"setpoint_ms\" cannot both decide how fast to go",
                "leave one of them out");
  return pace;
}

constexpr double kLongestKeepS = 30 * 24 * 3600.0;

Result<uint64_t> ParseQueryNumber(std::string_view name, std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    return Fail(ErrorKind::kInvalid, "FIELD_INVALID",
                fmt::format("{}={} in the address must be a whole number that is not negative", name, text));
  return number;
}

}  // namespace

Result<CreateTenantRequest> ParseCreateTenant(std::string_view text) {
  TW_TRY_ASSIGN(const Body body, Body::Parse(text, {"name", "engine", "node"}));
  CreateTenantRequest request;
  TW_TRY_ASSIGN(request.name, body.RequiredName("name"));
  TW_TRY_ASSIGN(const auto engine, body.Text("engine"));
  TW_TRY_ASSIGN(request.engine, EngineOf(engine));
  TW_TRY_ASSIGN(request.node, body.Name("node"));
  return request;
}

Result<ImportRequest> ParseImport(std::string_view text) {
  TW_TRY_ASSIGN(const Body body, Body::Parse(text, {"tenant", "engine", "node", "size_bytes"}));
  ImportRequest request;
  TW_TRY_ASSIGN(request.tenant, body.RequiredName("tenant"));
  TW_TRY_ASSIGN(const auto engine, body.Text("engine"));
  TW_TRY_ASSIGN(request.engine, EngineOf(engine));
  TW_TRY_ASSIGN(request.node, body.Name("node"));
  TW_TRY_ASSIGN(request.size_bytes, body.Number("size_bytes"));
  if (!request.size_bytes && request.engine == tenant::kSqliteEngine) return Body::Missing("size_bytes");
  return request;
}

Result<TenantName> ParseExport(std::string_view text) {
  TW_TRY_ASSIGN(const Body body, Body::Parse(text, {"tenant"}));
  return body.RequiredName("tenant");
}

Result<move::MoveRequest> ParseMove(std::string_view text) {
  TW_TRY_ASSIGN(const Body body,
                Body::Parse(text, {"tenant", "to", "method", "warm_up", "rate_bytes_per_s", "setpoint_ms",
                                   "signal", "finish_within_s", "keep_source_s", "compress"}));
  move::MoveRequest request;
  TW_TRY_ASSIGN(request.tenant, body.RequiredName("tenant"));
  TW_TRY_ASSIGN(request.to, body.RequiredName("to"));
  TW_TRY_ASSIGN(const auto method, body.Text("method"));
  TW_TRY_ASSIGN(const auto warm_up, body.Text("warm_up"));
  move::MoveOptions& options = request.options;
  const auto known_method = move::ParseMethod(method.value_or(std::string(NameOf(options.method))));
  if (!known_method) return Invalid("method", fmt::format("{}", fmt::join(move::kMethodNames, " or ")));
  const auto known_warm_up = move::ParseWarmUp(warm_up.value_or(std::string(NameOf(options.warm_up))));
  if (!known_warm_up) return Invalid("warm_up", fmt::format("{}", fmt::join(move::kWarmUpNames, " or ")));
  if (*known_method == move::Method::kStopAndCopy && warm_up)
    return Fail(ErrorKind::kInvalid, "FIELD_INVALID", "\"warm_up\" has no meaning for stop-and-copy",
                "leave it out: everything is sent before the hand-over");
  options.method = *known_method;
  options.warm_up = *known_warm_up;
  TW_TRY_ASSIGN(options.pace, PaceIn(body));
  TW_TRY_ASSIGN(const auto within, body.Real("finish_within_s"));
  if (within && options.pace.rate_bytes_per_s)
    return Fail(ErrorKind::kInvalid, "FIELD_INVALID",
                "\"finish_within_s\" is for a move that follows latency, and this one has a fixed rate",
                "leave \"rate_bytes_per_s\" out");
  if (within && !(*within > 0)) return Invalid("finish_within_s", "more than 0");
  if (within) request.finish_within = std::chrono::duration<double>(*within);
  TW_TRY_ASSIGN(const auto compress, body.Text("compress"));
  if (compress && compress != "zstd") return Invalid("compress", "zstd");
  options.compress = compress.has_value();
  TW_TRY_ASSIGN(const auto keep, body.Real("keep_source_s"));
  if (keep && !(*keep >= 0 && *keep <= kLongestKeepS)) return Invalid("keep_source_s", "0 to 30 days");
  if (keep)
    options.keep_source = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(*keep));
  return request;
}

Result<SetMoveRequest> ParseSetMove(std::string_view text) {
  TW_TRY_ASSIGN(const Body body,
                Body::Parse(text, {"rate_bytes_per_s", "setpoint_ms", "signal", "verify_again"}));
  TW_TRY_ASSIGN(move::Pace pace, PaceIn(body));
  const bool paces = body.Mentions("rate_bytes_per_s") || body.Mentions("setpoint_ms");
  if (body.Mentions("verify_again")) {
    if (!body.IsTrue("verify_again")) return Invalid("verify_again", "true");
    if (paces) return Invalid("verify_again", "alone");
    return SetMoveRequest{.pace = {}, .verify_again = true};
  }
  if (!paces)
    return Fail(ErrorKind::kInvalid, "FIELD_MISSING",
                "the body has neither \"rate_bytes_per_s\" nor \"setpoint_ms\" nor \"verify_again\"");
  if (!body.Mentions("setpoint_ms")) pace.rate_bytes_per_s = pace.rate_bytes_per_s.value_or(0);
  return SetMoveRequest{.pace = pace, .verify_again = false};
}

Result<SetTenantRequest> ParseSetTenant(std::string_view text) {
  TW_TRY_ASSIGN(const Body body, Body::Parse(text, {"latency", "core", "quotas"}));
  SetTenantRequest request;
  TW_TRY_ASSIGN(request.core, body.Number("core"));
  request.sets_latency = body.Mentions("latency");
  TW_TRY_ASSIGN(request.quotas, body.Numbers("quotas"));
  if (!request.sets_latency && !request.core && request.quotas.empty()) return Body::Missing("latency");
  TW_TRY_ASSIGN(const auto latency, body.Text("latency"));
  if (latency) {
    TW_TRY_ASSIGN(request.latency, pace::ParseObjective(*latency));
  }
  return request;
}

Result<balance::DrainRequest> ParseDrain(std::string_view text) {
  balance::DrainRequest request;
  if (text.empty()) return request;
  TW_TRY_ASSIGN(const Body body, Body::Parse(text, {"to", "rate_bytes_per_s", "setpoint_ms", "signal"}));
  TW_TRY_ASSIGN(request.to, body.Names("to"));
  TW_TRY_ASSIGN(request.pace, PaceIn(body));
  return request;
}

Result<void> ParseNothing(std::string_view text) {
  if (text.empty()) return {};
  TW_TRY(Body::Parse(text, {}));
  return {};
}

Result<uint64_t> QueryNumber(const net::HttpRequest& request, std::string_view name) {
  const auto found = request.query.find(name);
  if (found != request.query.end()) return ParseQueryNumber(name, found->second);
  return Fail(ErrorKind::kInvalid, "FIELD_MISSING", fmt::format("the address lacks {}=", name));
}

Result<uint64_t> QueryNumber(const net::HttpRequest& request, std::string_view name, uint64_t otherwise) {
  return request.query.contains(name) ? QueryNumber(request, name) : Result<uint64_t>(otherwise);
}

}  // namespace tradewind::admin
