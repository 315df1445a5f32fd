// Vectors of many numbers: their memory is kept from one fit for the next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "kept_memory.hpp"
#include "large_pages.hpp"

namespace regsolve {

template <class T>
struct Kept : std::allocator<T> {
  Kept() = default;
  template <class U>
  Kept(const Kept<U>&) {}
  template <class U>
  struct rebind {
    using other = Kept<U>;
  };
  T* allocate(std::size_t n) {
    if (!KeptMemory::keeps(n * sizeof(T))) return std::allocator<T>::allocate(n);
    return static_cast<T*>(KeptMemory::take(n * sizeof(T)));
  }
  void deallocate(T* at, std::size_t n) {
    if (!KeptMemory::keeps(n * sizeof(T))) return std::allocator<T>::deallocate(at, n);
    KeptMemory::give(at, n * sizeof(T));
  }
};

// Each value is written before it is read: memory that is not cleared, of which the system maps
// what is touched alone, by small pages where there are more than `most` bytes.
template <class T, std::size_t most = std::size_t(-1)>
struct Uncleared : Kept<T> {
  Uncleared() = default;
  template <class U>
  Uncleared(const Uncleared<U, most>&) {}
  template <class U>
  struct rebind {
    using other = Uncleared<U, most>;
  };
  T* allocate(std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    if (!LargePages::serve(bytes)) return Kept<T>::allocate(n);
    return static_cast<T*>(LargePages::take(bytes, bytes <= most));
  }
  void deallocate(T* at, std::size_t n) {
    if (!LargePages::serve(n * sizeof(T))) return Kept<T>::deallocate(at, n);
    LargePages::give(at, n * sizeof(T));
  }
  // Without a value: none.
  template <class U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... V>
  void construct(U* at, V&&... value) {
    ::new (static_cast<void*>(at)) U(std::forward<V>(value)...);
  }
};

using Vector = std::vector<double, Kept<double>>;
using Values = std::vector<double, Uncleared<double>>;
// Of a matrix that grows, and of a triangle, a part is never written, which large pages would map
// too: up to 32 and 16 MB their speed is worth that.
using Growing = std::vector<double, Uncleared<double, std::size_t(1) << 25>>;
using Triangle = std::vector<double, Uncleared<double, std::size_t(1) << 24>>;

// A matrix of leading dimension ld becomes a square one of `side`, in which the first rows(j)
// values of its first `columns` columns j stay. Pages that have moved are given back on the way, so
// that two matrices are never mapped.
template <class Block, class Rows>
void widen(Block& A, std::ptrdiff_t columns, std::ptrdiff_t ld, std::ptrdiff_t side,
           const Rows& rows) {
  Block wider(std::size_t(side * side));
  const bool apart = LargePages::serve(A.capacity() * sizeof(double));
  std::size_t left = 0;  // bytes given back
  for (std::ptrdiff_t j = 0; j < columns; ++j) {
    std::copy_n(A.data() + j * ld, rows(j), wider.data() + j * side);
    if (apart) left = LargePages::drop(A.data(), left, std::size_t((j + 1) * ld) * sizeof(double));
  }
  A.swap(wider);
}

}  // namespace regsolve
