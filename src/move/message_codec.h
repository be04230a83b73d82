// How messages are written to bytes and read from them: numbers little-endian, texts and words with their length before
// them. For move/ and for the rooms of the engines, which have messages of their own (messages.h).
//
// What is read comes from outside: after a read past the end everything is zero and ok() is false.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/ids.h"

namespace tradewind::move {

inline constexpr size_t kFrameHeaderBytes = 24;

class MessageWriter {
 public:
  // Of a frame: room for its header comes first. Of a part of one: none does.
  enum class Of { kFrame, kPart };
  explicit MessageWriter(Of of = Of::kFrame) : bytes_(of == Of::kFrame ? kFrameHeaderBytes : 0) {}

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
  // What an engine has encoded.
  void Part(Bytes part) {
    Number(static_cast<uint32_t>(part.size()));
    Raw(part);
  }
  void Raw(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void Reserve(size_t more) { bytes_.reserve(bytes_.size() + more); }
  std::vector<std::byte> Take() { return std::move(bytes_); }

  static constexpr size_t kLongestText = UINT16_MAX;

 private:
  std::vector<std::byte> bytes_;
};

class MessageReader {
 public:
  explicit MessageReader(Bytes bytes) : bytes_(bytes) {}

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
  std::vector<std::byte> Part() {
    const Bytes part = Raw(Number<uint32_t>());
    return {part.begin(), part.end()};
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
  // Everything was there, and nothing more.
  bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  Bytes bytes_;
  bool ok_ = true;
};

}  // namespace tradewind::move
