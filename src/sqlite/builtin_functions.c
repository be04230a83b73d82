// SQLite's amalgamation, and behind it what needs its insides: see builtin_functions.h. It is unchanged, but for
// TW_WORK and TW_STEP in the places that cmake/sqlite.cmake names.
#define _GNU_SOURCE
#include <string.h>

static void (*work_done)(unsigned amount);
static _Thread_local unsigned counted, steps;
static inline void CountWork(unsigned amount) {
  enum { kAmountBetweenCalls = 32 };
  counted += amount;
  if (counted < kAmountBetweenCalls || !work_done) return;
  const unsigned done = counted;
  counted = 0;
  work_done(done);
}
static inline void CountStep(void) {
  enum { kStepsTogether = 64, kAmount = 2 };
  if (++steps % kStepsTogether == 0) CountWork(kAmount);
}
#define TW_WORK(amount) CountWork((unsigned)(amount))
#define TW_STEP CountStep()

static int (*ephemeral_cache_kib)(void);
#define TW_EPHEMERAL_CACHE_KIB (ephemeral_cache_kib ? ephemeral_cache_kib() : 2000)

// A value of many megabytes is copied, cleared, compared or measured piece by piece, each with its count: most of it is memory that is
// touched for the first time.
enum { kPieceBytes = 64 << 10, kPieceAmount = 256 };
// What is long is a call of its own: these stand in a thousand places.
#define TW_LONG static __attribute__((noinline, cold))
TW_LONG void* CopyLong(void* to, const void* from, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kPieceBytes) {
    memcpy((char*)to + at, (const char*)from + at, bytes - at < kPieceBytes ? bytes - at : kPieceBytes);
    CountWork(kPieceAmount);
  }
  return to;
}
TW_LONG void* SetLong(void* to, int value, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kPieceBytes) {
    memset((char*)to + at, value, bytes - at < kPieceBytes ? bytes - at : kPieceBytes);
    CountWork(kPieceAmount);
  }
  return to;
}
TW_LONG int CompareLong(const void* one, const void* other, size_t bytes) {
  size_t at = 0;
  for (; bytes - at > kPieceBytes; at += kPieceBytes) {
    const int order = memcmp((const char*)one + at, (const char*)other + at, kPieceBytes);
    if (order != 0) return order;
    CountWork(kPieceAmount / 8);
  }
  return memcmp((const char*)one + at, (const char*)other + at, bytes - at);
}
TW_LONG size_t LengthLong(const char* text) {
  size_t bytes = kPieceBytes;
  for (size_t more = bytes; more == kPieceBytes; bytes += more) {
    CountWork(kPieceAmount / 8);
    more = strnlen(text + bytes, kPieceBytes);
  }
  return bytes;
}
static inline void* CopyCounted(void* to, const void* from, size_t bytes) {
  return bytes <= kPieceBytes ? memcpy(to, from, bytes) : CopyLong(to, from, bytes);
}
static inline void* SetCounted(void* to, int value, size_t bytes) {
  return bytes <= kPieceBytes ? memset(to, value, bytes) : SetLong(to, value, bytes);
}
static inline int CompareCounted(const void* one, const void* other, size_t bytes) {
  return bytes <= kPieceBytes ? memcmp(one, other, bytes) : CompareLong(one, other, bytes);
}
static inline size_t LengthCounted(const char* text) {
  const size_t bytes = strnlen(text, kPieceBytes);
  return bytes < kPieceBytes ? bytes : LengthLong(text);
}
static __attribute__((noinline)) size_t SpanCounted(const char* text, const char* set) {
  size_t bytes = 0;
  for (; text[bytes] && strchr(set, text[bytes]); ++bytes) CountStep();
  return bytes;
}
#undef TW_LONG
#define memcpy(to, from, bytes) (__builtin_constant_p(bytes) ? memcpy(to, from, bytes) : CopyCounted(to, from, bytes))
#define memset(to, value, bytes) (__builtin_constant_p(bytes) ? memset(to, value, bytes) : SetCounted(to, value, bytes))
#define memcmp(one, other, bytes) \
  (__builtin_constant_p(bytes) ? memcmp(one, other, bytes) : CompareCounted(one, other, bytes))
#define strlen(text) LengthCounted(text)
#define strspn(text, set) SpanCounted(text, set)
#include "sqlite3_counted.c"
#undef memcpy
#undef memset
#undef memcmp
#undef strlen
#undef strspn

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

void tw_size_ephemeral_caches(int (*kibibytes)(void)) {
  ephemeral_cache_kib = kibibytes;
}

void tw_count_anew(void) {
  counted = steps = 0;
}

void tw_count_work(void (*work)(unsigned amount)) {
  work_done = work;
}
