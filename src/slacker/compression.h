// A snapshot as a stream of zstd (RFC 8878), piece by piece: level 1, since what takes long to pack takes the time of others.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::slacker {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // What has been packed so far goes to `out`, which it replaces; it may be nothing. `last`: it is the end of all.
  void Pack(Bytes piece, bool last, std::vector<std::byte>& out);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// Of bytes from outside: takes at most 8 MiB, whatever they ask for.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  // Hands on what is in the piece, in pieces. SNAPSHOT_CORRUPT (kIo), or what `take` fails with.
  Result<void> Unpack(Bytes piece, const std::function<Result<void>(Bytes)>& take);
  // The stream has come to its end, and nothing stands behind it.
  bool complete() const { return complete_; }

 private:
  struct State;
  const std::unique_ptr<State> state_;
  bool complete_ = false;
};

}  // namespace tradewind::slacker
