// The tenants of one core, whose files are on this node and that it serves: opened at first use, found by name.
//
// No more than a bound of them are open at a time, of an engine whose tenants can be closed: beyond it, when a descriptor
// is wanted elsewhere, and while little memory is left, those that nobody has used for longest are closed. One of which
// anybody holds a Use is not (a stream, a transaction, a move, an export hold one), nor one that takes part in a move, is
// claimed, or is not idle for a reason of its own (Tenant::IsIdle). Closing for idleness is nothing that anybody is told of: the tenant stays owned here, Find()
// waits until it is closed, and opens it again.
//
// What is on disk when, and what a crash leaves. Closing for idleness changes no byte that a commit or a move relies on
// (I1 to I5): the journal and the catalog are not touched, so the owner and its epoch stay; a checkpoint copies what
// is committed into the main file before the WAL is made blank, in the order that commit_log.h gives. A crash at any
// point leaves a tenant that was open (its WAL is replayed), or one that is closed.
//
// This core only. A Use keeps its tenant in memory, and open but for CloseAndForget(): that ends the requests that run
// on it, so whoever holds one gives it back soon.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "runtime/descriptors.h"
#include "runtime/fiber.h"
#include "tenant/name_claims.h"
#include "tenant/removed_files.h"
#include "tenant/sqlite_files.h"
#include "tenant/tenant.h"
#include "tenant/tenant_cores.h"
#include "tenant/tenant_files.h"

namespace tradewind::tenant {

inline constexpr std::string_view kNotHereCode = "TENANT_NOT_HERE";

// Another program has the tenant's file open.
inline constexpr std::string_view kFileInUseCode = sqlite::kFileInUseCode;

inline constexpr std::string_view kFileMissingCode = "TENANT_FILE_MISSING";

// What a tenant's requests are told whose file is not what it must be: `what` says that.
Error TenantFileMissing(const TenantName& name, const std::string& what);

// Requires: its engine is SQLite.
Tenant& SqliteTenant(HostedTenant& tenant);

class LocalTenants {
 private:
  // What few of them have.
  struct Memory {
    std::function<void()> first_answer;
    std::vector<PageNumber> recently_used;  // Of a closed one.
  };
  // A node may have a great many of them that are closed: what only an open one needs is elsewhere.
  struct Entry {
    std::unique_ptr<HostedTenant> tenant;  // Null while it is closed.
    Epoch epoch;
    uint32_t uses = 0;
    bool opening = false;
    bool idling = false;                          // It is being closed for idleness: who wants it waits,
    bool wanted = false;                          // and says so.
    bool listed = false;                          // In unused_.
    bool closing = false;                         // Nobody begins to use it.
    bool leaving = false;                         // CloseAndForget() is at it,
    bool gone = false;                            // and is done.
    std::unique_ptr<runtime::WaitQueue> changed;  // While anybody waits.
    std::unique_ptr<Memory> memory;
    const TenantName* name = nullptr;  // The key in entries_.
    std::list<Entry*>::iterator place;
  };

 public:
  struct Options {
    size_t most_open = limits::kOpenTenants;
    // One that is claimed stays open. On core 0; elsewhere whoever has the claim and closes the tenant waits for what
    // is under way with it.
    const NameClaims* claims = nullptr;
    // Is told which tenants are here.
    TenantCores* cores = nullptr;
    // What else keeps a tenant from being idle.
    std::function<bool(const TenantName&)> is_busy = [](const TenantName&) { return false; };
    Quotas quotas = {};  // Of tenants that have none of their own.
    // Those of closed tenants; outlives them. Null: they are SQLite's.
    TenantFiles* files = nullptr;
    // Those of tenants of a second engine; outlives them. Null: there is none.
    TenantFiles* second_files = nullptr;
  };
  LocalTenants(runtime::Core& core, std::string folder, RemovedFiles& removed, Options options);

  class Use {
   public:
    Use(Use&& other) noexcept : home_(other.home_), entry_(std::exchange(other.entry_, nullptr)) {}
    Use& operator=(Use&&) = delete;
    ~Use();
    // What every tenant has. For what only those of SQLite have the tenant must be one.
    HostedTenant& hosted() const { return *entry_->tenant; }
    Tenant& operator*() const { return SqliteTenant(*entry_->tenant); }
    Tenant* operator->() const { return &SqliteTenant(*entry_->tenant); }
    Epoch epoch() const { return entry_->epoch; }
    // A transaction was answered: whoever waits for the first one is told.
    void NoteAnswer() const;

   private:
    friend class LocalTenants;
    Use(LocalTenants& home, std::shared_ptr<Entry> entry);
    LocalTenants* home_;
    std::shared_ptr<Entry> entry_;
  };

  // Where the main file of an SQLite tenant is.
  std::string PathOf(const TenantName& name) const { return folder_ + "/" + name + ".db"; }

