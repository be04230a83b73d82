#include "sim/checkers/order_checker.h"

#include <fmt/format.h>

namespace tradewind::sim {

namespace {
constexpr std::string_view kName = "OrderChecker";
}

void OrderChecker::Read(const std::string& tenant, TenantRecord& record, uint32_t page, uint64_t hash) {
  HandOver& over = *record.hand_over;
  if (page > over.pages.size() || over.pages[page - 1].free) return;
  over.At(page).read = true;
  const int newest = record.NewestBefore(page, over.to_epoch);
  const int version = record.Find(page, hash);
  if (version >= newest && version >= 0) return;
  report_(kName,
          fmt::format("{} reads page {} of {} {}, and {} has committed a newer version of it", over.to, page,
                      tenant, version < 0 ? "as it never was" : "in an earlier version", over.from));
}

void OrderChecker::CommittedAtSource(const std::string& tenant, TenantRecord& record,
                                     const WalImage::Commit& commit) {
  for (const auto& [page, at] : commit.pages)
    if (page <= record.hand_over->pages.size() && record.hand_over->pages[page - 1].read)
      return report_(kName,
                     fmt::format("a transaction of {} at {} changes page {}, which a transaction at {} has "
                                 "read before",
                                 tenant, record.hand_over->from, page, record.hand_over->to));
}

}  // namespace tradewind::sim
