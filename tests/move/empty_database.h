// An empty SQLite database, byte by byte, so that a tenant can have any page size.
#pragma once

#include <cstdint>
#include <string>

namespace tradewind::tests {

// One page: the header and an empty leaf for the schema (https://sqlite.org/fileformat2.html, 1.3 and 1.6).
// Requires: a power of two from 512 to 65536.
inline std::string EmptyDatabase(uint32_t page_size) {
  std::string page(page_size, '\0');
  const auto put = [&page](size_t at, std::initializer_list<uint32_t> bytes) {
    for (const uint32_t byte : bytes) page[at++] = static_cast<char>(byte & 0xff);
  };
  page.replace(0, 16, std::string("SQLite format 3\0", 16));
  put(16, {page_size >> 8, page_size});  // 65536 is written as 1.
  if (page_size == 65536) put(16, {0, 1});
  put(18, {1, 1, 0, 64, 32, 32});
  put(27, {1});                           // Change counter.
  put(31, {1});                           // Pages.
  put(47, {4});                           // Schema format.
  put(59, {1});                           // UTF-8.
  put(95, {1});                           // The page count is valid for this change counter.
  put(96, {0, 0x2e, 0x63, 0x81});         // Written by 3.40.1.
  put(100, {0x0d});                       // A table leaf without cells,
  put(105, {page_size >> 8, page_size});  // whose content would begin at the end of the page (65536 is 0).
  return page;
}

}  // namespace tradewind::tests
