// The solvers for CPUs with avx512: the same templates in a target region of their own.
#include "standard.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define REGSOLVE_TARGET avx512
#define REGSOLVE_SIMD_DOUBLES 8
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#endif
#include "../path.hpp"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace regsolve {
Target avx512_target() {
  return avx512::make_target("avx512");
}
}  // namespace regsolve
#endif
