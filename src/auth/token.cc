#include "auth/token.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/json_fields.h"

namespace tradewind::auth {

struct SigningKey::Key {
  EVP_PKEY* pkey = nullptr;
  explicit Key(EVP_PKEY* owned) : pkey(owned) {}
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { EVP_PKEY_free(pkey); }
};

namespace {

namespace json = boost::json;

constexpr size_t kKeyBytes = 32;
constexpr size_t kSignatureBytes = 64;
constexpr std::string_view kHeader = R"({"alg":"EdDSA","typ":"JWT"})";

tl::unexpected<Error> InvalidToken(std::string why) {
  return Fail(ErrorKind::kUnauthorized, "AUTH_JWT_INVALID", "the token is not valid: " + why,
              "make one with: tradewind token create");
}

tl::unexpected<Error> InvalidKey(std::string why,
                                 std::string action = "make a pair with: tradewind token keygen DIR") {
  return Fail(ErrorKind::kInvalid, "KEY_INVALID", std::move(why), std::move(action));
}

std::string EncodeUrl(std::string_view bytes) {
  return EncodeBase64(Base64::kUrl, bytes);
}

std::optional<std::string> DecodeUrl(std::string_view text) {
  return DecodeBase64(Base64::kUrl, text);
}

// -- Keys

const unsigned char* Data(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

bool IsEd25519(const EVP_PKEY* key) {
  return key != nullptr && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519;
}

struct Memory {
  BIO* bio;
  explicit Memory(std::string_view text) : bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {}
  Memory() : bio(BIO_new(BIO_s_mem())) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { BIO_free(bio); }
  std::string text() const {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<size_t>(size));
  }
};

// Nobody is asked for a passphrase.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

bool IsSignature(EVP_PKEY* key, std::string_view signature, std::string_view message) {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  TW_CHECK(context != nullptr, "no memory to check a token");
  const bool right =
      EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key) == 1 &&
      EVP_DigestVerify(context, Data(signature), signature.size(), Data(message), message.size()) == 1;
  EVP_MD_CTX_free(context);
  return right;
}

// -- Claims

bool TakeSeconds(const json::object& claims, std::string_view name, std::optional<int64_t>& into) {
  const json::value* value = claims.if_contains(name);
  if (!value) return true;
  if (value->is_int64())
    into = value->get_int64();
  else if (const double* number = value->if_double(); number && *number > -1e15 && *number < 1e15)
    into = static_cast<int64_t>(*number);
  return into.has_value();
}

// {"ns": [...]}; a scope without it names nobody.
bool TakeScope(const json::object& scopes, std::string_view name, std::set<TenantName>& into) {
  const json::value* scope = FindField(scopes, name);
  if (!scope) return true;
  const json::object* object = scope->if_object();
  if (!object) return false;
  const json::value* names = FindField(*object, "ns");
  if (!names) return true;
  const json::array* list = names->if_array();
  if (!list) return false;
  for (const json::value& one : *list) {
    if (!one.is_string() || !IsValidName(std::string_view(one.get_string()))) return false;
    into.emplace(std::string_view(one.get_string()));
  }
  return true;
}

json::object Scope(const std::set<TenantName>& tenants) {
  return {{"ns", json::array(tenants.begin(), tenants.end())}};
}

}  // namespace

// -- Token

Grant Token::At(const TenantName& tenant) const {
  Grant grant{everywhere, false};
  if (writable.contains(tenant))
    grant.access = Access::kWrite;
  else if (readable.contains(tenant))
    grant.access = std::max(grant.access, Access::kRead);
  grant.may_change_schema = grant.access == Access::kWrite && (!schemas || schemas->contains(tenant));
  return grant;
}

Result<void> CheckTimes(const Token& token, int64_t now_s) {
  if (token.expires_at_s && *token.expires_at_s <= now_s)
    return Fail(ErrorKind::kUnauthorized, "AUTH_JWT_EXPIRED", "the token has expired",
                "make a new one with: tradewind token create");
  if (token.not_before_s && *token.not_before_s > now_s)
    return Fail(ErrorKind::kUnauthorized, "AUTH_JWT_IMMATURE", "the token is for later",
                "wait, or compare the clocks of the two machines");
  return {};
}

std::string ToClaims(const Token& token) {
  json::object claims;
  if (token.expires_at_s) claims["exp"] = *token.expires_at_s;
  if (token.not_before_s) claims["nbf"] = *token.not_before_s;
  if (token.everywhere != Access::kNone) {
    claims["a"] = token.everywhere == Access::kWrite ? "rw" : "ro";
  } else if (!token.schemas && token.readable.size() + token.writable.size() == 1) {
    claims["id"] = token.writable.empty() ? *token.readable.begin() : *token.writable.begin();
    claims["a"] = token.writable.empty() ? "ro" : "rw";
  } else {
    json::object scopes;
    if (!token.readable.empty()) scopes["ro"] = Scope(token.readable);
    if (!token.writable.empty()) scopes["rw"] = Scope(token.writable);
    if (token.schemas) scopes["ddl"] = Scope(*token.schemas);
    claims["p"] = std::move(scopes);
  }
  return json::serialize(claims);
}

