// For tests of the seam (payload.h): a tenant of a few bytes, whose engine is a test's. It is a list of texts, by number,
// in a file that is replaced whole at each change: what was written is durable when Write() returns.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "move/host.h"
#include "move/message_codec.h"
#include "move/payload.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "tenant/hosted_tenant.h"
#include "tenant/tenant_files.h"

namespace tradewind::move {

class FakeCopy {
 public:
  FakeCopy(runtime::Core& core, std::string path) : core_(core), path_(std::move(path)) {}

  std::map<uint32_t, std::string> items;
  uint32_t listed = 0;  // Numbers below it were there when ownership passed.
  uint64_t list = 0;
  runtime::WaitQueue changed;

  uint32_t next() const { return std::max(listed, items.empty() ? 0 : items.rbegin()->first + 1); }
  uint64_t SumOf(uint32_t from, uint32_t to) const {
    uint64_t sum = 0;
    for (auto item = items.lower_bound(from); item != items.end() && item->first < to; ++item)
      sum += Hash64(std::as_bytes(std::span(item->second)), item->first);
    return sum;
  }
  bool HasAll(uint32_t from, uint32_t to) const {
    const auto count = std::distance(items.lower_bound(from), items.lower_bound(to));
    return count == static_cast<ptrdiff_t>(to) - static_cast<ptrdiff_t>(from);
  }
  Result<void> Save() {
    WaitFor(saved_, [this] { return !saving_; });  // One at a time.
    saving_ = true;
    const uint32_t to = next();
    const Result<void> written = WriteFile();
    if (written) saved_to_ = to;
    saving_ = false;
    saved_.NotifyAll();
    changed.NotifyAll();
    return written;
  }
  Result<void> Load() {
    TW_TRY_ASSIGN(const auto file, core_.disk().Open(path_, runtime::OpenMode::kExisting));
    TW_TRY_ASSIGN(const uint64_t size, file->Size());
    std::vector<std::byte> bytes(size);
    TW_TRY(file->Read(0, bytes));
    MessageReader reader(bytes);
    listed = reader.Number<uint32_t>();
    list = reader.Number<uint64_t>();
    items.clear();
    for (auto count = reader.Number<uint32_t>(); count > 0 && reader.ok(); --count) {
      const auto number = reader.Number<uint32_t>();
      items[number] = reader.Text();
    }
    saved_to_ = next();
    return {};
  }
  // Numbers below it are on the disk.
  uint32_t saved_to() const { return saved_to_; }

 private:
  Result<void> WriteFile() {
    MessageWriter writer(MessageWriter::Of::kPart);
    writer.Number(listed);
    writer.Number(list);
    writer.Number(static_cast<uint32_t>(items.size()));
    for (const auto& [number, text] : items) {
      writer.Number(number);
      writer.Text(text);
    }
    TW_TRY(core_.disk().Remove(path_ + ".new"));
    {
      TW_TRY_ASSIGN(const auto file, core_.disk().Open(path_ + ".new", runtime::OpenMode::kCreate));
      TW_TRY(file->Write(0, writer.Take()));
    }
    return core_.disk().Rename(path_ + ".new", path_);
  }

  runtime::Core& core_;
  const std::string path_;
  bool saving_ = false;
  uint32_t saved_to_ = 0;
  runtime::WaitQueue saved_;
};

class FakeTenant final : public tenant::HostedTenant {
 public:
  FakeTenant(TenantName name, std::string engine, std::shared_ptr<FakeCopy> copy)
      : name_(std::move(name)), engine_(std::move(engine)), copy_(std::move(copy)) {}

  const std::shared_ptr<FakeCopy>& copy() const { return copy_; }
  // Fails where no transaction may start.
  Result<void> Write(const std::string& text) {
    if (gate_ != tenant::Gate::kOpen)
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING", "no transaction starts now");
    copy_->items[copy_->next()] = text;
    return copy_->Save();
  }

