#include "tenant/quotas.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "base/json_fields.h"
#include "base/units.h"

namespace tradewind::tenant {

namespace {

// With less than these, what is computed with them stays far from an overflow: a petabyte, and 31 years.
constexpr uint64_t kMost = 1'000'000'000'000'000;
constexpr uint64_t kMostMilliseconds = 1'000'000'000'000;

struct Field {
  std::string_view name;
  std::optional<uint64_t> Quotas::*value;
  uint64_t most = kMost;
};
constexpr std::array<Field, 6> kFields = {{{"size_bytes", &Quotas::size_bytes},
                                           {"memory_bytes", &Quotas::memory_bytes},
                                           {"statement_ms", &Quotas::statement_ms, kMostMilliseconds},
                                           {"streams", &Quotas::streams},
                                           {"requests_per_s", &Quotas::requests_per_s},
                                           {"cpu_percent", &Quotas::cpu_percent}}};

tl::unexpected<Error> Invalid(std::string what, std::string action = {}) {
  return Fail(ErrorKind::kInvalid, "QUOTA_INVALID", std::move(what), std::move(action));
}

// Tenants beyond these that have all their requests left again are forgotten.
constexpr size_t kRemembered = 1024;

}  // namespace

Result<void> Change(Quotas& quotas, std::string_view field, std::optional<uint64_t> value) {
  for (const Field& known : kFields) {
    if (known.name != field) continue;
    quotas.*known.value = value;
    return {};
  }
  std::string names;
  for (const Field& known : kFields) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return Invalid("there is no quota \"" + std::string(field) + "\"", "known are: " + names);
}

Quotas Merged(Quotas quotas, const Quotas& changes) {
  for (const Field& field : kFields)
    if (changes.*field.value) quotas.*field.value = changes.*field.value;
  return quotas;
}

std::string ToText(const Quotas& quotas) {
  if (quotas.empty()) return "";
  boost::json::object object;
  for (const Field& field : kFields)
    if (quotas.*field.value) object[field.name] = *(quotas.*field.value);
  return boost::json::serialize(object);
}

Result<Quotas> ParseQuotas(std::string_view text) {
  Quotas quotas;
  if (text.empty()) return quotas;
  const auto object = ParseJsonObject(text);
  if (!object) return Invalid("quotas are a JSON object");
  for (const Field& field : kFields) {
    quotas.*field.value = FindUnsigned(*object, field.name);
    if (!(quotas.*field.value) && FindField(*object, field.name))
      return Invalid("\"" + std::string(field.name) + "\" must be a whole number that is not negative");
  }
  return quotas;
}

Result<void> Check(const Quotas& quotas) {
  const auto too_small = [](const std::optional<uint64_t>& value, uint64_t least) {
    return value && *value != 0 && *value < least;
  };
  if (too_small(quotas.size_bytes, kLeastQuotaBytes))
    return Invalid("a size of " + FormatSize(*quotas.size_bytes) + " is too small for a database",
                   "give it at least " + FormatSize(kLeastQuotaBytes));
  if (too_small(quotas.memory_bytes, kLeastQuotaMemory))
    return Invalid("a memory of " + FormatSize(*quotas.memory_bytes) + " is too little for a database",
                   "give it at least " + FormatSize(kLeastQuotaMemory));
  for (const Field& field : kFields)
    if ((quotas.*field.value).value_or(0) > field.most)
      return Invalid(std::string(field.name) + " can't be " + std::to_string(*(quotas.*field.value)),
                     "give it " + std::to_string(field.most) + " at most, or none for no bound");
  if (quotas.cpu_percent.value_or(0) > 100)
    return Invalid(
        "a tenant has one core, so it can't have " + std::to_string(*quotas.cpu_percent) + " % of one",
        "give it 100 at most, or none for no bound");
  return {};
}

void QuotaTable::Set(const TenantName& tenant, const Quotas& own) {
  if (own.empty())
    own_.erase(tenant);
  else
    own_[tenant] = own;
}

Quotas QuotaTable::Of(const TenantName& tenant) const {
  const auto found = own_.find(tenant);
  Quotas quotas = found == own_.end() ? of_node_ : Merged(of_node_, found->second);
  for (const Field& field : kFields) quotas.*field.value = (quotas.*field.value).value_or(0);
  return quotas;
}

bool RequestRates::Take(const TenantName& tenant, uint64_t per_second, runtime::TimePoint now) {
  const auto most = static_cast<double>(per_second);
  const auto refill = [&](const Left& left) {
    return left.requests + std::chrono::duration<double>(now - left.at).count() * most;
  };
  if (left_.size() > kRemembered)
    std::erase_if(left_, [&](const auto& entry) { return entry.second.at + std::chrono::seconds(1) <= now; });
  const auto found = left_.try_emplace(tenant, Left{most, now}).first;
  Left& left = found->second;
  left.requests = std::min(most, refill(left));
  left.at = now;
  if (left.requests < 1) return false;
  left.requests -= 1;
  return true;
}

}  // namespace tradewind::tenant
