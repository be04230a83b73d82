// How long the turns of a core are: from when a fiber or a task goes on until it lets others run, in processor
// time of the core's thread. Nothing else of the core runs meanwhile, so the longest turn is what anybody may
// have had to wait for; a long one is a fault, and this says whose.
//
// It costs a look at the monotonic clock for each turn, and one at the thread's own clock, which is a call of the
// system, for each millisecond. A turn is measured by the latter if it took as long by the former; so what it
// says is too much by a millisecond at most.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "runtime/core.h"

namespace tradewind::runtime {

class TurnWatch {
 public:
  struct Longest {
    Duration time{};
    std::string by;  // A label of few: what ran.
  };

  // A turn begins now, or goes on with something else: `label` is what ran until now. Labels are literals.
  void Change(TimePoint now, const char* label);
  // A turn ends, and the next one begins. `label`: what ran at the end. `read_processor_time` is called now and
  // then.
  template <typename ReadProcessorTime>
  void End(TimePoint now, const char* label, const ReadProcessorTime& read_processor_time) {
    if (now - read_at_ < kBetweenReadings) {
      Begin(now);
      return;
    }
    EndLong(now, label, read_processor_time());
  }

  // When the present turn began.
  TimePoint began() const { return began_; }

  const Longest& longest() const { return longest_; }
  // Of the last minute, give or take five seconds.
  Longest longest_lately(TimePoint now) const;
  // How many took longer than limits::kLongTurn, by label.
  const std::map<std::string, uint64_t>& long_turns() const { return long_turns_; }

 private:
  static constexpr Duration kBetweenReadings = std::chrono::milliseconds(1);
  static constexpr Duration kSpan = std::chrono::seconds(5);
  struct Span {
    int64_t number = -1;  // Since the clock began.
    Longest longest;
  };

  void Begin(TimePoint now) {
    began_ = changed_ = now;
    most_ = Duration::zero();
  }
  void EndLong(TimePoint now, const char* label, Duration processor_time);

  TimePoint began_{};
  TimePoint changed_{};
  Duration most_{};  // What ran longest in this turn, of what has been changed for something else.
  const char* most_by_ = "";

  bool has_read_ = false;
  TimePoint read_at_{};
  Duration processor_time_{};  // At that time.
  Longest longest_;
  std::array<Span, 13> spans_;  // By number, modulo.
  std::map<std::string, uint64_t> long_turns_;
};

}  // namespace tradewind::runtime
