// For tests that speak to one end of a move as its other end: what every move says and what Zephyr's says, alike.
#pragma once

#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "move/move_channel.h"
#include "zephyr/messages.h"

namespace tradewind::zephyr {

// As it travels.
inline move::Message AsMessage(const Message& message) {
  move::EngineFrame frame = Encode(message);
  frame.bytes.erase(frame.bytes.begin(), frame.bytes.begin() + move::kFrameHeaderBytes);
  return move::EngineMessage{frame.type, std::move(frame.bytes)};
}

template <typename M, typename Variant>
inline constexpr bool kIsIn = false;
template <typename M, typename... Ms>
inline constexpr bool kIsIn<M, std::variant<Ms...>> = (std::is_same_v<M, Ms> || ...);

// Of either kind.
template <typename M>
std::optional<M> As(const move::Message& message) {
  if constexpr (kIsIn<M, move::Message>) {
    if (const M* found = std::get_if<M>(&message)) return *found;
  } else if (const auto* raw = std::get_if<move::EngineMessage>(&message)) {
    const auto decoded = Decode(*raw);
    if (decoded)
      if (const M* found = std::get_if<M>(&*decoded)) return *found;
  }
  return std::nullopt;
}

inline move::Message CompleteOf(uint64_t sum, uint32_t pages, uint32_t sent) {
  return move::Complete{EncodePart(SumPart{sum, pages, sent})};
}
inline move::Message AnyDone() {
  return move::Done{EncodePart(FiguresPart{})};
}

}  // namespace tradewind::zephyr
