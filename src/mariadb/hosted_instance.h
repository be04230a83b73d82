// A MariaDB tenant at the node that serves it: its instance, which this keeps running, and writable for as long as the
// node owns the tenant; the gate that its clients' transactions pass; and the visits of clients' sessions at its server.
//
// It is there from the first moment on, also while its server starts, recovers, or is not installed: who needs the server
// waits (AwaitServer), and is told why when it does not come.
//
// Writable (I1). Each start of the server is read-only. It takes writes once the catalog has said that this node owns the
// tenant, while the gate is open; asked again after each restart of the server, and every limits::kInstanceOwnerWatch: a
// node that is told that it does not own it makes it read-only. While the catalog does not answer, a server that is
// writable stays so (ownership cannot have passed on without this node, whose journal says that it owns), and one that was
// started stays read-only.
//
// A move (slacker/) closes the gate: AwaitQuiet(), Park(), then MakeReadOnly() here, or AwaitSettled() and a freeze of its
// own, so that no MakeWritable() is under way behind it. Unpark() opens the gate, and the server becomes writable again by itself, as
// above; whoever waits at the gate waits for that as well. SetMoved() tells every visit that the tenant is elsewhere now:
// the session is read here, and made again there, before Close().
//
// The other end of a move makes one of its copy's server, which runs there as a replica until then: it takes writes as soon as
// the catalog says that it may.
//
// This core's fibers only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "mariadb/server.h"
#include "mariadb/statement_watch.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "tenant/hosted_tenant.h"
#include "tenant/quotas.h"

namespace tradewind::mariadb {

// As the catalog names it.
inline constexpr std::string_view kMariadbEngine = "mariadb";

class HostedInstance final : public tenant::HostedTenant {
 public:
  // What it asks of its node. Each suspends.
  struct Node {
    // Starts the tenant's server, or takes over the one that runs. With the hooks of InstanceOptions.
    std::function<Result<std::unique_ptr<Server>>(std::function<void()> on_restart,
                                                  std::function<bool()> given_up)>
        open;
    // Whether the catalog says that this node owns the tenant.
    std::function<Result<bool>(const TenantName&)> owns;
  };

  // A client's session at the server. It leaves before the tenant goes.
  class Visit {
   public:
    explicit Visit(HostedInstance& host);
    virtual ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    // A transaction, or a statement outside of one, may begin when this succeeds; until End(). Suspends while the gate is
    // closed. Fails with TENANT_MOVED; TENANT_MOVING (kUnavailable) after limits::kParkedRequest; INSTANCE_DOWN;
    // MYSQL_1226 (kUnavailable), ER_USER_LIMIT_REACHED, if as many have begun as the tenant's quota lets begin a second and
    // this one `counts`. Does nothing for one that has begun.
    Result<void> Begin(bool counts = true);
    // No transaction is open. `tied`: something else ties the session to this server (mysql/tie.h).
    void End(bool tied);
    // Something is open, or ties it; since then.
    bool is_open() const { return begun_ || tied_; }
    runtime::TimePoint open_since() const { return open_since_; }

    // The gate has opened or closed. Must not suspend.
    virtual void OnGate() = 0;
    // The session ends, with whatever is open: nobody waits for it any longer. Must not suspend.
    virtual void OnEnd() = 0;

   private:
    friend class HostedInstance;
    HostedInstance& host_;
    bool begun_ = false;
    bool tied_ = false;
    runtime::TimePoint open_since_;
  };

  // Begins to start the server. Does not suspend.
  HostedInstance(runtime::Core& core, TenantName name, Node node);
  // Of a server that runs, read-only.
  HostedInstance(runtime::Core& core, TenantName name, Node node, std::unique_ptr<Server> server);
  ~HostedInstance() override;  // Requires: Close() has returned.

