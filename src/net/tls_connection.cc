#include "net/tls_connection.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/ids.h"
#include "base/limits.h"
#include "runtime/detached_connection.h"
#include "runtime/turns.h"

namespace tradewind::net {
namespace {

// A record's largest payload; and what is encrypted before the transport gets it.
constexpr size_t kRecordBytes = 16u << 10;
constexpr size_t kWrittenAtOnce = 4 * kRecordBytes;
// What is read at once where the caller's buffer is smaller.
constexpr size_t kLeastReceived = 1u << 10;
// Types of records, the first byte on the wire (RFC 8446, 5.1): what a peer begins with that speaks TLS.
constexpr char kAlertRecord = 21;
constexpr char kHandshakeRecord = 22;

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// What a connection has agreed on, and what is on its way. It goes from core to core.
struct Agreed {
  std::shared_ptr<const TlsIdentity> identity;  // Of a server; null for a client.
  std::string_view plain_answer;
  std::string host;                   // Of a client's server.
  std::unique_ptr<SSL, FreeSsl> ssl;  // Null before the handshake of a server.
  std::string received;               // Of the transport's bytes, for OpenSSL;
  size_t taken = 0;                   // it has had so many of them.
  std::string to_send;                // From OpenSSL, for the transport.
  bool established = false;
  bool began = false;        // Something has come.
  bool end_is_said = false;  // By this side.
  std::optional<Error> failure;
};

// OpenSSL keeps the errors of a thread, and tells by them why a call has failed. To clear none takes it as long as to clear
// many, which is a tenth of a small request.
void ForgetErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// -- OpenSSL's view of the transport: two buffers that never wait.

Agreed& AgreedOf(BIO* bio) {
  return *static_cast<Agreed*>(BIO_get_data(bio));
}

int TakeReceived(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  Agreed& agreed = AgreedOf(bio);
  const size_t count = std::min(agreed.received.size() - agreed.taken, static_cast<size_t>(size));
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, agreed.received.data() + agreed.taken, count);
  agreed.taken += count;
  return static_cast<int>(count);
}

int AddToSend(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  try {
    AgreedOf(bio).to_send.append(bytes, static_cast<size_t>(size));
  } catch (const std::bad_alloc&) {
    return -1;  // Through OpenSSL no exception passes.
  }
  return size;
}

long Control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* NewMethod() {
  BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fiber");
  TW_CHECK(method && BIO_meth_set_read(method, &TakeReceived) == 1 &&
               BIO_meth_set_write(method, &AddToSend) == 1 && BIO_meth_set_ctrl(method, &Control) == 1,
           "OpenSSL takes other transports");
  return method;
}

Result<void> Begin(Agreed& agreed, SSL_CTX* context) {
  static BIO_METHOD* const method = NewMethod();
  agreed.ssl.reset(SSL_new(context));
  BIO* const bio = agreed.ssl ? BIO_new(method) : nullptr;
  if (!bio)
    return Fail(ErrorKind::kUnavailable, "TLS_MEMORY", "there is no memory for a connection that speaks TLS",
                "try again");
  BIO_set_data(bio, &agreed);
  BIO_set_init(bio, 1);
  SSL_set_bio(agreed.ssl.get(), bio, bio);
  return {};
}

// -- What went wrong

std::string Reason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "no reason is known";
}

Error NotSpoken(const std::string& peer, bool is_server) {
  return {ErrorKind::kUnavailable, "TLS_NOT_SPOKEN",
          is_server ? "what " + peer + " has sent is no TLS" : peer + " does not speak TLS",
          is_server ? "use https://" : "use http://, if what passes may be read by others"};
}

