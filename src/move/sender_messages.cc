// The half of Sender that hears the receiver. What it says is believed only where it can be meant: an answer to
// something that was not said (a Done before everything was sent would have this copy deleted) ends the channel, and
// the move goes on over a new one, or is cancelled.
#include <chrono>
#include <utility>

#include "move/sender.h"
#include "move/sender_session.h"

namespace tradewind::move {

namespace {

constexpr size_t kNamedPages = 20;         // In an error about pages that differ.
constexpr uint64_t kSpareBits = 3 * 64;    // That a set has beyond the file.
constexpr uint64_t kMostLists = 1u << 30;  // Each is an attempt, with a pause before the next.

// Whether a set can be of pages of the file: it is none at all (the receiver has no copy open), or has a bit for each
// page, and holds no other.
bool FitsFile(const std::vector<uint64_t>& words, uint32_t pages) {
  if (words.empty()) return true;
  const uint64_t bits = uint64_t{words.size()} * 64;
  if (bits <= pages || bits > uint64_t{pages} + kSpareBits || (words[0] & 1) != 0) return false;
  for (uint64_t page = uint64_t{pages} + 1; page < bits; ++page)
    if ((words[page / 64] >> (page % 64)) & 1) return false;
  return true;
}

}  // namespace

bool Sender::IsInTurn(const Session& session, const Hello& hello) const {
  if (session.hello || hello.list > kMostLists) return false;
  if (session.kind == OfferKind::kInit || session.kind == OfferKind::kReverse) return true;
  return FitsFile(hello.arrived, receipt_.pages_total) && FitsFile(hello.present, receipt_.pages_total);
}

// The receiver may own: the swap was sent, and it can hear of it from the catalog before it is told.
bool Sender::MayOwn(const Session& session) const {
  if (session.kind == OfferKind::kDual || session.kind == OfferKind::kVerify) return true;
  return session.ready_list &&
         (undecided_ || receipt_.phase == Phase::kDual || receipt_.phase == Phase::kFinish);
}

bool Sender::IsInTurn(const Session& session, const Hashes& hashes) const {
  return session.sent_complete && !hashes.values.empty() && hashes.first.value == session.hashes_heard + 1 &&
         hashes.values.size() <= receipt_.pages_total - session.hashes_heard;
}

void Sender::ReadMessages(const std::shared_ptr<Session>& session) {
  while (!session->lost) {
    Result<Message> message = session->channel->Receive();
    Result<void> taken = message ? Take(*session, *std::move(message)) : Result<void>(Fail(message.error()));
    if (!taken) session->lost = std::move(taken).error();
    news_.NotifyAll();
  }
  session->channel->Close();
  news_.NotifyAll();
}

Result<void> Sender::Take(Session& session, Message message) {
  const auto out_of_turn = [this](const char* what) {
    return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED",
                "node " + peer_ + " sent " + std::string(what) + " out of turn");
  };
  // A receiver greets first, but one that learns from the catalog that it owns may say that before.
  const bool may_overtake =
      std::holds_alternative<Owned>(message) || std::holds_alternative<FirstServed>(message);
  if (auto* hello = std::get_if<Hello>(&message)) {
    if (!IsInTurn(session, *hello)) return out_of_turn("a greeting");
    session.hello = std::move(*hello);
  } else if (!session.hello && !may_overtake) {
    return out_of_turn("something before its greeting");
  } else if (const auto* ready = std::get_if<Ready>(&message)) {
    if (!session.sent_list || session.ready_list) return out_of_turn("that it is ready");
    session.ready_list = ready->list;
  } else if (std::holds_alternative<Prepared>(message)) {
    if (!session.sent_prepare || session.prepared) return out_of_turn("that it is prepared");
    session.prepared = true;
  } else if (std::holds_alternative<Owned>(message)) {
    if (!MayOwn(session) || session.owned) return out_of_turn("that it owns");
    session.owned = true;
  } else if (std::holds_alternative<FirstServed>(message)) {
    if (!MayOwn(session) || session.first_served) return out_of_turn("that it serves");
    session.first_served = true;
    if (!receipt_.relief_ms)
      receipt_.relief_ms = std::chrono::duration<double, std::milli>(core_.Now() - started_).count();
  } else if (const auto* pull = std::get_if<Pull>(&message)) {
    if (!MayOwn(session)) return out_of_turn("a pull");
    return AnswerPull(session, pull->page);
  } else if (const auto* took = std::get_if<Took>(&message)) {
    if (took->bytes > session.window.in_flight()) return out_of_turn("that it took more than was sent");
    session.window.NoteTook(took->bytes, core_.Now());
  } else if (const auto* done = std::get_if<Done>(&message)) {
    if (!session.sent_complete || done_) return out_of_turn("that it is done");
    receipt_.pull_p50_us = done->pull_p50_us;
    receipt_.pull_p99_us = done->pull_p99_us;
    done_ = true;
  } else if (const auto* hashes = std::get_if<Hashes>(&message)) {
    if (!IsInTurn(session, *hashes)) return out_of_turn("hashes");
    session.hashes_heard += static_cast<uint32_t>(hashes->values.size());
    NoteDifferences(*hashes);
  } else {
    return out_of_turn("a message of a sender");
  }
  return {};
}

void Sender::NoteDifferences(const Hashes& hashes) {
  for (size_t index = 0; index < hashes.values.size(); ++index) {
    const uint64_t number = uint64_t{hashes.first.value} + index;
    if (number < 1 || number > hashes_.size() || hashes_[number - 1] == hashes.values[index]) continue;
    ++differing_count_;
    if (differing_.size() < kNamedPages) differing_.push_back(PageNumber{static_cast<uint32_t>(number)});
  }
}

}  // namespace tradewind::move
