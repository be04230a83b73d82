#include "net/gzip.h"

#include <algorithm>
#include <array>
#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>

#include "base/check.h"

namespace tradewind::net {

namespace {

namespace zlib = boost::beast::zlib;

constexpr uint64_t kStateBytes = 270u << 10;
constexpr size_t kOutputBytes = 16u << 10;

// Magic, deflate, no flags, no time, fastest, unknown system.
constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\x04\xff", 10);

void AppendLittleEndian(std::string& out, uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift);
}

}  // namespace

struct Gzip::State {
  zlib::deflate_stream deflate;
  boost::crc_32_type sum;
  uint32_t bytes = 0;  // Modulo 2^32, as the format has it.
  bool begun = false;
};

Gzip::Gzip() : state_(std::make_unique<State>()) {
  held_.Set(kStateBytes);
  state_->deflate.reset(/*level=*/1, /*windowBits=*/15, /*memLevel=*/8, zlib::Strategy::normal);
}

Gzip::~Gzip() = default;

void Gzip::Pack(std::string_view piece, std::string& out, bool last) {
  if (!state_->begun) out += kHeader;
  state_->begun = true;
  state_->sum.process_bytes(piece.data(), piece.size());
  state_->bytes += static_cast<uint32_t>(piece.size());
  zlib::z_params params;
  params.next_in = piece.data();
  params.avail_in = piece.size();
  std::array<char, kOutputBytes> packed;
  const zlib::Flush flush = last ? zlib::Flush::finish : zlib::Flush::sync;
  boost::beast::error_code error;
  do {
    params.next_out = packed.data();
    params.avail_out = packed.size();
    state_->deflate.write(params, flush, error);
    out.append(packed.data(), packed.size() - params.avail_out);
  } while (params.avail_out == 0 && !error);
  const bool well = !error || error == zlib::error::end_of_stream || error == zlib::error::need_buffers;
  TW_CHECK(well && params.avail_in == 0, "all of it can be packed");
  if (!last) return;
  AppendLittleEndian(out, state_->sum.checksum());
  AppendLittleEndian(out, state_->bytes);
}

bool AcceptsGzip(const Headers& headers) {
  std::string_view rest = headers.Get("Accept-Encoding").value_or("");
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    const std::string_view name = one.substr(0, one.find_first_of("; "));
    const bool refused =
        one.find("q=0") != std::string_view::npos && one.find_first_of("123456789") == std::string_view::npos;
    if (name == "gzip" && !refused) return true;
  }
  return false;
}

}  // namespace tradewind::net
