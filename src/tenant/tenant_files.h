// What an engine's tenants are while they are closed: files of a node, which are made, opened and removed.
//
// `path` is where the main file of an SQLite tenant is, or would be; what else belongs to a tenant, of any engine, lies
// beside that, with a suffix. All but engine() suspend.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/path.h"
#include "base/result.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "tenant/hosted_tenant.h"
#include "tenant/removed_files.h"

namespace tradewind::tenant {

class TenantFiles {
 public:
  virtual ~TenantFiles() = default;
  // As the catalog's records have it.
  virtual std::string_view engine() const = 0;
  // Whether a tenant of this engine is there: whole as Make() leaves it, or with what was done to it since.
  virtual Result<bool> Has(runtime::Core& core, const std::string& path) = 0;
  // Makes an empty one, whole and durable when it returns. After an error Remove() takes away what is left of it.
  // Requires: nothing is there.
  virtual Result<void> Make(runtime::Core& core, const std::string& path) = 0;
  // Gives one that was made elsewhere on this disk, whole and durable, its place, durably. Requires: nothing is there.
  virtual Result<void> Take(runtime::Core& core, const std::string& made, const std::string& path) {
    TW_TRY(core.disk().Rename(made, path));
    return core.disk().SyncDirectory(FolderOf(path));
  }
  // What a crash right after Make() may have left undone of its durability.
  virtual Result<void> MakeDurable(runtime::Core& core, const std::string& path) = 0;
  // `recently_used` is what the tenant said of itself when it was closed last.
  virtual Result<std::unique_ptr<HostedTenant>> Open(runtime::Core& core, const TenantName& name,
                                                     const std::string& path,
                                                     const std::vector<PageNumber>& recently_used) = 0;
  // Gives away what lies beside the place of a main file that is about to be made, and would be taken for its own.
  virtual Result<void> ClearBeside(const std::string& path, RemovedFiles& removed) = 0;
  // Gives all files away. Those that are missing are no error.
  virtual Result<void> Remove(const std::string& path, RemovedFiles& removed) = 0;
};

}  // namespace tradewind::tenant
