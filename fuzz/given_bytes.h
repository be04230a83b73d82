// A connection from which the fuzzer's bytes come, in pieces as a network gives them; what is written is dropped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "runtime/network.h"

namespace tradewind::fuzz {

class GivenBytes final : public runtime::Connection {
 public:
  // `piece`: of the bytes, how many come at a time at most.
  GivenBytes(std::string_view bytes, size_t piece) : bytes_(bytes), piece_(piece) {}
  Result<size_t> Read(MutableBytes into) override {
    const size_t count = std::min({into.size(), bytes_.size(), piece_});
    std::copy_n(reinterpret_cast<const std::byte*>(bytes_.data()), count, into.begin());
    bytes_.remove_prefix(count);
    return count;
  }
  Result<void> Write(Bytes) override { return {}; }
  void SetReadDeadline(runtime::TimePoint) override {}
  void Close() override {}
  runtime::Address peer() const override { return {"fuzzer", 1}; }

 private:
  std::string_view bytes_;
  const size_t piece_;
};

}  // namespace tradewind::fuzz
