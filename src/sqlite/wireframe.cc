#include "sqlite/wireframe.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "sqlite/big_endian.h"
#include "sqlite/page_kind.h"
#include "sqlite/page_set.h"

namespace tradewind::sqlite {

namespace {

// Offsets in page 1.
constexpr size_t kReservedBytesAt = 20;
constexpr size_t kFirstTrunkAt = 32;
constexpr size_t kLargestRootAt = 52;  // Nonzero with auto_vacuum.
constexpr size_t kDatabaseHeaderBytes = 100;

constexpr int kDeepestTree = 20;

// A view of a B-tree page that never reads outside it.
class TreePage {
 public:
  TreePage(PageNumber page, Bytes bytes)
      : bytes_(bytes),
        header_(page.value == 1 ? kDatabaseHeaderBytes : 0),
        type_(std::to_integer<uint8_t>(bytes[header_])) {}

  bool is_interior() const { return type_ == kInteriorIndexPage || type_ == kInteriorTablePage; }
  bool is_tree() const { return is_interior() || type_ == kLeafIndexPage || type_ == kLeafTablePage; }
  bool is_table_leaf() const { return type_ == kLeafTablePage; }

  size_t cell_count() const { return ReadBigEndian16(bytes_.data() + header_ + 3); }
  // The cell's bytes up to the page's end; empty when its pointer makes no sense.
  Bytes Cell(size_t index) const {
    const size_t pointer_at = header_ + (is_interior() ? 12 : 8) + 2 * index;
    if (pointer_at + 2 > bytes_.size()) return {};
    const size_t at = ReadBigEndian16(bytes_.data() + pointer_at);
    if (at < header_ || at + 4 > bytes_.size()) return {};
    return bytes_.subspan(at);
  }
  // Requires an interior page.
  std::vector<PageNumber> Children() const {
    std::vector<PageNumber> children;
    for (size_t index = 0; index < cell_count(); ++index)
      if (const Bytes cell = Cell(index); !cell.empty())
        children.push_back(PageNumber{ReadBigEndian32(cell.data())});
    children.push_back(PageNumber{ReadBigEndian32(bytes_.data() + header_ + 8)});
    return children;
  }

 private:
  Bytes bytes_;
  size_t header_;
  uint8_t type_;
};

// Reads a variable-length integer (file format, section 1.6) and moves past it.
std::optional<uint64_t> TakeVarint(Bytes& bytes) {
  uint64_t value = 0;
  for (size_t index = 0; index < 9; ++index) {
    if (index >= bytes.size()) return std::nullopt;
    const auto byte = std::to_integer<uint8_t>(bytes[index]);
    value = index == 8 ? (value << 8) | byte : (value << 7) | (byte & 0x7f);
    if (index == 8 || !(byte & 0x80)) {
      bytes = bytes.subspan(index + 1);
      return value;
    }
  }
  return std::nullopt;
}

size_t SerialTypeBytes(uint64_t type) {
  static constexpr size_t kFixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
  return type < 12 ? kFixed[type] : static_cast<size_t>((type - 12) / 2);
}

// The rootpage column (the fourth) of a row of the schema table, from its cell. None for views and triggers.
std::optional<PageNumber> RootOfSchemaCell(Bytes cell) {
  if (!TakeVarint(cell) || !TakeVarint(cell)) return std::nullopt;  // Payload size, rowid.
  const Bytes record = cell;
  const auto header_bytes = TakeVarint(cell);
  if (!header_bytes || *header_bytes > record.size()) return std::nullopt;
  uint64_t at = *header_bytes;
  std::optional<uint64_t> type;
  for (int column = 0; column < 4; ++column) {
    type = TakeVarint(cell);
    if (!type) return std::nullopt;
    if (column < 3) at += SerialTypeBytes(*type);
  }
  const size_t bytes = SerialTypeBytes(*type);
  if (*type == 9) return PageNumber{1};
  if (*type < 1 || *type > 6 || at > record.size() || at + bytes > record.size()) return std::nullopt;
  uint64_t root = 0;
  for (size_t index = 0; index < bytes; ++index)
    root = (root << 8) | std::to_integer<uint8_t>(record[at + index]);
  return PageNumber{static_cast<uint32_t>(root)};
}

class Walk {
 public:
  // Beside the schema table and the roots, finds inner pages until it has `most_pages`.
  Walk(uint32_t page_size, uint32_t page_count, const ReadPage& read, size_t most_pages, bool links_leaves)
      : page_size_(page_size),
        page_count_(page_count),
        read_(read),
        most_pages_(most_pages),
        links_leaves_(links_leaves),
        seen_(page_count) {}

