#include "net/seal.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <span>
#include <vector>

#include "base/hash.h"
#include "base/limits.h"

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
  for (const std::string_view name : kLaterSealedFields)
    if (const auto value = headers.Get(name)) hash = Add(Add(hash, name), *value);
  return hash;
}

using Parts = std::vector<std::string_view>;

void AddFields(Parts& parts, const Headers& headers) {
  for (const std::string_view name : kSealedFields) {
    const auto value = headers.Get(name);
    parts.insert(parts.end(), {value ? "+" : "-", value.value_or("")});
  }
  for (const std::string_view name : kLaterSealedFields)
    if (const auto value = headers.Get(name)) parts.insert(parts.end(), {name, *value});
}

// `number` must outlive the parts.
Parts PartsOf(const HttpRequest& request, std::string_view upgrade, std::string_view challenge,
              std::string_view number) {
  Parts parts{"call", challenge, number, request.method, request.target, upgrade};
  AddFields(parts, request.headers);
  parts.push_back(request.body);
  return parts;
}

// `status` must outlive the parts.
Parts PartsOf(const HttpResponse& response, std::string_view status, std::string_view body,
              std::string_view request_proof) {
  Parts parts{"answer", request_proof, status};
  AddFields(parts, response.headers);
  parts.push_back(body);
  return parts;
}

// The last part is the body.
void RunWhere(runtime::Core& core, const Parts& parts, const std::function<void()>& work) {
  if (parts.back().size() > limits::kHttpJoinedBodyBytes)
    core.RunOffCore(work);
  else
    work();
}

std::string ProofOf(runtime::Core& core, const ClusterSecret& secret, const Parts& parts) {
  uint64_t nonce = 0;
  core.FillRandom(std::as_writable_bytes(std::span(&nonce, 1)));
  std::string proof;
  RunWhere(core, parts, [&] { proof = secret.Prove(nonce, parts); });
  return proof;
}

bool IsProofOf(runtime::Core& core, const ClusterSecret& secret, const Parts& parts, std::string_view proof) {
  if (!LooksLikeProof(proof)) return false;
  bool right = false;
  RunWhere(core, parts, [&] { right = secret.IsProof(proof, parts); });
  return right;
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
  return {Add(hash, request.body), request.body.size(), {}};
}

Seal SealOf(const HttpResponse& response, std::string_view body, uint64_t seed) {
  uint64_t hash = Add(seed, std::to_string(response.status));
  hash = AddFields(hash, response.headers);
  return {Add(hash, body), body.size(), {}};
}

std::string Prove(runtime::Core& core, const ClusterSecret& secret, const HttpRequest& request,
                  std::string_view upgrade, const CallPlace& place) {
  if (secret.empty()) return {};
  const std::string number = std::to_string(place.number);
  return ProofOf(core, secret, PartsOf(request, upgrade, place.challenge, number));
}

bool IsProven(runtime::Core& core, const ClusterSecret& secret, const HttpRequest& request,
              std::string_view upgrade, const CallPlace& place, std::string_view proof) {
  if (secret.empty()) return true;
  if (place.challenge.empty()) return false;
  const std::string number = std::to_string(place.number);
  return IsProofOf(core, secret, PartsOf(request, upgrade, place.challenge, number), proof);
}

std::string Prove(runtime::Core& core, const ClusterSecret& secret, const HttpResponse& response,
                  std::string_view body, std::string_view request_proof) {
  if (secret.empty()) return {};
  const std::string status = std::to_string(response.status);
  return ProofOf(core, secret, PartsOf(response, status, body, request_proof));
}

bool IsProven(runtime::Core& core, const ClusterSecret& secret, const HttpResponse& response,
              std::string_view body, std::string_view request_proof, std::string_view proof) {
  if (secret.empty()) return true;
  const std::string status = std::to_string(response.status);
  return IsProofOf(core, secret, PartsOf(response, status, body, request_proof), proof);
}

std::string ToText(const Seal& seal) {
  std::string text = fmt::format("{:016x}-{}", seal.hash, seal.body_bytes);
  if (!seal.proof.empty()) text += '-' + seal.proof;
  return text;
}

std::optional<Seal> ParseSeal(std::string_view text) {
  if (text.size() <= kHashDigits + 1 || text[kHashDigits] != '-') return std::nullopt;
  const auto hash = ParseNumber(text.substr(0, kHashDigits), 16);
  text.remove_prefix(kHashDigits + 1);
  const size_t dash = text.find('-');
  const auto body_bytes = ParseNumber(text.substr(0, dash), 10);
  if (!hash || !body_bytes) return std::nullopt;
  if (dash == std::string_view::npos) return Seal{*hash, *body_bytes, {}};
  text.remove_prefix(dash + 1);
  if (!LooksLikeProof(text)) return std::nullopt;
  return Seal{*hash, *body_bytes, std::string(text)};
}

Result<void> CheckSealedLength(const Headers& headers, uint64_t body_bytes) {
  const auto text = headers.Get(kSealField);
  const auto seal = text ? ParseSeal(*text) : std::nullopt;
  if (!seal || seal->body_bytes == body_bytes) return {};
  return Fail(ErrorKind::kInvalid, "BAD_MESSAGE", "the message says two different lengths of its body");
}

}  // namespace tradewind::net