// Of a server's certificate.
Error NotBelieved(const std::string& peer, const std::string& host, long why) {
  const std::string whose = "the certificate of " + peer;
  switch (why) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {ErrorKind::kUnavailable, "TLS_CERTIFICATE_EXPIRED", whose + " has expired",
              "renew it there, and send that node a SIGHUP"};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {ErrorKind::kUnavailable, "TLS_CERTIFICATE_NOT_YET_VALID", whose + " is not valid yet",
              "look whether the clocks of both machines are right"};
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {ErrorKind::kUnavailable, "TLS_WRONG_NAME", whose + " is not one for " + host,
              "use a name that is in it (subjectAltName), or add " + host + " to it"};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {ErrorKind::kUnavailable, "TLS_UNKNOWN_CA", whose + " comes from a CA that is not known here",
              "give that CA's certificate with --tls-ca FILE"};
    default:
      return {ErrorKind::kUnavailable, "TLS_CERTIFICATE_REFUSED",
              whose + " is not believed: " + X509_verify_cert_error_string(why),
              "look at it with: openssl x509 -noout -text -in FILE"};
  }
}

class TlsConnection final : public runtime::Connection, public runtime::Detachable {
 public:
  TlsConnection(runtime::Core& core, std::unique_ptr<runtime::Connection> below,
                std::unique_ptr<Agreed> agreed)
      : core_(core), below_(std::move(below)), agreed_(std::move(agreed)) {}
  ~TlsConnection() override { Close(); }
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Suspends until the handshake is over, which has until then.
  Result<void> Establish(runtime::TimePoint deadline);

  Result<size_t> Read(MutableBytes into) override;
  void ExpectAtLeast(size_t bytes) override { expected_ = bytes; }
  Result<void> Write(Bytes bytes) override;
  void SetReadDeadline(runtime::TimePoint deadline) override {
    read_deadline_ = deadline;
    below_->SetReadDeadline(std::min(deadline, established_by_));
  }
  void SetWriteDeadline(runtime::TimePoint deadline) override {
    write_deadline_ = deadline;
    below_->SetWriteDeadline(std::min(deadline, established_by_));
  }
  PeerState peer_state() override { return below_->peer_state(); }
  size_t WriteNow(Bytes bytes) override;
  void EndOutput() override;
  void Close() override;
  runtime::Address peer() const override { return below_->peer(); }
  std::optional<runtime::TimePoint> arrived() const override { return below_->arrived(); }

  std::unique_ptr<runtime::DetachedConnection> Detach() override;

 private:
  SSL* ssl() { return agreed_->ssl.get(); }
  bool is_server() const { return agreed_->identity != nullptr; }
  Result<void> Shake();
  Result<void> RefuseOther();
  Result<void> Receive(MutableBytes scratch);
  Result<std::optional<size_t>> Decrypt(MutableBytes into);
  Result<void> Encrypt(Bytes bytes);
  Result<void> Flush();
  void FlushNow();
  void SayEnd();
  Error HandshakeError();
  tl::unexpected<Error> Broken(Error error) {
    agreed_->failure = error;
    return Fail(std::move(error));
  }
  tl::unexpected<Error> Closed() const {
    return Fail(ErrorKind::kIo, "CONNECTION_CLOSED",
                "the connection with " + peer().ToString() + " was closed here");
  }

  runtime::Core& core_;
  const std::unique_ptr<runtime::Connection> below_;
  std::unique_ptr<Agreed> agreed_;
  runtime::TimePoint read_deadline_ = runtime::TimePoint::max();
  runtime::TimePoint write_deadline_ = runtime::TimePoint::max();
  runtime::TimePoint established_by_ = runtime::TimePoint::max();
  size_t expected_ = 1;
  bool shaking_ = false;  // A fiber is at the handshake.
  bool writing_ = false;  // A fiber is in a write of the transport.
  bool closed_ = false;
};

// -- The handshake

Result<void> TlsConnection::Establish(runtime::TimePoint deadline) {
  if (agreed_->established) return {};
  if (closed_) return Closed();
  if (agreed_->failure) return Fail(*agreed_->failure);
  TW_CHECK(!std::exchange(shaking_, true), "two fibers use a connection before its handshake is over");
  established_by_ = deadline;
  SetReadDeadline(read_deadline_);
  SetWriteDeadline(write_deadline_);
  Result<void> shaken = Shake();
  if (!shaken && shaken.error().kind == ErrorKind::kTimeout && core_.Now() >= established_by_)
    shaken = Fail(ErrorKind::kTimeout, "TLS_HANDSHAKE_TIMEOUT",
                  "the TLS handshake with " + peer().ToString() + " took too long");
  established_by_ = runtime::TimePoint::max();
  SetReadDeadline(read_deadline_);
  SetWriteDeadline(write_deadline_);
  shaking_ = false;
  if (!shaken) return Broken(shaken.error());
  agreed_->established = true;
  return {};
}