  // Its server, once that answers and, where nothing stands against that, is writable. Valid as long as this is.
  // Suspends. INSTANCE_DOWN (kUnavailable), or why it does not start.
  Result<Server*> AwaitServer(runtime::TimePoint deadline);
  // The same for who does not write: once its server answers.
  Result<Server*> AwaitAnswer(runtime::TimePoint deadline);
  // Requires, as the next: the gate is closed. Suspends until nothing is under way that makes the server writable: whoever
  // makes it read-only by other means waits for that first. INSTANCE_DOWN while no server answers, or at the deadline.
  Result<void> AwaitSettled(runtime::TimePoint deadline);
  // After that, as Server::MakeReadOnly().
  Result<void> MakeReadOnly(runtime::TimePoint deadline);
  // Since when the visit has something open that has so for longest.
  std::optional<runtime::TimePoint> OldestOpen() const;
  // Ends the visits in which something has been open since then: they were waited for long enough.
  void EndVisitsOpenSince(runtime::TimePoint then);

  // Somebody reads all of it; the two by turns.
  void BeginExport() { ++exports_; }
  void EndExport() { --exports_; }

  bool is_writable() const { return writable_; }
  bool answers() const { return server_ && server_->answers(); }
  uint64_t restarts() const { return restarts_; }  // Of a server that died.
  size_t visits() const { return visits_.size(); }
  // Whether one session more may begin, by the tenant's quota.
  bool HasRoomForVisit() const;

  const TenantName& name() const override { return name_; }
  std::string_view engine() const override { return kMariadbEngine; }
  std::optional<tenant::TenantSize> Size() const override { return size_; }
  // Of streams, requests and statement time; others are not held (docs/mariadb.md).
  void SetQuotas(const tenant::Quotas& quotas) override;

  tenant::Gate gate() const override { return gate_; }
  void Park() override;
  void Unpark() override { SetGate(tenant::Gate::kOpen); }
  void SetMoved() override { SetGate(tenant::Gate::kMoved); }
  bool AwaitQuiet(runtime::Duration grace, const std::function<bool()>& given_up) override;
  bool JoinTransactions(runtime::TimePoint deadline) override;
  void AwaitRollbacks(runtime::TimePoint) override {}
  size_t exports() const override { return exports_; }

  void StopWaits() override;
  // Ends all visits and the server: cleanly, or at once if its data are not to be used any more.
  void Close(bool keep_log) override;
  // A server takes a second to start, so it runs as long as its tenant is here.
  bool IsIdle() const override { return false; }
  Result<void> CloseIdle(const std::function<bool()>& wanted) override;

 private:
  void SetGate(tenant::Gate gate);
  void Run();
  void Start();
  void TakeRestart();
  void Rule();
  Result<void> TakeWrites();
  void CheckOwner();
  void Measure();
  tl::unexpected<Error> Down() const;
  void TellAll(const std::function<void(Visit&)>& tell);
  bool AnyOpen() const;

  runtime::Core& core_;
  const TenantName name_;
  const Node node_;
  std::unique_ptr<Server> server_;  // Once it was started or adopted.
  std::optional<Error> failure_;    // Of the last start, or of the last try to make it writable.
  bool writable_ = false;           // As far as is known.
  bool changing_ = false;           // That it takes writes is under way.
  uint64_t restarts_ = 0;
  std::optional<tenant::TenantSize> size_;
  tenant::Gate gate_ = tenant::Gate::kOpen;
  std::set<Visit*> visits_;
  size_t exports_ = 0;
  tenant::Quotas quotas_;
  tenant::RequestRates rates_;
  StatementWatch statements_;
  bool stopping_ = false;  // Nobody waits for it any more.
  bool closing_ = false;
  runtime::WaitQueue changed_;  // Of all this.
  runtime::TaskGroup fibers_;
};

// Requires: its engine is MariaDB.
HostedInstance& AsInstance(tenant::HostedTenant& tenant);

}  // namespace tradewind::mariadb
