// The files of closed SQLite tenants.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tenant/tenant_files.h"

namespace tradewind::tenant {

class SqliteFiles final : public TenantFiles {
 public:
  // Fails with TENANT_FILE_MISSING (kCorrupt), and as the file does.
  Result<std::unique_ptr<HostedTenant>> Open(runtime::Core& core, const TenantName& name,
                                             const std::string& path,
                                             const std::vector<PageNumber>& recently_used) override;
  Result<void> ClearBeside(const std::string& path, RemovedFiles& removed) override;
  Result<void> Remove(const std::string& path, RemovedFiles& removed) override;
};

}  // namespace tradewind::tenant
