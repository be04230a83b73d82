#include "sqlite/store_registry.h"

#include <charconv>
#include <unordered_map>

namespace tradewind::sqlite {

namespace {

constexpr std::string_view kPrefix = "/tradewind/";
thread_local std::unordered_map<uint64_t, PageStore*> stores;
thread_local uint64_t next_id = 1;

}  // namespace

uint64_t RegisterStore(PageStore* store) {
  stores[next_id] = store;
  return next_id++;
}

void UnregisterStore(uint64_t id) {
  stores.erase(id);
}

std::string StoreDatabasePath(uint64_t id) {
  return std::string(kPrefix) + std::to_string(id);
}

FoundFile FindStore(std::string_view name) {
  if (!name.starts_with(kPrefix)) return {};
  name.remove_prefix(kPrefix.size());
  uint64_t id = 0;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  const std::string_view suffix(rest, static_cast<size_t>(name.data() + name.size() - rest));
  const auto found = stores.find(id);
  if (error != std::errc{} || found == stores.end()) return {};
  if (suffix.empty()) return {found->second, FileRole::kMain};
  if (suffix == "-wal") return {found->second, FileRole::kWal};
  if (suffix == "-journal") return {found->second, FileRole::kJournal};
  return {};
}

}  // namespace tradewind::sqlite