  Result<Wireframe> Run() {
    std::vector<PageNumber> roots;
    TW_TRY(WalkSchema(roots));
    Add(first_trunk_);
    TW_TRY(WalkTrees(roots));
    TW_TRY(WalkTrunks());
    AddPointerMaps();
    return Wireframe{std::move(found_), std::move(next_leaf_)};
  }

 private:
  using Page = std::vector<std::byte>;

  bool InFile(PageNumber page) const { return page.value >= 1 && page.value <= page_count_; }
  bool full() const { return found_.size() >= most_pages_; }
  void Add(PageNumber page) {
    if (InFile(page) && seen_.Add(page)) found_.push_back(page);
  }
  Result<Page> Read(PageNumber page) {
    Page bytes(page_size_);
    TW_TRY(read_(page, bytes));
    return bytes;
  }

  // Every page of the schema table, leaves too, and the roots that its rows name.
  Result<void> WalkSchema(std::vector<PageNumber>& roots) {
    std::vector<PageNumber> queue{PageNumber{1}};
    for (size_t next = 0; next < queue.size(); ++next) {
      if (!InFile(queue[next]) || seen_.Has(queue[next])) continue;
      Add(queue[next]);
      TW_TRY_ASSIGN(const Page bytes, Read(queue[next]));
      if (queue[next].value == 1) {
        first_trunk_ = PageNumber{ReadBigEndian32(bytes.data() + kFirstTrunkAt)};
        usable_ = page_size_ - std::to_integer<uint32_t>(bytes[kReservedBytesAt]);
        auto_vacuum_ = ReadBigEndian32(bytes.data() + kLargestRootAt) != 0;
      }
      const TreePage tree(queue[next], bytes);
      if (tree.is_interior()) {
        for (const PageNumber child : tree.Children()) queue.push_back(child);
      } else if (tree.is_table_leaf()) {
        for (size_t index = 0; index < tree.cell_count(); ++index)
          if (const auto root = RootOfSchemaCell(tree.Cell(index)); root && root->value > 1)
            roots.push_back(*root);
      }
    }
    return {};
  }

  // Levels of inner pages from this page down. All leaves of a tree are at one depth, so the way down the
  // left edge tells which level need not be read.
  Result<int> Height(PageNumber root) {
    int height = 0;
    for (PageNumber page = root; InFile(page) && height < kDeepestTree; ++height) {
      TW_TRY_ASSIGN(const Page bytes, Read(page));
      const TreePage tree(page, bytes);
      if (!tree.is_interior()) break;
      page = tree.Children().front();
    }
    return height;
  }

