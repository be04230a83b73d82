#include "sim/checkers/copy_checker.h"

#include <fmt/format.h>

namespace tradewind::sim {

namespace {
constexpr std::string_view kName = "CopyChecker";
}

// A copy that neither the owner nor the one before it has was never needed.
void CopyChecker::Removing(const std::string& host, const std::string& tenant,
                           const TenantRecord& tenant_record) {
  if (host == tenant_record.owner)
    return report_(kName, fmt::format("{} deletes the copy of {} that it owns", host, tenant));
  if (!tenant_record.hand_over || tenant_record.hand_over->from != host) return;
  if (const std::string lack = LackOf(tenant, tenant_record); !lack.empty())
    report_(kName,
            fmt::format("{} deletes its copy of {}, but {} {}", host, tenant, tenant_record.owner, lack));
}

std::string CopyChecker::LackOf(const std::string& tenant, const TenantRecord& tenant_record) const {
  const std::string path = MainPath(tenant);
  const std::string& owner = tenant_record.owner;
  const std::string_view wal_file = record_.Durable(owner, path + "-wal");
  WalImage wal;
  wal.Advance(wal_file);
  const DatabaseImage image(record_.Durable(owner, path), wal_file, wal);
  if (image.page_size() != tenant_record.page_size) return "has no durable file of it";
  if (const auto map = MapImage::Parse(record_.Durable(owner, path + "-presence")))
    for (uint32_t page = 1; page <= map->page_count; ++page)
      if (!map->IsPresent(page))
        return fmt::format("would not know after a loss of power that it has page {}", page);
  const std::set<uint32_t> free = image.FreeLeaves();
  for (uint32_t page = 1; page <= image.page_count() && page <= tenant_record.versions.size(); ++page) {
    if (free.contains(page)) continue;
    const int newest = tenant_record.NewestBefore(page, tenant_record.hand_over->to_epoch);
    const int durable = tenant_record.Find(page, HashOf(image.Page(page)));
    if (durable < newest) return fmt::format("would lack page {} after a loss of power", page);
  }
  return "";
}

}  // namespace tradewind::sim
