#include "sim/checkers/database_image.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace tradewind::sim {

namespace {

constexpr size_t kWalHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;
constexpr uint32_t kWalMagic = 0x377f0682;  // Its last bit: the order of bytes in its sums.
constexpr size_t kFileHeaderBytes = 100;
constexpr int kMostDepth = 20;

constexpr uint8_t kInnerIndex = 2;
constexpr uint8_t kInnerTable = 5;
constexpr uint8_t kLeafIndex = 10;
constexpr uint8_t kLeafTable = 13;

uint64_t Number(std::string_view bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size && at + i < bytes.size(); ++i)
    number = (number << 8) | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

uint32_t Number32(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Number(bytes, at, 4));
}

// Moves `at` behind it.
uint64_t TakeVarint(std::string_view bytes, size_t& at) {
  uint64_t number = 0;
  for (int i = 0; i < 9 && at < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[at++]);
    if (i == 8) return (number << 8) | byte;
    number = (number << 7) | (byte & 0x7f);
    if (byte < 0x80) break;
  }
  return number;
}

size_t BytesOfNumber(uint64_t type) {
  constexpr size_t kBytes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
  return type < 10 ? kBytes[type] : 0;
}

int64_t Signed(uint64_t number, size_t bytes) {
  if (bytes == 0 || bytes == 8) return static_cast<int64_t>(number);
  const size_t shift = 64 - 8 * bytes;
  return static_cast<int64_t>(number << shift) >> shift;
}

