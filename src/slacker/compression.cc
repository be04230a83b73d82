#include "slacker/compression.h"

#include <zstd.h>

#include <array>

#include "base/check.h"

namespace tradewind::slacker {
namespace {

constexpr int kLevel = 1;
constexpr int kWindowLog = 22;  // 4 MiB, and the program's own takes as much again.

tl::unexpected<Error> Corrupt(const char* why) {
  return Fail(ErrorKind::kIo, "SNAPSHOT_CORRUPT", std::string("the snapshot cannot be unpacked: ") + why);
}

void Set(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
  TW_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)), "zstd has this parameter");
}

}  // namespace

struct Compressor::State {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ~State() { ZSTD_freeCCtx(context); }
};

Compressor::Compressor() : state_(std::make_unique<State>()) {
  TW_CHECK(state_->context, "memory for a stream of zstd");
  Set(state_->context, ZSTD_c_compressionLevel, kLevel);
  Set(state_->context, ZSTD_c_windowLog, kWindowLog);
  Set(state_->context, ZSTD_c_checksumFlag, 1);
}

Compressor::~Compressor() = default;

void Compressor::Pack(Bytes piece, bool last, std::vector<std::byte>& out) {
  out.clear();
  ZSTD_inBuffer input{piece.data(), piece.size(), 0};
  std::array<std::byte, 16u << 10> packed;
  while (true) {
    ZSTD_outBuffer output{packed.data(), packed.size(), 0};
    const size_t left =
        ZSTD_compressStream2(state_->context, &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
    TW_CHECK(!ZSTD_isError(left), "zstd packs whatever it is given");
    out.insert(out.end(), packed.begin(), packed.begin() + static_cast<ptrdiff_t>(output.pos));
    if (last ? left == 0 : input.pos == input.size && output.pos < output.size) return;
  }
}

struct Decompressor::State {
  ZSTD_DCtx* const context = ZSTD_createDCtx();
  ~State() { ZSTD_freeDCtx(context); }
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {
  TW_CHECK(state_->context, "memory for a stream of zstd");
  const size_t set = ZSTD_DCtx_setParameter(state_->context, ZSTD_d_windowLogMax, kWindowLog);
  TW_CHECK(!ZSTD_isError(set), "zstd has this parameter");
}

Decompressor::~Decompressor() = default;

Result<void> Decompressor::Unpack(Bytes piece, const std::function<Result<void>(Bytes)>& take) {
  ZSTD_inBuffer input{piece.data(), piece.size(), 0};
  std::array<std::byte, 64u << 10> unpacked;
  while (true) {
    if (complete_)
      return input.pos == input.size ? Result<void>() : Corrupt("something stands behind its end");
    ZSTD_outBuffer output{unpacked.data(), unpacked.size(), 0};
    const size_t left = ZSTD_decompressStream(state_->context, &output, &input);
    if (ZSTD_isError(left)) return Corrupt(ZSTD_getErrorName(left));
    if (output.pos > 0) TW_TRY(take(Bytes(unpacked).first(output.pos)));
    complete_ = left == 0;
    if (!complete_ && input.pos == input.size && output.pos < output.size) return {};
  }
}

}  // namespace tradewind::slacker
