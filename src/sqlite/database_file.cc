#include "sqlite/database_file.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/path.h"
#include "sqlite/file_header.h"

namespace tradewind::sqlite {

namespace {

constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kWalMagic = 0x377f0682;  // Section 4.1; its last bit is the order of bytes in checksums.

void SetNumber(std::span<std::byte> bytes, size_t offset, size_t size, uint32_t number) {
  for (size_t i = size; i-- > 0; number >>= 8) bytes[offset + i] = static_cast<std::byte>(number & 0xff);
}

tl::unexpected<Error> Gone(const std::string& path, const std::string& how) {
  return Fail(ErrorKind::kCorrupt, std::string(kFileGoneCode), "the file " + path + " " + how);
}

// 0: it is no database's.
uint32_t PageSizeIn(const FileHeader& header) {
  return header.HasMagic() && header.HasPageSize() ? header.PageSize() : 0;
}

// What the header says that the file holds; 0 when it says nothing to rely on.
uint64_t BytesByHeader(const FileHeader& header) {
  return uint64_t{header.PageCount().value_or(0)} * PageSizeIn(header);
}

}  // namespace

Result<void> WriteEmptyDatabase(runtime::File& file) {
  std::vector<std::byte> page(kPageBytes);
  const std::span<std::byte> bytes(page);
  std::transform(FileHeader::kMagic.begin(), FileHeader::kMagic.end(), page.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  SetNumber(bytes, FileHeader::kPageSizeAt, 2, kPageBytes);
  SetNumber(bytes, FileHeader::kWriteVersionAt, 1, 2);  // Written with a WAL,
  SetNumber(bytes, FileHeader::kReadVersionAt, 1, 2);   // and read with one.
  SetNumber(bytes, 21, 1, 64);
  SetNumber(bytes, 22, 1, 32);
  SetNumber(bytes, 23, 1, 32);
  SetNumber(bytes, FileHeader::kChangeCounterAt, 4, 1);
  SetNumber(bytes, FileHeader::kPageCountAt, 4, 1);
  SetNumber(bytes, FileHeader::kCountValidForAt, 4, 1);
  // The schema table: a leaf without cells, whose content begins at the end of the page.
  SetNumber(bytes, FileHeader::kBytes, 1, 0x0d);
  SetNumber(bytes, FileHeader::kBytes + 5, 2, kPageBytes);
  return file.Write(0, page);
}

Result<uint32_t> PageSizeOf(runtime::File& file) {
  FileHeader header;
  TW_TRY(file.Read(0, header.bytes()));
  return PageSizeIn(header);
}

Result<void> CheckDatabaseFile(runtime::Disk& disk, const std::string& path, uint64_t least_bytes) {
  auto file = disk.Open(path, runtime::OpenMode::kExisting);
  if (!file && file.error().kind == ErrorKind::kNotFound) return Gone(path, "is gone");
  if (!file) return Fail(std::move(file).error());
  TW_TRY_ASSIGN(const uint64_t size, (*file)->Size());
  if (size == 0) return Gone(path, "is empty");
  FileHeader header;
  TW_TRY_ASSIGN(const size_t got, (*file)->Read(0, header.bytes()));
  const uint64_t least = std::max(least_bytes, got == FileHeader::kBytes ? BytesByHeader(header) : 0);
  if (size >= least) return {};
  // A checkpoint writes the first page, and with it the count, before others; until it has synced them, the
  // WAL has them.
  TW_TRY_ASSIGN(const bool may_hold_more, MayWalHoldMore(disk, path));
  if (may_hold_more) return {};
  return Gone(path, "has " + std::to_string(size) + " of " + std::to_string(least) + " bytes");
}

Result<void> CheckMadeDatabase(runtime::Disk& disk, const std::string& path) {
  TW_TRY(CheckDatabaseFile(disk, path));
  TW_TRY_ASSIGN(const auto file, disk.Open(path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint32_t page_size, PageSizeOf(*file));
  return page_size == 0 ? Gone(path, "has no database's header") : Result<void>();
}

Result<void> MakeDurable(runtime::Disk& disk, const std::string& path) {
  TW_TRY_ASSIGN(const auto file, disk.Open(path, runtime::OpenMode::kExisting));
  // What a failed sync did not write counts as written: an empty database is one page, and is written once more.
  std::vector<std::byte> page(kPageBytes);
  TW_TRY_ASSIGN(const size_t got, file->Read(0, page));
  TW_TRY(file->Write(0, std::span(page).first(got)));
  TW_TRY(file->Sync());
  return disk.SyncDirectory(FolderOf(path));
}

Result<bool> MayWalHoldMore(runtime::Disk& disk, const std::string& path) {
  const auto wal = disk.Open(path + "-wal", runtime::OpenMode::kExisting);
  if (!wal && wal.error().kind == ErrorKind::kNotFound) return false;
  if (!wal) return Fail(wal.error());
  std::array<std::byte, 4> magic{};
  TW_TRY_ASSIGN(const size_t got, (*wal)->Read(0, magic));
  return got == magic.size() && (NumberAt(magic, 0, 4) & ~1u) == kWalMagic;
}

}  // namespace tradewind::sqlite
