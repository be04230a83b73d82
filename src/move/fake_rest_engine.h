// For tests of the seam: an engine that sends the rest after the swap, as Zephyr does. Before it the first text travels,
// after it all others, those first that the destination wants.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "move/fake_tenant.h"

namespace tradewind::move {

class RestSource final : public FakeSource {
 public:
  using FakeSource::FakeSource;
  bool may_lack_parts() const override { return true; }

  Result<void> Prepare(SourceSession& session) override {
    if (is_reverse()) return {};
    TW_TRY(SendItem(*session.channel, engine_, 0, copy_->items.at(0)));
    move_.host().Reached(Step::kSourceSentInit);
    return {};
  }
  Result<void> Freeze(runtime::TimePoint) override {
    if (!is_reverse()) move_.AwaitQuiet();
    return {};
  }
  // Going back, what was there when ownership passed has stayed where it was.
  Result<Part> MakeList(SourceSession&) override {
    from_ = is_reverse() ? copy_->listed : 0;
    handed_ = is_reverse() ? from_ : 1;
    to_ = copy_->next();
    present_to_ = handed_;
    return PartOf({from_, handed_, to_});
  }
  Result<void> Resume() override {
    from_ = is_reverse() ? copy_->listed : 0;
    to_ = copy_->next();
    return {};
  }
  bool TakeGreeting(const SourceSession&, Bytes part) override {
    present_to_ =
        static_cast<uint32_t>(NumbersOf(part)[0]);  // What it has from the beginning on without a gap.
    return true;
  }
  Result<void> GoOn(SourceSession&) override { return {}; }
  Result<void> Take(SourceSession& session, EngineMessage message) override {
    MessageReader reader(message.bytes);
    const auto wanted = reader.Number<uint32_t>();
    if (message.type != kWant || !reader.at_end() || !move_.MayOwn(session) || !copy_->items.contains(wanted))
      return OutOfTurn("what it may not want");
    ++engine_.answered;
    return SendItem(*session.channel, engine_, wanted, copy_->items.at(wanted));
  }
  Result<void> SendRest(SourceSession& session) override {
    for (uint32_t number = std::max(from_, present_to_); number < to_; ++number) {
      if (session.lost) return Fail(*session.lost);
      TW_TRY(SendItem(*session.channel, engine_, number, copy_->items.at(number)));
      if (number == (from_ + to_) / 2) move_.host().Reached(Step::kSourcePushedHalf);
      runtime::Yield();
    }
    return KeepUp(session);
  }
  Completion MakeCompletion() const override {
    const uint64_t sum = copy_->SumOf(from_, to_);
    return {PartOf({from_, to_, sum}), sum};
  }

 private:
  uint32_t from_ = 0, handed_ = 0, to_ = 0;  // Of what travels, and of what is listed as there.
  uint32_t present_to_ = 0;
};

class RestDestination final : public FakeDestination {
 public:
  using FakeDestination::FakeDestination;

  void BeginChannel(MoveChannel& channel) override { channel_ = &channel; }
  void EndChannel() override { channel_ = nullptr; }
  // The last text is wanted first.
  Result<std::unique_ptr<tenant::HostedTenant>> Open() override {
    if (channel_ && copy_->listed > 0 && !copy_->items.contains(copy_->listed - 1)) {
      static_cast<void>(SendNumber(*channel_, kWant, copy_->listed - 1));
    }
    return FakeDestination::Open();
  }
  Result<void> Begin(Bytes) override {
    if (ready_) copy_->items.clear();
    ready_ = false;
    return is_reverse() ? copy_->Load() : copy_->Save();
  }
  Result<void> Take(MoveChannel&, EngineMessage message) override {
    MessageReader reader(message.bytes);
    const auto number = reader.Number<uint32_t>();
    std::string text = reader.Text();
    if (message.type != kItem || !reader.at_end() || (ready_ && !owns_)) return OutOfTurn("a text");
    if (!copy_->items.emplace(number, std::move(text)).second || !ready_) return {};
    return copy_->Save();
  }
  Result<void> MakeReady(uint64_t list, Bytes part) override {
    const auto numbers = NumbersOf(part);
    if (!copy_->HasAll(0, static_cast<uint32_t>(numbers[1]))) return OutOfTurn("a list of what never came");
    copy_->listed = static_cast<uint32_t>(numbers[2]);
    copy_->list = list;
    ready_ = true;
    return copy_->Save();
  }
  Part Greet() const override {
    uint32_t number = 0;
    while (copy_->items.contains(number)) ++number;
    return ready_ ? PartOf({number}) : Part();
  }

 private:
  MoveChannel* channel_ = nullptr;
};

class RestEngine final : public FakeEngine {
 public:
  std::string_view name() const override { return "rest"; }
  std::unique_ptr<SourcePayload> MakeSource(SourceMove& move) override {
    return std::make_unique<RestSource>(*this, move);
  }
  std::unique_ptr<DestinationPayload> MakeDestination(const DestinationMove& move) override {
    return std::make_unique<RestDestination>(*this, move);
  }
};

}  // namespace tradewind::move