Columns ParseRecord(std::string_view record) {
  Columns columns;
  size_t at = 0;
  const uint64_t header = TakeVarint(record, at);
  size_t content = header;
  while (at < header && at < record.size()) {
    const uint64_t type = TakeVarint(record, at);
    Column column;
    if (type >= 12) {
      const size_t length = (type - 12) / 2;
      if (content + length > record.size()) break;
      column.text = record.substr(content, length);
      content += length;
    } else {
      const size_t length = BytesOfNumber(type);
      column.number = type == 9 ? 1 : Signed(Number(record, content, length), length);
      content += length;
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

// -- The WAL

void WalImage::Reset() {
  *this = WalImage();
}

bool WalImage::TakeHeader(std::string_view file) {
  if (file.size() < kWalHeaderBytes || (Number32(file, 0) & ~1u) != kWalMagic) return false;
  header_ = file.substr(0, kWalHeaderBytes);
  big_endian_sums_ = Number32(file, 0) & 1;
  const uint32_t page_size = Number32(file, 8);
  const Sum sum = Add({}, std::string_view(header_).substr(0, 24));
  if (sum != Sum{Number32(file, 24), Number32(file, 28)} || !std::has_single_bit(page_size)) return false;
  page_size_ = page_size;
  next_ = kWalHeaderBytes;
  sum_ = sum;
  return true;
}

WalImage::Sum WalImage::Add(Sum sum, std::string_view bytes) const {
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    uint32_t one = Number32(bytes, at);
    uint32_t two = Number32(bytes, at + 4);
    if (!big_endian_sums_) {
      one = __builtin_bswap32(one);
      two = __builtin_bswap32(two);
    }
    sum.one += one + sum.two;
    sum.two += two + sum.one;
  }
  return sum;
}

std::vector<WalImage::Commit> WalImage::Advance(std::string_view file) {
  const bool same = !header_.empty() && file.substr(0, kWalHeaderBytes) == header_ && file.size() >= next_;
  if (!same) {
    Reset();
    if (!TakeHeader(file)) {
      Reset();
      return {};
    }
  }
  std::vector<Commit> commits;
  Commit open;
  Sum sum = sum_;
  const uint64_t frame_bytes = kFrameHeaderBytes + page_size_;
  for (uint64_t at = next_; at + frame_bytes <= file.size(); at += frame_bytes) {
    const std::string_view frame = file.substr(at, frame_bytes);
    if (frame.substr(8, 8) != std::string_view(header_).substr(16, 8)) break;  // Of another generation.
    sum = Add(Add(sum, frame.substr(0, 8)), frame.substr(kFrameHeaderBytes));
    if (sum != Sum{Number32(frame, 16), Number32(frame, 20)}) break;
    open.pages.emplace_back(Number32(frame, 0), at + kFrameHeaderBytes);
    open.database_pages = Number32(frame, 4);
    if (open.database_pages == 0) continue;
    for (const auto& [page, content] : open.pages) pages_[page] = content;
    database_pages_ = open.database_pages;
    next_ = at + frame_bytes;
    sum_ = sum;
    commits.push_back(std::exchange(open, {}));
  }
  return commits;
}

// -- The database

DatabaseImage::DatabaseImage(std::string_view main, std::string_view wal_file, const WalImage& wal)
    : main_(main), wal_file_(wal_file), wal_(wal) {
  const auto in_header = static_cast<uint32_t>(Number(main_, 16, 2));
  page_size_ = wal.database_pages() > 0          ? wal.page_size()
               : main_.size() < kFileHeaderBytes ? 0
               : in_header == 1                  ? 65536
                                                 : in_header;
  if (page_size_ < 512 || !std::has_single_bit(page_size_)) page_size_ = 0;
  if (page_size_ == 0) return;
  page_count_ =
      wal.database_pages() > 0 ? wal.database_pages() : static_cast<uint32_t>(main_.size() / page_size_);
}

std::string_view DatabaseImage::Page(uint32_t number) const {
  if (const auto found = wal_.pages().find(number); found != wal_.pages().end())
    return wal_file_.substr(std::min<uint64_t>(found->second, wal_file_.size()), page_size_);
  const uint64_t at = uint64_t{number - 1} * page_size_;
  return at < main_.size() ? main_.substr(at, page_size_) : std::string_view();
}

std::set<uint32_t> DatabaseImage::FreeLeaves() const {
  std::set<uint32_t> leaves;
  uint32_t trunk = Number32(Page(1), 32);
  for (uint32_t trunks = 0; trunk != 0 && trunk <= page_count_ && trunks < page_count_; ++trunks) {
    const std::string_view page = Page(trunk);
    const uint32_t count = std::min(Number32(page, 4), page_size_ / 4);
    for (uint32_t i = 0; i < count; ++i) leaves.insert(Number32(page, 8 + 4 * i));
    trunk = Number32(page, 0);
  }
  return leaves;
}

std::vector<Columns> DatabaseImage::Rows(std::string_view table) const {
  std::vector<Columns> schema, rows;
  if (page_size_ == 0) return rows;
  Collect(1, 0, schema);
  for (const Columns& entry : schema)  // type, name, table, root, sql
    if (entry.size() >= 4 && entry[0].text == "table" && entry[1].text == table)
      Collect(static_cast<uint32_t>(entry[3].number), 0, rows);
  return rows;
}

void DatabaseImage::Collect(uint32_t number, int depth, std::vector<Columns>& rows) const {
  const std::string_view page = Page(number);
  if (page.size() < page_size_ || depth > kMostDepth || number == 0) return;
  const size_t head = number == 1 ? kFileHeaderBytes : 0;
  const auto kind = static_cast<uint8_t>(page[head]);
  const bool inner = kind == kInnerIndex || kind == kInnerTable;
  if (!inner && kind != kLeafIndex && kind != kLeafTable) return;
  const size_t cells = Number(page, head + 3, 2);
  for (size_t cell = 0; cell < cells; ++cell) {
    const size_t at = Number(page, head + (inner ? 12 : 8) + 2 * cell, 2);
    if (inner) Collect(Number32(page, at), depth + 1, rows);
    if (kind != kInnerTable) TakeCell(page, at + (inner ? 4 : 0), kind, rows);
  }
  if (inner) Collect(Number32(page, head + 8), depth + 1, rows);
}

void DatabaseImage::TakeCell(std::string_view page, size_t at, uint8_t kind,
                             std::vector<Columns>& rows) const {
  const uint64_t payload = TakeVarint(page, at);
  if (kind == kLeafTable) TakeVarint(page, at);  // The row's id.
  const uint64_t most = kind == kLeafTable ? page_size_ - 35 : (page_size_ - 12) * 64 / 255 - 23;
  if (payload > most || at + payload > page.size()) return;
  rows.push_back(ParseRecord(page.substr(at, payload)));
}

}  // namespace tradewind::sim
