#include "gateway/forwarding.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "net/api_error.h"
#include "net/seal.h"
#include "runtime/fiber.h"
#include "tenant/tenant.h"

namespace tradewind::gateway {

namespace {

// What a call fails with here when its tenant went away between the look into the catalog and the call;
// nothing was done then.
bool SaysNotHere(const Error& error) {
  static constexpr std::array<std::string_view, 3> kCodes = {tenant::kNotHereCode, tenant::kMovedCode,
                                                             "OWNER_CHANGED"};
  return std::find(kCodes.begin(), kCodes.end(), error.code) != kCodes.end();
}

tl::unexpected<Error> MovedAway(const TenantName& tenant, const NodeName& from) {
  return Fail(ErrorKind::kUnavailable, std::string(kMovedAwayCode),
              "tenant " + tenant + " is not on node " + from + " now", "try again");
}

Error Explain(const NodeName& to, Error error) {
  if (error.code == "NODE_UNREACHABLE")
    return Error{ErrorKind::kUnavailable, std::string(kPeerUnreachableCode),
                 "node " + to + ", which has to do this, cannot be reached",
                 "start it, or see tradewind node list"};
  if (error.code == "ANSWER_LOST")
    return Error{ErrorKind::kTimeout, "PEER_ANSWER_LOST",
                 "node " + to + " was asked and its answer was lost; it may have done this",
                 "look whether it did before you repeat it"};
  return error;
}

std::string CodeOf(const net::Answer& answer) {
  if (!answer) return answer.error().code;
  return answer->status == 503 ? net::ParseErrorResponse(*answer).code : std::string();
}

}  // namespace

bool IsForwarded(const net::HttpRequest& request) {
  return request.headers.Has(net::kForwardedField);
}

net::Answer Forwarding::Send(const NodeName& to, const net::HttpRequest& request,
                             runtime::Duration patience) {
  net::HttpRequest call;
  call.method = request.method;
  call.target = request.target;
  call.headers = request.headers;
  call.headers.Set(net::kForwardedField, "1");
  call.body = request.body;
  call.idempotent = request.method == "GET";
  net::Answer answer = directory_.Call(to, std::move(call), member_.core.Now() + patience);
  if (!answer) return Fail(Explain(to, std::move(answer).error()));
  return answer;
}

net::Answer Forwarding::AtNode(const NodeName& to, const net::HttpRequest& request,
                               runtime::Duration patience, const std::function<net::Answer()>& here) {
  member_.core.AssertHere();
  if (to == member_.self) return here();
  if (IsForwarded(request))
    return Fail(ErrorKind::kUnavailable, "WRONG_NODE", "this is node " + member_.self + " and not " + to,
                "check the addresses of the nodes (tradewind node list)");
  return Send(to, request, patience);
}

net::Answer Forwarding::TryAtOwner(const catalog::TenantRecord& record, const net::HttpRequest& request,
                                   runtime::Duration patience, const AtHome& here) {
  const NodeName& owner = record.ownership.owner;
  if (owner != member_.self) {
    if (IsForwarded(request)) return MovedAway(record.name, member_.self);
    return Send(owner, request, patience);
  }
  // The catalog is a moment ahead of a destination that has not heard of its own swap yet.
  if (!tenants_.Knows(record.name)) {
    note_if_lost_(record.name);
    if (!tenants_.Knows(record.name)) return MovedAway(record.name, member_.self);
  }
  net::Answer answer = here(record);
  if (!answer && SaysNotHere(answer.error())) return MovedAway(record.name, member_.self);
  return answer;
}

net::Answer Forwarding::AtOwner(const TenantName& tenant, const net::HttpRequest& request,
                                runtime::Duration patience, const AtHome& here) {
  member_.core.AssertHere();
  const runtime::TimePoint deadline = member_.core.Now() + limits::kNodeCall;
  runtime::Duration pause = limits::kLocatePause;
  bool was_unreachable = false;
  while (true) {
    TW_TRY_ASSIGN(const catalog::TenantRecord record, member_.catalog.GetTenant(tenant));
    net::Answer answer = TryAtOwner(record, request, patience, here);
    const std::string code = CodeOf(answer);
    // A node that was restarted may have another address, which the directory looks up the second time.
    const bool unreachable = code == kPeerUnreachableCode;
    const bool again = code == kMovedAwayCode || (unreachable && !was_unreachable);
    if (!again || IsForwarded(request) || member_.stopping() || member_.core.Now() + pause >= deadline)
      return answer;
    was_unreachable |= unreachable;
    runtime::SleepFor(pause);
    pause = std::min<runtime::Duration>(pause * 2, limits::kLocatePauseLongest);
  }
}

}  // namespace tradewind::gateway
