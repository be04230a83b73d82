#include "gateway/stream_call.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <limits>
#include <optional>

#include "base/json_fields.h"
#include "gateway/permit.h"
#include "hrana/decode.h"
#include "hrana/encode.h"
#include "runtime/random_id.h"

namespace tradewind::gateway {

namespace {

namespace json = boost::json;

constexpr std::array<const char*, 5> kStatusNames = {"done", "moved", "lost", "more", "again"};
constexpr std::array<const char*, 4> kCursorNames = {"none", "open", "next", "skip"};

tl::unexpected<Error> Invalid() {
  return Fail(ErrorKind::kInvalid, "STREAM_CALL_INVALID", "a call between nodes makes no sense",
              "run the same version of tradewind on all nodes");
}

std::string Frame(json::object header, const std::vector<std::string>& texts) {
  json::array lengths;
  size_t bytes = 0;
  for (const std::string& text : texts) {
    lengths.emplace_back(text.size());
    bytes += text.size();
  }
  header["lengths"] = std::move(lengths);
  std::string out = json::serialize(header);
  out.reserve(out.size() + 1 + bytes);
  out += '\n';
  for (const std::string& text : texts) out += text;
  return out;
}

// Every field must be there and of its type: what one node leaves out, another must not make up.
struct Parts {
  json::object header;
  std::vector<std::string_view> texts;

  Result<std::string> Text(const char* key) const {
    const auto text = FindText(header, key);
    if (!text) return Invalid();
    return std::string(*text);
  }
  Result<uint64_t> Number(const char* key) const {
    const auto number = FindUnsigned(header, key);
    if (!number) return Invalid();
    return *number;
  }
  Result<bool> Flag(const char* key) const {
    const auto flag = FindFlag(header, key);
    if (!flag) return Invalid();
    return *flag;
  }
  Result<std::vector<std::string>> Texts(const char* key) const {
    const json::array* const found = FindArray(header, key);
    if (!found) return Invalid();
    std::vector<std::string> list;
    for (const json::value& text : *found) {
      if (!text.is_string()) return Invalid();
      list.emplace_back(text.get_string());
    }
    return list;
  }
  // 1 where it does not say it. What a later version says is read as far as it is known.
  Result<uint64_t> Format() const {
    if (!header.contains("format")) return uint64_t{1};
    TW_TRY_ASSIGN(const uint64_t format, Number("format"));
    if (format < 1) return Invalid();
    return format;
  }
  // The place of the text in `names`.
  template <size_t kNames>
  Result<size_t> OneOf(const char* key, const std::array<const char*, kNames>& names) const {
    TW_TRY_ASSIGN(const std::string text, Text(key));
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) return Invalid();
    return static_cast<size_t>(found - names.begin());
  }
  bool ReadSession(sqlite::SessionState& session) const;
};

bool DecodeSession(const json::value& value, sqlite::SessionState& session) {
  if (value.is_null()) return true;
  const json::object* fields = value.if_object();
  if (!fields) return false;
  const auto read = [&](const char* key, int64_t& into) {
    const auto number = FindInteger(*fields, key);
    into = number.value_or(into);
    return number.has_value();
  };
  int64_t data_version = 0;
  if (!read("last_insert_rowid", session.last_insert_rowid) || !read("changes", session.changes) ||
      !read("total_changes", session.total_changes) || !read("data_version", data_version))
    return false;
  if (data_version < 0 || data_version > std::numeric_limits<uint32_t>::max()) return false;
  session.data_version = static_cast<uint32_t>(data_version);
  const json::object* const settings = FindObject(*fields, "settings");
  if (!settings) return false;
  for (const auto& [name, setting] : *settings) {
    const std::optional<size_t> known = sqlite::FindSetting(name);
    if (!known || !setting.is_int64()) return false;
    session.settings.emplace_back(*known, setting.get_int64());
  }
  return true;
}

bool Parts::ReadSession(sqlite::SessionState& session) const {
  const json::value* found = header.if_contains("session");
  return found && DecodeSession(*found, session);
}

std::optional<Parts> Split(std::string_view text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::optional<json::object> header = ParseJsonObject(text.substr(0, end));
  if (!header) return std::nullopt;
  Parts parts{*std::move(header), {}};
  const json::array* const lengths = FindArray(parts.header, "lengths");
  if (!lengths) return std::nullopt;
  std::string_view rest = text.substr(end + 1);
  for (const json::value& length : *lengths) {
    if (!length.is_int64() || length.get_int64() < 0) return std::nullopt;
    const auto bytes = static_cast<size_t>(length.get_int64());
    if (bytes > rest.size()) return std::nullopt;
    parts.texts.push_back(rest.substr(0, bytes));
    rest.remove_prefix(bytes);
  }
  if (!rest.empty()) return std::nullopt;
  return parts;
}

// Null for that of a new connection.
json::value EncodeSession(const sqlite::SessionState& session) {
  if (session == sqlite::SessionState{}) return nullptr;
  json::object settings;
  for (const auto& [setting, value] : session.settings)
    settings[sqlite::kSettingDefaults[setting].name] = value;
  return {{"last_insert_rowid", session.last_insert_rowid},
          {"changes", session.changes},
          {"total_changes", session.total_changes},
          {"data_version", session.data_version},
          {"settings", std::move(settings)}};
}

bool IsGatewayId(std::string_view text) {
  const size_t dot = text.find('.');
  return dot != std::string_view::npos && IsValidName(text.substr(0, dot)) &&
         runtime::IsRandomId(text.substr(dot + 1));
}

json::array ToArray(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

}  // namespace

std::string Encode(const StreamCall& call) {
  std::vector<std::string> texts{hrana::EncodeProgress(call.progress)};
  for (const hrana::StreamRequest& request : call.requests) texts.push_back(hrana::EncodeRequest(request));
  return Frame({{"format", call.format},
                {"tenant", call.tenant},
                {"gateway", call.gateway},
                {"stream", call.stream},
                {"opens", call.opens},
                {"epoch", call.epoch.value},
                {"rights", NameOf(call.rights)},
                {"keep", call.keep},
                {"cursor", kCursorNames[static_cast<size_t>(call.cursor)]},
                {"session", EncodeSession(call.session)},
                {"begun", ToArray(call.begun)},
                {"answered_bytes", call.answered_bytes}},
               texts);
}

bool NeedsFormat2(const StreamCall& call) {
  return call.cursor != StreamCall::Cursor::kNone || call.rights != tenant::Rights{};
}

std::string Encode(const StreamAnswer& answer, uint64_t format) {
  std::vector<std::string> texts{hrana::EncodeProgress(answer.progress)};
  if (format >= 2) texts.push_back(answer.entries);
  texts.insert(texts.end(), answer.results.begin(), answer.results.end());
  return Frame({{"format", format},
                {"status", kStatusNames[static_cast<size_t>(answer.status)]},
                {"epoch", answer.epoch.value},
                {"open", answer.open},
                {"autocommit", answer.autocommit},
                {"session", EncodeSession(answer.session)},
                {"begun", ToArray(answer.begun)},
                {"lost_because", answer.lost_because}},
               texts);
}

Result<StreamCall> DecodeStreamCall(std::string_view text) {
  const std::optional<Parts> parts = Split(text);
  if (!parts || parts->texts.empty()) return Invalid();
  StreamCall call;
  TW_TRY_ASSIGN(call.tenant, parts->Text("tenant"));
  TW_TRY_ASSIGN(call.gateway, parts->Text("gateway"));
  TW_TRY_ASSIGN(call.stream, parts->Text("stream"));
  TW_TRY_ASSIGN(call.opens, parts->Flag("opens"));
  TW_TRY_ASSIGN(call.epoch.value, parts->Number("epoch"));
  TW_TRY_ASSIGN(call.format, parts->Format());
  if (call.format >= 2) {
    TW_TRY_ASSIGN(const std::string rights, parts->Text("rights"));
    const auto known_rights = ParseRights(rights);
    if (!known_rights) return Invalid();
    call.rights = *known_rights;
  }
  TW_TRY_ASSIGN(call.keep, parts->Flag("keep"));
  if (call.format >= 2) {
    TW_TRY_ASSIGN(const size_t cursor, parts->OneOf("cursor", kCursorNames));
    call.cursor = static_cast<StreamCall::Cursor>(cursor);
  }
  if (!parts->ReadSession(call.session)) return Invalid();
  TW_TRY_ASSIGN(call.begun, parts->Texts("begun"));
  TW_TRY_ASSIGN(call.answered_bytes, parts->Number("answered_bytes"));
  if (!IsValidName(call.tenant) || !IsGatewayId(call.gateway) || !runtime::IsRandomId(call.stream))
    return Invalid();
  TW_TRY_ASSIGN(call.progress, hrana::DecodeProgress(parts->texts[0]));
  for (size_t index = 1; index < parts->texts.size(); ++index) {
    TW_TRY_ASSIGN(auto request, hrana::DecodeRequest(parts->texts[index]));
    call.requests.push_back(std::move(request));
  }
  const bool is_batch = call.requests.size() == 1 && std::holds_alternative<hrana::Batch>(call.requests[0]);
  if (call.cursor == StreamCall::Cursor::kOpen && !is_batch) return Invalid();
  if (IsRunning(call.cursor) && (call.opens || !call.requests.empty())) return Invalid();
  return call;
}

Result<StreamAnswer> DecodeStreamAnswer(std::string_view text) {
  const std::optional<Parts> parts = Split(text);
  if (!parts || parts->texts.empty()) return Invalid();
  StreamAnswer answer;
  TW_TRY_ASSIGN(const uint64_t format, parts->Format());
  const size_t first_result = format >= 2 ? 2 : 1;
  if (parts->texts.size() < first_result) return Invalid();
  TW_TRY_ASSIGN(const size_t status, parts->OneOf("status", kStatusNames));
  answer.status = static_cast<StreamAnswer::Status>(status);
  TW_TRY_ASSIGN(answer.epoch.value, parts->Number("epoch"));
  TW_TRY_ASSIGN(answer.open, parts->Flag("open"));
  TW_TRY_ASSIGN(answer.autocommit, parts->Flag("autocommit"));
  if (!parts->ReadSession(answer.session)) return Invalid();
  TW_TRY_ASSIGN(answer.begun, parts->Texts("begun"));
  if (format >= 2) {
    TW_TRY_ASSIGN(answer.lost_because, parts->Text("lost_because"));
    answer.entries = parts->texts[1];
  }
  TW_TRY_ASSIGN(answer.progress, hrana::DecodeProgress(parts->texts[0]));
  answer.held.Set(text.size());
  for (size_t text_index = first_result; text_index < parts->texts.size(); ++text_index)
    answer.results.emplace_back(parts->texts[text_index]);
  return answer;
}

}  // namespace tradewind::gateway
