// Vectors of many numbers, each written before it is read: memory that is not cleared, of which the
// system maps what is touched alone.
#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace regsolve {

template <class T>
struct Uncleared : std::allocator<T> {
  Uncleared() = default;
  template <class U>
  Uncleared(const Uncleared<U>&) {}
  template <class U>
  struct rebind {
    using other = Uncleared<U>;
  };
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

using Values = std::vector<double, Uncleared<double>>;

}  // namespace regsolve
