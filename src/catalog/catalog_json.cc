#include "catalog/catalog_json.h"

#include <array>
#include <string>
#include <utility>

#include "base/json_fields.h"

namespace tradewind::catalog {

namespace {

constexpr std::array kKinds = {
    ErrorKind::kInvalid,     ErrorKind::kNotFound, ErrorKind::kExists,       ErrorKind::kRefused,
    ErrorKind::kUnavailable, ErrorKind::kTimeout,  ErrorKind::kUnauthorized, ErrorKind::kTooLarge,
    ErrorKind::kIo,          ErrorKind::kCorrupt,  ErrorKind::kInternal,
};

Result<int64_t> IntegerField(const JsonObject& object, std::string_view name) {
  const std::optional<int64_t> number = FindInteger(object, name);
  if (!number) return MessageCorrupt(name);
  return *number;
}

Result<Epoch> EpochField(const JsonObject& object, std::string_view name) {
  TW_TRY_ASSIGN(const int64_t number, IntegerField(object, name));
  if (number < 0) return MessageCorrupt(name);
  return Epoch{static_cast<uint64_t>(number)};
}

// Earlier versions of this program do not say it.
Result<int64_t> VersionField(const JsonObject& object) {
  if (!object.contains("sqlite")) return 0;
  return IntegerField(object, "sqlite");
}

int64_t NumberOf(Epoch epoch) {
  return static_cast<int64_t>(epoch.value);
}

template <typename Outcome>
JsonObject OutcomeToJson(const Outcome& outcome) {
  return {{"applied", outcome.applied}, {"record", ToJson(outcome.record)}};
}

template <typename Outcome>
Result<void> OutcomeFromJson(const JsonObject& object, Outcome& outcome) {
  TW_TRY_ASSIGN(outcome.applied, BooleanField(object, "applied"));
  TW_TRY_ASSIGN(const JsonObject* record, ObjectField(object, "record"));
  return FromJson(*record, outcome.record);
}

}  // namespace

tl::unexpected<Error> MessageCorrupt(std::string_view what) {
  return Fail(ErrorKind::kCorrupt, "CATALOG_MESSAGE",
              "a message between a node and the catalog has no proper '" + std::string(what) + "'",
              "run the same version of tradewind on every node");
}

JsonObject ToJson(const NodeRecord& node) {
  return {{"name", node.name}, {"url", node.url}, {"draining", node.draining}, {"sqlite", node.sqlite}};
}

JsonObject ToJson(const Ownership& ownership) {
  return {{"owner", ownership.owner}, {"epoch", NumberOf(ownership.epoch)}};
}

JsonObject ToJson(const Registration& registration) {
  JsonObject object = ToJson(registration.node);
  object["folder"] = registration.folder;
  object["cluster"] = registration.cluster;
  object["replace"] = registration.replace;
  object["dry_run"] = registration.dry_run;
  return object;
}

JsonObject ToJson(const Membership& membership) {
  return {{"cluster", membership.cluster}, {"url", membership.url}, {"sqlite", membership.sqlite}};
}

JsonObject ToJson(const TenantRecord& tenant) {
  return {{"name", tenant.name},
          {"engine", tenant.engine},
          {"owner", tenant.ownership.owner},
          {"epoch", NumberOf(tenant.ownership.epoch)},
          {"created_at_ms", tenant.created_at_ms},
          {"move", tenant.move},
          {"objective", tenant.objective},
          {"sqlite", tenant.sqlite},
          {"quotas", tenant.quotas}};
}

JsonObject ToJson(const MoveRecord& move) {
  return {{"id", move.id},
          {"tenant", move.tenant},
          {"source", move.source},
          {"destination", move.destination},
          {"method", move.method},
          {"epoch_before", NumberOf(move.epoch_before)},
          {"state", MoveStateName(move.state)},
          {"receipt", move.receipt},
          {"started_at_ms", move.started_at_ms},
          {"ended_at_ms", move.ended_at_ms},
          {"options", move.options}};
}

JsonObject ToJson(const SwapOutcome& outcome) {
  return OutcomeToJson(outcome);
}
JsonObject ToJson(const MoveOutcome& outcome) {
  return OutcomeToJson(outcome);
}

JsonObject ToJson(const Error& error) {
  return {{"kind", KindName(error.kind)},
          {"code", error.code},
          {"message", error.message},
          {"action", error.action}};
}

Result<JsonObject> ParseObject(std::string_view text) {
  std::optional<JsonObject> object = ParseJsonObject(text);
  if (!object) return MessageCorrupt("JSON object");
  return *std::move(object);
}

Result<std::string> TextField(const JsonObject& object, std::string_view name) {
  const std::optional<std::string_view> text = FindText(object, name);
  if (!text) return MessageCorrupt(name);
  return std::string(*text);
}

Result<bool> BooleanField(const JsonObject& object, std::string_view name) {
  const std::optional<bool> flag = FindFlag(object, name);
  if (!flag) return MessageCorrupt(name);
  return *flag;
}

Result<const JsonObject*> ObjectField(const JsonObject& object, std::string_view name) {
  const JsonObject* const field = FindObject(object, name);
  if (field == nullptr) return MessageCorrupt(name);
  return field;
}

Result<MoveState> StateField(const JsonObject& object, std::string_view name) {
  TW_TRY_ASSIGN(const std::string text, TextField(object, name));
  const std::optional<MoveState> state = ParseMoveState(text);
  if (!state) return MessageCorrupt(name);
  return *state;
}

Result<void> FromJson(const JsonObject& object, NodeRecord& node) {
  TW_TRY_ASSIGN(node.name, TextField(object, "name"));
  TW_TRY_ASSIGN(node.url, TextField(object, "url"));
  if (object.contains("draining")) {
    TW_TRY_ASSIGN(node.draining, BooleanField(object, "draining"));
  }
  TW_TRY_ASSIGN(node.sqlite, VersionField(object));
  return {};
}

Result<void> FromJson(const JsonObject& object, Registration& registration) {
  TW_TRY(FromJson(object, registration.node));
  if (!object.contains("folder")) return {};
  TW_TRY_ASSIGN(registration.folder, TextField(object, "folder"));
  TW_TRY_ASSIGN(registration.cluster, TextField(object, "cluster"));
  TW_TRY_ASSIGN(registration.replace, BooleanField(object, "replace"));
  TW_TRY_ASSIGN(registration.dry_run, BooleanField(object, "dry_run"));
  return {};
}

Result<void> FromJson(const JsonObject& object, Membership& membership) {
  TW_TRY_ASSIGN(membership.cluster, TextField(object, "cluster"));
  TW_TRY_ASSIGN(membership.url, TextField(object, "url"));
  TW_TRY_ASSIGN(membership.sqlite, VersionField(object));
  return {};
}

Result<void> FromJson(const JsonObject& object, Ownership& ownership) {
  TW_TRY_ASSIGN(ownership.owner, TextField(object, "owner"));
  TW_TRY_ASSIGN(ownership.epoch, EpochField(object, "epoch"));
  return {};
}

Result<void> FromJson(const JsonObject& object, TenantRecord& tenant) {
  TW_TRY_ASSIGN(tenant.name, TextField(object, "name"));
  TW_TRY_ASSIGN(tenant.engine, TextField(object, "engine"));
  TW_TRY(FromJson(object, tenant.ownership));
  TW_TRY_ASSIGN(tenant.created_at_ms, IntegerField(object, "created_at_ms"));
  TW_TRY_ASSIGN(tenant.move, TextField(object, "move"));
  if (object.contains("objective")) {
    TW_TRY_ASSIGN(tenant.objective, TextField(object, "objective"));
  }
  if (object.contains("quotas")) {
    TW_TRY_ASSIGN(tenant.quotas, TextField(object, "quotas"));
  }
  TW_TRY_ASSIGN(tenant.sqlite, VersionField(object));
  return {};
}

Result<void> FromJson(const JsonObject& object, MoveRecord& move) {
  TW_TRY_ASSIGN(move.id, TextField(object, "id"));
  TW_TRY_ASSIGN(move.tenant, TextField(object, "tenant"));
  TW_TRY_ASSIGN(move.source, TextField(object, "source"));
  TW_TRY_ASSIGN(move.destination, TextField(object, "destination"));
  TW_TRY_ASSIGN(move.method, TextField(object, "method"));
  TW_TRY_ASSIGN(move.epoch_before, EpochField(object, "epoch_before"));
  TW_TRY_ASSIGN(move.state, StateField(object, "state"));
  TW_TRY_ASSIGN(move.receipt, TextField(object, "receipt"));
  TW_TRY_ASSIGN(move.started_at_ms, IntegerField(object, "started_at_ms"));
  TW_TRY_ASSIGN(move.ended_at_ms, IntegerField(object, "ended_at_ms"));
  if (object.contains("options")) {
    TW_TRY_ASSIGN(move.options, TextField(object, "options"));
  }
  return {};
}

Result<void> FromJson(const JsonObject& object, SwapOutcome& outcome) {
  return OutcomeFromJson(object, outcome);
}
Result<void> FromJson(const JsonObject& object, MoveOutcome& outcome) {
  return OutcomeFromJson(object, outcome);
}

Result<void> FromJson(const JsonObject& object, Error& error) {
  TW_TRY_ASSIGN(const std::string kind, TextField(object, "kind"));
  error.kind = ErrorKind::kInternal;  // A kind that this version does not know.
  for (const ErrorKind known : kKinds)
    if (KindName(known) == kind) error.kind = known;
  TW_TRY_ASSIGN(error.code, TextField(object, "code"));
  TW_TRY_ASSIGN(error.message, TextField(object, "message"));
  TW_TRY_ASSIGN(error.action, TextField(object, "action"));
  return {};
}

}  // namespace tradewind::catalog
