#include "admin/move_calls.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "admin/admin_request.h"
#include "base/limits.h"
#include "move/catalog_receipt.h"
#include "move/moves.h"
#include "move/receipt.h"
#include "net/api_error.h"
#include "runtime/fiber.h"

namespace tradewind::admin {

namespace {

std::string CodeOf(const net::Answer& answer) {
  if (!answer) return answer.error().code;
  return answer->status >= 400 ? net::ParseErrorResponse(*answer).code : std::string();
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ",") + text;
  return joined;
}

tl::unexpected<Error> NotHere(const MoveId& id, const NodeName& node) {
  return Fail(ErrorKind::kUnavailable, "MOVE_NOT_HERE",
              "move " + id + " is not under way at node " + node + " just now", "try again");
}

}  // namespace

const NodeName& SenderOf(const catalog::MoveRecord& record) {
  return record.state == catalog::MoveState::kReverse ? record.destination : record.source;
}

net::Answer AskSender(runtime::Core& core, const MoveId& id,
                      const std::function<Result<catalog::MoveRecord>()>& look,
                      const std::function<net::Answer(const NodeName&)>& ask, runtime::TimePoint deadline) {
  runtime::Duration pause = limits::kLocatePause;
  while (true) {
    TW_TRY_ASSIGN(const catalog::MoveRecord record, look());
    if (catalog::IsOver(record.state))
      return Fail(ErrorKind::kRefused, "MOVE_OVER",
                  "move " + id + " is over: " + std::string(catalog::MoveStateName(record.state)),
                  "tradewind move show " + id + " has its receipt");
    const NodeName& sender = SenderOf(record);
    net::Answer answer = ask(sender);
    std::string code = CodeOf(answer);
    const bool elsewhere = code == "MOVE_OWNED_BY_DESTINATION" || code == gateway::kPeerUnreachableCode;
    if (elsewhere && sender != record.destination) {
      net::Answer there = ask(record.destination);
      const std::string code_there = CodeOf(there);
      // Of two that cannot do it, the sender says best why.
      if (code != gateway::kPeerUnreachableCode || code_there.empty()) {
        answer = std::move(there);
        code = code_there;
      }
    }
    const bool again = code == "MOVE_SWAPPING" || code == "MOVE_NOT_HERE" || code == "MOVE_OVER";
    if (!again || core.Now() + pause >= deadline) {
      if (code == "MOVE_NOT_HERE") return NotHere(id, sender);
      return answer;
    }
    runtime::SleepFor(pause);
    pause = std::min<runtime::Duration>(pause * 2, limits::kLocatePauseLongest);
  }
}

net::Answer MoveCalls::AtSender(const net::HttpRequest& request, const MoveId& id,
                                const std::function<net::Answer()>& here) {
  if (gateway::IsForwarded(request)) return here();
  return AskSender(
      member_.core, id, [&] { return member_.catalog.GetMove(id); },
      [&](const NodeName& node) {
        return node == member_.self ? here() : forwarding_.Send(node, request, limits::kForwardedCall);
      },
      member_.core.Now() + limits::kSwappingWait);
}

net::Answer MoveCalls::Cancel(const net::HttpRequest& request, const MoveId& id) {
  TW_TRY(ParseNothing(request.body));
  return AtSender(request, id, [&]() -> net::Answer {
    TW_TRY_ASSIGN(const move::Receipt receipt,
                  tenants_.AtMove(id, [&](gateway::CoreTenants& home) { return home.moves.Cancel(id); }));
    return net::HttpResponse::Json(202, move::ToJson(receipt));
  });
}

net::Answer MoveCalls::Set(const net::HttpRequest& request, const MoveId& id) {
  TW_TRY_ASSIGN(const SetMoveRequest set, ParseSetMove(request.body));
  return AtSender(request, id, [&]() -> net::Answer {
    TW_TRY_ASSIGN(const move::Receipt receipt, tenants_.AtMove(id, [&](gateway::CoreTenants& home) {
      move::OutgoingMoves& sent = home.moves.outgoing();
      return set.verify_again ? sent.VerifyAgain(id) : sent.SetPace(id, set.pace);
    }));
    return net::HttpResponse::Json(200, move::ToJson(receipt));
  });
}

std::string MoveCalls::ReceiptNow(const catalog::MoveRecord& record, bool& sender_is_away) {
  if (move::IsComplete(record)) return move::ReceiptOf(record);
  const NodeName& sender = SenderOf(record);
  std::string waiting_for;
  if (sender == member_.self) {
    if (const auto live = tenants_.LiveReceipt(record.id)) return *live;
  } else if (!sender_is_away) {
    net::HttpRequest ask;
    ask.target = "/v1/moves/" + record.id;
    const net::Answer answer = forwarding_.Send(sender, ask, limits::kNodeProbe);
    if (answer && answer->status == 200) return answer->body;
    sender_is_away = !answer;
  }
  // Perhaps it has ended meanwhile. Or its sender was restarted and has not taken it up again.
  const auto again = member_.catalog.GetMove(record.id);
  const catalog::MoveRecord& newest = again ? *again : record;
  if (catalog::IsOver(newest.state)) return move::ReceiptOf(newest);
  if (sender_is_away)
    waiting_for = "node " + sender + ", the " + (sender == record.source ? "source" : "destination") +
                  ", which cannot be reached";
  else
    waiting_for = "node " + sender + ", which has yet to take the move up";
  return move::ReceiptOf(newest, waiting_for);
}

net::Answer MoveCalls::Show(const net::HttpRequest& request, const MoveId& id) {
  if (gateway::IsForwarded(request)) {
    if (const auto live = tenants_.LiveReceipt(id)) return net::HttpResponse::Json(200, *live);
    return NotHere(id, member_.self);
  }
  const auto record = member_.catalog.GetMove(id);
  if (!record) {
    // What runs here can be shown without the catalog.
    if (const auto live = tenants_.LiveReceipt(id)) return net::HttpResponse::Json(200, *live);
    return Fail(record.error());
  }
  bool sender_is_away = false;
  return net::HttpResponse::Json(200, ReceiptNow(*record, sender_is_away));
}

// The moves of one sender are asked for one after the other, all senders at once.
net::Answer MoveCalls::List() {
  TW_TRY_ASSIGN(auto records, member_.catalog.ListMoves());
  TW_TRY_ASSIGN(const auto live, member_.catalog.ListLiveMoves());
  std::set<MoveId> listed;
  for (const catalog::MoveRecord& record : records) listed.insert(record.id);
  for (const catalog::MoveRecord& record : live)  // Begun so long ago that they are not among the newest.
    if (!listed.contains(record.id)) records.push_back(record);

  std::vector<std::string> receipts(records.size());
  std::map<NodeName, std::vector<size_t>> of_sender;
  for (size_t i = 0; i < records.size(); ++i) of_sender[SenderOf(records[i])].push_back(i);
  runtime::TaskGroup senders(member_.core);
  for (const auto& [sender, indexes] : of_sender) {
    const std::vector<size_t>& of_this = indexes;
    senders.Spawn("moves of " + sender, [this, &records, &receipts, &of_this] {
      bool sender_is_away = false;
      for (const size_t i : of_this) {
        receipts[i] = ReceiptNow(records[i], sender_is_away);
        if (i % 32 == 0) runtime::Yield();
      }
    });
  }
  senders.Join();
  return net::HttpResponse::Json(200, "{\"moves\":[" + Joined(receipts) + "]}");
}

}  // namespace tradewind::admin
