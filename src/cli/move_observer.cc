#include "cli/move_observer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/move_receipt.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr runtime::Duration kSamplePause = 200ms;
constexpr runtime::Duration kDrainPause = 1s;

tl::unexpected<Error> Invalid(std::string_view text, const char* wanted) {
  return Fail(ErrorKind::kInvalid, "MOVE_PLAN_INVALID", fmt::format("'{}' makes no sense here", text),
              fmt::format("give {}", wanted));
}

Result<double> MomentIn(std::string_view text, std::string_view whole, const char* wanted) {
  const auto moment = ParseDuration(text);
  if (!moment || moment->count() < 0) return Invalid(whole, wanted);
  return std::chrono::duration<double>(*moment).count();
}

json::value NumberOrNull(const json::value& receipt, std::string_view name) {
  const json::value& member = MemberAt(receipt, name);
  return member.is_number() ? member : json::value(nullptr);
}

json::object PhaseJson(const std::string& name, double from, double to) {
  return {{"phase", name}, {"from_t", from}, {"to_t", to}};
}

// The phases in their order, from the lengths that the receipt knows; the hand-over counts to init.
json::array PhasesOf(const json::value& receipt, double from, double to) {
  const json::value& lengths = MemberAt(receipt, "phases");
  const double init = (NumberAt(lengths, "init_ms") + NumberAt(lengths, "handover_ms")) / 1e3;
  const double dual = NumberAt(lengths, "dual_ms") / 1e3;
  const double at_dual = std::min(from + init, to);
  const double at_finish = std::min(at_dual + dual, to);
  json::array phases{PhaseJson("init", from, at_dual)};
  if (MemberAt(lengths, "handover_ms").is_number()) {
    phases.push_back(PhaseJson("dual", at_dual, at_finish));
    phases.push_back(PhaseJson("finish", at_finish, to));
  }
  return phases;
}

}  // namespace

Result<PlannedMove> ParsePlannedMove(std::string_view text) {
  constexpr const char* kWanted = "a tenant, a node and a moment, such as shop:n2@10s";
  const size_t colon = text.find(':');
  const size_t at = text.find('@');
  if (colon == std::string_view::npos || at == std::string_view::npos || at < colon)
    return Invalid(text, kWanted);
  PlannedMove move{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1, at - colon - 1)),
                   0};
  if (!IsValidName(move.tenant) || !IsValidName(move.node)) return Invalid(text, kWanted);
  TW_TRY_ASSIGN(move.at_s, MomentIn(text.substr(at + 1), text, kWanted));
  return move;
}

Result<PlannedMove> ParsePlannedDrain(std::string_view text) {
  constexpr const char* kWanted = "a node and a moment, such as n1@10s";
  const size_t at = text.find('@');
  PlannedMove drain{"", std::string(text.substr(0, at)), 0};
  if (at == std::string_view::npos || !IsValidName(drain.node)) return Invalid(text, kWanted);
  TW_TRY_ASSIGN(drain.at_s, MomentIn(text.substr(at + 1), text, kWanted));
  return drain;
}

MoveObserver::MoveObserver(runtime::Core& core, AdminClient admin, std::function<double()> now_s)
    : core_(core), admin_(std::move(admin)), now_s_(std::move(now_s)), running_(core) {}

MoveObserver::~MoveObserver() = default;

void MoveObserver::Plan(const PlannedMove& move, json::object request) {
  running_.Spawn("planned move", [this, move, request = std::move(request)] {
    if (!AwaitMoment(move.at_s)) return;
    if (move.tenant.empty())
      RunDrain(move, request);
    else
      RunMove(move, request);
  });
}

bool MoveObserver::AwaitMoment(double at_s) {
  while (now_s_() < at_s) {
    const std::chrono::duration<double> left(at_s - now_s_());
    if (stopping_.WaitUntil(core_.Now() + std::chrono::ceil<std::chrono::milliseconds>(left))) return false;
  }
  return !stopping_.is_set();
}

void MoveObserver::Follow(const json::value& receipt) {
  const std::string id = TextAt(receipt, "id");
  if (id.empty() || moves_.contains(id)) return;
  Followed& followed = moves_[id];
  followed.id = id;
  followed.from_s = now_s_();
  followed.receipt = receipt;
  running_.Spawn("watch of move " + id, [this, &followed] { Watch(followed, kSamplePause); });
}

void MoveObserver::RunMove(const PlannedMove& move, const json::object& request) {
  json::object body = request;
  body["tenant"] = move.tenant;
  body["to"] = move.node;
  const double from = now_s_();
  const auto started = admin_.Post("/v1/moves", body);
  if (!started) return Complain(fmt::format("the move of {}: {}", move.tenant, Describe(started.error())));
  Follow(*started);
  moves_.at(TextAt(*started, "id")).from_s = from;
}

void MoveObserver::Watch(Followed& followed, runtime::Duration pause) {
  const std::string path = "/v1/moves/" + EscapeSegment(followed.id);
  while (true) {
    const auto receipt = admin_.Get(path);
    if (receipt) {
      followed.receipt = *receipt;
      followed.samples.push_back({now_s_(), *receipt});
      if (MoveHasEnded(*receipt)) break;
    }
    if (abandoned_.WaitUntil(core_.Now() + pause)) return;
  }
  followed.to_s = now_s_();
}

