#include "net/seal.h"

#include <fmt/format.h>

#include <charconv>
#include <span>

#include "base/hash.h"

namespace tradewind::net {
namespace {

constexpr size_t kHashDigits = 16;

uint64_t Add(uint64_t hash, std::string_view text) {
  return Hash64(std::as_bytes(std::span(text)), hash);
}

uint64_t AddFields(uint64_t hash, const Headers& headers) {
  for (const std::string_view name : kSealedFields) {
    const auto value = headers.Get(name);
    hash = Add(hash, value ? "+" : "-");
    hash = Add(hash, value.value_or(""));
  }
  return hash;
}

// The whole text must be digits of the base, without a sign.
std::optional<uint64_t> ParseNumber(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Seal SealOf(const HttpRequest& request, std::string_view upgrade) {
  uint64_t hash = Add(0, request.method);
  hash = Add(hash, request.target);
  hash = Add(hash, upgrade);
  hash = AddFields(hash, request.headers);
  return {Add(hash, request.body), request.body.size()};
}

Seal SealOf(const HttpResponse& response, std::string_view body, uint64_t seed) {
  uint64_t hash = Add(seed, std::to_string(response.status));
  hash = AddFields(hash, response.headers);
  return {Add(hash, body), body.size()};
}

std::string ToText(const Seal& seal) {
  return fmt::format("{:016x}-{}", seal.hash, seal.body_bytes);
}

std::optional<Seal> ParseSeal(std::string_view text) {
  if (text.size() <= kHashDigits + 1 || text[kHashDigits] != '-') return std::nullopt;
  const auto hash = ParseNumber(text.substr(0, kHashDigits), 16);
  const auto body_bytes = ParseNumber(text.substr(kHashDigits + 1), 10);
  if (!hash || !body_bytes) return std::nullopt;
  return Seal{*hash, *body_bytes};
}

Result<void> CheckSealedLength(const Headers& headers, uint64_t body_bytes) {
  const auto text = headers.Get(kSealField);
  const auto seal = text ? ParseSeal(*text) : std::nullopt;
  if (!seal || seal->body_bytes == body_bytes) return {};
  return Fail(ErrorKind::kInvalid, "BAD_MESSAGE", "the message says two different lengths of its body");
}

}  // namespace tradewind::net
