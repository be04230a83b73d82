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

// Fails only when `read` does. The pages are in the order in which they were found, each once; page 1 is the
// first.
Result<std::vector<PageNumber>> FindWireframe(uint32_t page_size, uint32_t page_count, const ReadPage& read);

}  // namespace tradewind::sqlite
