#include "admin/import_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <variant>

#include "base/limits.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "runtime/turns.h"
#include "sqlite/connection.h"
#include "sqlite/file_header.h"
#include "sqlite/page_store.h"

namespace tradewind::admin {

namespace {

using sqlite::FileHeader;

constexpr uint32_t kNewestVersion = 2;  // 1 is a rollback journal, 2 a WAL.
constexpr uint32_t kNewestSchemaFormat = 4;

tl::unexpected<Error> NotADatabase(std::string why) {
  return Fail(ErrorKind::kInvalid, "NOT_A_DATABASE", "the file is no SQLite database: " + why,
              "import a file that sqlite3 can open");
}

tl::unexpected<Error> Damaged(const std::string& what) {
  return Fail(
      ErrorKind::kInvalid, "DATABASE_DAMAGED", "the database in the file is damaged: " + what,
      "copy it with sqlite3's .backup or VACUUM INTO while nothing else writes to it, and import that");
}

Result<void> CheckHeader(runtime::File& file) {
  FileHeader header;
  TW_TRY_ASSIGN(const uint64_t size, file.Size());
  TW_TRY_ASSIGN(const size_t got, file.Read(0, header.bytes()));
  if (got < FileHeader::kBytes || !header.HasMagic()) return NotADatabase("it does not begin as one");
  const uint32_t page_size = header.PageSize();
  if (!header.HasPageSize()) return NotADatabase(fmt::format("a page size of {} is none", page_size));
  if (header.At(FileHeader::kWriteVersionAt, 1) > kNewestVersion ||
      header.At(FileHeader::kReadVersionAt, 1) > kNewestVersion ||
      header.At(FileHeader::kSchemaFormatAt, 4) > kNewestSchemaFormat)
    return NotADatabase("it is of a newer version than this node knows");
  if (size % page_size != 0)
    return Damaged(fmt::format("{} bytes are no whole number of pages of {}", size, page_size));
  const uint64_t pages = size / page_size;
  if (const auto counted = header.PageCount(); counted && *counted > pages)
    return Damaged(fmt::format("it has {} of {} pages", pages, *counted));
  return {};
}

// What SQLite finds wrong with the content is the sender's matter, not this node's.
Error OfTheFile(Error error) {
  return error.kind == ErrorKind::kCorrupt ? Damaged(error.message).value() : error;
}

Result<void> QuickCheck(sqlite::Connection& connection) {
  auto result = connection.Run({.sql = "PRAGMA quick_check(1)"});
  if (!result) return Fail(OfTheFile(std::move(result).error()));
  const auto* verdict =
      result->rows.size() == 1 ? std::get_if<std::string>(&result->rows.front().front()) : nullptr;
  if (verdict && *verdict == "ok") return {};
  return Damaged(verdict ? *verdict : "quick_check gives no verdict");
}

// Opening the connection switches the file to WAL mode.
Result<void> CheckContent(sqlite::PageStore& store, const std::function<Result<void>()>& keep_going) {
  auto connection = sqlite::Connection::Open(store);
  if (!connection) return Fail(OfTheFile(std::move(connection).error()));
  (*connection)->SetProgress([&]() -> Result<void> {
    runtime::YieldIfTurnIsOver();
    return keep_going();
  });
  TW_TRY(QuickCheck(**connection));
  return (*connection)->Checkpoint(sqlite::CheckpointMode::kTruncate);
}

}  // namespace

Result<void> CheckImport(runtime::Core& core, const std::string& path,
                         const std::function<Result<void>()>& keep_going) {
  TW_TRY_ASSIGN(const auto file, core.disk().Open(path, runtime::OpenMode::kExisting));
  TW_TRY(CheckHeader(*file));
  {
    TW_TRY_ASSIGN(const auto store, sqlite::PageStore::Open(core, path, runtime::OpenMode::kExisting));
    TW_TRY(CheckContent(*store, keep_going));
  }
  for (const char* suffix : {"-wal", "-journal"}) TW_TRY(core.disk().Remove(path + suffix));
  return file->Sync();
}

}  // namespace tradewind::admin