Result<void> TlsConnection::Shake() {
  std::array<std::byte, 4 * kLeastReceived> scratch;
  if (is_server()) {
    if (agreed_->received.empty()) TW_TRY(Receive(scratch));
    agreed_->began = true;
    TW_TRY(RefuseOther());
    TW_TRY(Begin(*agreed_, agreed_->identity->context().get()));
    SSL_set_accept_state(ssl());
  }
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl());
    const int why = SSL_get_error(ssl(), done);
    std::optional<Error> error;
    if (done != 1 && why != SSL_ERROR_WANT_READ) error = HandshakeError();
    // The peer hears of a failure too.
    const Result<void> flushed = Flush();
    if (error) return Fail(*std::move(error));
    TW_TRY(flushed);
    if (done == 1) return {};
    const bool is_first = !agreed_->began;
    TW_TRY(Receive(scratch));
    if (is_first) TW_TRY(RefuseOther());
    runtime::YieldIfTurnIsOver();
  }
}

// Fails if what has come first is no TLS.
Result<void> TlsConnection::RefuseOther() {
  const char first = agreed_->received.front();
  if (first == kHandshakeRecord || (first == kAlertRecord && !is_server())) return {};
  if (!agreed_->plain_answer.empty() && std::isalpha(static_cast<unsigned char>(first)) != 0) {
    TW_TRY(below_->Write(AsBytes(agreed_->plain_answer)));
    // A close with bytes unread would reset the connection, and take the answer back.
    below_->EndOutput();
    below_->SetReadDeadline(std::min(established_by_, core_.Now() + limits::kHttpLinger));
    std::array<std::byte, kLeastReceived> dropped;
    for (auto more = below_->Read(dropped); more && *more > 0; more = below_->Read(dropped)) {
    }
  }
  Error error = NotSpoken(peer().ToString(), is_server());
  if (is_server()) error.kind = ErrorKind::kIo;
  return Fail(std::move(error));
}

Error TlsConnection::HandshakeError() {
  const long verified = SSL_get_verify_result(ssl());
  if (!is_server() && verified != X509_V_OK) return NotBelieved(peer().ToString(), agreed_->host, verified);
  return {is_server() ? ErrorKind::kIo : ErrorKind::kUnavailable, "TLS_HANDSHAKE_FAILED",
          "the TLS handshake with " + peer().ToString() + " failed: " + Reason(),
          "both sides must speak TLS 1.2 or 1.3, and HTTP/1.1 in it"};
}

// -- Bytes in

// Waits for the transport's next bytes. They come through `scratch`, so that who waits holds no buffer of ours.
Result<void> TlsConnection::Receive(MutableBytes scratch) {
  TW_CHECK(agreed_->taken == agreed_->received.size(),
           "OpenSSL takes all that is there before it wants more");
  std::string().swap(agreed_->received);
  agreed_->taken = 0;
  TW_TRY_ASSIGN(const size_t count, below_->Read(scratch));
  if (closed_) return Closed();
  if (count == 0)
    return Fail(ErrorKind::kIo, "TLS_TRUNCATED",
                peer().ToString() + " has ended the connection without saying so in TLS");
  agreed_->received.assign(reinterpret_cast<const char*>(scratch.data()), count);
  agreed_->began = true;
  return {};
}

