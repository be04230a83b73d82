// What one side of TLS brings along: a server its certificate, a client whom it believes. OpenSSL does the rest
// (tls_connection.h).
//
// TLS 1.2 and 1.3, with keys that only this connection has (ECDHE) and ciphers that also authenticate; no compression, no
// renegotiation, no session that is resumed, so that there is no key of tickets to keep and to replace. ALPN: http/1.1.
//
// Neither changes once it is there: a certificate that is renewed is another identity. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace tradewind::net {

// What a server answers to who speaks HTTP without TLS where it speaks it in TLS only.
inline constexpr std::string_view kTlsRequiredCode = "TLS_REQUIRED";

class TlsIdentity {
 public:
  // Of PEM: the server's certificate and those between it and its CA, in this order; and its private key, without a
  // passphrase. Fails (kInvalid) with TLS_CERTIFICATE_INVALID, TLS_KEY_INVALID, or TLS_KEY_MISMATCH.
  static Result<std::shared_ptr<const TlsIdentity>> Parse(std::string_view certificates,
                                                          std::string_view key);

  const std::shared_ptr<SSL_CTX>& context() const { return context_; }
  // For the log: "CN=db.example.com, from 2026-01-01 to 2026-03-31".
  const std::string& description() const { return description_; }
  // Unix time, of the server's certificate.
  int64_t begins_s() const { return begins_s_; }
  int64_t ends_s() const { return ends_s_; }

 private:
  explicit TlsIdentity(std::shared_ptr<SSL_CTX> context) : context_(std::move(context)) {}

  const std::shared_ptr<SSL_CTX> context_;
  std::string description_;
  int64_t begins_s_ = 0;
  int64_t ends_s_ = 0;
};

class TlsTrust {
 public:
  // Those who have a certificate of one of these CAs (PEM) and no others. Fails with TLS_CA_INVALID (kInvalid).
  static Result<std::shared_ptr<const TlsTrust>> Parse(std::string_view authorities);
  // Of the CAs that this machine believes. Reads files.
  static std::shared_ptr<const TlsTrust> OfSystem();

  const std::shared_ptr<SSL_CTX>& context() const { return context_; }

 private:
  explicit TlsTrust(std::shared_ptr<SSL_CTX> context) : context_(std::move(context)) {}

  const std::shared_ptr<SSL_CTX> context_;
};

}  // namespace tradewind::net