// The moves of a drain are found in the list of all: each second is enough for them.
void MoveObserver::RunDrain(const PlannedMove& drain, const json::object& request) {
  const std::string path = "/v1/nodes/" + EscapeSegment(drain.node) + "/drain";
  json::object body;
  for (const char* name : {"rate_bytes_per_s", "setpoint_ms", "signal"})
    if (const json::value* value = request.if_contains(name)) body[name] = *value;
  const auto fail = [&](const std::string& why) {
    drain_failed_ = true;
    Complain(fmt::format("the drain of {}{}", drain.node, why));
  };
  const auto before = ListMoves();
  if (!before) return fail(": " + Describe(before.error()));
  Drain drained{.node = drain.node, .from_s = now_s_(), .earlier = {}};
  for (const json::value& receipt : *before) drained.earlier.insert(TextAt(receipt, "id"));
  auto progress = admin_.Post(path, body);
  if (!progress) return fail(": " + Describe(progress.error()));
  while (!stopping_.is_set() && (!progress || TextAt(*progress, "state") == "draining")) {
    // What fails now may succeed at the next look.
    static_cast<void>(RefreshMovesOf(drained));
    stopping_.WaitUntil(core_.Now() + kDrainPause);
    progress = admin_.Get(path);
  }
  if (const auto listed = RefreshMovesOf(drained); !listed) return fail(": " + Describe(listed.error()));
  if (!progress || TextAt(*progress, "state") != "drained") fail(" did not end");
}

Result<json::array> MoveObserver::ListMoves() {
  TW_TRY_ASSIGN(const json::value answer, admin_.Get("/v1/moves"));
  const json::array* moves = MemberAt(answer, "moves").if_array();
  if (!moves) return Fail(ErrorKind::kCorrupt, "NO_MOVES", "the answer to /v1/moves has no moves");
  return *moves;
}

Result<void> MoveObserver::RefreshMovesOf(const Drain& drain) {
  TW_TRY_ASSIGN(const json::array moves, ListMoves());
  const double now = now_s_();
  const int64_t unix_now = core_.UnixMilliseconds();
  // The clock of the catalog's node may be another one.
  const auto to_run = [&](double unix_ms) {
    return std::clamp(now - (static_cast<double>(unix_now) - unix_ms) / 1e3, drain.from_s, now);
  };
  for (const json::value& receipt : moves) {
    const std::string id = TextAt(receipt, "id");
    if (TextAt(receipt, "source") != drain.node || drain.earlier.contains(id)) continue;
    Followed& followed = moves_[id];
    if (followed.to_s) continue;
    followed.id = id;
    followed.from_s = to_run(NumberAt(receipt, "started_at"));
    followed.receipt = receipt;
    followed.samples.push_back({now, receipt});
    if (MoveHasEnded(receipt)) followed.to_s = to_run(NumberAt(receipt, "ended_at"));
  }
  return {};
}

void MoveObserver::Join() {
  stopping_.Set();
  running_.Join();
}

void MoveObserver::Abandon() {
  abandoned_.Set();
  Join();
}

bool MoveObserver::ok() const {
  return !drain_failed_ && complaints_.empty() &&
         std::all_of(moves_.begin(), moves_.end(), [](const auto& entry) {
           const json::value& receipt = entry.second.receipt;
           return TextAt(receipt, "phase") == "done" && FlagAt(receipt, "verified");
         });
}

std::vector<MoveObserver::Span> MoveObserver::spans() const {
  std::vector<Span> spans;
  for (const auto& [id, followed] : moves_)
    spans.push_back({followed.from_s, followed.to_s.value_or(now_s_())});
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.from_s < b.from_s; });
  return spans;
}

const json::value* MoveObserver::running() const {
  for (const auto& [id, followed] : moves_)
    if (!followed.to_s) return &followed.receipt;
  return nullptr;
}

json::array MoveObserver::Json() const {
  std::vector<const Followed*> ordered;
  for (const auto& [id, followed] : moves_) ordered.push_back(&followed);
  std::sort(ordered.begin(), ordered.end(),
            [](const Followed* a, const Followed* b) { return a->from_s < b->from_s; });
  json::array moves;
  for (const Followed* move : ordered) {
    json::array samples;
    double last_t = move->from_s;
    double last_bytes = 0;
    for (const Sample& sample : move->samples) {
      const double bytes = NumberAt(sample.receipt, "bytes_sent");
      const double seconds = sample.t - last_t;
      samples.push_back(
          json::object{{"t", sample.t},
                       {"phase", TextAt(sample.receipt, "phase")},
                       {"rate_bytes_per_s", NumberAt(sample.receipt, "rate_bytes_per_s")},
                       {"sent_bytes_per_s", seconds > 0 ? std::max(0.0, bytes - last_bytes) / seconds : 0},
                       {"p95_ms", NumberOrNull(sample.receipt, "p95_ms")},
                       {"setpoint_ms", NumberOrNull(sample.receipt, "setpoint_ms")},
                       {"pages_pulled", NumberAt(MemberAt(sample.receipt, "pages"), "pulled")},
                       {"pages_pushed", NumberAt(MemberAt(sample.receipt, "pages"), "pushed")},
                       {"limited_by", MemberAt(sample.receipt, "limited_by")}});
      last_t = sample.t;
      last_bytes = bytes;
    }
    const double to = move->to_s.value_or(now_s_());
    moves.push_back(json::object{{"id", move->id},
                                 {"tenant", TextAt(move->receipt, "tenant")},
                                 {"source", TextAt(move->receipt, "source")},
                                 {"destination", TextAt(move->receipt, "destination")},
                                 {"method", TextAt(move->receipt, "method")},
                                 {"from_t", move->from_s},
                                 {"to_t", move->to_s ? json::value(*move->to_s) : json::value(nullptr)},
                                 {"phases", PhasesOf(move->receipt, move->from_s, to)},
                                 {"samples", std::move(samples)},
                                 {"receipt", move->receipt}});
  }
  return moves;
}

}  // namespace tradewind::cli
