// One channel of a sender to its receiver, and what has been heard over it. For sender*.cc alone.
#pragma once

#include <memory>
#include <optional>

#include "move/page_channel.h"
#include "move/push_window.h"
#include "move/sender.h"
#include "sqlite/page_set.h"

namespace tradewind::move {

struct Sender::Session {
  std::unique_ptr<PageChannel> channel;
  std::optional<Hello> hello;
  std::optional<uint64_t> ready_list;
  bool prepared = false;
  bool sent_in_bulk = false;
  bool owned = false;
  std::optional<Error> lost;
  PushWindow window;
  sqlite::PageSet sent;  // On this channel, or at the receiver before it.
};

}  // namespace tradewind::move
