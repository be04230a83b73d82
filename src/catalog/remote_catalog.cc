#include "catalog/remote_catalog.h"

#include <utility>

#include "base/limits.h"
#include "catalog/catalog_json.h"
#include "catalog/record_check.h"
#include "runtime/fiber.h"

namespace tradewind::catalog {

namespace {

using boost::json::value;

// Whether a second try is harmless when nobody knows what became of the first.
enum class Repeat { kAllowed, kForbidden };

tl::unexpected<Error> AnswerLost(std::string_view operation, const Error& cause) {
  return Fail(
      ErrorKind::kTimeout, std::string(kAnswerLostCode),
      "the catalog's answer to '" + std::string(operation) + "' did not arrive (" + Describe(cause) + ")",
      "look at what it was to change before trying again");
}

// One try. An error of the catalog itself comes as `refusal`; what is returned as an error is about the
// journey.
Result<value> CallOnce(const CatalogCall& call, std::string_view operation, const std::string& request,
                       std::optional<Error>& refusal) {
  TW_TRY_ASSIGN(const std::string text, call(operation, request));
  TW_TRY_ASSIGN(JsonObject answer, ParseObject(text));
  if (value* result = answer.if_contains("result")) return std::move(*result);
  TW_TRY_ASSIGN(const JsonObject* error, ObjectField(answer, "error"));
  Error refused;
  TW_TRY(FromJson(*error, refused));
  refusal = std::move(refused);
  return value(nullptr);
}

Result<value> Call(const CatalogCall& call, std::string_view operation, const JsonObject& arguments,
                   Repeat repeat) {
  const std::string request = boost::json::serialize(arguments);
  for (int tries = 1;; ++tries) {
    std::optional<Error> refusal;
    Result<value> answer = CallOnce(call, operation, request, refusal);
    if (refusal) return Fail(std::move(*refusal));
    if (answer) return answer;
    const bool not_done = answer.error().kind == ErrorKind::kUnavailable;
    if (repeat == Repeat::kForbidden || tries >= limits::kCatalogTries) {
      if (not_done) return answer;
      return AnswerLost(operation, answer.error());
    }
    runtime::SleepFor(limits::kReconnectPause);
  }
}

template <typename Record>
Result<void> CheckSound(const Record& record) {
  const std::string_view field = UnsoundField(record);
  if (!field.empty()) return MessageCorrupt(field);
  return {};
}
Result<void> CheckSound(const Membership& membership) {
  if (!IsSoundText(membership.cluster)) return MessageCorrupt("cluster");
  if (!IsSoundText(membership.url)) return MessageCorrupt("url");
  return {};
}
Result<void> CheckSound(const SwapOutcome& outcome) {
  return CheckSound(outcome.record);
}
Result<void> CheckSound(const MoveOutcome& outcome) {
  return CheckSound(outcome.record);
}

// The value of an answer as a record, an outcome, a list of records, or nothing.
template <typename T>
Result<T> Decode(Result<value> answer) {
  if (!answer) return Fail(std::move(answer).error());
  if (!answer->is_object()) return MessageCorrupt("result");
  T record;
  TW_TRY(FromJson(answer->get_object(), record));
  TW_TRY(CheckSound(record));
  return record;
}

template <>
Result<void> Decode(Result<value> answer) {
  if (!answer) return Fail(std::move(answer).error());
  return {};
}

template <typename T>
Result<std::vector<T>> DecodeList(Result<value> answer) {
  if (!answer) return Fail(std::move(answer).error());
  if (!answer->is_array()) return MessageCorrupt("result");
  std::vector<T> records;
  for (const value& element : answer->get_array()) {
    if (!element.is_object()) return MessageCorrupt("result");
    T record;
    TW_TRY(FromJson(element.get_object(), record));
    TW_TRY(CheckSound(record));
    records.push_back(std::move(record));
  }
  return records;
}

JsonObject With(JsonObject arguments, const Ownership& ownership) {
  for (auto& [name, field] : ToJson(ownership)) arguments[name] = field;
  return arguments;
}

}  // namespace

Result<Membership> RemoteCatalog::RegisterNode(const Registration& registration) {
  return Decode<Membership>(Call(call_, "register-node", ToJson(registration), Repeat::kAllowed));
}

Result<void> RemoteCatalog::SetDraining(const NodeName& name, bool draining) {
  return Decode<void>(
      Call(call_, "set-draining", {{"name", name}, {"draining", draining}}, Repeat::kAllowed));
}

Result<std::vector<NodeRecord>> RemoteCatalog::Nodes() {
  return DecodeList<NodeRecord>(Call(call_, "nodes", {}, Repeat::kAllowed));
}

Result<uint64_t> RemoteCatalog::ForgetNode(const NodeName& name, bool delete_tenants) {
  const auto answer =
      Call(call_, "forget-node", {{"name", name}, {"delete_tenants", delete_tenants}}, Repeat::kForbidden);
  if (!answer) return Fail(answer.error());
  if (!answer->is_int64() || answer->get_int64() < 0) return MessageCorrupt("result");
  return static_cast<uint64_t>(answer->get_int64());
}

Result<TenantRecord> RemoteCatalog::CreateTenant(const TenantName& name, const std::string& engine,
                                                 const NodeName& owner) {
  return Decode<TenantRecord>(Call(
      call_, "create-tenant", {{"name", name}, {"engine", engine}, {"owner", owner}}, Repeat::kForbidden));
}

Result<TenantRecord> RemoteCatalog::GetTenant(const TenantName& name) {
  return Decode<TenantRecord>(Call(call_, "tenant", {{"name", name}}, Repeat::kAllowed));
}

Result<std::vector<TenantRecord>> RemoteCatalog::ListTenants() {
  return DecodeList<TenantRecord>(Call(call_, "tenants", {}, Repeat::kAllowed));
}

Result<std::vector<TenantRecord>> RemoteCatalog::ListObjectives() {
  return DecodeList<TenantRecord>(Call(call_, "objectives", {}, Repeat::kAllowed));
}

Result<TenantRecord> RemoteCatalog::SetObjective(const TenantName& name, const std::string& objective) {
  return Decode<TenantRecord>(
      Call(call_, "set-objective", {{"name", name}, {"objective", objective}}, Repeat::kAllowed));
}

Result<std::vector<TenantRecord>> RemoteCatalog::ListQuotas() {
  return DecodeList<TenantRecord>(Call(call_, "quotas", {}, Repeat::kAllowed));
}

Result<TenantRecord> RemoteCatalog::SetQuotas(const TenantName& name, const std::string& quotas) {
  return Decode<TenantRecord>(
      Call(call_, "set-quotas", {{"name", name}, {"quotas", quotas}}, Repeat::kAllowed));
}

Result<std::map<NodeName, uint64_t>> RemoteCatalog::TenantCounts() {
  Result<value> answer = Call(call_, "tenant-counts", {}, Repeat::kAllowed);
  if (!answer) return Fail(std::move(answer).error());
  if (!answer->is_object()) return MessageCorrupt("result");
  std::map<NodeName, uint64_t> counts;
  for (const auto& [name, count] : answer->get_object()) {
    if (!IsValidName(name) || !count.is_int64() || count.get_int64() < 0) return MessageCorrupt("result");
    counts[std::string(name)] = static_cast<uint64_t>(count.get_int64());
  }
  return counts;
}

Result<void> RemoteCatalog::DeleteTenant(const TenantName& name, const Ownership& expected) {
  return Decode<void>(Call(call_, "delete-tenant", With({{"name", name}}, expected), Repeat::kForbidden));
}

Result<void> RemoteCatalog::DeleteInMove(const TenantName& name, const Ownership& expected,
                                         const MoveId& move) {
  return Decode<void>(
      Call(call_, "delete-in-move", With({{"name", name}, {"move", move}}, expected), Repeat::kForbidden));
}

Result<SwapOutcome> RemoteCatalog::Swap(const TenantName& name, const Ownership& from, const NodeName& to,
                                        const MoveId& move) {
  return Decode<SwapOutcome>(
      Call(call_, "swap", With({{"name", name}, {"to", to}, {"move", move}}, from), Repeat::kForbidden));
}

Result<SwapOutcome> RemoteCatalog::Fence(const TenantName& name, const Ownership& from, const MoveId& move) {
  return Decode<SwapOutcome>(
      Call(call_, "fence", With({{"name", name}, {"move", move}}, from), Repeat::kForbidden));
}

Result<MoveRecord> RemoteCatalog::BeginMove(const MoveRecord& move) {
  return Decode<MoveRecord>(Call(call_, "begin-move", ToJson(move), Repeat::kForbidden));
}

Result<MoveOutcome> RemoteCatalog::SetMoveState(const MoveId& id, MoveState from, MoveState to,
                                                const std::string& receipt) {
  return Decode<MoveOutcome>(
      Call(call_, "set-move-state",
           {{"id", id}, {"from", MoveStateName(from)}, {"to", MoveStateName(to)}, {"receipt", receipt}},
           Repeat::kForbidden));
}

Result<void> RemoteCatalog::SaveReceipt(const MoveId& id, const std::string& receipt) {
  return Decode<void>(Call(call_, "save-receipt", {{"id", id}, {"receipt", receipt}}, Repeat::kAllowed));
}

Result<void> RemoteCatalog::SetMoveOptions(const MoveId& id, const std::string& options) {
  return Decode<void>(Call(call_, "set-move-options", {{"id", id}, {"options", options}}, Repeat::kAllowed));
}

Result<MoveRecord> RemoteCatalog::GetMove(const MoveId& id) {
  return Decode<MoveRecord>(Call(call_, "move", {{"id", id}}, Repeat::kAllowed));
}

Result<std::vector<MoveRecord>> RemoteCatalog::ListMoves() {
  return DecodeList<MoveRecord>(Call(call_, "moves", {}, Repeat::kAllowed));
}

Result<std::vector<MoveRecord>> RemoteCatalog::ListLiveMoves() {
  return DecodeList<MoveRecord>(Call(call_, "live-moves", {}, Repeat::kAllowed));
}

}  // namespace tradewind::catalog