Result<Token> ParseClaims(std::string_view text) {
  const auto claims = ParseJsonObject(text);
  if (!claims) return InvalidToken("its claims are no JSON object");
  Token token;
  if (!TakeSeconds(*claims, "exp", token.expires_at_s) || !TakeSeconds(*claims, "nbf", token.not_before_s))
    return InvalidToken("a time of it is no number");
  if (const json::value* p = FindField(*claims, "p")) {
    const json::object* scopes = p->if_object();
    if (!scopes) return InvalidToken("its p is no object");
    bool right = true;
    for (const char* name : {"ro", "roa"}) right = right && TakeScope(*scopes, name, token.readable);
    for (const char* name : {"rw", "rwa"}) right = right && TakeScope(*scopes, name, token.writable);
    if (FindField(*scopes, "ddl")) right = right && TakeScope(*scopes, "ddl", token.schemas.emplace());
    if (!right) return InvalidToken("its p has something other than lists of tenants");
    return token;
  }
  Access access = Access::kWrite;
  if (const json::value* a = FindField(*claims, "a")) {
    const json::string* name = a->if_string();
    if (!name || (*name != "ro" && *name != "rw")) return InvalidToken("its a is neither ro nor rw");
    if (*name == "ro") access = Access::kRead;
  }
  const json::value* id = FindField(*claims, "id");
  if (!id) {
    token.everywhere = access;
    return token;
  }
  if (!id->is_string() || !IsValidName(std::string_view(id->get_string())))
    return InvalidToken("its id is no tenant's name");
  (access == Access::kWrite ? token.writable : token.readable).emplace(std::string_view(id->get_string()));
  return token;
}

// -- Keys

SigningKey SigningKey::Generate() {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  TW_CHECK(key != nullptr, "no key could be made");
  return SigningKey(std::make_shared<const Key>(key));
}

Result<SigningKey> SigningKey::Parse(const std::string& pem) {
  const Memory memory(pem);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(memory.bio, nullptr, NoPassphrase, nullptr);
  auto owned = std::make_shared<const Key>(key);
  if (!IsEd25519(key)) return InvalidKey("this is no Ed25519 private key in PEM");
  return SigningKey(std::move(owned));
}

std::string SigningKey::PrivatePem() const {
  const Memory memory;
  TW_CHECK(PEM_write_bio_PrivateKey(memory.bio, key_->pkey, nullptr, nullptr, 0, nullptr, nullptr) == 1,
           "a key could not be written");
  return memory.text();
}

std::string SigningKey::PublicPem() const {
  const Memory memory;
  TW_CHECK(PEM_write_bio_PUBKEY(memory.bio, key_->pkey) == 1, "a key could not be written");
  return memory.text();
}

std::string SigningKey::Sign(const Token& token) const {
  const std::string message = EncodeUrl(kHeader) + "." + EncodeUrl(ToClaims(token));
  std::array<unsigned char, kSignatureBytes> signature{};
  size_t size = signature.size();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool made = context != nullptr &&
                    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_->pkey) == 1 &&
                    EVP_DigestSign(context, signature.data(), &size, Data(message), message.size()) == 1;
  EVP_MD_CTX_free(context);
  TW_CHECK(made && size == kSignatureBytes, "a token could not be signed");
  return message + "." + EncodeUrl({reinterpret_cast<const char*>(signature.data()), size});
}

Result<VerifyingKeys> VerifyingKeys::Parse(std::string_view text) {
  text = Trimmed(text);
  VerifyingKeys keys;
  if (text.find("PRIVATE KEY-----") != std::string_view::npos)
    return InvalidKey("this is a private key, and a server needs the public one",
                      "give the .pub.pem file, and keep the other to yourself");
  if (!text.starts_with("-----BEGIN")) {
    const auto bytes = DecodeUrl(text);
    if (!bytes || bytes->size() != kKeyBytes)
      return InvalidKey("this is neither PEM nor an Ed25519 public key as base64 for URLs");
    EVP_PKEY* const key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Data(*bytes), bytes->size());
    if (key == nullptr) return InvalidKey("this is no Ed25519 public key");
    keys.keys_.push_back(std::make_shared<const SigningKey::Key>(key));
    return keys;
  }
  const Memory memory(text);
  while (!BIO_eof(memory.bio)) {
    EVP_PKEY* const key = PEM_read_bio_PUBKEY(memory.bio, nullptr, NoPassphrase, nullptr);
    auto owned = std::make_shared<const SigningKey::Key>(key);
    if (!IsEd25519(key)) return InvalidKey("something in it is no Ed25519 public key in PEM");
    keys.keys_.push_back(std::move(owned));
  }
  return keys;
}

void VerifyingKeys::Add(const VerifyingKeys& more) {
  keys_.insert(keys_.end(), more.keys_.begin(), more.keys_.end());
}

// The algorithm is this program's choice and not the token's: what says another one is refused, and "none" and those that
// would take a public key for a shared secret with it.
Result<Token> VerifyingKeys::Verify(std::string_view jwt, int64_t now_s) const {
  if (jwt.size() > kTokenBytes) return InvalidToken("it is too long");
  const size_t first = jwt.find('.');
  const size_t last = jwt.rfind('.');
  if (first == last || jwt.find('.', first + 1) != last) return InvalidToken("it has not three parts");
  const auto header = DecodeUrl(jwt.substr(0, first));
  const auto claims = DecodeUrl(jwt.substr(first + 1, last - first - 1));
  const auto signature = DecodeUrl(jwt.substr(last + 1));
  if (!header || !claims || !signature) return InvalidToken("a part of it is no base64 for URLs");
  const auto fields = ParseJsonObject(*header);
  if (!fields) return InvalidToken("its header is no JSON object");
  if (FindText(*fields, "alg") != "EdDSA") return InvalidToken("it is not signed with EdDSA");
  if (fields->contains("crit")) return InvalidToken("its header demands what nobody here knows");
  const std::string_view message = jwt.substr(0, last);
  const bool is_signed =
      signature->size() == kSignatureBytes && std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) {
        return IsSignature(key->pkey, *signature, message);
      });
  if (!is_signed) return InvalidToken("no key of this server has signed it");
  TW_TRY_ASSIGN(Token token, ParseClaims(*claims));
  TW_TRY(CheckTimes(token, now_s));
  return token;
}

}  // namespace tradewind::auth
