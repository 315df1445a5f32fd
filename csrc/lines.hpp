// Memory from the start of a line of the cache.
#pragma once

#include <cstdint>
#include <memory>

#include "simd.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// `size` doubles, not cleared
class Lines {
 public:
  Lines() = default;
  explicit Lines(std::ptrdiff_t size) : memory_(new double[std::size_t(size) + kSpare]) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
    data_ = memory_.get() + (kLineBytes - address % kLineBytes) % kLineBytes / sizeof(double);
  }
  double* data() const { return data_; }

 private:
  static constexpr std::size_t kSpare = kLineBytes / sizeof(double);
  std::unique_ptr<double[]> memory_;
  double* data_ = nullptr;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve
