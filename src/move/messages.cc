#include "move/messages.h"

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

namespace tradewind::move {

namespace {

constexpr uint8_t kVersion = 2;
constexpr size_t kLongestText = UINT16_MAX;

class Writer {
 public:
  Writer() : bytes_(kFrameHeaderBytes) {}
  template <typename T>
  void Number(T value) {
    static_assert(std::is_unsigned_v<T>);
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void Text(const std::string& text) {
    TW_CHECK(text.size() <= kLongestText, "a text too long for a frame");
    Number(static_cast<uint16_t>(text.size()));
    Raw(std::as_bytes(std::span(text)));
  }
  void Words(const std::vector<uint64_t>& words) {
    Number(static_cast<uint32_t>(words.size()));
    Raw(std::as_bytes(std::span(words)));
  }
  void Raw(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void Reserve(size_t payload) { bytes_.reserve(kFrameHeaderBytes + payload); }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Reads what Writer wrote; after a read past the end everything is zero and ok() is false.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  template <typename T>
  T Number() {
    T value{};
    if (const Bytes part = Raw(sizeof value); !part.empty()) std::memcpy(&value, part.data(), sizeof value);
    return value;
  }
  std::string Text() {
    const Bytes part = Raw(Number<uint16_t>());
    return std::string(reinterpret_cast<const char*>(part.data()), part.size());
  }
  std::vector<uint64_t> Words() {
    const Bytes part = Raw(uint64_t{Number<uint32_t>()} * 8);
    std::vector<uint64_t> words(part.size() / 8);
    if (!words.empty()) std::memcpy(words.data(), part.data(), part.size());
    return words;
  }
  Bytes Raw(uint64_t length) {
    if (length > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const Bytes part = bytes_.first(length);
    bytes_ = bytes_.subspan(length);
    return part;
  }
  size_t left() const { return bytes_.size(); }
  bool ok() const { return ok_; }

 private:
  Bytes bytes_;
  bool ok_ = true;
};

void Put(Writer& to, const Offer& m) {
  to.Number(static_cast<uint8_t>(m.kind));
  to.Number(m.attempt);
  to.Number(m.epoch.value);
  to.Number(m.page_size);
  to.Text(m.move);
  to.Text(m.tenant);
  to.Text(m.source);
}
void Put(Writer& to, const Hello& m) {
  to.Number(static_cast<uint8_t>(m.owner));
  to.Number(m.list);
  to.Words(m.arrived);
  to.Words(m.present);
}
void Put(Writer& to, const Pages& m) {
  to.Reserve(5 + m.numbers.size() * 4 + m.contents.size());
  to.Number(static_cast<uint8_t>(m.pushed));
  to.Number(static_cast<uint32_t>(m.numbers.size()));
  for (const PageNumber page : m.numbers) to.Number(page.value);
  to.Raw(m.contents);
}
void Put(Writer& to, const Prepare& m) {
  to.Number(m.page_count);
}
void Put(Writer&, const Prepared&) {}
void Put(Writer& to, const List& m) {
  to.Number(m.number);
  to.Number(m.epoch.value);
  to.Number(m.page_count);
  to.Words(m.handed);
  to.Words(m.free);
}
void Put(Writer& to, const Ready& m) {
  to.Number(m.list);
}
void Put(Writer& to, const Own& m) {
  to.Number(m.epoch.value);
}
void Put(Writer&, const Owned&) {}
void Put(Writer&, const FirstServed&) {}
void Put(Writer& to, const Pull& m) {
  to.Number(m.page.value);
}
void Put(Writer& to, const Took& m) {
  to.Number(m.bytes);
}
void Put(Writer& to, const Complete& m) {
  to.Number(m.sum);
  to.Number(m.pages);
  to.Number(m.sent);
}
void Put(Writer& to, const Done& m) {
  to.Number(m.pulls);
  to.Number(m.pull_p50_us);
  to.Number(m.pull_p99_us);
}
void Put(Writer& to, const Failed& m) {
  // They may tell what a third node has said.
  to.Text(m.code.substr(0, kLongestText));
  to.Text(m.message.substr(0, kLongestText));
}
void Put(Writer&, const End&) {}
void Put(Writer& to, const Hashes& m) {
  to.Number(m.first.value);
  to.Words(m.values);
}

void Get(Reader& from, Offer& m) {
  m.kind = static_cast<OfferKind>(from.Number<uint8_t>());
  m.attempt = from.Number<uint32_t>();
  m.epoch.value = from.Number<uint64_t>();
  m.page_size = from.Number<uint32_t>();
  m.move = from.Text();
  m.tenant = from.Text();
  m.source = from.Text();
}
void Get(Reader& from, Hello& m) {
  m.owner = from.Number<uint8_t>() != 0;
  m.list = from.Number<uint64_t>();
  m.arrived = from.Words();
  m.present = from.Words();
}
void Get(Reader& from, Pages& m) {
  m.pushed = from.Number<uint8_t>() != 0;
  const auto count = from.Number<uint32_t>();
  const Bytes numbers = from.Raw(uint64_t{count} * 4);
  for (size_t at = 0; at < numbers.size(); at += 4) {
    PageNumber page;
    std::memcpy(&page.value, numbers.data() + at, sizeof page.value);
    m.numbers.push_back(page);
  }
  const Bytes contents = from.Raw(from.left());
  m.contents.assign(contents.begin(), contents.end());
}
void Get(Reader& from, Prepare& m) {
  m.page_count = from.Number<uint32_t>();
}
void Get(Reader&, Prepared&) {}
void Get(Reader& from, List& m) {
  m.number = from.Number<uint64_t>();
  m.epoch.value = from.Number<uint64_t>();
  m.page_count = from.Number<uint32_t>();
  m.handed = from.Words();
  m.free = from.Words();
}
void Get(Reader& from, Ready& m) {
  m.list = from.Number<uint64_t>();
}
void Get(Reader& from, Own& m) {
  m.epoch.value = from.Number<uint64_t>();
}
void Get(Reader&, Owned&) {}
void Get(Reader&, FirstServed&) {}
void Get(Reader& from, Pull& m) {
  m.page.value = from.Number<uint32_t>();
}
void Get(Reader& from, Took& m) {
  m.bytes = from.Number<uint32_t>();
}
void Get(Reader& from, Complete& m) {
  m.sum = from.Number<uint64_t>();
  m.pages = from.Number<uint32_t>();
  m.sent = from.Number<uint32_t>();
}
void Get(Reader& from, Done& m) {
  m.pulls = from.Number<uint64_t>();
  m.pull_p50_us = from.Number<uint32_t>();
  m.pull_p99_us = from.Number<uint32_t>();
}
void Get(Reader& from, Failed& m) {
  m.code = from.Text();
  m.message = from.Text();
}
void Get(Reader&, End&) {}
void Get(Reader& from, Hashes& m) {
  m.first.value = from.Number<uint32_t>();
  m.values = from.Words();
}

uint32_t HashHeader(Bytes start) {
  return static_cast<uint32_t>(Hash64(start.first(12)));
}

uint64_t HashFrame(Bytes start, Bytes payload) {
  return Hash64(payload, Hash64(start.first(16)));
}

tl::unexpected<Error> Corrupt(const char* why) {
  return Fail(ErrorKind::kCorrupt, "FRAME_CORRUPT",
              std::string("a frame of the page channel is damaged: ") + why);
}

template <size_t... kIndex>
Message Make(uint8_t type, std::index_sequence<kIndex...>) {
  Message message;
  static_cast<void>(((type == kIndex ? (message.emplace<kIndex>(), true) : false) || ...));
  return message;
}

}  // namespace

std::vector<std::byte> Encode(const Message& message, uint32_t channel) {
  Writer writer;
  std::visit([&](const auto& m) { Put(writer, m); }, message);
  std::vector<std::byte> frame = writer.Take();
  const size_t length = frame.size() - kFrameHeaderBytes;
  TW_CHECK(length <= limits::kFrameBytes, "a message too long for a frame");
  const auto length32 = static_cast<uint32_t>(length);
  std::memcpy(frame.data(), &length32, 4);
  frame[4] = std::byte{kVersion};
  frame[5] = static_cast<std::byte>(message.index());
  std::memcpy(frame.data() + 8, &channel, 4);
  const uint32_t header_hash = HashHeader(frame);
  std::memcpy(frame.data() + 12, &header_hash, 4);
  const uint64_t hash = HashFrame(frame, Bytes(frame).subspan(kFrameHeaderBytes));
  std::memcpy(frame.data() + 16, &hash, 8);
  return frame;
}

Result<FrameHeader> ParseFrameHeader(Bytes header) {
  FrameHeader parsed;
  std::memcpy(&parsed.payload_bytes, header.data(), 4);
  parsed.type = std::to_integer<uint8_t>(header[5]);
  std::memcpy(&parsed.channel, header.data() + 8, 4);
  if (header[4] != std::byte{kVersion})
    return Fail(ErrorKind::kRefused, "CHANNEL_VERSION",
                "the other node speaks another version of the page channel",
                "run the same version of tradewind on both nodes");
  uint32_t hash = 0;
  std::memcpy(&hash, header.data() + 12, 4);
  if (hash != HashHeader(header)) return Corrupt("the hash of its header does not fit");
  if (parsed.payload_bytes > limits::kFrameBytes) return Corrupt("its length is beyond the limit");
  return parsed;
}

Result<Message> Decode(Bytes header, Bytes payload) {
  uint64_t hash = 0;
  std::memcpy(&hash, header.data() + 16, 8);
  if (hash != HashFrame(header, payload)) return Corrupt("its hash does not fit");
  return DecodePayload(std::to_integer<uint8_t>(header[5]), payload);
}

Result<Message> DecodePayload(uint8_t type, Bytes payload) {
  if (type >= std::variant_size_v<Message>) return Corrupt("its type is unknown");
  Message message = Make(type, std::make_index_sequence<std::variant_size_v<Message>>{});
  Reader reader(payload);
  std::visit([&](auto& m) { Get(reader, m); }, message);
  if (!reader.ok() || reader.left() != 0) return Corrupt("its payload does not have its message's length");
  if (const auto* pages = std::get_if<Pages>(&message))
    if (pages->numbers.empty() || pages->contents.size() % pages->numbers.size() != 0)
      return Corrupt("its pages do not fill it");
  // From these the receiver lays out memory and files.
  if (const auto* offer = std::get_if<Offer>(&message)) {
    if (offer->kind > OfferKind::kVerify) return Corrupt("its offer is of no known kind");
    if (offer->page_size < 512 || offer->page_size > 65536 || !std::has_single_bit(offer->page_size))
      return Corrupt("its page size is none of SQLite's");
  }
  if (const auto* prepare = std::get_if<Prepare>(&message))
    if (prepare->page_count > kMostPages) return Corrupt("its file is larger than a list can tell");
  if (const auto* list = std::get_if<List>(&message))
    if (list->page_count > kMostPages) return Corrupt("its file is larger than a list can tell");
  return message;
}

}  // namespace tradewind::move
