// Memory of many megabytes, apart from the heap, which would otherwise be cut and grown again with
// every block. What will all be written lies in pages of megabytes where the system has them, since
// it clears few large ones faster than many small ones; what will not, in small ones, so that what
// is never written is never mapped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace regsolve {

class LargePages {
#if defined(__linux__)
 public:
  // Whether blocks of so many bytes are worth it.
  static constexpr bool serve(std::size_t bytes) { return bytes >= 2 * kPage; }

  static void* take(std::size_t bytes, bool large) {
    const std::size_t size = rounded(bytes);
    void* const at =
        mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    const std::uintptr_t from = reinterpret_cast<std::uintptr_t>(at), begin = rounded(from);
    void* const out = reinterpret_cast<void*>(begin);
    if (begin > from) munmap(at, begin - from);
    munmap(static_cast<char*>(out) + size, from + kPage - begin);
#if defined(MADV_HUGEPAGE)  // where the system has none, pages are as they are
    madvise(out, size, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
    return out;
  }
  static void give(void* at, std::size_t bytes) { munmap(at, rounded(bytes)); }

  // Whole large pages of a block between bytes `begin` and `end` lose what they hold; returns where
  // they end.
  static std::size_t drop(void* at, std::size_t begin, std::size_t end) {
    end = end / kPage * kPage;
    if (end > begin) madvise(static_cast<char*>(at) + begin, end - begin, MADV_DONTNEED);
    return std::max(begin, end);
  }

 private:
  static constexpr std::size_t kPage = std::size_t(1) << 21;

  static constexpr std::size_t rounded(std::size_t bytes) {
    return (bytes + kPage - 1) / kPage * kPage;
  }
#else
 public:
  static constexpr bool serve(std::size_t) { return false; }
  static void* take(std::size_t bytes, bool) { return ::operator new(bytes); }
  static void give(void* at, std::size_t) { ::operator delete(at); }
  static std::size_t drop(void*, std::size_t begin, std::size_t) { return begin; }
#endif
};

}  // namespace regsolve
