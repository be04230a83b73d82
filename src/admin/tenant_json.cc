#include "admin/tenant_json.h"

#include <array>
#include <boost/json.hpp>

#include "base/json_fields.h"

namespace tradewind::admin {

namespace {

namespace json = boost::json;

template <typename T>
json::value OrNull(bool known, T value) {
  return known ? json::value(value) : json::value(nullptr);
}

}  // namespace

std::optional<TenantSize> SizeOnDisk(runtime::Disk& disk, const std::string& path) {
  const auto file = disk.Open(path, runtime::OpenMode::kExisting);
  if (!file) return std::nullopt;
  std::array<std::byte, 2> field;  // The page size, at byte 16; 1 stands for 65536.
  const auto got = (*file)->Read(16, field);
  const auto bytes = (*file)->Size();
  if (!got || *got < field.size() || !bytes) return std::nullopt;
  const uint32_t size = (std::to_integer<uint32_t>(field[0]) << 8) | std::to_integer<uint32_t>(field[1]);
  if (size == 0) return std::nullopt;
  const uint32_t page_size = size == 1 ? 65536 : size;
  return TenantSize{page_size, static_cast<uint32_t>(*bytes / page_size)};
}

json::object TenantJson(const catalog::TenantRecord& record, const std::optional<TenantSize>& size) {
  const bool known = size.has_value();
  const TenantSize pages = size.value_or(TenantSize{});
  return json::object{
      {"name", record.name},
      {"engine", record.engine},
      {"owner", record.ownership.owner},
      {"epoch", record.ownership.epoch.value},
      {"state", record.move.empty() ? "serving" : "moving"},
      {"size_bytes", OrNull(known, uint64_t{pages.page_size} * pages.page_count)},
      {"page_size", OrNull(known, pages.page_size)},
      {"page_count", OrNull(known, pages.page_count)},
      {"latency", record.objective.empty() ? json::value(nullptr) : json::value(record.objective)},
      {"quotas",
       record.quotas.empty() ? json::object() : ParseJsonObject(record.quotas).value_or(json::object())},
      {"sqlite", OrNull(record.sqlite != 0, catalog::SqliteVersionText(record.sqlite))},
      {"created_at", record.created_at_ms},
      {"move", record.move.empty() ? json::value(nullptr) : json::value(record.move)},
  };
}

}  // namespace tradewind::admin
