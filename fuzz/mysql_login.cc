// Any bytes as the packets of a login and as OK, ERR and EOF. What is taken must be the same once it was written and
// read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mysql/login.h"
#include "mysql/native_password.h"
#include "mysql/protocol.h"
#include "mysql/reply.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind::mysql;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto greeting = ParseGreeting(text); greeting && greeting->scramble.size() == kScrambleBytes) {
    if (greeting->scramble.find('\0') == std::string::npos) {
      const auto again = ParseGreeting(EncodeGreeting(*greeting));
      TW_CHECK(again && again->scramble == greeting->scramble && again->plugin == greeting->plugin &&
                   again->capabilities == greeting->capabilities,
               "a greeting must not change on its way");
    }
  }
  if (const auto response = ParseLoginResponse(text)) {
    const auto again = ParseLoginResponse(EncodeLoginResponse(*response));
    TW_CHECK(again && again->user == response->user && again->reply == response->reply &&
                 again->database == response->database && again->attributes == response->attributes,
             "a login must not change on its way");
  }
  if (const auto change = ParseChangeUser(text, capability::kRelayed)) {
    const auto again = ParseChangeUser(EncodeChangeUser(*change, capability::kRelayed), capability::kRelayed);
    TW_CHECK(again && again->user == change->user && again->reply == change->reply &&
                 again->attributes == change->attributes,
             "a change of user must not change on its way");
  }
  if (const auto request = ParseAuthSwitch(text))
    TW_CHECK(request->plugin.size() + request->scramble.size() < size, "no byte is made up");
  if (const auto error = ParseError(text)) {
    const auto again = ParseError(EncodeError(*error));
    TW_CHECK(again && again->number == error->number && again->message == error->message,
             "an error must not change on its way");
  }
  for (const Capabilities capabilities : {capability::kProtocol41, capability::kRelayed}) {
    if (const auto ok = ParseOk(text, capabilities)) {
      const auto again = ParseOk(EncodeOk(*ok, capabilities), capabilities);
      TW_CHECK(again && again->affected_rows == ok->affected_rows && again->info == ok->info,
               "an OK must not change on its way");
    }
    if (const auto eof = ParseEof(text, capabilities)) TW_CHECK(size >= 5, "no byte is made up");
  }
  if (const auto verifier = PasswordVerifier::Parse(text)) {
    const auto key = verifier->Recover(std::string(kScrambleBytes, 's'), std::string(kScrambleBytes, 'r'));
    TW_CHECK(!key, "a made-up reply proves nothing");
  }
  return 0;
}
