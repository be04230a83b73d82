#include "sim/checkers/durability_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tradewind::sim {

namespace {

constexpr std::string_view kName = "DurabilityChecker";
constexpr std::string_view kMark = "@row:";
constexpr size_t kDigits = 9;

void TakeMarks(std::string_view bytes, std::set<int64_t>& rows) {
  for (size_t at = bytes.find(kMark); at != std::string_view::npos; at = bytes.find(kMark, at + 1)) {
    int64_t row = 0;
    const char* const digits = bytes.data() + at + kMark.size();
    if (at + kMark.size() + kDigits > bytes.size()) break;
    if (std::from_chars(digits, digits + kDigits, row).ptr == digits + kDigits) rows.insert(row);
  }
}

}  // namespace

std::string DurabilityChecker::MarkOf(int64_t row) {
  return fmt::format("{}{:09}", kMark, row);
}

void DurabilityChecker::Acknowledged(const std::string& tenant, int64_t row) {
  acknowledged_[tenant].insert(row);
  if (!IsDurable(tenant, row))
    report_(kName,
            fmt::format("row {} of {} is acknowledged, and a loss of power would lose it now", row, tenant));
}

bool DurabilityChecker::IsDurable(const std::string& tenant, int64_t row) const {
  const auto found = files_.find(tenant);
  return found != files_.end() && std::any_of(found->second.begin(), found->second.end(),
                                              [&](const auto& file) { return file.second.Has(row); });
}

void DurabilityChecker::SyncedMain(const std::string& host, const std::string& tenant) {
  File& file = files_[tenant][host];
  file.in_main.clear();
  TakeMarks(record_.Durable(host, MainPath(tenant)), file.in_main);
}

void DurabilityChecker::SyncedWal(const std::string& host, const std::string& tenant) {
  File& file = files_[tenant][host];
  const std::string_view content = record_.Durable(host, MainPath(tenant) + "-wal");
  const bool had_pages = !file.wal.pages().empty();
  const auto commits = file.wal.Advance(content);
  // It begins anew once a checkpoint has all of it in the main file.
  if (had_pages && file.wal.pages().empty()) file.in_wal.clear();
  for (const WalImage::Commit& commit : commits)
    for (const auto& [page, at] : commit.pages)
      TakeMarks(content.substr(at, file.wal.page_size()), file.in_wal);
}

void DurabilityChecker::Removing(const std::string& host, const std::string& tenant) {
  if (files_[tenant].erase(host) > 0 && !acknowledged_[tenant].empty())
    CheckAll(tenant, host + " has removed its file");
}

void DurabilityChecker::LostPower(const std::string& host) {
  for (auto& [tenant, by_host] : files_) {
    const auto found = by_host.find(host);
    if (found == by_host.end()) continue;
    found->second = File();
    SyncedMain(host, tenant);
    SyncedWal(host, tenant);
    CheckAll(tenant, host + " has lost power");
  }
}

void DurabilityChecker::CheckAll(const std::string& tenant, const std::string& after) {
  for (const int64_t row : acknowledged_[tenant])
    if (!IsDurable(tenant, row))
      return report_(kName, fmt::format("row {} of {} was acknowledged, and is on no disk after {}", row,
                                        tenant, after));
}

}  // namespace tradewind::sim
