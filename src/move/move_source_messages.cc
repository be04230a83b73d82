// The half of MoveSource that hears the destination. What it says is believed only where it can be meant: an answer to
// something that was not said (a Done before everything was sent would have this copy deleted) ends the channel, and
// the move goes on over a new one, or is cancelled.
#include <utility>

#include "move/move_source.h"

namespace tradewind::move {

namespace {

constexpr uint64_t kMostLists = 1u << 30;  // Each is an attempt, with a pause before the next.

}  // namespace

// The swap was sent, and the destination can hear of it from the catalog before it is told.
bool MoveSource::MayOwn(const SourceSession& session) const {
  if (session.kind == OfferKind::kDual || session.kind == OfferKind::kVerify) return true;
  return session.ready_list &&
         (undecided_ || receipt_.phase == Phase::kDual || receipt_.phase == Phase::kFinish);
}

Result<void> MoveSource::Take(SourceSession& session, Message message) {
  const auto out_of_turn = [this](const char* what) {
    return Fail(ErrorKind::kCorrupt, std::string(kConfusedCode),
                "node " + peer_ + " sent " + std::string(what) + " out of turn");
  };
  // A destination greets first, but one that learns from the catalog that it owns may say that before.
  const bool may_overtake =
      std::holds_alternative<Owned>(message) || std::holds_alternative<FirstServed>(message);
  if (auto* hello = std::get_if<Hello>(&message)) {
    if (session.hello || hello->list > kMostLists || !payload_->TakeGreeting(session, hello->part))
      return out_of_turn("a greeting");
    session.hello = std::move(*hello);
  } else if (!session.hello && !may_overtake) {
    return out_of_turn("something before its greeting");
  } else if (const auto* ready = std::get_if<Ready>(&message)) {
    if (!session.sent_list || session.ready_list) return out_of_turn("that it is ready");
    session.ready_list = ready->list;
  } else if (std::holds_alternative<Owned>(message)) {
    if (!MayOwn(session) || session.owned) return out_of_turn("that it owns");
    session.owned = true;
  } else if (std::holds_alternative<FirstServed>(message)) {
    if (!MayOwn(session) || session.first_served) return out_of_turn("that it serves");
    session.first_served = true;
    if (!receipt_.relief_ms) receipt_.relief_ms = Milliseconds(clock_.since_start());
  } else if (const auto* done = std::get_if<Done>(&message)) {
    if (!session.sent_complete || done_ || !payload_->TakeDone(done->part))
      return out_of_turn("that it is done");
    done_ = true;
  } else if (auto* of_engine = std::get_if<EngineMessage>(&message)) {
    return payload_->Take(session, std::move(*of_engine));
  } else {
    return out_of_turn("a message of a source");
  }
  return {};
}

}  // namespace tradewind::move
