#include "catalog/record_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string>

#include "base/units.h"

namespace tradewind::catalog {

namespace {

constexpr uint64_t kLastEpoch = uint64_t{1} << 53;
constexpr int64_t kLastTimeMs = 253'402'300'799'999;
constexpr size_t kTextBytes = 1'024;
constexpr std::array<std::string_view, 2> kEngines = {"sqlite", "mariadb"};

bool IsObjectOrEmpty(std::string_view text) {
  if (text.empty()) return true;
  boost::system::error_code failure;
  return boost::json::parse(text, failure).is_object() && !failure;
}

// As sqlite3_libversion_number() says it.
bool IsSoundVersion(int64_t version) {
  return version == 0 || (version >= 3'000'000 && version < 10'000'000);
}

bool IsSoundUrl(std::string_view url) {
  return url.starts_with("http") && IsSoundText(url) && url.find(' ') == std::string_view::npos;
}

// As in p95:5ms (pace/objective.h, which knows more of it).
bool IsSoundObjective(std::string_view text) {
  if (text.empty()) return true;
  const size_t colon = text.find(':');
  const auto duration =
      ParseDuration(std::string(text.substr(colon == std::string_view::npos ? 0 : colon + 1)));
  return IsSoundText(text) && duration && duration->count() > 0;
}

}  // namespace

bool IsSound(Epoch epoch) {
  return epoch.value >= 1 && epoch.value <= kLastEpoch;
}

bool IsSoundTime(int64_t unix_ms) {
  return unix_ms >= 0 && unix_ms <= kLastTimeMs;
}

bool IsSoundText(std::string_view text) {
  return text.size() <= kTextBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string_view UnsoundField(const NodeRecord& node) {
  if (!IsValidName(node.name)) return "name";
  if (!IsSoundUrl(node.url)) return "url";
  if (!IsSoundVersion(node.sqlite)) return "sqlite";
  return {};
}

std::string_view UnsoundField(const TenantRecord& tenant) {
  if (!IsValidName(tenant.name)) return "name";
  if (std::find(kEngines.begin(), kEngines.end(), tenant.engine) == kEngines.end()) return "engine";
  if (!IsValidName(tenant.ownership.owner)) return "owner";
  if (!IsSound(tenant.ownership.epoch)) return "epoch";
  if (!IsSoundTime(tenant.created_at_ms)) return "created_at_ms";
  if (!tenant.move.empty() && !IsValidName(tenant.move)) return "move";
  if (!IsSoundObjective(tenant.objective)) return "objective";
  if (!IsSoundVersion(tenant.sqlite)) return "sqlite";
  if (!IsSoundText(tenant.quotas) || !IsObjectOrEmpty(tenant.quotas)) return "quotas";
  return {};
}

std::string_view UnsoundField(const MoveRecord& move) {
  if (!IsValidName(move.id)) return "id";
  if (!IsValidName(move.tenant)) return "tenant";
  if (!IsValidName(move.source)) return "source";
  if (!IsValidName(move.destination) || move.destination == move.source) return "destination";
  if (!IsSoundText(move.method)) return "method";
  if (!IsSound(move.epoch_before)) return "epoch_before";
  if (!IsObjectOrEmpty(move.receipt)) return "receipt";
  if (!IsSoundTime(move.started_at_ms)) return "started_at_ms";
  if (!IsSoundTime(move.ended_at_ms) || IsOver(move.state) != (move.ended_at_ms != 0)) return "ended_at_ms";
  if (!IsObjectOrEmpty(move.options)) return "options";
  return {};
}

std::string_view UnsoundField(const Registration& registration) {
  if (!IsSoundText(registration.folder)) return "folder";
  if (!IsSoundText(registration.cluster)) return "cluster";
  return UnsoundField(registration.node);
}

}  // namespace tradewind::catalog
