// A set of the pages of one file, as a bitmap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace tradewind::sqlite {

class PageSet {
 public:
  PageSet() = default;
  explicit PageSet(uint32_t page_count) : words_((page_count + 64) / 64 + 1) {}

  bool Has(PageNumber page) const {
    const size_t word = page.value / 64;
    return word < words_.size() && ((words_[word] >> (page.value % 64)) & 1);
  }
  // True when it was not in the set before.
  bool Add(PageNumber page) {
    const size_t word = page.value / 64;
    if (word >= words_.size()) words_.resize(word + 1);
    const uint64_t bit = uint64_t{1} << (page.value % 64);
    if (words_[word] & bit) return false;
    words_[word] |= bit;
    ++size_;
    return true;
  }
  // True when it was in the set.
  bool Remove(PageNumber page) {
    if (!Has(page)) return false;
    words_[page.value / 64] &= ~(uint64_t{1} << (page.value % 64));
    --size_;
    return true;
  }
  void Clear() {
    words_.assign(words_.size(), 0);
    size_ = 0;
  }
  uint32_t size() const { return size_; }
  // In the order of their numbers. The set must not change meanwhile.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t word = 0; word < words_.size(); ++word)
      for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1)
        visit(PageNumber{static_cast<uint32_t>(word * 64 + static_cast<size_t>(__builtin_ctzll(bits)))});
  }

  // The bits from page 0 on, 64 a word, for the wire and for files.
  const std::vector<uint64_t>& words() const { return words_; }
  static PageSet FromWords(std::vector<uint64_t> words) {
    PageSet set;
    set.words_ = std::move(words);
    for (const uint64_t word : set.words_) set.size_ += static_cast<uint32_t>(__builtin_popcountll(word));
    return set;
  }

 private:
  std::vector<uint64_t> words_;
  uint32_t size_ = 0;
};

}  // namespace tradewind::sqlite
