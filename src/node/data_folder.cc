#include "node/data_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/hash.h"
#include "base/path.h"
#include "runtime/disk.h"
#include "runtime/random_id.h"

namespace tradewind::node {

namespace {

constexpr std::string_view kHead = "tradewind node ";
constexpr std::string_view kFormat = "2";
constexpr std::string_view kNone = "-";
constexpr std::array<std::pair<CatalogPlace, std::string_view>, 3> kPlaces = {
    {{CatalogPlace::kUnknown, "unknown"},
     {CatalogPlace::kHere, "here"},
     {CatalogPlace::kElsewhere, "elsewhere"}}};

std::string Sum(std::string_view text) {
  return fmt::format("{:016x}", Hash64(std::as_bytes(std::span(text))));
}

std::string ToText(const FolderIdentity& identity) {
  std::string_view place;
  for (const auto& [known, name] : kPlaces)
    if (known == identity.catalog) place = name;
  const std::string text =
      fmt::format("{}{}\nname {}\nid {}\ncluster {}\ncatalog {}\n", kHead, kFormat, identity.name,
                  identity.id, identity.cluster.empty() ? kNone : identity.cluster, place);
  return text + "sum " + Sum(text) + "\n";
}

// The value of a line "KEY VALUE", which is taken off the text; none when the next line is another.
std::optional<std::string> TakeLine(std::string_view& text, std::string_view key) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos || !line.starts_with(key)) return std::nullopt;
  text.remove_prefix(end + 1);
  line.remove_prefix(key.size());
  return std::string(line);
}

std::optional<FolderIdentity> ParseIdentity(std::string_view text) {
  const size_t sum_at = text.rfind("sum ");
  if (sum_at == std::string_view::npos) return std::nullopt;
  std::string_view last = text.substr(sum_at);
  const auto sum = TakeLine(last, "sum ");
  if (!sum || *sum != Sum(text.substr(0, sum_at))) return std::nullopt;
  FolderIdentity identity;
  const auto head = TakeLine(text, kHead);
  const auto name = TakeLine(text, "name ");
  const auto id = TakeLine(text, "id ");
  const auto cluster = TakeLine(text, "cluster ");
  const auto place = TakeLine(text, "catalog ");
  if (!head || !name || !id || !cluster || !place || !IsValidName(*name) || id->empty()) return std::nullopt;
  identity.name = *name;
  identity.id = *id;
  if (*cluster != kNone) identity.cluster = *cluster;
  for (const auto& [known, known_name] : kPlaces)
    if (known_name == *place) identity.catalog = known;
  return identity;
}

tl::unexpected<Error> Corrupt(const std::string& path) {
  return Fail(
      ErrorKind::kCorrupt, "NODE_FILE_CORRUPT", "the file " + path + " does not hold what this program wrote",
      "put it back as it was, or write the node's name alone into it: its identity is then made anew");
}

}  // namespace

std::optional<NodeName> NameInNodeFile(std::string_view text) {
  if (text.starts_with(kHead)) {
    const auto identity = ParseIdentity(text);
    return identity ? std::optional<NodeName>(identity->name) : std::nullopt;
  }
  const size_t end = text.find_last_not_of(" \t\r\n");
  const std::string name(text.substr(0, end == std::string_view::npos ? 0 : end + 1));
  return IsValidName(name) ? std::optional<NodeName>(name) : std::nullopt;
}

Result<DataFolder> DataFolder::Claim(runtime::Core& core, const std::string& path, const NodeName& name) {
  DataFolder folder(core, path);
  for (const char* part : {"", "/tenants", "/transfers"}) TW_TRY(core.disk().CreateFolders(path + part));
  TW_TRY_ASSIGN(const std::string text, folder.ReadFile());
  FolderIdentity& identity = folder.identity_;
  if (text.starts_with(kHead)) {
    if (!text.starts_with(std::string(kHead) + std::string(kFormat) + "\n"))
      return Fail(ErrorKind::kCorrupt, "NODE_FILE_FORMAT",
                  path + "/node was written by a later version of tradewind", "run that version");
    const auto parsed = ParseIdentity(text);
    if (!parsed) return Corrupt(path + "/node");
    identity = *parsed;
  } else if (!text.empty()) {
    const auto known = NameInNodeFile(text);
    if (!known) return Corrupt(path + "/node");
    identity.name = *known;
  } else {
    TW_TRY_ASSIGN(const bool has_journal, folder.HasBytes("/journal"));
    TW_TRY_ASSIGN(const bool has_catalog, folder.HasBytes("/catalog.db"));
    TW_TRY_ASSIGN(const bool has_tenants, folder.HasTenants());
    if (has_journal || has_catalog || has_tenants)
      return Fail(ErrorKind::kRefused, "DATA_FOLDER_INCOMPLETE",
                  "the folder " + path + " holds a node's data, but the file node in it is gone or empty",
                  "put it back, or write the name of the node to which the data belongs into it");
  }
  if (!identity.name.empty() && identity.name != name)
    return Fail(ErrorKind::kRefused, "DATA_FOLDER_OF_ANOTHER_NODE",
                path + " belongs to the node " + identity.name,
                "start it with --name " + identity.name + ", or give another --data");
  if (!identity.id.empty()) return folder;
  FolderIdentity fresh = identity;
  fresh.name = name;
  fresh.id = runtime::RandomId(core);
  TW_TRY(folder.Write(fresh));
  // All that will ever be durable here lies in folders whose own names must be.
  for (std::string at = path.empty() ? "/" : path;; at = FolderOf(at)) {
    TW_TRY(core.disk().SyncDirectory(at));
    if (at == "." || at == "/") return folder;
  }
}

