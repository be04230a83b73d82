// One channel of a move's source to its destination, and what has been said and heard over it.
#pragma once

#include <memory>
#include <optional>

#include "move/messages.h"
#include "move/move_channel.h"

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

}  // namespace tradewind::move
