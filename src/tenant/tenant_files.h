// What an engine's tenants are while they are closed: files of a node, which are opened and removed.
//
// `path` is where the main file of a tenant is, or would be; what else belongs to it lies beside that, with a suffix.
// All suspend.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"
#include "tenant/hosted_tenant.h"
#include "tenant/removed_files.h"

namespace tradewind::tenant {

class TenantFiles {
 public:
  virtual ~TenantFiles() = default;
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
