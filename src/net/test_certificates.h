// For tests: a CA that makes certificates as they are needed.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <string>

#include "base/check.h"
#include "net/tls.h"

namespace tradewind::net {

class TestAuthority {
 public:
  struct Pair {
    std::string certificate;  // PEM.
    std::string key;
  };
  // In days from now.
  struct Days {
    int begins = -1;
    int ends = 30;
  };

  explicit TestAuthority(const std::string& name) : name_(name), key_(NewKey()) {
    certificate_ = Sign(name, *key_, "CA:TRUE", {}, {-10, 100});
  }

  std::string pem() const { return ToPem(*certificate_); }
  std::shared_ptr<const TlsTrust> Trust() const { return *TlsTrust::Parse(pem()); }

  // `names` as in a configuration of OpenSSL: "DNS:localhost,IP:127.0.0.1".
  Pair Issue(const std::string& names, Days days = {-1, 30}) const {
    const Key key = NewKey();
    const Certificate certificate = Sign("server", *key, "CA:FALSE", names, days);
    const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
    TW_CHECK(PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
             "a key can be written");
    return {ToPem(*certificate), TextOf(*out)};
  }
  std::shared_ptr<const TlsIdentity> IdentityFor(const std::string& names, Days days = {-1, 30}) const {
    const Pair pair = Issue(names, days);
    return *TlsIdentity::Parse(pair.certificate, pair.key);
  }

 private:
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
  using Key = std::shared_ptr<EVP_PKEY>;
  using Certificate = std::shared_ptr<X509>;

  static Key NewKey() { return Key(EVP_EC_gen("P-256"), &EVP_PKEY_free); }
  static std::string TextOf(BIO& bio) {
    BUF_MEM* text = nullptr;
    BIO_get_mem_ptr(&bio, &text);
    return std::string(text->data, text->length);
  }
  static std::string ToPem(X509& certificate) {
    const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
    TW_CHECK(PEM_write_bio_X509(out.get(), &certificate) == 1, "a certificate can be written");
    return TextOf(*out);
  }
  static void Extend(X509& certificate, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, &certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()), &X509_EXTENSION_free);
    TW_CHECK(extension && X509_add_ext(&certificate, extension.get(), -1) == 1, "an extension fits");
  }
  static void Name(X509_NAME* name, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
  }

  Certificate Sign(const std::string& name, EVP_PKEY& key, const char* constraint, const std::string& names,
                   Days days) const {
    constexpr int kDay = 24 * 60 * 60;
    Certificate made(X509_new(), &X509_free);
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), long{kDay} * days.begins);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), long{kDay} * days.ends);
    X509_set_pubkey(made.get(), &key);
    Name(X509_get_subject_name(made.get()), name);
    Name(X509_get_issuer_name(made.get()), name_);
    X509* const issuer = certificate_ ? certificate_.get() : made.get();
    Extend(*made, issuer, NID_basic_constraints, constraint);
    if (!names.empty()) Extend(*made, issuer, NID_subject_alt_name, names);
    TW_CHECK(X509_sign(made.get(), key_.get(), EVP_sha256()) > 0, "a certificate is signed");
    return made;
  }

  const std::string name_;
  const Key key_;
  mutable long serial_ = 0;
  Certificate certificate_;
};

}  // namespace tradewind::net
