// An array that begins as zeroes and takes memory only where it is written to: the system gives it pages when
// they are touched. Making one for a million pages costs no more than for a thousand, where std::vector would
// touch it all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "base/out_of_memory.h"

namespace tradewind {

template <typename T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T>, "zero bytes are its first value");

 public:
  ZeroedArray() = default;
  // With room to grow into without a copy.
  explicit ZeroedArray(size_t size, size_t room = 0)
      : values_(static_cast<T*>(std::calloc(std::max<size_t>(size + room, 1), sizeof(T)))),
        size_(size),
        capacity_(size + room) {
    if (values_ == nullptr) ThrowOutOfMemory();
  }

  size_t size() const { return size_; }
  T& operator[](size_t index) { return values_.get()[index]; }
  const T& operator[](size_t index) const { return values_.get()[index]; }
  std::span<T> span() { return {values_.get(), size_}; }
  std::span<const T> span() const { return {values_.get(), size_}; }

  // What is new is zero.
  void Resize(size_t size) {
    if (size > capacity_) {
      ZeroedArray larger(size, size / 8);
      std::copy_n(values_.get(), size_, larger.values_.get());
      *this = std::move(larger);
    }
    if (size < size_) std::fill(values_.get() + size, values_.get() + size_, T{});
    size_ = size;
  }

 private:
  struct Free {
    void operator()(T* values) const { std::free(values); }
  };
  std::unique_ptr<T, Free> values_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tradewind
