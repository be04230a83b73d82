#include "sqlite/pauses.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/fiber_local.h"
#include "runtime/turns.h"
#include "sqlite/page_store.h"
#include "sqlite/vfs.h"
#ifdef TRADEWIND_BUNDLED_SQLITE
#include "sqlite/builtin_functions.h"
#endif

namespace tradewind::sqlite {

namespace {

// A piece of work takes 20 ns, or microseconds where a page goes to a temporary file and another one comes: one that is
// fetched counts as four. So much at most is done between two looks, and so much at least between two looks at the clock.
constexpr unsigned kMostWork = 256;
constexpr unsigned kLeastWork = 4;
// Of a large block; it takes the system up to a tenth of a millisecond.
constexpr int kGivenBackAtOnceBytes = 256 << 10;

sqlite3_mem_methods allocator;
sqlite3_pcache_methods2 page_cache;
sqlite3_mutex_methods mutexes;
thread_local int mutexes_held = 0;

Pauses* Current() {
  void** const local = runtime::FiberLocal(runtime::FiberSlot::kPauses);
  return local ? static_cast<Pauses*>(*local) : nullptr;
}

}  // namespace

struct PausingCalls {
  static void Work(unsigned amount) {
    Pauses* const pauses = Current();
    if (!pauses) return;
    pauses->work_ += amount;
    if (pauses->work_ >= pauses->look_at_) pauses->Look();
  }

  static void* Malloc(int bytes) {
    Work(1 + static_cast<unsigned>(bytes >> 12));
    return allocator.xMalloc(bytes);
  }
  // To give a large block back takes the system as long as it took to make.
  static void Free(void* memory) {
    int bytes = memory ? allocator.xSize(memory) : 0;
    for (const bool is_large = bytes >= limits::kLargeBlockBytes;
         is_large && bytes > kGivenBackAtOnceBytes;) {
      bytes -= kGivenBackAtOnceBytes;
      if (!allocator.xRealloc(memory, bytes)) break;  // It stays where it is.
      Work(static_cast<unsigned>(kGivenBackAtOnceBytes >> 12));
    }
    Work(1 + static_cast<unsigned>(bytes >> 12));
    allocator.xFree(memory);
  }
  static void* Realloc(void* memory, int bytes) {
    Work(1 + static_cast<unsigned>(bytes >> 12));
    return allocator.xRealloc(memory, bytes);
  }
  static sqlite3_pcache_page* Fetch(sqlite3_pcache* cache, unsigned page, int create) {
    Work(4);
    return page_cache.xFetch(cache, page, create);
  }

  static void Enter(sqlite3_mutex* mutex) {
    mutexes.xMutexEnter(mutex);
    ++mutexes_held;
  }
  static int Try(sqlite3_mutex* mutex) {
    const int code = mutexes.xMutexTry(mutex);
    if (code == SQLITE_OK) ++mutexes_held;
    return code;
  }
  static void Leave(sqlite3_mutex* mutex) {
    --mutexes_held;
    mutexes.xMutexLeave(mutex);
  }
};

Pauses::Pauses(ConnectionGuard& guard, const PageStore& store)
    : guard_(guard), store_(store), outer_(Current()), look_at_(kMostWork) {
#ifdef TRADEWIND_BUNDLED_SQLITE
  tw_count_anew();
#endif
  if (void** const local = runtime::FiberLocal(runtime::FiberSlot::kPauses)) *local = this;
}

Pauses::~Pauses() {
  if (void** const local = runtime::FiberLocal(runtime::FiberSlot::kPauses)) *local = outer_;
}

void Pauses::Look() {
  if (looking_ || mutexes_held > 0 || store_.log().commit_in_flight()) {
    work_ = 0;
    return;
  }
  const runtime::Core& core = runtime::CurrentCore();
  const bool has_looked = looked_at_ != runtime::TimePoint{};
  const runtime::Duration took = has_looked ? core.TurnTime() - looked_at_ : runtime::Duration{};
  if (work_ < kMostWork && took < limits::kPollInterval) {
    look_at_ = std::max(work_ + kLeastWork, WorkOfPollInterval(took));
    return;
  }
  look_at_ = std::max(kLeastWork, WorkOfPollInterval(took));
  work_ = 0;
  looking_ = true;
  guard_.on_reads(guard_.context);
  runtime::YieldIfTurnIsOver();  // Statements of our own are not asked whether they go on.
  looking_ = false;
  looked_at_ = core.TurnTime();
}

// As fast as what has been done in this time. If that had to wait for the disk, it is too little, and the next look at
// the clock tells.
unsigned Pauses::WorkOfPollInterval(runtime::Duration took) const {
  const int64_t work = limits::kPollInterval * int64_t{work_} / std::max(took, runtime::Duration(1));
  return static_cast<unsigned>(std::min<int64_t>(work, kMostWork));
}

void InstallPauses() {
  constexpr const char* kTooLate = "SQLite was used before it was configured";
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &allocator) == SQLITE_OK, kTooLate);
  sqlite3_mem_methods pausing = allocator;
  pausing.xMalloc = PausingCalls::Malloc;
  pausing.xFree = PausingCalls::Free;
  pausing.xRealloc = PausingCalls::Realloc;
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &pausing) == SQLITE_OK, kTooLate);

  TW_CHECK(sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &page_cache) == SQLITE_OK, kTooLate);
  sqlite3_pcache_methods2 fetching = page_cache;
  fetching.xFetch = PausingCalls::Fetch;
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_PCACHE2, &fetching) == SQLITE_OK, kTooLate);

  TW_CHECK(sqlite3_config(SQLITE_CONFIG_GETMUTEX, &mutexes) == SQLITE_OK, kTooLate);
  sqlite3_mutex_methods counting = mutexes;
  counting.xMutexEnter = PausingCalls::Enter;
  counting.xMutexTry = PausingCalls::Try;
  counting.xMutexLeave = PausingCalls::Leave;
  TW_CHECK(sqlite3_config(SQLITE_CONFIG_MUTEX, &counting) == SQLITE_OK, kTooLate);

#ifdef TRADEWIND_BUNDLED_SQLITE
  tw_count_work(PausingCalls::Work);
#endif
}

}  // namespace tradewind::sqlite
