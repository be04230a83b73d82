// One channel of a move's source to its destination, and what has been said and heard over it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "move/messages.h"
#include "move/move_channel.h"
#include "runtime/fiber.h"

namespace tradewind::move {

struct SourceSession {
  OfferKind kind = OfferKind::kInit;
  std::unique_ptr<MoveChannel> channel;
  std::optional<Hello> hello;
  std::optional<uint64_t> ready_list;
  bool owned = false;
  bool first_served = false;
  // What was said, or is being said: only then is there an answer to it.
  bool sent_list = false;
  bool sent_complete = false;
  std::optional<Error> lost;
};

// The one that there is, if any, and the fiber that reads it.
class CurrentSession {
 public:
  using Take = std::function<Result<void>(SourceSession&, Message)>;
  // `take` hears the messages, in the fiber that reads; an error ends the channel. `news` is told after each, and when
  // the channel is lost. The name is the move's.
  CurrentSession(runtime::Core& core, std::string name, runtime::WaitQueue& news, Take take);

  explicit operator bool() const { return session_ != nullptr; }
  SourceSession* operator->() const { return session_.get(); }
  SourceSession& operator*() const { return *session_; }
  SourceSession* get() const { return session_.get(); }
  const std::shared_ptr<SourceSession>& shared() const { return session_; }

  // Requires: there is none. Does not suspend.
  std::shared_ptr<SourceSession> Begin(OfferKind kind, std::unique_ptr<MoveChannel> channel);
  // Its channel closes: whoever waits for it hears that it is lost. Does not suspend.
  void Break();
  // The same, and suspends until nobody reads it.
  void Close();
  // There is none any more. Requires: it is closed.
  void Drop();
  uint64_t bytes_sent() const;  // Over all of them.

 private:
  void Read(SourceSession& session);

  const std::string name_;
  runtime::WaitQueue& news_;
  const Take take_;
  std::shared_ptr<SourceSession> session_;
  uint64_t bytes_of_ended_ = 0;
  runtime::TaskGroup readers_;
};

}  // namespace tradewind::move
