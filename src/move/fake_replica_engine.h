// For tests of the seam: an engine that is complete before the swap. A snapshot travels, then the destination follows as a
// replica over the channel's stream, and the source is frozen, which may fail, until it has followed all. After the swap
// the source follows in its turn, for as long as the test likes; and the tenant goes back by that.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "move/fake_tenant.h"

namespace tradewind::move {

class ReplicaEngine final : public FakeEngine {
 public:
  std::string_view name() const override { return "replica"; }
  std::unique_ptr<SourcePayload> MakeSource(SourceMove& move) override;
  std::unique_ptr<DestinationPayload> MakeDestination(const DestinationMove& move) override;

  int freezes_that_fail = 0;  // Of the next ones.
  int freezes = 0;
  uint64_t streamed = 0;  // Texts that travelled over streams.
};

// One end of a stream: whoever owns sends what it has beyond the other's position, who follows applies it. Both say
// where they are.
class FakeReplica {
 public:
  FakeReplica(runtime::Core& core, ReplicaEngine& engine, std::shared_ptr<FakeCopy> copy)
      : core_(core), engine_(engine), copy_(std::move(copy)) {}

  void Start(ByteStream& stream, bool owns) {
    owns_ = owns;
    stream_ = &stream;
    told_ = std::nullopt;
    peer_.reset();
    sent_ = 0;
    fibers_.emplace(core_);
    fibers_->Spawn("replica reader", [this] { static_cast<void>(Read()); });
    fibers_->Spawn("replica writer", [this] { static_cast<void>(Write()); });
  }
  bool started() const { return stream_ != nullptr; }
  void SetOwner(bool owns) {
    owns_ = owns;
    copy_->changed.NotifyAll();
  }
  void Stop() {
    if (!stream_) return;
    std::exchange(stream_, nullptr)->Stop();
    copy_->changed.NotifyAll();
    fibers_->Join();
    fibers_.reset();
  }
  uint32_t position() const { return copy_->next(); }
  std::optional<uint32_t> peer() const { return peer_; }  // Once it has said.

 private:
  // 'A' position, or 'W' number text.
  Result<void> Read() {
    ByteStream& stream = *stream_;
    while (true) {
      TW_TRY_ASSIGN(const auto head, ReadExactly(stream, 5));
      MessageReader reader(head);
      const auto kind = reader.Number<uint8_t>();
      const auto number = reader.Number<uint32_t>();
      if (kind == 'A') {
        peer_ = number;
        copy_->changed.NotifyAll();
        continue;
      }
      TW_TRY_ASSIGN(const auto length, ReadExactly(stream, 2));
      MessageReader length_reader(length);
      TW_TRY_ASSIGN(const auto text, ReadExactly(stream, length_reader.Number<uint16_t>()));
      if (owns_ || number > position()) return Fail(ErrorKind::kCorrupt, "REPLICA_CONFUSED", "out of order");
      if (number == position())
        copy_->items[number] = std::string(reinterpret_cast<const char*>(text.data()), text.size());
      TW_TRY(copy_->Save());
    }
  }
  Result<void> Write() {
    ByteStream& stream = *stream_;
    while (stream_) {
      MessageWriter writer(MessageWriter::Of::kPart);
      if (told_ != position() && !owns_) {
        told_ = position();
        writer.Number(static_cast<uint8_t>('A'));
        writer.Number(*told_);
      } else if (owns_ && peer_ && std::max(sent_, *peer_) < position()) {
        sent_ = std::max(sent_, *peer_);
        writer.Number(static_cast<uint8_t>('W'));
        writer.Number(sent_);
        writer.Text(copy_->items.at(sent_));
        ++sent_;
        ++engine_.streamed;
      } else {
        copy_->changed.Wait();
        continue;
      }
      TW_TRY(stream.Write(writer.Take()));
    }
    return {};
  }
  static Result<std::vector<std::byte>> ReadExactly(ByteStream& stream, size_t count) {
    std::vector<std::byte> bytes(count);
    for (size_t at = 0; at < count;) {
      TW_TRY_ASSIGN(const size_t got, stream.Read(MutableBytes(bytes).subspan(at)));
      if (got == 0) return Fail(ErrorKind::kIo, "STREAM_ENDED", "no more comes");
      at += got;
    }
    return bytes;
  }

  runtime::Core& core_;
  ReplicaEngine& engine_;
  const std::shared_ptr<FakeCopy> copy_;
  ByteStream* stream_ = nullptr;
  bool owns_ = false;
  std::optional<uint32_t> told_, peer_;
  uint32_t sent_ = 0;
  std::optional<runtime::TaskGroup> fibers_;
};

class ReplicaSource final : public FakeSource {
 public:
  ReplicaSource(ReplicaEngine& engine, SourceMove& move)
      : FakeSource(engine, move), engine_(engine), replica_(move.host().core(), engine, copy_) {}

