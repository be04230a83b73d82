#include "sim/checkers/page_checker.h"

#include <fmt/format.h>

namespace tradewind::sim {

namespace {
constexpr std::string_view kName = "PageChecker";
}

void PageChecker::HandedOver(const std::string& tenant, TenantRecord& record, std::string_view main) {
  const HandOver& over = *record.hand_over;
  if (over.pages.empty())
    return report_(kName, fmt::format("{} owns {} without a map of the pages that it has", over.to, tenant));
  for (uint32_t page = 1; page <= over.pages.size(); ++page) {
    if (!over.pages[page - 1].present || over.pages[page - 1].free) continue;
    const int newest = static_cast<int>(record.VersionsOf(page).size()) - 1;
    if (record.InFile(page) == newest && newest >= 0) continue;
    const bool there = uint64_t{page} * record.page_size <= main.size();
    return report_(kName,
                   fmt::format("{} owns {} and counts page {} as its own, but {}", over.to, tenant, page,
                               !there                    ? "its file ends before it"
                               : record.InFile(page) < 0 ? "what it has was never committed"
                                                         : "has it in an earlier version"));
  }
}

void PageChecker::Wrote(const std::string& tenant, TenantRecord& record, const WalImage& wal, uint32_t page,
                        uint64_t hash) {
  const int version = record.Find(page, hash);
  int& in_file = record.InFile(page);
  const uint64_t first = record.hand_over ? record.hand_over->to_epoch : 0;
  const bool own = version >= 0 && record.versions[page - 1][static_cast<size_t>(version)].epoch >= first;
  if (record.hand_over && !record.hand_over->Has(page) && !own) {
    if (version < 0 || version != record.NewestBefore(page, first))
      report_(kName, fmt::format("page {} of {} comes to {} in a version that is not the newest of {}", page,
                                 tenant, record.owner, record.hand_over->from));
    else if (in_file > version && !wal.Has(page))
      report_(kName, fmt::format("page {} of {} comes to {} over what was committed there", page, tenant,
                                 record.owner));
  } else if (version < 0) {
    report_(kName, fmt::format("{} writes something into page {} of {} that nobody committed", record.owner,
                               page, tenant));
  } else if (version < in_file && !wal.Has(page)) {
    report_(kName,
            fmt::format("page {} of {} at {} goes back to an earlier version", page, tenant, record.owner));
  }
  in_file = version;
  if (record.hand_over && page <= record.hand_over->pages.size()) {
    record.hand_over->At(page).present = true;
    record.hand_over->At(page).free = false;
  }
}

void PageChecker::CommittedAtSource(const std::string& tenant, TenantRecord& record,
                                    const WalImage::Commit& commit) {
  for (const auto& [page, at] : commit.pages)
    if (record.hand_over->Has(page))
      return report_(kName, fmt::format("a transaction of {} at {} changes page {}, which {} has", tenant,
                                        record.hand_over->from, page, record.hand_over->to));
}

}  // namespace tradewind::sim