Result<size_t> TlsConnection::Read(MutableBytes into) {
  TW_CHECK(!into.empty(), "a read into nothing cannot be told from the end of the stream");
  TW_TRY(Establish(core_.Now() + limits::kTlsHandshake));
  // Who finds all that he reads here already must let others run, too.
  runtime::YieldIfTurnIsOver();
  const size_t expected = std::exchange(expected_, 1);
  std::array<std::byte, kLeastReceived> own;
  const MutableBytes scratch = into.size() < own.size() ? MutableBytes(own) : into;
  for (;;) {
    if (closed_) return Closed();
    if (agreed_->failure) return Fail(*agreed_->failure);
    // A look in vain would cost OpenSSL a buffer.
    if (agreed_->taken < agreed_->received.size() || SSL_has_pending(ssl()) == 1 ||
        (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0) {
      TW_TRY_ASSIGN(const std::optional<size_t> count, Decrypt(into));
      if (count) return *count;
    }
    // As many bytes come at least, unless OpenSSL has the beginning of their record.
    if (expected > 1 && SSL_has_pending(ssl()) == 0) below_->ExpectAtLeast(expected);
    if (auto received = Receive(scratch); !received) {
      // After a deadline the stream is whole, and may go on.
      if (received.error().code != "TLS_TRUNCATED") return Fail(std::move(received).error());
      return Broken(std::move(received).error());
    }
  }
}

// Nothing: OpenSSL wants more of the transport's bytes. 0: the peer has ended the stream.
Result<std::optional<size_t>> TlsConnection::Decrypt(MutableBytes into) {
  size_t filled = 0;
  std::optional<Error> error;
  bool ended = false;
  while (filled < into.size() && !error && !ended) {
    ForgetErrors();
    size_t count = 0;
    if (SSL_read_ex(ssl(), into.data() + filled, into.size() - filled, &count) == 1) {
      filled += count;
      if (agreed_->taken == agreed_->received.size() && SSL_pending(ssl()) == 0) break;
      continue;
    }
    const int why = SSL_get_error(ssl(), 0);
    if (why == SSL_ERROR_WANT_READ) break;
    ended = why == SSL_ERROR_ZERO_RETURN;
    if (!ended)
      error = Error{ErrorKind::kIo, "TLS_BROKEN",
                    "what came from " + peer().ToString() + " is not what it has sent: " + Reason(), ""};
  }
  // An alert, or the answer to a change of keys.
  FlushNow();
  if (error) agreed_->failure = *error;
  if (filled > 0) return std::optional(filled);
  if (error) return Fail(*std::move(error));
  return ended ? std::optional<size_t>(0) : std::nullopt;
}

// -- Bytes out

Result<void> TlsConnection::Encrypt(Bytes bytes) {
  while (!bytes.empty()) {
    ForgetErrors();
    size_t count = 0;
    if (SSL_write_ex(ssl(), bytes.data(), std::min(bytes.size(), kRecordBytes), &count) != 1)
      return Fail(ErrorKind::kIo, "TLS_BROKEN",
                  "cannot write to " + peer().ToString() + " any more: " + Reason());
    bytes = bytes.subspan(count);
  }
  return {};
}

Result<void> TlsConnection::Write(Bytes bytes) {
  TW_TRY(Establish(core_.Now() + limits::kTlsHandshake));
  while (!bytes.empty()) {
    if (closed_) return Closed();
    const Bytes piece = bytes.first(std::min(bytes.size(), kWrittenAtOnce));
    TW_TRY(Encrypt(piece));
    TW_TRY(Flush());
    bytes = bytes.subspan(piece.size());
    if (!bytes.empty()) runtime::YieldIfTurnIsOver();
  }
  return {};
}

Result<void> TlsConnection::Flush() {
  while (!agreed_->to_send.empty()) {
    const std::string sent = std::exchange(agreed_->to_send, {});
    writing_ = true;
    auto written = below_->Write(AsBytes(sent));
    writing_ = false;
    TW_TRY(written);
  }
  return {};
}

// What the transport does not take now goes before the next write.
void TlsConnection::FlushNow() {
  if (writing_ || agreed_->to_send.empty()) return;
  const size_t count = below_->WriteNow(AsBytes(agreed_->to_send));
  agreed_->to_send.erase(0, count);
  if (agreed_->to_send.empty()) std::string().swap(agreed_->to_send);
}

// All of it is taken: a record is sent whole or not at all.
size_t TlsConnection::WriteNow(Bytes bytes) {
  if (closed_ || !agreed_->established || agreed_->failure || !agreed_->to_send.empty()) return 0;
  const Bytes piece = bytes.first(std::min(bytes.size(), kRecordBytes));
  if (!Encrypt(piece)) return 0;
  FlushNow();
  return piece.size();
}

// -- The end

void TlsConnection::SayEnd() {
  if (!agreed_->established || agreed_->failure || writing_ || std::exchange(agreed_->end_is_said, true))
    return;
  ERR_clear_error();
  SSL_shutdown(ssl());
  FlushNow();
}

void TlsConnection::EndOutput() {
  if (closed_) return;
  SayEnd();
  below_->EndOutput();
}

void TlsConnection::Close() {
  if (std::exchange(closed_, true)) return;
  if (agreed_) SayEnd();
  below_->Close();
}

class DetachedTls final : public runtime::DetachedConnection {
 public:
  DetachedTls(std::unique_ptr<runtime::DetachedConnection> below, std::unique_ptr<Agreed> agreed)
      : below_(std::move(below)), agreed_(std::move(agreed)) {}

  Result<std::unique_ptr<runtime::Connection>> Attach(runtime::Core& core) override {
    TW_TRY_ASSIGN(auto below, below_->Attach(core));
    return std::unique_ptr<runtime::Connection>(
        std::make_unique<TlsConnection>(core, std::move(below), std::move(agreed_)));
  }

 private:
  const std::unique_ptr<runtime::DetachedConnection> below_;
  std::unique_ptr<Agreed> agreed_;
};

std::unique_ptr<runtime::DetachedConnection> TlsConnection::Detach() {
  TW_CHECK(!shaking_ && !writing_, "a fiber uses a connection that goes away");
  if (std::exchange(closed_, true)) return nullptr;
  auto below = runtime::Detach(*below_);
  if (!below) return nullptr;
  return std::make_unique<DetachedTls>(std::move(below), std::move(agreed_));
}

}  // namespace

