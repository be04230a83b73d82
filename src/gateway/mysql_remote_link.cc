#include "gateway/mysql_remote_link.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "gateway/mysql_frames.h"

namespace tradewind::gateway {

namespace {

// What the link and the fiber that reads for it share.
struct Shared {
  Shared(std::unique_ptr<runtime::Connection> the_peer, std::string unread)
      : peer(std::move(the_peer)), frames(*peer, std::move(unread)) {}

  const std::unique_ptr<runtime::Connection> peer;
  MysqlFrameReader frames;
  MysqlLinkObserver* observer = nullptr;  // Null once the link has gone.
  std::string data = {};                  // Of the server, not read yet.
  tenant::Gate gate = tenant::Gate::kOpen;
  std::optional<Result<void>> admission = {};
  std::optional<Error> ended = {};
  runtime::WaitQueue changed = {};
};

void TakeFrame(Shared& shared, MysqlFrameReader::Frame frame) {
  switch (frame.kind) {
    case MysqlFrame::kData:
      runtime::WaitFor(shared.changed,
                       [&] { return !shared.observer || shared.data.size() < limits::kMysqlLinkBytes; });
      shared.data += frame.payload;
      break;
    case MysqlFrame::kGate:
      // A gate that is not known is closed.
      shared.gate =
          frame.payload == std::string(1, static_cast<char>(tenant::Gate::kOpen))    ? tenant::Gate::kOpen
          : frame.payload == std::string(1, static_cast<char>(tenant::Gate::kMoved)) ? tenant::Gate::kMoved
                                                                                     : tenant::Gate::kParked;
      if (shared.observer) shared.observer->OnGate();
      break;
    case MysqlFrame::kAdmitted: shared.admission.emplace(); break;
    case MysqlFrame::kFailed: shared.admission.emplace(Fail(DecodeError(frame.payload))); break;
    default:
      shared.ended =
          Error{ErrorKind::kIo, "MYSQL_SESSION_ENDED", "the tenant's node has ended the session", ""};
  }
  shared.changed.NotifyAll();
}

void ReadFrames(const std::shared_ptr<Shared>& shared) {
  while (!shared->ended) {
    auto frame = shared->frames.Next();
    if (frame)
      TakeFrame(*shared, *std::move(frame));
    else
      shared->ended = frame.error();
  }
  shared->changed.NotifyAll();
  if (shared->observer) shared->observer->OnEnd();
}

class RemoteLink final : public MysqlLink, private runtime::Connection {
 public:
  explicit RemoteLink(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~RemoteLink() override {
    shared_->observer = nullptr;
    shared_->peer->Close();
    shared_->changed.NotifyAll();
  }

  // -- MysqlLink
  runtime::Connection& server() override { return *this; }
  Result<void> Begin(bool counts) override {
    if (begun_) return {};
    shared_->admission.reset();
    TW_TRY(Send(MysqlFrame::kBegin, counts ? "" : kBeginsNothing));
    runtime::WaitFor(shared_->changed, [&] { return shared_->admission || shared_->ended; });
    if (!shared_->admission) return Fail(*shared_->ended);
    begun_ = shared_->admission->has_value();
    return *shared_->admission;
  }
  void Asked(size_t bytes) override { AppendFrame(outgoing_, MysqlFrame::kAsked, EncodeLength(bytes)); }
  void Answered(bool open, bool tied) override {
    begun_ = open;
    const auto flags = static_cast<char>((open ? kAnsweredOpen : 0) | (tied ? kAnsweredTied : 0));
    // A connection that is lost says so at the next request.
    static_cast<void>(Send(MysqlFrame::kAnswered, std::string_view(&flags, 1)));
  }
  tenant::Gate gate() const override { return shared_->gate; }

 private:
  // -- Connection: the server's
  Result<size_t> Read(MutableBytes into) override {
    if (!runtime::WaitForUntil(shared_->changed, read_deadline_,
                               [&] { return !shared_->data.empty() || shared_->ended; }))
      return Fail(ErrorKind::kTimeout, "MYSQL_SERVER_SILENT", "the tenant's server does not answer in time");
    const size_t count = std::min(into.size(), shared_->data.size());
    std::memcpy(into.data(), shared_->data.data(), count);
    shared_->data.erase(0, count);
    shared_->changed.NotifyAll();
    return count;
  }
  Result<void> Write(Bytes bytes) override {
    std::string_view left(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!left.empty()) {
      const std::string_view piece = left.substr(0, limits::kMysqlDataFrameBytes);
      left.remove_prefix(piece.size());
      TW_TRY(Send(MysqlFrame::kData, piece));
    }
    return {};
  }
  void SetReadDeadline(runtime::TimePoint deadline) override { read_deadline_ = deadline; }
  void SetWriteDeadline(runtime::TimePoint deadline) override { shared_->peer->SetWriteDeadline(deadline); }
  void Close() override { shared_->peer->Close(); }
  runtime::Address peer() const override { return shared_->peer->peer(); }

  Result<void> Send(MysqlFrame kind, std::string_view payload) {
    AppendFrame(outgoing_, kind, payload);
    return shared_->peer->Write(AsBytes(std::exchange(outgoing_, {})));
  }

  const std::shared_ptr<Shared> shared_;
  std::string outgoing_;
  bool begun_ = false;
  runtime::TimePoint read_deadline_ = runtime::TimePoint::max();
};

}  // namespace

Result<mysql::OrRefused<MysqlOpened>> OpenRemoteLink(runtime::TaskGroup& fibers,
                                                     net::UpgradedConnection upgraded,
                                                     const MysqlLinkCall& call, MysqlLinkObserver& observer,
                                                     runtime::TimePoint deadline) {
  const auto shared =
      std::make_shared<Shared>(std::move(upgraded.connection), std::move(upgraded.already_read));
  std::string hello;
  AppendFrame(hello, MysqlFrame::kLogin, EncodeLinkCall(call));
  shared->peer->SetReadDeadline(deadline);
  shared->peer->SetWriteDeadline(deadline);
  TW_TRY(shared->peer->Write(AsBytes(hello)));
  for (;;) {
    TW_TRY_ASSIGN(const auto frame, shared->frames.Next());
    switch (frame.kind) {
      case MysqlFrame::kGate: continue;  // The first request finds it out.
      case MysqlFrame::kFailed: return Fail(DecodeError(frame.payload));
      case MysqlFrame::kRefused: {
        TW_TRY_ASSIGN(mysql::ErrorPacket refusal, mysql::ParseError(frame.payload));
        return mysql::OrRefused<MysqlOpened>(std::move(refusal));
      }
      case MysqlFrame::kOpened: {
        TW_TRY_ASSIGN(mysql::LoggedIn at_server, DecodeLoggedIn(frame.payload));
        shared->peer->SetReadDeadline(runtime::TimePoint::max());
        shared->peer->SetWriteDeadline(runtime::TimePoint::max());
        shared->observer = &observer;
        fibers.Spawn("mysql link", [shared] { ReadFrames(shared); });
        return mysql::OrRefused<MysqlOpened>(
            MysqlOpened{std::make_unique<RemoteLink>(shared), std::move(at_server)});
      }
      default: return MysqlLinkConfused();
    }
  }
}

}  // namespace tradewind::gateway
