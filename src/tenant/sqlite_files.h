// The files of closed SQLite tenants.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenant/tenant.h"
#include "tenant/tenant_files.h"

namespace tradewind::tenant {

class SqliteFiles final : public TenantFiles {
 public:
  std::string_view engine() const override { return kSqliteEngine; }
  // Fails as sqlite::CheckMadeDatabase does, but for a file that is gone.
  Result<bool> Has(runtime::Core& core, const std::string& path) override;
  Result<void> Make(runtime::Core& core, const std::string& path) override;
  Result<void> MakeDurable(runtime::Core& core, const std::string& path) override;
  // Fails with TENANT_FILE_MISSING (kCorrupt), and as the file does.
  Result<std::unique_ptr<HostedTenant>> Open(runtime::Core& core, const TenantName& name,
                                             const std::string& path,
                                             const std::vector<PageNumber>& recently_used) override;
  Result<void> ClearBeside(const std::string& path, RemovedFiles& removed) override;
  Result<void> Remove(const std::string& path, RemovedFiles& removed) override;
};

}  // namespace tradewind::tenant
