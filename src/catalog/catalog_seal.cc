#include "catalog/catalog_seal.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/path.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"

namespace tradewind::catalog {

namespace {

constexpr std::string_view kFormat = "format 2: ";
constexpr size_t kPieceBytes = 1u << 20;  // Between two turns of the core.

uint64_t HashOf(std::string_view text) {
  return Hash64(std::as_bytes(std::span(text)));
}

// The hash of the pieces' hashes.
Result<uint64_t> HashOfFile(runtime::File& file, uint64_t size) {
  std::vector<std::byte> piece(kPieceBytes);
  uint64_t hash = 0;
  for (uint64_t offset = 0; offset < size; offset += kPieceBytes) {
    TW_TRY_ASSIGN(const size_t got, file.Read(offset, piece));
    hash = Hash64(Bytes(piece).first(got), hash);
    runtime::Yield();
  }
  return hash;
}

// `content`: a file's size and hash.
std::string SealText(std::string_view content) {
  const std::string text = fmt::format("{}{}", kFormat, content);
  return fmt::format("{} {:016x}\n", text, HashOf(text + "\n"));
}

// What a file has to be by this seal; nothing if the seal is not whole, or a later version's.
std::optional<std::string_view> SealedContent(std::string_view text) {
  const size_t end = text.rfind(' ');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view content = text.substr(0, end);
  if (content.starts_with(kFormat)) {
    const std::string_view numbers = content.substr(kFormat.size());
    return text == SealText(numbers) ? std::optional(numbers) : std::nullopt;
  }
  const bool is_first_format = text.substr(end) == fmt::format(" {:016x}\n", HashOf(content));
  return is_first_format ? std::optional(content) : std::nullopt;
}

}  // namespace

CatalogSeal::CatalogSeal(runtime::Core& core, const std::string& catalog)
    : core_(core), catalog_(catalog), path_(catalog + "-seal") {}

Result<std::string> CatalogSeal::ContentNow() const {
  TW_TRY_ASSIGN(const auto file, core_.disk().Open(catalog_, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  TW_TRY_ASSIGN(const uint64_t hash, HashOfFile(*file, size));
  return fmt::format("{} {:016x}", size, hash);
}

Result<void> CatalogSeal::Check() const {
  TW_TRY_ASSIGN(const bool exists, core_.disk().Exists(path_));
  if (!exists) return {};
  TW_TRY_ASSIGN(const auto file, core_.disk().Open(path_, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  std::string text(size, '\0');
  TW_TRY_ASSIGN(const size_t got, file->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  const std::optional<std::string_view> sealed = SealedContent(text);
  if (!sealed) return {};
  auto now = ContentNow();
  const bool is_missing = !now && now.error().kind == ErrorKind::kNotFound;
  if (is_missing || (now && now->starts_with("0 ")))
    return Fail(ErrorKind::kRefused, std::string(kCatalogMissingCode),
                "the catalog " + catalog_ + " is gone or empty, though its seal, " + path_ + ", is there",
                "put that file back");
  TW_TRY(now);
  if (*now == *sealed) return {};
  return Fail(ErrorKind::kCorrupt, "SEAL_BROKEN",
              "it has changed since its node closed it (" + path_ +
                  " has its size and hash; if another program has changed it on purpose, remove that)");
}

Result<void> CatalogSeal::Break() const {
  TW_TRY_ASSIGN(const bool exists, core_.disk().Exists(path_));
  if (!exists) return {};
  TW_TRY(core_.disk().Remove(path_));
  return core_.disk().SyncDirectory(FolderOf(path_));
}

Result<void> CatalogSeal::Put() const {
  // A WAL that could not be copied holds a part of the content.
  TW_TRY_ASSIGN(const bool has_wal, core_.disk().Exists(catalog_ + "-wal"));
  if (has_wal) return Fail(ErrorKind::kIo, "CATALOG_HAS_WAL", "its WAL is not copied into its file");
  TW_TRY_ASSIGN(const std::string content, ContentNow());
  const std::string text = SealText(content);
  TW_TRY_ASSIGN(const auto file, core_.disk().Open(path_, runtime::OpenMode::kCreate));
  TW_TRY(file->Write(0, std::as_bytes(std::span(text))));
  TW_TRY(file->Sync());
  return core_.disk().SyncDirectory(FolderOf(path_));
}

}  // namespace tradewind::catalog
