#include "balance/drain_file.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <span>
#include <utility>

#include "base/hash.h"
#include "base/json_fields.h"
#include "base/path.h"
#include "runtime/disk.h"

namespace tradewind::balance {

namespace {

namespace json = boost::json;

constexpr uint64_t kMostFileBytes = 16u << 20;
constexpr uint64_t kFormat = 3;

std::string SumOf(std::string_view text) {
  return fmt::format("{:016x}", Hash64(std::as_bytes(std::span(text))));
}

tl::unexpected<Error> NotAsWritten() {
  return Fail(ErrorKind::kCorrupt, "DRAIN_FILE_CORRUPT", "not as it was written");
}

}  // namespace

std::string DrainFileText(const DrainRequest& request) {
  const std::string text =
      json::serialize(json::object{{"format", kFormat},
                                   {"to", json::array(request.to.begin(), request.to.end())},
                                   {"options", move::ToText({.pace = request.pace})}});
  return text + "\n" + SumOf(text) + "\n";
}

Result<DrainRequest> ParseDrainFile(std::string_view text) {
  const size_t end = text.find('\n');
  const bool is_guarded = end != std::string_view::npos;
  if (is_guarded) {
    if (text.substr(end + 1) != SumOf(text.substr(0, end)) + "\n") return NotAsWritten();
    text = text.substr(0, end);
  }
  const auto object = ParseJsonObject(text);
  if (!object) return NotAsWritten();
  if (FindField(*object, "format")) {
    const auto format = FindUnsigned(*object, "format");
    if (!is_guarded || !format || *format < kFormat) return NotAsWritten();
    if (*format > kFormat)
      return Fail(ErrorKind::kCorrupt, "DRAIN_FILE_FORMAT",
                  fmt::format("of format {}, and this program reads formats up to {}", *format, kFormat));
  }
  const json::array* const to = FindArray(*object, "to");
  const auto options = FindText(*object, "options");
  if (!to || !options) return NotAsWritten();
  DrainRequest request;
  for (const json::value& name : *to) {
    if (!name.is_string() || !IsValidName(name.get_string())) return NotAsWritten();
    request.to.emplace_back(name.get_string());
  }
  const auto parsed = move::ParseMoveOptions(*options);
  if (!parsed) return NotAsWritten();
  request.pace = parsed->pace;
  return request;
}

Result<void> DrainFile::Keep(const DrainRequest& request) {
  runtime::Disk& disk = core_.disk();
  const std::string text = DrainFileText(request);
  const std::string fresh = path_ + ".new";
  TW_TRY(disk.Remove(fresh));
  TW_TRY_ASSIGN(const auto file, disk.Open(fresh, runtime::OpenMode::kCreate));
  TW_TRY(file->Write(0, std::as_bytes(std::span(text))));
  TW_TRY(file->Sync());
  TW_TRY(disk.Rename(fresh, path_));
  return disk.SyncDirectory(FolderOf(path_));
}

// The file is made before the catalog says that this node drains, so it is never missing by rights.
Result<DrainRequest> DrainFile::Read() {
  const auto damaged = [&](std::string code, const std::string& how) {
    return Fail(ErrorKind::kCorrupt, std::move(code),
                "how the node is to drain is not known, since " + path_ + " is " + how,
                "say it again with tradewind node drain " + node_ + ", or end it with undrain");
  };
  auto opened = core_.disk().Open(path_, runtime::OpenMode::kExisting);
  if (!opened && opened.error().kind == ErrorKind::kNotFound) return damaged("DRAIN_FILE_CORRUPT", "missing");
  TW_TRY_ASSIGN(const auto file, std::move(opened));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  if (size > kMostFileBytes) return damaged("DRAIN_FILE_CORRUPT", "too large");
  std::string text(size, '\0');
  TW_TRY_ASSIGN(const size_t got, file->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  auto request = ParseDrainFile(text);
  if (!request) return damaged(request.error().code, request.error().message);
  return request;
}

}  // namespace tradewind::balance
