// The solvers for CPUs with avx2: the same templates in a target region of their own.
#include "standard.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define REGSOLVE_TARGET avx2
#define REGSOLVE_SIMD_DOUBLES 4
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include "../path.hpp"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace regsolve {
Target avx2_target() {
  return avx2::make_target("avx2");
}
}  // namespace regsolve
#endif
