// For unit tests: one end of a move on a TestCore, whose other end is the test. What it says to the other node the
// test hears, and the test says whatever it likes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/embedded_catalog.h"
#include "move/host.h"
#include "move/journal.h"
#include "move/payload.h"
#include "move/peer_link.h"
#include "pace/token_bucket.h"
#include "runtime/test_core.h"
#include "tenant/hosted_tenant.h"

namespace tradewind::move {

// One direction of a connection within the process.
struct Pipe {
  std::deque<std::byte> bytes;
  bool closed = false;
  runtime::WaitQueue changed;
};

class PipeConnection final : public runtime::Connection {
 public:
  PipeConnection(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~PipeConnection() override { Close(); }
  Result<size_t> Read(MutableBytes into) override {
    WaitFor(in_->changed, [&] { return in_->closed || !in_->bytes.empty(); });
    const size_t count = std::min(into.size(), in_->bytes.size());
    std::copy_n(in_->bytes.begin(), count, into.begin());
    in_->bytes.erase(in_->bytes.begin(), in_->bytes.begin() + static_cast<ptrdiff_t>(count));
    return count;
  }
  Result<void> Write(Bytes bytes) override {
    if (out_->closed) return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the other end is closed");
    out_->bytes.insert(out_->bytes.end(), bytes.begin(), bytes.end());
    out_->changed.NotifyAll();
    return {};
  }
  void SetReadDeadline(runtime::TimePoint) override {}
  void Close() override {
    for (const auto& pipe : {in_, out_}) {
      pipe->closed = true;
      pipe->changed.NotifyAll();
    }
  }
  runtime::Address peer() const override { return {"pipe", 1}; }

 private:
  const std::shared_ptr<Pipe> in_, out_;
};

// Two links, each the other end of the other. Ends with Stop().
class LinkPair {
 public:
  LinkPair(runtime::Core& core, PeerLink::OnOpened on_opened_far)
      : near(std::make_shared<PeerLink>(core)),
        far(std::make_shared<PeerLink>(core, std::move(on_opened_far))),
        fibers_(core) {
    for (const Urgency lane : {Urgency::kUrgent, Urgency::kBulk}) {
      const auto one = std::make_shared<Pipe>();
      const auto other = std::make_shared<Pipe>();
      fibers_.Spawn("near lane", [this, lane, one, other] {
        near->Serve(lane, std::make_unique<PipeConnection>(one, other), "");
      });
      fibers_.Spawn("far lane", [this, lane, one, other] {
        far->Serve(lane, std::make_unique<PipeConnection>(other, one), "");
      });
    }
  }
  // Does not suspend.
  void Cut() {
    near->Close();
    far->Close();
  }
  void Stop() {
    Cut();
    fibers_.Join();
    near->Join();
    far->Join();
  }

  std::shared_ptr<PeerLink> near;
  std::shared_ptr<PeerLink> far;

 private:
  runtime::TaskGroup fibers_;
};

// A node "n1" with a catalog and a journal of its own.
class TestHost final : public MoveHost {
 public:
  TestHost(runtime::TestCore& core, Engine& engine)
      : core_(core), engine_(engine), bucket_(core, 0, 1u << 20) {
    std::filesystem::create_directory(core_.folder() + "/tenants");
    catalog_ = catalog::EmbeddedCatalog::Open(core_, core_.folder() + "/catalog.db").value();
    journal_ = Journal::Open(core_, core_.folder() + "/journal").value();
  }
  // Suspends.
  void Close() {
    if (served) served->Close(false);
    served.reset();
    journal_->Close();
    catalog_->Close();
  }

  runtime::Core& core() override { return core_; }
  catalog::Catalog& catalog() override { return *catalog_; }
  Journal& journal() override { return *journal_; }
  const NodeName& self() const override { return name_; }
  std::string TenantPath(const TenantName& tenant) const override {
    return core_.folder() + "/tenants/" + tenant + ".db";
  }
  Result<std::unique_ptr<MoveChannel>> OpenChannel(const NodeName&, const TenantName&,
                                                   runtime::TimePoint) override {
    if (!link) return Fail(ErrorKind::kUnavailable, "NODE_UNREACHABLE", "the test has no other node");
    return link->Open();
  }
  Engine* FindEngine(std::string_view name) override { return name == engine_.name() ? &engine_ : nullptr; }
  Engine& EngineOf(const TenantName&) override { return engine_; }
  pace::TokenBucket& paced_throttle() override { return bucket_; }
  void Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch, std::function<void()>) override {
    served = std::move(tenant);
  }
  bool stopping() const override { return is_stopping; }

  std::optional<Role> RoleOf(const TenantName& tenant) const {
    const auto found = journal_->entries().find(tenant);
    if (found == journal_->entries().end()) return std::nullopt;
    return found->second.role;
  }

  std::shared_ptr<PeerLink> link;                // To the other node.
  std::unique_ptr<tenant::HostedTenant> served;  // What a destination has opened as owner.
  bool is_stopping = false;

 private:
  runtime::TestCore& core_;
  Engine& engine_;
  const NodeName name_ = "n1";
  pace::TokenBucket bucket_;
  std::unique_ptr<catalog::EmbeddedCatalog> catalog_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace tradewind::move