  const TenantName& name() const override { return name_; }
  std::string_view engine() const override { return engine_; }
  tenant::Gate gate() const override { return gate_; }
  void Park() override {
    if (gate_ != tenant::Gate::kMoved) gate_ = tenant::Gate::kParked;
  }
  void Unpark() override {
    EXPECT_NE(gate_, tenant::Gate::kMoved) << "what was passed on is served again";
    gate_ = tenant::Gate::kOpen;
  }
  void SetMoved() override { gate_ = tenant::Gate::kMoved; }
  bool AwaitQuiet(runtime::Duration, const std::function<bool()>&) override {
    EXPECT_EQ(gate_, tenant::Gate::kOpen) << "a gate is closed once";
    gate_ = tenant::Gate::kHeld;
    return true;
  }
  bool JoinTransactions(runtime::TimePoint) override { return true; }
  void AwaitRollbacks(runtime::TimePoint) override {}
  size_t exports() const override { return 0; }
  void Close(bool) override {}
  bool IsIdle() const override { return false; }
  Result<void> CloseIdle(const std::function<bool()>&) override { return {}; }

 private:
  const TenantName name_;
  const std::string engine_;
  const std::shared_ptr<FakeCopy> copy_;
  tenant::Gate gate_ = tenant::Gate::kOpen;
};

// An engine whose tenants are those.
class FakeEngine : public Engine, public tenant::TenantFiles {
 public:
  Result<void> CheckMovable(tenant::HostedTenant&, const MoveOptions&) const override { return {}; }
  std::string_view engine() const override { return name(); }
  Result<bool> Has(runtime::Core& core, const std::string& path) override { return core.disk().Exists(path); }
  Result<void> Make(runtime::Core& core, const std::string& path) override {
    return FakeCopy(core, path).Save();
  }
  Result<void> MakeDurable(runtime::Core&, const std::string&) override { return {}; }
  Result<std::unique_ptr<tenant::HostedTenant>> Open(runtime::Core& core, const TenantName& tenant,
                                                     const std::string& path,
                                                     const std::vector<PageNumber>&) override {
    auto copy = std::make_shared<FakeCopy>(core, path);
    TW_TRY(copy->Load());
    return std::unique_ptr<tenant::HostedTenant>(
        std::make_unique<FakeTenant>(tenant, std::string(name()), std::move(copy)));
  }
  Result<void> ClearBeside(const std::string&, tenant::RemovedFiles&) override { return {}; }
  Result<void> Remove(const std::string& path, tenant::RemovedFiles& removed) override {
    return removed.Take(path);
  }
  Result<std::unique_ptr<tenant::HostedTenant>> OpenToSendBack(MoveHost& host,
                                                               const TenantName& tenant) override {
    return Open(host.core(), tenant, host.TenantPath(tenant), {});
  }
  Result<void> CheckFrozen(MoveHost& host, const TenantName& tenant) override {
    TW_TRY_ASSIGN(const bool there, host.core().disk().Exists(host.TenantPath(tenant)));
    if (there) return {};
    return Fail(ErrorKind::kCorrupt, "COPY_GONE", "the frozen copy is gone");
  }

  uint64_t sent = 0;      // Texts that have travelled,
  uint64_t answered = 0;  // because they were wanted.
  // The source of a move that has swapped keeps up with it, and ends nothing, until this is false.
  bool keeps_source = false;
  bool corrupt = false;  // The next text that travels changes on its way.
};

// Messages of both engines.
inline constexpr uint8_t kItem = kFirstEngineType;          // Source: number, text.
inline constexpr uint8_t kWant = kFirstEngineType + 1;      // Destination: number.
inline constexpr uint8_t kAllSent = kFirstEngineType + 2;   // Source: of a snapshot.
inline constexpr uint8_t kPrepared = kFirstEngineType + 3;  // Destination.

inline Result<void> SendNumber(MoveChannel& channel, uint8_t type, uint32_t number) {
  MessageWriter writer;
  writer.Number(number);
  return channel.Send(EngineFrame{type, writer.Take()});
}
inline Result<void> SendItem(MoveChannel& channel, FakeEngine& engine, uint32_t number,
                             const std::string& text) {
  MessageWriter writer;
  writer.Number(number);
  writer.Text(std::exchange(engine.corrupt, false) ? text + "!" : text);
  ++engine.sent;
  return channel.Send(EngineFrame{kItem, writer.Take()});
}

inline Part PartOf(std::initializer_list<uint64_t> numbers) {
  MessageWriter writer(MessageWriter::Of::kPart);
  for (const uint64_t number : numbers) writer.Number(number);
  return writer.Take();
}
// Zeros where it is too short.
inline std::vector<uint64_t> NumbersOf(Bytes part) {
  MessageReader reader(part);
  std::vector<uint64_t> numbers;
  while (reader.left() > 0 && reader.ok()) numbers.push_back(reader.Number<uint64_t>());
  numbers.resize(std::max<size_t>(numbers.size(), 3));
  return numbers;
}

// What the destinations of both engines have in common: a copy, compared by the sum of a range of its texts.
class FakeDestination : public DestinationPayload {
 public:
  FakeDestination(FakeEngine& engine, const DestinationMove& move)
      : engine_(engine),
        move_(move),
        path_(move.host.TenantPath(move.tenant)),
        copy_(std::make_shared<FakeCopy>(move.host.core(), path_)) {}

