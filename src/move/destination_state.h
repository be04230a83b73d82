// The states of a move's destination and the legal steps between them: one pure function, asserted at each change.
//
//   empty ──► receiving ◄──► ready ◄──► opening ──► owner ──► ending ──► over
//   frozen ◄─────────────────► ┘            └──► mismatch ◄─┘
//                                                owner, mismatch ──► reversed ──► over
//   receiving, ready ──► dropping ──► over
//
// A new list takes a copy that is ready back; an opening that fails does so too. What could not be dropped is
// received no further, and dropped again. Any state ends when the move is abandoned (over).
#pragma once

namespace tradewind::move {

enum class DestinationState {
  kEmpty,      // Nothing is here.
  kReceiving,  // A copy is made; no ready was sent for it.
  kFrozen,     // Going back: the copy of before the move.
  kDropping,   // No ready was sent for it, or the move was cancelled.
  kReady,      // The list is durable: neither served nor dropped until it is known who owns.
  kOpening,    // This node owns, and is about to serve.
  kOwner,      // It serves.
  kMismatch,   // It serves; the sums differed, and nobody has asked for another look.
  kReversed,   // It serves; the tenant is to go back.
  kEnding,     // It serves; the catalog has the move as done.
  kOver,
};

constexpr bool IsLegal(DestinationState from, DestinationState to) {
  using State = DestinationState;
  switch (from) {
    case State::kEmpty:
      return to == State::kReceiving || to == State::kDropping || to == State::kReady || to == State::kOver;
    case State::kReceiving:
      return to == State::kReceiving || to == State::kDropping || to == State::kReady || to == State::kOver;
    case State::kDropping: return to == State::kReceiving || to == State::kOver;
    case State::kFrozen: return to == State::kFrozen || to == State::kReady || to == State::kOver;
    case State::kReady:
      return to == State::kReceiving || to == State::kFrozen || to == State::kDropping ||
             to == State::kOpening || to == State::kOver;
    case State::kOpening:
      return to == State::kReady || to == State::kOwner || to == State::kMismatch || to == State::kOver;
    case State::kOwner:
      return to == State::kMismatch || to == State::kReversed || to == State::kEnding || to == State::kOver;
    case State::kMismatch: return to == State::kOwner || to == State::kReversed || to == State::kOver;
    case State::kReversed: return to == State::kOver;
    case State::kEnding: return to == State::kOwner || to == State::kOver;
    case State::kOver: return false;
  }
  return false;
}

// A copy that is being filled.
constexpr bool IsFilling(DestinationState state) {
  return state == DestinationState::kReceiving || state == DestinationState::kFrozen;
}

// It serves, in a move that is not over.
constexpr bool IsOwner(DestinationState state) {
  return state == DestinationState::kOwner || state == DestinationState::kMismatch ||
         state == DestinationState::kReversed || state == DestinationState::kEnding;
}

// Nobody knows yet that it serves, or does not.
constexpr bool IsArriving(DestinationState state) {
  return IsFilling(state) || state == DestinationState::kDropping || state == DestinationState::kReady ||
         state == DestinationState::kOpening;
}

constexpr const char* NameOf(DestinationState state) {
  constexpr const char* kNames[] = {"empty", "receiving", "frozen",   "dropping", "ready", "opening",
                                    "owner", "mismatch",  "reversed", "ending",   "over"};
  return kNames[static_cast<int>(state)];
}

}  // namespace tradewind::move