// Epochs of a catalog that is begun anew would begin anew, and every owner would be forgotten.
Result<void> DataFolder::CheckCatalog(bool joins, bool knows_tenants) const {
  TW_TRY_ASSIGN(const bool has_catalog, HasBytes("/catalog.db"));
  TW_TRY_ASSIGN(const bool has_tenants, HasTenants());
  if (joins) {
    if (!has_catalog && identity_.catalog != CatalogPlace::kHere) return {};
    return Fail(ErrorKind::kRefused, "CATALOG_IS_HERE",
                "the folder " + path_ + " holds the catalog of a cluster, and cannot join another one",
                "start it without --join, or give another --data");
  }
  if (identity_.catalog == CatalogPlace::kElsewhere)
    return Fail(ErrorKind::kRefused, "CATALOG_IS_ELSEWHERE",
                "the node of the folder " + path_ + " has joined a cluster whose catalog is on another node",
                "start it with --join and the URL of that node");
  if (has_catalog) return {};
  if (identity_.catalog == CatalogPlace::kHere || knows_tenants || has_tenants)
    return Fail(ErrorKind::kRefused, "CATALOG_FILE_MISSING",
                "the folder " + path_ + " has data of a cluster, but its catalog, " + CatalogPath() +
                    ", is gone or empty",
                "put that file back; a node that has joined a cluster is started with --join");
  return {};
}

Result<bool> DataFolder::HasBytes(const std::string& name) const {
  auto file = core_->disk().Open(path_ + name, runtime::OpenMode::kExisting);
  if (!file && file.error().kind == ErrorKind::kNotFound) return false;
  if (!file) return Fail(std::move(file).error());
  TW_TRY_ASSIGN(const uint64_t size, (*file)->Size());
  return size > 0;
}

Result<bool> DataFolder::HasTenants() const {
  TW_TRY_ASSIGN(const auto names, core_->disk().List(path_ + "/tenants"));
  return !names.empty();
}

Result<std::string> DataFolder::ReadFile() const {
  auto file = core_->disk().Open(path_ + "/node", runtime::OpenMode::kExisting);
  if (!file && file.error().kind == ErrorKind::kNotFound) return std::string();
  if (!file) return Fail(std::move(file).error());
  TW_TRY_ASSIGN(const uint64_t size, (*file)->Size());
  std::string text(std::min<uint64_t>(size, 4096), '\0');
  TW_TRY_ASSIGN(const size_t got, (*file)->Read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return text;
}

Result<void> DataFolder::Write(const FolderIdentity& identity) {
  const std::string path = path_ + "/node";
  const std::string text = ToText(identity);
  TW_TRY(core_->disk().Remove(path + ".new"));
  TW_TRY_ASSIGN(const auto file, core_->disk().Open(path + ".new", runtime::OpenMode::kCreateExclusive));
  TW_TRY(file->Write(0, std::as_bytes(std::span(text))));
  TW_TRY(file->Sync());
  TW_TRY(core_->disk().Rename(path + ".new", path));
  TW_TRY(core_->disk().SyncDirectory(path_));
  identity_ = identity;
  return {};
}

Result<void> DataFolder::NoteCluster(const std::string& cluster, CatalogPlace catalog) {
  if (identity_.cluster == cluster && identity_.catalog == catalog) return {};
  FolderIdentity known = identity_;
  known.cluster = cluster;
  known.catalog = catalog;
  return Write(known);
}

}  // namespace tradewind::node
