// The tenants whose files are on this node and that it serves: opened at first use, found by name.
//
// This core only. A Use pins its tenant, so that it is not closed while a request runs on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/journal.h"
#include "node/removed_files.h"
#include "runtime/fiber.h"
#include "tenant/tenant.h"

namespace tradewind::node {

inline constexpr std::string_view kNotHereCode = "TENANT_NOT_HERE";

class LocalTenants {
 private:
  struct Entry {
    std::unique_ptr<tenant::Tenant> tenant;  // Null until first use.
    Epoch epoch;
    std::function<void()> first_answer;
    bool opening = false;
    bool closing = false;
    size_t uses = 0;
    runtime::WaitQueue changed;
  };

 public:
  LocalTenants(runtime::Core& core, std::string folder, RemovedFiles& removed)
      : core_(core), folder_(std::move(folder)), removed_(removed) {}

  class Use {
   public:
    Use(Use&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    Use& operator=(Use&&) = delete;
    ~Use();
    tenant::Tenant& operator*() const { return *entry_->tenant; }
    tenant::Tenant* operator->() const { return entry_->tenant.get(); }
    Epoch epoch() const { return entry_->epoch; }
    // A transaction was answered: whoever waits for the first one is told.
    void NoteAnswer() const;

   private:
    friend class LocalTenants;
    explicit Use(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) { ++entry_->uses; }
    std::shared_ptr<Entry> entry_;
  };

  // Where the main file of a tenant is.
  std::string PathOf(const TenantName& name) const { return folder_ + "/" + name + ".db"; }

  // A tenant that this node owns (from the journal); it is opened when it is used.
  void AddOwned(const TenantName& name, Epoch epoch);
  // A tenant that is open already (a move's destination).
  void Adopt(std::unique_ptr<tenant::Tenant> tenant, Epoch epoch, std::function<void()> first_answer);
  bool Has(const TenantName& name) const { return entries_.contains(name); }
  Epoch EpochOf(const TenantName& name) const;
  std::vector<TenantName> names() const;

  // Fails with TENANT_NOT_HERE. Opens the tenant if need be: suspends.
  Result<Use> Find(const TenantName& name);
  // Waits until no one uses the tenant, closes it and forgets it; its files stay. Suspends.
  void CloseAndForget(const TenantName& name);
  // Removes what lies beside the place of a tenant's file that is about to be made: a WAL or a journal of an
  // earlier one would be applied to it. Durable once the folder is synced. Suspends.
  Result<void> ClearBeside(const TenantName& name);
  // Removes the files of a tenant that is not open. Suspends.
  Result<void> RemoveFiles(const TenantName& name);
  // Closes all. Suspends.
  void CloseAll();

 private:
  Result<void> Open(const TenantName& name, Entry& entry);

  runtime::Core& core_;
  const std::string folder_;
  RemovedFiles& removed_;
  std::map<TenantName, std::shared_ptr<Entry>> entries_;
};

}  // namespace tradewind::node
