// SQLite's amalgamation, unchanged, and behind it what needs its insides: see builtin_functions.h.
// One function of it has another name here: the one that chooses how a sorter compares. It is defined once and called
// twice; where SQLite calls it, it gets CountedCompare. Another version of SQLite that uses it otherwise does not
// compile.
struct SortSubtask;
static int CountedCompare(struct SortSubtask*, int*, const void*, int, const void*, int);
#define TW_JOINED(one, other) one##other
#define TW_JOIN(one, other) TW_JOINED(one, other)
#define TW_COMPARE_0(sorter) CompareOfSorter(sorter)
#define TW_COMPARE_1(sorter) CountedCompare
#define TW_COMPARE_2(sorter) CountedCompare
#define vdbeSorterGetCompare(sorter) TW_JOIN(TW_COMPARE_, __COUNTER__)(sorter)
#include "sqlite3.c"
#undef vdbeSorterGetCompare
_Static_assert(__COUNTER__ == 3, "SQLite's sorter has changed");

#include "builtin_functions.h"

_Static_assert(sizeof(struct compareInfo) == sizeof(struct tw_wildcards), "SQLite's LIKE has changed");

// Where the code of each built-in function was before. An open hash, filled once and only read from then on.
enum { kSlots = 1024 };
static struct {
  const FuncDef* function;
  tw_function original;
} originals[kSlots];
static sqlite3_int64 least_bytes_intercepted;
static tw_interceptor the_interceptor;

static unsigned SlotOf(const FuncDef* function) {
  return (unsigned)(((uintptr_t)function >> 4) * 2654435761u) % kSlots;
}

static tw_function OriginalOf(const FuncDef* function) {
  unsigned slot = SlotOf(function);
  for (; originals[slot].function; slot = (slot + 1) % kSlots)
    if (originals[slot].function == function) return originals[slot].original;
  return likeFunc; // The one kind that has entries of a connection's own.
}

static sqlite3_int64 BytesOf(int count, sqlite3_value** values) {
  sqlite3_int64 bytes = 0;
  for (int at = 0; at < count; ++at)
    if (values[at]->flags & (MEM_Str | MEM_Blob))
      bytes += values[at]->n + (values[at]->flags & MEM_Zero ? values[at]->u.nZero : 0);
  return bytes;
}

static void Intercepted(sqlite3_context* context, int count, sqlite3_value** arguments) {
  const tw_function original = OriginalOf(context->pFunc);
  const sqlite3_int64 bytes = BytesOf(count, arguments);
  if (bytes < least_bytes_intercepted)
    original(context, count, arguments);
  else
    the_interceptor(context->pFunc->zName, original, bytes, context, count, arguments);
}

static void AlwaysIntercepted(sqlite3_context* context, int count, sqlite3_value** arguments) {
  the_interceptor(context->pFunc->zName, OriginalOf(context->pFunc), BytesOf(count, arguments), context, count,
                  arguments);
}

static int MakesMuchOfLittle(const char* name) {
  static const char* const names[] = {"randomblob", "zeroblob", "printf", "format"};
  for (size_t at = 0; at < sizeof names / sizeof *names; ++at)
    if (sqlite3_stricmp(name, names[at]) == 0) return 1;
  return 0;
}

static void Intercept(FuncDef* function) {
  const int own_kind = function->xFinalize != 0 || function->xSFunc == 0 ||
                       (function->funcFlags & (SQLITE_FUNC_INLINE | SQLITE_FUNC_WINDOW)) != 0;
  if (own_kind) return;
  unsigned slot = SlotOf(function);
  while (originals[slot].function) slot = (slot + 1) % kSlots;
  originals[slot].function = function;
  originals[slot].original = function->xSFunc;
  function->xSFunc = MakesMuchOfLittle(function->zName) ? AlwaysIntercepted : Intercepted;
}

void tw_intercept_functions(sqlite3_int64 least_bytes, tw_interceptor interceptor) {
  least_bytes_intercepted = least_bytes;
  the_interceptor = interceptor;
  for (int at = 0; at < SQLITE_FUNC_HASH_SZ; ++at)
    for (FuncDef* named = sqlite3BuiltinFunctions.a[at]; named; named = named->u.pHash)
      for (FuncDef* function = named; function; function = function->pNext) Intercept(function);
}

void tw_intercept_like(sqlite3* connection) {
  FuncDef* function = (FuncDef*)sqlite3HashFind(&connection->aFunc, "like");
  for (; function; function = function->pNext)
    if (function->xSFunc == likeFunc) function->xSFunc = Intercepted;
}

static void (*work_done)(unsigned amount);

void tw_count_comparisons(void (*work)(unsigned amount)) {
  work_done = work;
}

static int CountedCompare(SortSubtask* task, int* cached, const void* one, int one_bytes, const void* other,
                          int other_bytes) {
  enum { kAmountBetweenCalls = 32, kBytesPerAmount = 512 };
  static _Thread_local unsigned amount;
  amount += 1 + (unsigned)(one_bytes < other_bytes ? one_bytes : other_bytes) / kBytesPerAmount;
  if (amount >= kAmountBetweenCalls && work_done) {
    const unsigned done = amount;
    amount = 0;
    work_done(done);
  }
  return CompareOfSorter(task->pSorter)(task, cached, one, one_bytes, other, other_bytes);
}