std::unique_ptr<runtime::Connection> ServeTls(runtime::Core& core,
                                              std::unique_ptr<runtime::Connection> connection,
                                              std::shared_ptr<const TlsIdentity> identity,
                                              std::string already_read, std::string_view plain_answer) {
  auto agreed = std::make_unique<Agreed>();
  agreed->identity = std::move(identity);
  agreed->received = std::move(already_read);
  agreed->plain_answer = plain_answer;
  return std::make_unique<TlsConnection>(core, std::move(connection), std::move(agreed));
}

Result<std::unique_ptr<runtime::Connection>> ConnectTls(runtime::Core& core,
                                                        std::unique_ptr<runtime::Connection> connection,
                                                        const TlsTrust& trust, const std::string& host,
                                                        runtime::TimePoint deadline) {
  auto agreed = std::make_unique<Agreed>();
  agreed->host = host;
  TW_TRY(Begin(*agreed, trust.context().get()));
  SSL* const ssl = agreed->ssl.get();
  SSL_set_connect_state(ssl);
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // An address is looked for among the certificate's addresses, and is no name to ask for (RFC 6066, 3).
  ERR_clear_error();
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) != 1) {
    ERR_clear_error();
    // SSL_set_tlsext_host_name is a macro that casts constness away.
    const bool asked = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                const_cast<char*>(host.c_str())) == 1;
    if (!asked || SSL_set1_host(ssl, host.c_str()) != 1)
      return Fail(ErrorKind::kUnavailable, "TLS_WRONG_NAME", host + " is no name that a certificate can have",
                  "use another name of that server");
  }
  auto tls = std::make_unique<TlsConnection>(core, std::move(connection), std::move(agreed));
  TW_TRY(tls->Establish(deadline));
  return std::unique_ptr<runtime::Connection>(std::move(tls));
}

}  // namespace tradewind::net
