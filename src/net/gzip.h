// gzip (RFC 1952) of answers, for clients that ask for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/memory_pool.h"
#include "net/http.h"

namespace tradewind::net {

// Whether the request's Accept-Encoding has gzip, and not with a weight of 0.
bool AcceptsGzip(const Headers& headers);

// A stream of gzip, piece by piece; each can be unpacked as it comes. The fast level: what takes long to pack takes the
// time of others. Takes some 270 KiB, which are counted.
class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  // Appends what has been packed to `out`. `last`: it is the end of all.
  void Pack(std::string_view piece, std::string& out, bool last);

 private:
  struct State;
  const std::unique_ptr<State> state_;
  MemoryCharge held_{MemoryKind::kAnswers};
};

}  // namespace tradewind::net
