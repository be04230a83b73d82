// For tests: what a function makes of rows.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "mariadb/checksums.h"

namespace tradewind::mariadb {

class TestRowPace final : public RowPace {
 public:
  // As RowPace::Take(); `is_waited_for`: as was last said.
  using Function = std::function<bool(uint64_t bytes, bool is_waited_for)>;
  explicit TestRowPace(Function take = [](uint64_t, bool) { return true; }) : take_(std::move(take)) {}

  bool Take(uint64_t bytes) override { return take_(bytes, is_waited_for_); }
  void Forget(uint64_t) override {}
  void SetWaitedFor(bool is_waited_for) override { is_waited_for_ = is_waited_for; }

 private:
  const Function take_;
  bool is_waited_for_ = false;
};

}  // namespace tradewind::mariadb