  // A tenant that this node owns (from the journal); it is opened when it is used. Requires, as Adopt() does,
  // that it is not here: the claim and the journal, which has one entry a name, see to that.
  void AddOwned(const TenantName& name, Epoch epoch);
  // The same; but one that is here already goes on at this epoch, and is used again if that was refused.
  void Own(const TenantName& name, Epoch epoch);
  // A tenant that is open already (a move's destination).
  void Adopt(std::unique_ptr<HostedTenant> tenant, Epoch epoch, std::function<void()> first_answer);
  // A tenant of this node that cannot be served, and why: Find() says that, whatever else is known of it, until
  // it is added or adopted, or ForgetUnserved() is called.
  void AddUnserved(const TenantName& name, Error why);
  void ForgetUnserved(const TenantName& name);
  bool Has(const TenantName& name) const;
  bool Knows(const TenantName& name) const { return Has(name) || unserved_.contains(name); }
  Epoch EpochOf(const TenantName& name) const;
  std::vector<TenantName> names() const;
  size_t count() const { return entries_.size(); }

  // Fails with TENANT_NOT_HERE, TENANT_FILE_MISSING, or what AddUnserved() was given; with TENANTS_IN_USE
  // (kUnavailable) when as many as may be open are in use for limits::kOpenTenantWait. Opens the tenant if need be:
  // suspends.
  Result<Use> Find(const TenantName& name);
  // The tenant if it is open; null otherwise. Valid until the caller suspends.
  HostedTenant* IfOpen(const TenantName& name) const;
  // From now on Find() says TENANT_NOT_HERE, until Own(). Who uses the tenant goes on.
  void RefuseUses(const TenantName& name);
  // Ends what runs on the tenant, closes it, waits until its streams are gone (StreamService::EndAllOf comes
  // first), and forgets it. Its files stay, but need not be in order when they go. Suspends.
  enum class Files { kStay, kGo };
  void CloseAndForget(const TenantName& name, Files files);
  // How tenants of that engine are made and found on the disk; null: this node has no such engine.
  TenantFiles* FilesOf(std::string_view engine) const;
  // Of the engine whose files of the tenant are here; null: of none. Suspends.
  Result<TenantFiles*> FindFiles(const TenantName& name) const;
  // What the tenants may have: all that have quotas of their own, or one of them; none, those of Options.
  void SetQuotas(std::map<TenantName, Quotas> own);
  void SetQuotas(const TenantName& name, const Quotas& own);
  Quotas QuotasOf(const TenantName& name) const { return quotas_.Of(name); }
  // Removes what lies beside the place of a tenant's file that is about to be made, and would be taken for its own.
  // Durable once the folder is synced. Suspends.
  Result<void> ClearBeside(const TenantName& name);
  // Removes the files of a tenant that is not open. Suspends.
  Result<void> RemoveFiles(const TenantName& name);
  // Whoever waits for a page of another node, or for room to open a tenant, gets an error instead, now and later.
  // Does not suspend.
  void StopWaits();
  // Closes the one that has been idle for longest; false if there is none. Suspends.
  bool CloseOneIdle();
  // Closes all. Suspends.
  void CloseAll();

  struct Counters {
    uint64_t openings = 0;
    uint64_t closings = 0;  // For idleness.
    uint64_t waits = 0;     // For one that was being closed for idleness, or for room to open it.
  };
  const Counters& counters() const { return counters_; }
  size_t open_count() const { return open_; }
  size_t most_open() const { return options_.most_open; }

 private:
  Result<void> Open(const TenantName& name, Entry& entry);
  Result<void> AwaitRoomToOpen();
  void CloseSomeIfMany();
  bool MayIdle(const Entry& entry) const;
  bool CloseIdle(const std::shared_ptr<Entry>& entry);
  Entry& Add(const TenantName& name, Epoch epoch);
  void SetClosed(Entry& entry);
  void ListIfUnused(Entry& entry);
  void Unlist(Entry& entry);
  static void Changed(Entry& entry);
  template <typename Condition>
  static void Await(Entry& entry, Condition condition);

  runtime::Core& core_;
  const std::string folder_;
  RemovedFiles& removed_;
  const Options options_;
  SqliteFiles sqlite_files_;
  TenantFiles& files_;
  TenantFiles* const second_files_;
  std::map<TenantName, std::shared_ptr<Entry>> entries_;
  QuotaTable quotas_;
  std::list<Entry*> unused_;  // Those that are open and that nobody uses, by the time of their last use.
  size_t open_ = 0;           // Those that are being opened or closed included.
  size_t closers_ = 0;
  bool stopping_ = false;
  runtime::WaitQueue closed_one_;
  Counters counters_;
  std::map<TenantName, Error> unserved_;
  runtime::Descriptors::Registration relief_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::tenant
