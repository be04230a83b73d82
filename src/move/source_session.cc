#include "move/source_session.h"

#include <utility>

#include "base/check.h"

namespace tradewind::move {

CurrentSession::CurrentSession(runtime::Core& core, std::string name, runtime::WaitQueue& news, Take take)
    : name_(std::move(name)), news_(news), take_(std::move(take)), readers_(core) {}

std::shared_ptr<SourceSession> CurrentSession::Begin(OfferKind kind, std::unique_ptr<MoveChannel> channel) {
  TW_CHECK(!session_, "a channel of a move begins before the one before it has ended");
  session_ = std::make_shared<SourceSession>();
  session_->kind = kind;
  session_->channel = std::move(channel);
  readers_.Spawn("move source " + name_, [this, session = session_] { Read(*session); });
  return session_;
}

void CurrentSession::Read(SourceSession& session) {
  while (!session.lost) {
    Result<Message> message = session.channel->Receive();
    Result<void> taken = message ? take_(session, *std::move(message)) : Result<void>(Fail(message.error()));
    if (!taken) session.lost = std::move(taken).error();
    news_.NotifyAll();
  }
  session.channel->Close();
  news_.NotifyAll();
}

void CurrentSession::Break() {
  if (session_) session_->channel->Close();
}

void CurrentSession::Close() {
  Break();
  readers_.Join();
}

void CurrentSession::Drop() {
  if (session_) bytes_of_ended_ += session_->channel->bytes_sent();
  session_.reset();
}

uint64_t CurrentSession::bytes_sent() const {
  return bytes_of_ended_ + (session_ ? session_->channel->bytes_sent() : 0);
}

}  // namespace tradewind::move
