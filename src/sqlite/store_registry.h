// The stores of this thread's core, by the path that SQLite opens them with. SQLite hands the VFS only names;
// a thread-local table turns them back into stores without a lock, since a tenant's connections open on its
// core.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tradewind::sqlite {

class PageStore;

enum class FileRole { kMain, kWal, kJournal };

struct FoundFile {
  PageStore* store = nullptr;  // Null when no store has that name.
  FileRole role = FileRole::kMain;
};

uint64_t RegisterStore(PageStore* store);
void UnregisterStore(uint64_t id);
std::string StoreDatabasePath(uint64_t id);
FoundFile FindStore(std::string_view name);

}  // namespace tradewind::sqlite
