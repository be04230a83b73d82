// What becomes of a call that the operating system refuses for want of a file descriptor (EMFILE, ENFILE): it
// waits, and is made again. Disk and Network do that inside, so that nobody else has to know: opening a file,
// listing or syncing a folder, accepting and making connections. Whoever can do without a descriptor for a
// while (a tenant that nobody uses, a connection that is kept for later) gives a relief here, which a call that
// waits has run.
//
// The process's limit is shared out (`Shares`): what one kind takes at most leaves the others theirs, so that
// the wait is the exception. Each core has its part of it; one that has nothing to give asks the others.
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <list>

#include "runtime/core.h"

namespace tradewind::runtime {

inline constexpr std::string_view kTooManyFilesCode = "TOO_MANY_FILES";  // kUnavailable.

class Descriptors {
 public:
  // No limit, as on a simulated core, until SetLimit().
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  explicit Descriptors(Core& core) : core_(core) {}
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  void SetLimit(uint64_t limit) { limit_ = limit; }
  uint64_t limit() const { return limit_; }

  // What tenants may use at all: what their half has more goes to connections. Before anybody asks for the shares.
  void SetMostOfTenants(uint64_t most) { most_of_tenants_ = most; }

  // How many of them tenants and connections may have; the rest is for moves, the journal, the catalog, copies
  // and files that are open for a moment.
  struct Shares {
    uint64_t tenants;
    uint64_t connections;
  };
  Shares shares() const;

  // Closes something that can be opened again, and says whether it has. May suspend. Must not wait for a
  // descriptor itself.
  using Relief = std::function<bool()>;
  // For as long as it lives; tried in the order in which they were given.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept;
    Registration& operator=(Registration&& other) noexcept;
    ~Registration();

   private:
    friend class Descriptors;
    Registration(Descriptors* descriptors, std::list<Relief>::iterator place)
        : descriptors_(descriptors), place_(place) {}
    Descriptors* descriptors_ = nullptr;
    std::list<Relief>::iterator place_;
  };
  [[nodiscard]] Registration AddRelief(Relief relief);

  // After a call that was refused: suspends until it is worth while to make it again (true). False: the
  // deadline has passed, or nobody may wait here (no fiber runs).
  bool AwaitRoom(TimePoint deadline);

  // What AwaitRoom() does first, for a call that another core made. False: nothing here can be done without. May suspend.
  bool GiveOneBack();

  // Calls that were refused, each try counted.
  uint64_t waits() const { return waits_; }

 private:
  void AskOthers();

  Core& core_;
  TimePoint ask_again_at_{};
  uint64_t limit_ = kUnlimited;
  uint64_t most_of_tenants_ = kUnlimited;
  uint64_t waits_ = 0;
  std::list<Relief> reliefs_;
};

}  // namespace tradewind::runtime