  // All trees at once, level by level: what is nearer to a root is on the way to more leaves.
  Result<void> WalkTrees(const std::vector<PageNumber>& roots) {
    struct Inner {
      PageNumber page;
      int height;
      size_t tree;
    };
    std::deque<Inner> queue;
    for (size_t tree = 0; tree < roots.size(); ++tree) {
      if (!InFile(roots[tree]) || seen_.Has(roots[tree])) continue;
      Add(roots[tree]);  // Even a leaf: each new connection's first statement on the table wants it.
      TW_TRY_ASSIGN(const int height, Height(roots[tree]));
      if (height > 0) queue.push_back({roots[tree], height, tree});
    }
    std::vector<PageNumber> last_leaf(links_leaves_ ? roots.size() : 0);
    for (; !queue.empty() && !full(); queue.pop_front()) {
      const Inner& inner = queue.front();
      if (inner.page != roots[inner.tree] && (!InFile(inner.page) || seen_.Has(inner.page))) continue;
      TW_TRY_ASSIGN(const Page bytes, Read(inner.page));
      const TreePage tree(inner.page, bytes);
      if (!tree.is_interior()) continue;
      Add(inner.page);
      if (inner.height == 1 && !links_leaves_) continue;
      for (const PageNumber child : tree.Children()) {
        if (inner.height > 1)
          queue.push_back({child, inner.height - 1, inner.tree});
        else
          LinkLeaf(std::exchange(last_leaf[inner.tree], child), child);
      }
    }
    return {};
  }

  void LinkLeaf(PageNumber from, PageNumber to) {
    if (!InFile(from)) return;
    if (next_leaf_.empty()) next_leaf_.resize(size_t{page_count_} + 1);
    next_leaf_[from.value] = to.value;
  }

  Result<void> WalkTrunks() {
    PageSet followed(page_count_);
    for (PageNumber trunk = first_trunk_; InFile(trunk) && followed.Add(trunk) && !full();) {
      Add(trunk);
      TW_TRY_ASSIGN(const Page bytes, Read(trunk));
      trunk = PageNumber{ReadBigEndian32(bytes.data())};
    }
    return {};
  }

  // Page 2, and then every (usable / 5 + 1)th, maps the pages that follow it (file format, section 1.8).
  void AddPointerMaps() {
    if (!auto_vacuum_) return;
    const uint64_t stride = usable_ / 5 + 1;
    for (uint64_t page = 2; page <= page_count_ && !full(); page += stride)
      Add(PageNumber{static_cast<uint32_t>(page)});
  }

  const uint32_t page_size_;
  const uint32_t page_count_;
  const ReadPage& read_;
  const size_t most_pages_;
  const bool links_leaves_;
  PageSet seen_;
  std::vector<PageNumber> found_;
  std::vector<uint32_t> next_leaf_;
  PageNumber first_trunk_;
  uint32_t usable_ = 0;
  bool auto_vacuum_ = false;
};

}  // namespace

Result<Wireframe> FindWireframe(uint32_t page_size, uint32_t page_count, const ReadPage& read) {
  return Walk(page_size, page_count, read, page_count, /*links_leaves=*/true).Run();
}

Result<std::vector<PageNumber>> FindWireframeTop(uint32_t page_size, uint32_t page_count,
                                                 const ReadPage& read, size_t most_pages) {
  TW_TRY_ASSIGN(Wireframe top, Walk(page_size, page_count, read, most_pages, /*links_leaves=*/false).Run());
  return std::move(top.pages);
}

Result<std::vector<PageNumber>> FindFreeLeaves(uint32_t page_size, uint32_t page_count,
                                               const ReadPage& read) {
  std::vector<std::byte> bytes(page_size);
  std::vector<PageNumber> leaves;
  PageSet trunks(page_count);
  if (page_count == 0) return leaves;
  TW_TRY(read(PageNumber{1}, bytes));
  PageNumber trunk{ReadBigEndian32(bytes.data() + kFirstTrunkAt)};
  while (trunk.value >= 1 && trunk.value <= page_count && trunks.Add(trunk)) {
    TW_TRY(read(trunk, bytes));
    const size_t count = std::min<size_t>(ReadBigEndian32(bytes.data() + 4), page_size / 4 - 2);
    for (size_t index = 0; index < count; ++index) {
      const PageNumber leaf{ReadBigEndian32(bytes.data() + 8 + 4 * index)};
      if (leaf.value > 1 && leaf.value <= page_count) leaves.push_back(leaf);
    }
    trunk = PageNumber{ReadBigEndian32(bytes.data())};
  }
  return leaves;
}

}  // namespace tradewind::sqlite