  Result<void> CheckOffer(Bytes) const override { return {}; }
  bool IsFirst(const EngineMessage& message) const override { return message.type == kItem; }
  Result<void> Drop() override {
    ready_ = false;
    return core().disk().Remove(path_);
  }
  Result<void> Check(bool) const override {
    TW_TRY_ASSIGN(const bool there, core().disk().Exists(path_));
    if (!there) return Fail(ErrorKind::kCorrupt, "COPY_GONE", "the copy is gone");
    return {};
  }
  Result<void> Load(uint64_t list) override {
    if (ready_) return {};
    TW_TRY(copy_->Load());
    EXPECT_EQ(copy_->list, list);
    ready_ = true;
    return {};
  }
  void Own() override { owns_ = true; }
  void Unload() override { owns_ = false; }
  Result<std::unique_ptr<tenant::HostedTenant>> Open() override {
    return std::unique_ptr<tenant::HostedTenant>(
        std::make_unique<FakeTenant>(move_.tenant, std::string(engine_.name()), copy_));
  }
  Result<void> MakeSumAnew() override { return {}; }
  Result<bool> HasAll(Bytes completion) override {
    const auto range = NumbersOf(completion);
    return copy_->HasAll(static_cast<uint32_t>(range[0]), static_cast<uint32_t>(range[1]));
  }
  bool Agrees(Bytes completion) const override {
    const auto range = NumbersOf(completion);
    return copy_->SumOf(static_cast<uint32_t>(range[0]), static_cast<uint32_t>(range[1])) == range[2];
  }
  Result<void> MakeDurable() override { return copy_->Save(); }
  Result<void> SendDifference(MoveChannel&) override { return {}; }
  Part DescribeDone() const override { return {}; }
  void Settle() override {}
  Result<void> End() override {
    copy_->list = 0;
    return copy_->Save();
  }
  void StopWaits() override {}
  void Join() override {}

 protected:
  runtime::Core& core() const { return move_.host.core(); }
  bool is_reverse() const { return move_.direction == Direction::kReverse; }

  FakeEngine& engine_;
  const DestinationMove move_;
  const std::string path_;
  const std::shared_ptr<FakeCopy> copy_;
  bool ready_ = false;  // As it was made durable, or as it serves.
  bool owns_ = false;
};

// And their sources.
class FakeSource : public SourcePayload {
 public:
  FakeSource(FakeEngine& engine, SourceMove& move)
      : engine_(engine), move_(move), copy_(static_cast<FakeTenant&>(move.hosted()).copy()) {}

  void BeginSession() override {}
  void EndSession() override {}
  Part DescribeCopy() const override { return {}; }
  bool is_small() const override { return false; }
  void Thaw() override {}
  void GiveUp() override {}
  void PassedOn() override {}
  Result<void> Resume() override { return {}; }
  void EndWriters() override {}
  std::optional<std::string> TakeDifference() override { return std::nullopt; }
  void Reverse() override {}
  bool TakeDone(Bytes part) override { return part.empty(); }
  void Describe(Receipt&) const override {}
  uint64_t bytes_left(const SourceSession*) const override { return 0; }

 protected:
  bool is_reverse() const { return move_.direction() == Direction::kReverse; }
  // While the engine keeps the source. Fails when the channel is lost or the move ends.
  Result<void> KeepUp(const SourceSession& session) {
    while (engine_.keeps_source && !session.lost && !move_.is_ending())
      move_.news().WaitUntil(move_.host().core().Now() + std::chrono::milliseconds(10));
    if (session.lost) return Fail(*session.lost);
    if (move_.is_ending()) return Fail(ErrorKind::kUnavailable, "ENDING", "the move ends here");
    return {};
  }

  FakeEngine& engine_;
  SourceMove& move_;
  const std::shared_ptr<FakeCopy> copy_;
};

}  // namespace tradewind::move
