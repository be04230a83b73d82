#include "sqlite/function_bounds.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/off_core.h"
#include "sqlite/connection.h"
#include "sqlite/memory_budget.h"
#ifdef TRADEWIND_BUNDLED_SQLITE
#include "sqlite/builtin_functions.h"
#endif

namespace tradewind::sqlite {

#ifdef TRADEWIND_BUNDLED_SQLITE

namespace {

constexpr const char* kConnectionKey = "tradewind-connection";
constexpr int kStepsPerLook = 1 << 14;  // Of LIKE, some 50 microseconds.

using Values = sqlite3_value**;

struct Call {
  std::string_view name;
  tw_function original;
  int64_t bytes;
  sqlite3_context* context;
  int count;
  Values arguments;
};

std::string_view TextOf(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return text ? std::string_view(text, static_cast<size_t>(sqlite3_value_bytes(value))) : std::string_view();
}

std::string_view BlobOf(sqlite3_value* value) {
  const auto* blob = static_cast<const char*>(sqlite3_value_blob(value));
  return blob ? std::string_view(blob, static_cast<size_t>(sqlite3_value_bytes(value))) : std::string_view();
}

bool HasNull(const Call& call) {
  for (int at = 0; at < call.count; ++at)
    if (sqlite3_value_type(call.arguments[at]) == SQLITE_NULL) return true;
  return false;
}

bool IsContinuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// memmem takes linear time whatever it is given (the two-way algorithm of glibc); std::string_view::find does not.
size_t Find(std::string_view text, std::string_view wanted, size_t from) {
  const char* begin = text.data() + from;
  const size_t length = text.size() - from;
  const void* found = wanted.size() == 1 ? std::memchr(begin, wanted[0], length)
                                         : ::memmem(begin, length, wanted.data(), wanted.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

// What SQLite allocates there counts as what it allocates here.
void RunOffCore(const std::function<void()>& work) {
  runtime::ComputeOffCore([&work, budget = MemoryBudget::Current()] {
    const MemoryBudget::Lent lent(budget);
    work();
  });
}

// Off the core, unless it is so little that the way there would take longer. False when there is no memory for it.
bool RunAway(const Call& call, const std::function<void()>& work) {
  bool done = false;
  const auto run = [&] {
    try {
      work();
      done = true;
    } catch (const std::bad_alloc&) {
      done = false;
    }
  };
  if (call.bytes >= limits::kLargeArgumentBytes)
    RunOffCore(run);
  else
    run();
  if (!done) sqlite3_result_error_nomem(call.context);
  return done;
}

// -- instr

// Counts bytes in two blobs, characters otherwise; where a character begins is all that it asks of UTF-8.
int64_t Position(std::string_view text, std::string_view wanted, bool of_bytes) {
  if (wanted.empty()) return 1;
  // It may be found within characters as often as the text is long; only the first byte counts as a beginning.
  if (!of_bytes && IsContinuation(wanted.front())) return text.starts_with(wanted) ? 1 : 0;
  const size_t at = Find(text, wanted, 0);
  if (at == std::string_view::npos) return 0;
  if (of_bytes) return static_cast<int64_t>(at) + 1;
  int64_t position = 1;
  for (size_t byte = 1; byte <= at; ++byte) position += IsContinuation(text[byte]) ? 0 : 1;
  return position;
}

void Instr(const Call& call) {
  const bool of_bytes = sqlite3_value_type(call.arguments[0]) == SQLITE_BLOB &&
                        sqlite3_value_type(call.arguments[1]) == SQLITE_BLOB;
  const auto view = of_bytes ? BlobOf : TextOf;
  const std::string_view text = view(call.arguments[0]);
  const std::string_view wanted = view(call.arguments[1]);
  int64_t position = 0;
  if (RunAway(call, [&] { position = Position(text, wanted, of_bytes); }))
    sqlite3_result_int64(call.context, position);
}

// -- replace

// None when the result would be longer than `most`.
std::optional<std::string> Replaced(std::string_view text, std::string_view wanted, std::string_view by,
                                    size_t most) {
  std::string result;
  size_t from = 0;
  for (;;) {
    const size_t at = Find(text, wanted, from);
    result += text.substr(from, at == std::string_view::npos ? at : at - from);
    if (at != std::string_view::npos) result += by;
    if (result.size() > most) return std::nullopt;
    if (at == std::string_view::npos) return result;
    from = at + wanted.size();
  }
}

void Replace(const Call& call) {
  const std::string_view text = TextOf(call.arguments[0]);
  const std::string_view wanted = TextOf(call.arguments[1]);
  const std::string_view by = TextOf(call.arguments[2]);
  if (wanted.empty()) return sqlite3_result_value(call.context, call.arguments[0]);
  std::optional<std::string> result;
  if (!RunAway(call, [&] { result = Replaced(text, wanted, by, limits::kValueBytes); })) return;
  if (!result) return sqlite3_result_error_toobig(call.context);
  sqlite3_result_text64(call.context, result->data(), result->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// -- trim

size_t CharacterLength(std::string_view text) {
  size_t length = 1;
  if (static_cast<unsigned char>(text[0]) >= 0xc0)
    while (length < text.size() && IsContinuation(text[length])) ++length;
  return length;
}

class CharacterSet {
 public:
  explicit CharacterSet(std::string_view text) {
    while (!text.empty()) {
      const size_t length = CharacterLength(text);
      characters_.insert(text.substr(0, length));
      if (length >= lengths_.size()) lengths_.resize(length + 1);
      lengths_[length] = true;
      text.remove_prefix(length);
    }
  }
  // The length of the character of the set at the end, or at the beginning, of the text; 0 when there is none.
  size_t At(std::string_view text, bool end) const {
    for (size_t length = 1; length < lengths_.size() && length <= text.size(); ++length)
      if (lengths_[length] &&
          characters_.contains(end ? text.substr(text.size() - length) : text.substr(0, length)))
        return length;
    return 0;
  }

 private:
  std::unordered_set<std::string_view> characters_;
  std::vector<bool> lengths_;
};

void Trim(const Call& call, bool left, bool right) {
  std::string_view text = TextOf(call.arguments[0]);
  const std::string_view unwanted = TextOf(call.arguments[1]);
  const bool done = RunAway(call, [&] {
    const CharacterSet set(unwanted);
    size_t length = 0;
    while (left && (length = set.At(text, false)) > 0) text.remove_prefix(length);
    while (right && (length = set.At(text, true)) > 0) text.remove_suffix(length);
  });
  if (done) sqlite3_result_text64(call.context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// -- LIKE, GLOB

// As SQLite reads it: never past the end, whatever the bytes are. `step` is called for each byte.
template <typename Step>
uint32_t TakeCharacter(std::string_view& text, const Step& step) {
  step();
  uint32_t character = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (character < 0xc0) return character;
  static constexpr std::array<unsigned char, 8> kLeadMask = {0x1f, 0x1f, 0x1f, 0x1f, 0x0f, 0x0f, 0x07, 0};
  character = character >= 0xf8 ? (character & (character >= 0xfc ? (character >= 0xfe ? 0u : 1u) : 3u))
                                : character & kLeadMask[(character - 0xc0) >> 3];
  while (!text.empty() && IsContinuation(text.front())) {
    character = (character << 6) + (0x3f & static_cast<unsigned char>(text.front()));
    text.remove_prefix(1);
    step();
  }
  if (character < 0x80 || (character & 0xfffff800) == 0xd800 || (character & 0xfffffffe) == 0xfffe)
    character = 0xfffd;
  return character;
}

uint32_t Folded(uint32_t character) {
  return character >= 'A' && character <= 'Z' ? character + 'a' - 'A' : character;
}

// Matches in time of at most the product of the lengths, with constant memory: every element of a pattern but the
// one that stands for anything takes exactly one character, so only the last such one need ever be tried further.
class PatternMatch {
 public:
  PatternMatch(tw_wildcards wildcards, std::optional<uint32_t> escape, std::string_view pattern,
               std::string_view text, const std::function<bool()>& goes_on)
      : wildcards_(wildcards), escape_(escape), pattern_(pattern), text_(text), goes_on_(goes_on) {}

  // None when `goes_on`, asked now and then, said no.
  std::optional<bool> Run() {
    std::optional<std::string_view> pattern_after_all;
    std::string_view text_after_all;
    for (;;) {
      if (ended_) return std::nullopt;
      if (TakeAll()) {
        pattern_after_all = pattern_;
        text_after_all = text_;
        continue;
      }
      if (text_.empty() && pattern_.empty()) return true;
      if (!text_.empty() && !pattern_.empty() && TakeElement()) continue;
      if (!pattern_after_all || text_after_all.empty()) return false;
      Take(text_after_all);
      text_ = text_after_all;
      pattern_ = *pattern_after_all;
    }
  }

 private:
  // A set may be as long as the pattern, and a character as long as the text, so their bytes are what is counted.
  uint32_t Take(std::string_view& text) {
    return TakeCharacter(text, [this] {
      if (++steps_ % kStepsPerLook == 0) ended_ = ended_ || !goes_on_();
    });
  }
  bool TakeAll() {
    if (wildcards_.all == 0 || pattern_.empty() || static_cast<unsigned char>(pattern_[0]) != wildcards_.all)
      return false;
    pattern_.remove_prefix(1);
    return true;
  }
  bool TakeElement() {
    uint32_t wanted = Take(pattern_);
    if (escape_ && wanted == *escape_) {
      if (pattern_.empty()) return false;
      wanted = Take(pattern_);
    } else if (wildcards_.set != 0 && wanted == wildcards_.set) {
      return TakeSet(Take(text_));
    } else if (wildcards_.one != 0 && wanted == wildcards_.one) {
      Take(text_);
      return true;
    }
    const uint32_t character = Take(text_);
    return wanted == character || (wildcards_.ignores_case && wanted < 0x80 && character < 0x80 &&
                                   Folded(wanted) == Folded(character));
  }
  // After the bracket that opens it: [abc], [a-z], [^...], []...].
  bool TakeSet(uint32_t character) {
    const auto next = [&]() -> uint32_t { return pattern_.empty() ? 0 : Take(pattern_); };
    uint32_t before = 0;
    bool seen = false;
    uint32_t wanted = next();
    const bool inverted = wanted == '^';
    if (inverted) wanted = next();
    if (wanted == ']') {
      seen = character == ']';
      wanted = next();
    }
    while (wanted != 0 && wanted != ']') {
      const bool range = wanted == '-' && !pattern_.empty() && pattern_[0] != ']' && before > 0;
      if (range) {
        const uint32_t last = next();
        seen |= character >= before && character <= last;
        before = 0;
      } else {
        seen |= character == wanted;
        before = wanted;
      }
      wanted = next();
    }
    return wanted != 0 && seen != inverted;
  }

  tw_wildcards wildcards_;
  const std::optional<uint32_t> escape_;
  std::string_view pattern_;
  std::string_view text_;
  const std::function<bool()>& goes_on_;
  int64_t steps_ = 0;
  bool ended_ = false;
};

// Up to its first zero byte, as SQLite compares.
std::string_view UpToZero(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

// What is no matter of matching (blobs, a pattern that is too long, an escape of two characters) is SQLite's.
void Like(const Call& call, Connection& connection) {
  const std::string_view pattern = TextOf(call.arguments[0]);
  const bool odd = sqlite3_value_type(call.arguments[0]) == SQLITE_BLOB ||
                   sqlite3_value_type(call.arguments[1]) == SQLITE_BLOB || HasNull(call) ||
                   pattern.size() > limits::kLikePatternBytes;
  std::optional<uint32_t> escape;
  tw_wildcards wildcards = *static_cast<const tw_wildcards*>(sqlite3_user_data(call.context));
  if (call.count == 3 && !odd) {
    std::string_view text = TextOf(call.arguments[2]);
    if (text.empty() || CharacterLength(text) != text.size())
      return call.original(call.context, call.count, call.arguments);
    escape = TakeCharacter(text, [] {});
    if (*escape == wildcards.all) wildcards.all = 0;
    if (*escape == wildcards.one) wildcards.one = 0;
    wildcards.set = 0;
  }
  if (odd) return call.original(call.context, call.count, call.arguments);
  const std::function<bool()> goes_on = [&] { return connection.GoesOn(); };
  PatternMatch match(wildcards, escape, UpToZero(pattern), UpToZero(TextOf(call.arguments[1])), goes_on);
  const std::optional<bool> matches = match.Run();
  if (!matches) return sqlite3_result_error_code(call.context, SQLITE_INTERRUPT);
  sqlite3_result_int(call.context, *matches ? 1 : 0);
}

// -- Which is which

bool TakesTheProduct(std::string_view name) {
  return name == "json_patch" || name == "jsonb_patch" || name == "unhex";
}

// Those that look for each of their paths from the beginning of what they are given.
bool WalksForEachPath(std::string_view name) {
  const std::string_view does = name.substr(std::min(name.size(), name.find('_') + 1));
  return name.starts_with("json") && (does == "extract" || does == "set" || does == "insert" ||
                                      does == "replace" || does == "remove" || does == "array_insert");
}

double ProductOf(const Call& call) {
  if (call.count != 2) return 0;
  return static_cast<double>(sqlite3_value_bytes(call.arguments[0])) *
         static_cast<double>(sqlite3_value_bytes(call.arguments[1]));
}

void RunBounded(const Call& call) {
  const std::string_view name = call.name;
  const auto original = [&] { call.original(call.context, call.count, call.arguments); };
  if (HasNull(call)) return original();
  if (name == "instr") return Instr(call);
  if (name == "replace") return Replace(call);
  const bool trims = name == "trim" || name == "ltrim" || name == "rtrim";
  if (trims && call.count == 2) return Trim(call, name != "rtrim", name != "ltrim");
  if (WalksForEachPath(name) && call.count > 2 &&
      static_cast<double>(sqlite3_value_bytes(call.arguments[0])) * (call.count - 1) >
          limits::kJsonPathsCost) {
    const std::string refusal =
        std::string(name) + "() of so many paths in so long a value would take too long";
    return sqlite3_result_error(call.context, refusal.c_str(), -1);
  }
  // ALTER TABLE calls these with the text of each trigger, and looks for each name in it among all others.
  if (name.starts_with("sqlite_rename") &&
      static_cast<double>(call.bytes) * static_cast<double>(call.bytes) > limits::kQuadraticCost)
    return sqlite3_result_error(call.context, "to rename what is in so long a text would take too long", -1);
  const double product = TakesTheProduct(name) ? ProductOf(call) : 0;
  if (product > limits::kQuadraticCost) {
    const std::string refusal = std::string(name) + "() of two values as long as these would take too long";
    return sqlite3_result_error(call.context, refusal.c_str(), -1);
  }
  if (call.bytes >= limits::kLargeArgumentBytes || product > limits::kQuadraticCostOnCore)
    RunOffCore(original);
  else
    original();
}

// How much a function that makes much of little makes.
int64_t BytesMade(const Call& call) {
  if (call.count == 0) return 0;
  if (call.name == "randomblob" || call.name == "zeroblob") return sqlite3_value_int64(call.arguments[0]);
  const std::string_view format = TextOf(call.arguments[0]);
  int digits = 0;
  for (const char letter : format) {
    digits = letter >= '0' && letter <= '9' ? digits + 1 : 0;
    if (digits >= 5) return limits::kLargeArgumentBytes;
  }
  if (format.find('*') == std::string_view::npos) return 0;
  int64_t most = 0;  // Of widths that are arguments.
  for (int at = 1; at < call.count; ++at)
    if (sqlite3_value_type(call.arguments[at]) == SQLITE_INTEGER)
      most = std::max(most, std::abs(int64_t{sqlite3_value_int64(call.arguments[at]) % limits::kValueBytes}));
  return most;
}

void Intercept(const char* name, tw_function original, sqlite3_int64 bytes, sqlite3_context* context,
               int count, sqlite3_value** arguments) {
  Call call{name, original, bytes, context, count, arguments};
  auto* connection =
      static_cast<Connection*>(sqlite3_get_clientdata(sqlite3_context_db_handle(context), kConnectionKey));
  if (!connection || runtime::CurrentFiber() == nullptr) return original(context, count, arguments);
  if (bytes < limits::kNotedArgumentBytes) call.bytes += BytesMade(call);
  if (call.name == "like" || call.name == "glob") return Like(call, *connection);
  RunBounded(call);
  if (!connection->GoesOn()) sqlite3_result_error_code(context, SQLITE_INTERRUPT);
}

}  // namespace

void BoundFunctions() {
  TW_CHECK(sqlite3_initialize() == SQLITE_OK, "SQLite starts");
  tw_intercept_functions(limits::kNotedArgumentBytes, Intercept);
}

void BoundFunctionsOf(sqlite3* handle, Connection& connection) {
  TW_CHECK(sqlite3_set_clientdata(handle, kConnectionKey, &connection, nullptr) == SQLITE_OK,
           "a connection has room for a pointer");
}

void BoundLikeAgain(sqlite3* handle) {
  tw_intercept_like(handle);
}

int LikePatternBytes() {
  return limits::kLikePatternBytes;
}

#else

int LikePatternBytes() {
  return limits::kLikePatternBytesUnbounded;
}
void BoundFunctions() {}
void BoundFunctionsOf(sqlite3*, Connection&) {}
void BoundLikeAgain(sqlite3*) {}

#endif

}  // namespace tradewind::sqlite
