#include "net/tls.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/check.h"

namespace tradewind::net {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* freed) const {
    kFree(freed);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

constexpr std::string_view kHttp = "http/1.1";

Bio Reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Of the last error; OpenSSL's own words.
std::string Reason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason ? reason : "it does not parse";
}

// Keys with a passphrase are refused, and not asked for at a terminal.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

Certificate NextCertificate(BIO* from) {
  return Certificate(PEM_read_bio_X509(from, nullptr, &NoPassphrase, nullptr));
}

// PEM_read_bio ends with it where nothing more comes.
bool IsAtEnd() {
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  return at_end;
}

int64_t ToUnix(const ASN1_TIME* time) {
  std::tm parts = {};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
}

std::string NameOf(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

std::shared_ptr<SSL_CTX> NewContext(const SSL_METHOD* method) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), &SSL_CTX_free);
  TW_CHECK(context, "OpenSSL has TLS");
  TW_CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1, "OpenSSL has TLS 1.2");
  TW_CHECK(SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") == 1,
           "OpenSSL has ciphers for TLS 1.2");
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  // An idle connection keeps no buffers, which are 32 KB.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

// RFC 7301, 3.2: who offers protocols, and not this one, is told so.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  for (unsigned int at = 0; at < offered_size;) {
    const unsigned int size = offered[at];
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1,
                                std::min(size, offered_size - at - 1));
    if (name == kHttp) {
      *chosen = offered + at + 1;
      *chosen_size = static_cast<unsigned char>(size);
      return SSL_TLSEXT_ERR_OK;
    }
    at += size + 1;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<void> UseCertificates(SSL_CTX* context, std::string_view certificates) {
  const auto invalid = [](const std::string& why) {
    return Fail(ErrorKind::kInvalid, "TLS_CERTIFICATE_INVALID", "it holds no usable certificate: " + why,
                "give a PEM file with the server's certificate first, then those between it and its CA");
  };
  const Bio from = Reader(certificates);
  const Certificate leaf = NextCertificate(from.get());
  if (!leaf) return invalid(Reason());
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return invalid(Reason());
  while (Certificate next = NextCertificate(from.get())) {
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) return invalid(Reason());
    static_cast<void>(next.release());  // The context's.
  }
  if (!IsAtEnd()) return invalid(Reason());
  return {};
}

Result<void> UseKey(SSL_CTX* context, std::string_view text) {
  const Bio from = Reader(text);
  const Key key(PEM_read_bio_PrivateKey(from.get(), nullptr, &NoPassphrase, nullptr));
  if (!key)
    return Fail(ErrorKind::kInvalid, "TLS_KEY_INVALID", "it holds no usable private key: " + Reason(),
                "give a PEM file with a private key that has no passphrase");
  if (SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1) return {};
  ERR_clear_error();
  return Fail(ErrorKind::kInvalid, "TLS_KEY_MISMATCH", "the private key is not that of the certificate",
              "give the key with which the certificate was asked for");
}

}  // namespace

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::Parse(std::string_view certificates,
                                                              std::string_view key) {
  std::shared_ptr<SSL_CTX> context = NewContext(TLS_server_method());
  TW_TRY(UseCertificates(context.get(), certificates));
  TW_TRY(UseKey(context.get(), key));
  SSL_CTX_set_alpn_select_cb(context.get(), &ChooseProtocol, nullptr);
  const X509* const leaf = SSL_CTX_get0_certificate(context.get());
  std::shared_ptr<TlsIdentity> identity(new TlsIdentity(std::move(context)));
  identity->begins_s_ = ToUnix(X509_get0_notBefore(leaf));
  identity->ends_s_ = ToUnix(X509_get0_notAfter(leaf));
  identity->description_ =
      fmt::format("{}, from {:%Y-%m-%d %H:%M}Z to {:%Y-%m-%d %H:%M}Z", NameOf(X509_get_subject_name(leaf)),
                  fmt::gmtime(static_cast<std::time_t>(identity->begins_s_)),
                  fmt::gmtime(static_cast<std::time_t>(identity->ends_s_)));
  return std::shared_ptr<const TlsIdentity>(std::move(identity));
}

namespace {

std::shared_ptr<SSL_CTX> NewClientContext() {
  std::shared_ptr<SSL_CTX> context = NewContext(TLS_client_method());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const std::string offered = static_cast<char>(kHttp.size()) + std::string(kHttp);
  TW_CHECK(SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                                   static_cast<unsigned int>(offered.size())) == 0,
           "OpenSSL has ALPN");
  return context;
}

}  // namespace

Result<std::shared_ptr<const TlsTrust>> TlsTrust::Parse(std::string_view authorities) {
  std::shared_ptr<SSL_CTX> context = NewClientContext();
  X509_STORE* const store = SSL_CTX_get_cert_store(context.get());
  const Bio from = Reader(authorities);
  size_t count = 0;
  while (const Certificate authority = NextCertificate(from.get())) {
    TW_CHECK(X509_STORE_add_cert(store, authority.get()) == 1, "a store takes any certificate");
    ++count;
  }
  if (IsAtEnd() && count > 0) return std::shared_ptr<const TlsTrust>(new TlsTrust(std::move(context)));
  return Fail(ErrorKind::kInvalid, "TLS_CA_INVALID",
              "it holds no certificate of a CA, or one that is damaged",
              "give a PEM file with the certificates of those CAs that are to be believed");
}

std::shared_ptr<const TlsTrust> TlsTrust::OfSystem() {
  std::shared_ptr<SSL_CTX> context = NewClientContext();
  // Where there are none, nobody is believed.
  SSL_CTX_set_default_verify_paths(context.get());
  ERR_clear_error();
  return std::shared_ptr<const TlsTrust>(new TlsTrust(std::move(context)));
}

}  // namespace tradewind::net
