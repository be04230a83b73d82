// A database file and its WAL, read from their bytes alone as SQLite's recovery would read them; for checkers, which
// share no code with what they check. The formats: sqlite.org/fileformat2.html, sections 1 and 4.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tradewind::sim {

// The transactions in a WAL, followed while it grows.
class WalImage {
 public:
  struct Commit {
    std::vector<std::pair<uint32_t, uint64_t>> pages;  // Number, and where in the file its content is.
    uint32_t database_pages = 0;
  };

  // What has been committed since the last call; everything, when the file has begun anew since.
  std::vector<Commit> Advance(std::string_view file);
  void Reset();

  uint32_t page_size() const { return page_size_; }            // 0: no header.
  uint32_t database_pages() const { return database_pages_; }  // After the last commit; 0 when there is none.
  // By page, where its newest committed content is.
  const std::map<uint32_t, uint64_t>& pages() const { return pages_; }
  bool Has(uint32_t page) const { return pages_.contains(page); }

 private:
  struct Sum {
    uint32_t one = 0;
    uint32_t two = 0;
    bool operator==(const Sum&) const = default;
  };
  bool TakeHeader(std::string_view file);
  Sum Add(Sum sum, std::string_view bytes) const;

  std::string header_;
  bool big_endian_sums_ = false;
  uint32_t page_size_ = 0;
  uint64_t next_ = 0;  // Behind the last commit.
  Sum sum_;            // Up to there.
  uint32_t database_pages_ = 0;
  std::map<uint32_t, uint64_t> pages_;
};

// A column of a row.
struct Column {
  int64_t number = 0;
  std::string text;
};
using Columns = std::vector<Column>;

class DatabaseImage {
 public:
  // All must outlive it. The WAL has been read to its end.
  DatabaseImage(std::string_view main, std::string_view wal_file, const WalImage& wal);

  uint32_t page_size() const { return page_size_; }    // 0: it is none.
  uint32_t page_count() const { return page_count_; }  // As its last transaction left it.
  // Shorter than a page where the file ends, empty beyond.
  std::string_view Page(uint32_t number) const;
  // Pages of the freelist whose content means nothing.
  std::set<uint32_t> FreeLeaves() const;
  // The rows of a table, those with columns that overflow a page left out; none of a table that is not there.
  std::vector<Columns> Rows(std::string_view table) const;

 private:
  void Collect(uint32_t page, int depth, std::vector<Columns>& rows) const;
  void TakeCell(std::string_view page, size_t at, uint8_t kind, std::vector<Columns>& rows) const;

  const std::string_view main_;
  const std::string_view wal_file_;
  const WalImage& wal_;
  uint32_t page_size_ = 0;
  uint32_t page_count_ = 0;
};

}  // namespace tradewind::sim
