// One channel of a sender to its receiver, and what has been heard over it. For sender*.cc alone.
#pragma once

#include <memory>
#include <optional>

#include "move/messages.h"
#include "move/page_channel.h"
#include "move/push_window.h"
#include "move/sender.h"
#include "sqlite/page_set.h"

namespace tradewind::move {

struct Sender::Session {
  OfferKind kind = OfferKind::kInit;
  std::unique_ptr<PageChannel> channel;
  std::optional<Hello> hello;
  std::optional<uint64_t> ready_list;
  bool prepared = false;
  bool sent_in_bulk = false;
  bool owned = false;
  bool first_served = false;
  // What was said, or is being said: only then is there an answer to it.
  bool sent_prepare = false;
  bool sent_list = false;
  bool sent_complete = false;
  uint32_t hashes_heard = 0;  // Of so many pages, from the first on.
  std::optional<Error> lost;
  PushWindow window;
  sqlite::PageSet sent;  // On this channel, or at the receiver before it.
};

}  // namespace tradewind::move