  bool may_lack_parts() const override { return false; }
  void EndSession() override {
    replica_.Stop();
    prepared_ = false;
  }
  Result<void> Prepare(SourceSession& session) override {
    if (!is_reverse()) {
      const uint32_t count = copy_->next();
      for (uint32_t number = 0; number < count; ++number)
        TW_TRY(SendItem(*session.channel, engine_, number, copy_->items.at(number)));
      TW_TRY(SendNumber(*session.channel, kAllSent, count));
      move_.host().Reached(Step::kSourceSentInit);
      WaitFor(move_.news(), [&] { return prepared_ || session.lost; });
      if (session.lost) return Fail(*session.lost);
    }
    replica_.Start(session.channel->stream(), /*owns=*/true);
    return {};
  }
  Result<void> Freeze(runtime::TimePoint deadline) override {
    ++engine_.freezes;
    if (engine_.freezes_that_fail > 0) {
      --engine_.freezes_that_fail;
      move_.Park();
      return Fail(ErrorKind::kUnavailable, std::string(kFreezeFailedCode), "somebody holds a lock");
    }
    move_.AwaitQuiet();
    move_.Park();
    const auto followed = [&] { return replica_.peer() == replica_.position() || move_.is_ending(); };
    if (!WaitForUntil(copy_->changed, deadline, followed))
      return Fail(ErrorKind::kUnavailable, std::string(kFreezeFailedCode), "the replica is behind");
    return {};
  }
  Result<Part> MakeList(SourceSession&) override { return PartOf({copy_->next()}); }
  void PassedOn() override { replica_.SetOwner(false); }
  bool TakeGreeting(const SourceSession&, Bytes) override { return true; }
  Result<void> GoOn(SourceSession& session) override {
    replica_.Start(session.channel->stream(), /*owns=*/false);
    return {};
  }
  Result<void> Take(SourceSession&, EngineMessage message) override {
    if (message.type != kPrepared || prepared_) return OutOfTurn("that it is prepared");
    prepared_ = true;
    return {};
  }
  // It follows, and nothing else is to be sent.
  Result<void> SendRest(SourceSession& session) override { return KeepUp(session); }
  Completion MakeCompletion() const override {
    const uint64_t sum = copy_->SumOf(0, copy_->next());
    return {PartOf({0, copy_->next(), sum}), sum};
  }

 private:
  ReplicaEngine& engine_;
  FakeReplica replica_;
  bool prepared_ = false;
};

class ReplicaDestination final : public FakeDestination {
 public:
  ReplicaDestination(ReplicaEngine& engine, const DestinationMove& move)
      : FakeDestination(engine, move), replica_(move.host.core(), engine, copy_) {}

  void BeginChannel(MoveChannel& channel) override {
    channel_ = &channel;
    if (owns_ || is_reverse()) replica_.Start(channel.stream(), owns_);
  }
  void EndChannel() override {
    replica_.Stop();
    channel_ = nullptr;
  }
  Result<void> Begin(Bytes) override {
    if (is_reverse()) return ready_ ? Result<void>() : copy_->Load();
    ready_ = false;
    copy_->items.clear();
    return copy_->Save();
  }
  Result<void> Take(MoveChannel& channel, EngineMessage message) override {
    MessageReader reader(message.bytes);
    const auto number = reader.Number<uint32_t>();
    if (ready_ || is_reverse()) return OutOfTurn("a part of a snapshot");
    if (message.type == kItem) {
      copy_->items[number] = reader.Text();
      return {};
    }
    if (message.type != kAllSent || !copy_->HasAll(0, number)) return OutOfTurn("the end of a snapshot");
    TW_TRY(copy_->Save());
    move_.host.Reached(Step::kDestinationPrepared);
    if (!replica_.started()) replica_.Start(channel.stream(), /*owns=*/false);
    return SendNumber(channel, kPrepared, number);
  }
  Result<void> MakeReady(uint64_t list, Bytes part) override {
    if (copy_->next() != NumbersOf(part)[0]) return OutOfTurn("a list of what never came");
    copy_->list = list;
    ready_ = true;
    return copy_->Save();
  }
  void Own() override {
    FakeDestination::Own();
    if (replica_.started())
      replica_.SetOwner(true);
    else if (channel_)
      replica_.Start(channel_->stream(), /*owns=*/true);
  }
  Part Greet() const override { return PartOf({copy_->next()}); }

 private:
  FakeReplica replica_;
  MoveChannel* channel_ = nullptr;
};

inline std::unique_ptr<SourcePayload> ReplicaEngine::MakeSource(SourceMove& move) {
  return std::make_unique<ReplicaSource>(*this, move);
}
inline std::unique_ptr<DestinationPayload> ReplicaEngine::MakeDestination(const DestinationMove& move) {
  return std::make_unique<ReplicaDestination>(*this, move);
}

}  // namespace tradewind::move
