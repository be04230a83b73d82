// The identity of a data folder: DATA/node.
//
//   tradewind node 2
//   name n2
//   id 5e0c…        drawn when the folder was made: two folders never have the same one, unless one was copied
//   cluster 91aa…   that of the catalog which the folder belongs to; - until it has registered there
//   catalog here    whether the folder holds that catalog: here, elsewhere, or unknown before either is certain
//   sum 3f…         of all before it
//
// Rewritten under another name, synced and renamed, so it is there whole or as it was. Earlier versions
// wrote the name alone; that is read still, and a missing file can be put back so by hand.
//
// Nothing here remakes what was there before: a folder in which the file, or the catalog, is gone or empty
// while the rest shows that there was one, is refused, with what to do.
//
// This core only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::node {

enum class CatalogPlace { kUnknown, kHere, kElsewhere };

struct FolderIdentity {
  NodeName name;
  std::string id;
  std::string cluster;  // Empty until it is known.
  CatalogPlace catalog = CatalogPlace::kUnknown;
};

// The name that the text of a file DATA/node gives, of this version or an earlier one; none when it is damaged.
std::optional<NodeName> NameInNodeFile(std::string_view text);

class DataFolder {
 public:
  // Makes what is missing of the folders, and reads or makes the identity. Fails with kRefused:
  // DATA_FOLDER_OF_ANOTHER_NODE, DATA_FOLDER_INCOMPLETE; with NODE_FILE_CORRUPT or NODE_FILE_FORMAT; or as the
  // disk does. Suspends.
  static Result<DataFolder> Claim(runtime::Core& core, const std::string& path, const NodeName& name);
  // Whether the catalog is where it must be. `joins`: the node is started to join one elsewhere;
  // `knows_tenants`: its journal does. Fails with kRefused: CATALOG_FILE_MISSING, CATALOG_IS_HERE (it was
  // started to join), CATALOG_IS_ELSEWHERE (it was not). Suspends.
  Result<void> CheckCatalog(bool joins, bool knows_tenants) const;

  const FolderIdentity& identity() const { return identity_; }
  std::string CatalogPath() const { return path_ + "/catalog.db"; }
  // The catalog has this folder's node: from now on it belongs to that cluster. Suspends.
  Result<void> NoteCluster(const std::string& cluster, CatalogPlace catalog);

 private:
  DataFolder(runtime::Core& core, std::string path) : core_(&core), path_(std::move(path)) {}
  Result<bool> HasBytes(const std::string& name) const;
  Result<bool> HasTenants() const;
  Result<std::string> ReadFile() const;
  Result<void> Write(const FolderIdentity& identity);

  runtime::Core* core_;
  std::string path_;
  FolderIdentity identity_;
};

}  // namespace tradewind::node
