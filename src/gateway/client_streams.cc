#include "gateway/client_streams.h"

#include <utility>

#include "base/limits.h"
#include "hrana/error_codes.h"

namespace tradewind::gateway {

ClientStreams::ClientStreams(runtime::Core& core, GatewayId id, runtime::Duration most_idle,
                             std::function<void(const Pointer&)> close)
    : core_(core),
      id_(std::move(id)),
      most_idle_(most_idle),
      next_id_(core.number() == 0 ? core.siblings().size() : core.number()),  // 0 is none.
      table_(core, "client streams", most_idle, [this, close = std::move(close)](const Pointer& idle) {
        Remember(idle->id, Ending::kIdle);
        close(idle);
      }) {}

ClientStreams::~ClientStreams() = default;

ClientStreams::Pointer ClientStreams::Open(const Permit& permit) {
  auto stream = std::make_shared<ClientStream>();
  stream->id = std::exchange(next_id_, next_id_ + core_.siblings().size());
  stream->at_owner.tenant = permit.tenant;
  stream->at_owner.rights = permit.rights;
  table_.Add(stream);
  return stream;
}

Result<ClientStreams::Pointer> ClientStreams::Acquire(const Baton& baton, const Permit& permit) {
  if (baton.gateway != id_)
    return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
                "node " + baton.node +
                    ", which held the stream, has been restarted since; a transaction that the stream had "
                    "open was rolled back",
                "open a new one");
  Pointer stream = table_.Find(baton.stream);
  if (!stream) {
    if (baton.stream == 0 || baton.stream >= next_id_) return BadBaton();
    return Expired(baton.stream);
  }
  if (stream->baton != baton.text || stream->at_owner.tenant != permit.tenant || !table_.Acquire(*stream))
    return BadBaton();
  stream->at_owner.rights = permit.rights;
  return stream;
}

ClientStreams::Pointer ClientStreams::AcquireUnused(uint64_t id, const std::string& baton) {
  Pointer stream = table_.Find(id);
  return stream && stream->baton == baton && table_.Acquire(*stream) ? stream : nullptr;
}

const std::string& ClientStreams::MakeNextBaton(ClientStream& stream) {
  return stream.baton = MakeBaton(core_, id_, stream.id);
}

void ClientStreams::End(const ClientStream& stream, Ending ending) {
  if (table_.StateOf(stream) != StreamState::kExpired) table_.Expire(stream);
  // Without a baton nobody can come to ask.
  if (!stream.baton.empty()) Remember(stream.id, ending);
}

void ClientStreams::Remember(uint64_t id, Ending ending) {
  endings_[id] = ending;
  if (endings_.size() > limits::kRememberedStreams) endings_.erase(endings_.begin());
}

tl::unexpected<Error> ClientStreams::Expired(uint64_t id) const {
  const std::string idle = WasIdleFor(most_idle_);
  std::string what = "was closed, or failed, or " + idle;
  if (const auto found = endings_.find(id); found != endings_.end()) {
    switch (found->second) {
      case Ending::kClosed: what = "was closed"; break;
      case Ending::kFailed: what = "ended with the request before, which failed"; break;
      case Ending::kIdle: what = idle; break;
    }
  }
  return Fail(ErrorKind::kInvalid, std::string(hrana::kStreamExpired),
              "the stream " + what + "; a transaction that it had open was rolled back", "open a new one");
}

std::shared_ptr<uint64_t> ClientStreams::StoredSqlOf(const TenantName& tenant) {
  if (auto known = stored_sql_[tenant].lock()) return known;
  std::erase_if(stored_sql_, [](const auto& entry) { return entry.second.expired(); });
  auto counted = std::make_shared<uint64_t>(0);
  stored_sql_[tenant] = counted;
  return counted;
}

void ClientStreams::Stop() {
  table_.Stop();
  for (const Pointer& stream : table_.Select([](const ClientStream&) { return true; }))
    if (table_.Acquire(*stream)) table_.Expire(*stream);
}

}  // namespace tradewind::gateway
