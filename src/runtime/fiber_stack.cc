#include "runtime/fiber_stack.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "base/limits.h"
#include "base/out_of_memory.h"

namespace tradewind::runtime {

namespace {
constexpr uintptr_t kPageBytes = 4096;  // A part of whatever a page of the system is.
constexpr size_t kMappingBytes = limits::kStackGuardBytes + limits::kFiberStackBytes;
}  // namespace

FiberStack::FiberStack() {
  void* mapping = ::mmap(nullptr, kMappingBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED) ThrowOutOfMemory();  // See vm.max_map_count and vm.overcommit_memory.
  mapping_ = static_cast<std::byte*>(mapping);
  if (::mprotect(mapping_, limits::kStackGuardBytes, PROT_NONE) != 0) {  // See vm.max_map_count.
    ::munmap(mapping_, kMappingBytes);
    ThrowOutOfMemory();
  }
  // A huge page would make the first touch of every stack cost 2 MiB. Kernels without huge pages refuse the
  // advice.
  ::madvise(mapping_, kMappingBytes, MADV_NOHUGEPAGE);
}

FiberStack::~FiberStack() {
  if (mapping_ != nullptr) ::munmap(mapping_, kMappingBytes);
}

FiberStack::FiberStack(FiberStack&& other) noexcept : mapping_(std::exchange(other.mapping_, nullptr)) {}

FiberStack& FiberStack::operator=(FiberStack&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  return *this;
}

std::byte* FiberStack::bottom() const {
  return mapping_ + limits::kStackGuardBytes;
}
std::byte* FiberStack::top() const {
  return mapping_ + kMappingBytes;
}
size_t FiberStack::size() const {
  return limits::kFiberStackBytes;
}

void FiberStack::ReleaseDeepPart() {
  ::madvise(bottom(), limits::kFiberStackBytes - limits::kIdleStackBytes, MADV_DONTNEED);
}

void FiberStack::ReleaseBelow(const void* address) {
  const auto from = reinterpret_cast<uintptr_t>(bottom());
  const uintptr_t to = reinterpret_cast<uintptr_t>(address) / kPageBytes * kPageBytes;
  ::madvise(bottom(), to - from, MADV_DONTNEED);
}

FiberStack FiberStackPool::Take() {
  if (idle_.empty()) return FiberStack();
  FiberStack stack = std::move(idle_.back().stack);
  idle_.pop_back();
  return stack;
}

void FiberStackPool::Return(FiberStack stack) {
  if (idle_.size() >= limits::kIdleFiberStacks) return;
  idle_.push_back(Idle{std::move(stack), true});
  if (idle_.size() <= limits::kIdleWholeStacks) return;
  Idle& buried = idle_[idle_.size() - 1 - limits::kIdleWholeStacks];
  if (std::exchange(buried.whole, false)) buried.stack.ReleaseDeepPart();
}

}  // namespace tradewind::runtime
