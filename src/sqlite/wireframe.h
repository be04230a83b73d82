// The wireframe of a database: what it takes to find any leaf page (Zephyr, section 3.1: the index skeleton).
// It holds page 1, the whole schema table (every new connection reads it), every interior page of every
// B-tree, the freelist trunks and, with auto_vacuum, the pointer-map pages.
//
// The walk reads committed pages one by one while commits may go on, so it may see pages of different
// moments. Its answer is a hint about what to send first: a page that is missing from it is pulled, one too
// many costs a page. It therefore skips what it cannot make sense of, and never follows a page twice.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::sqlite {

// Reads one page into a buffer of the page size. May suspend.
using ReadPage = std::function<Result<void>(PageNumber, MutableBytes)>;

struct Wireframe {
  std::vector<PageNumber> pages;  // Each once; page 1 is the first.
  // By page number: the leaf that a scan of its tree reads after this one; 0 where there is none. A hint too.
  std::vector<uint32_t> next_leaf;
};

// Fails only when `read` does.
Result<Wireframe> FindWireframe(uint32_t page_size, uint32_t page_count, const ReadPage& read);

// What is nearest to the roots of it: the schema table and all roots, and then inner pages level by level,
// trunks and pointer maps, until there are `most_pages`. So it takes no longer for a large database than for
// a small one; a lookup there lacks one inner page at the most before it lacks its leaf.
Result<std::vector<PageNumber>> FindWireframeTop(uint32_t page_size, uint32_t page_count,
                                                 const ReadPage& read, size_t most_pages);

// The leaves of the freelist, whose content never matters (file format, section 1.5). Exact when the pages
// that `read` gives are of one committed version; fails when `read` does.
Result<std::vector<PageNumber>> FindFreeLeaves(uint32_t page_size, uint32_t page_count, const ReadPage& read);

}  // namespace tradewind::sqlite
