// Pack: the doubles of one vector register, and the few operations that the kernels of X'R need.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#if defined(_MSC_VER) && !defined(__clang__)
#include <xmmintrin.h>
#define REGSOLVE_INLINE __forceinline
#else
#define REGSOLVE_INLINE inline __attribute__((always_inline))
#endif

// Before a short loop of fixed length over Packs: they stay in registers only once it is unrolled.
#if defined(__clang__)
#define REGSOLVE_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define REGSOLVE_UNROLL _Pragma("GCC unroll 16")
#else
#define REGSOLVE_UNROLL
#endif

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr int kLanes = REGSOLVE_SIMD_DOUBLES;
constexpr int kLineBytes = 64;

#if defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = kLanes == 8 ? 32 : 16;
#endif

#if defined(__GNUC__) && !defined(REGSOLVE_PLAIN_PACK)

typedef double Pack __attribute__((vector_size(8 * REGSOLVE_SIMD_DOUBLES)));

// Keeps x in a register: compilers otherwise read it again from memory for every product it enters.
REGSOLVE_INLINE void hold(Pack& x) {
#if defined(__x86_64__)
  asm("" : "+v"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#else
  (void)x;
#endif
}

REGSOLVE_INLINE void prefetch(const void* p) {
  __builtin_prefetch(p);
}
// into the second cache: for what is read tens of kilobytes from now
REGSOLVE_INLINE void prefetch_far(const void* p) {
  __builtin_prefetch(p, 0, 2);
}

#else

struct Pack {
  double lane[kLanes];
  double& operator[](int l) { return lane[l]; }
  double operator[](int l) const { return lane[l]; }
};
REGSOLVE_INLINE Pack operator*(const Pack& x, const Pack& y) {
  Pack out;
  for (int l = 0; l < kLanes; ++l) out.lane[l] = x.lane[l] * y.lane[l];
  return out;
}
REGSOLVE_INLINE Pack& operator+=(Pack& x, const Pack& y) {
  for (int l = 0; l < kLanes; ++l) x.lane[l] += y.lane[l];
  return x;
}
REGSOLVE_INLINE void hold(Pack&) {}
REGSOLVE_INLINE void prefetch(const void* p) {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
#else
  (void)p;
#endif
}
REGSOLVE_INLINE void prefetch_far(const void* p) {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
#else
  (void)p;
#endif
}

#endif

// Any alignment will do in every load and store.
REGSOLVE_INLINE Pack load(const double* p) {
  Pack x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

// A list of the lanes compiles to one widening load, which __builtin_convertvector does not.
REGSOLVE_INLINE Pack load(const float* p) {
#if REGSOLVE_SIMD_DOUBLES == 8
  return Pack{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
#elif REGSOLVE_SIMD_DOUBLES == 4
  return Pack{p[0], p[1], p[2], p[3]};
#else
  return Pack{p[0], p[1]};
#endif
}

REGSOLVE_INLINE void store(double* p, const Pack& x) {
  std::memcpy(p, &x, sizeof x);
}

REGSOLVE_INLINE Pack broadcast(double value) {
#if REGSOLVE_SIMD_DOUBLES == 8
  return Pack{value, value, value, value, value, value, value, value};
#elif REGSOLVE_SIMD_DOUBLES == 4
  return Pack{value, value, value, value};
#else
  return Pack{value, value};
#endif
}

// The first `count` < kLanes numbers in the lanes from `first` on, zeros in the others.
template <class T>
REGSOLVE_INLINE Pack load_part(const T* p, std::ptrdiff_t count, std::ptrdiff_t first = 0) {
  T lane[kLanes] = {};
  for (std::ptrdiff_t l = 0; l < count; ++l) lane[first + l] = p[l];
  return load(lane);
}

// The last numbers of n that fill no Pack, n % kLanes > 0 of them: beside those before them, where
// n has so many, and beside zeros. The two agree in lanes, so a product of both counts none twice.
template <class T>
REGSOLVE_INLINE Pack load_last(const T* p, std::ptrdiff_t n) {
  return n < kLanes ? load_part(p, n) : load(p + n - kLanes);
}
template <class T>
REGSOLVE_INLINE Pack load_last_alone(const T* p, std::ptrdiff_t n) {
  const std::ptrdiff_t count = n % kLanes;
  return load_part(p + n - count, count, n < kLanes ? 0 : kLanes - count);
}

// z += x y
REGSOLVE_INLINE void multiply_add(const Pack& x, const Pack& y, Pack& z) {
  z += x * y;
}

// The lanes added by halves: (x0 + x2) + (x1 + x3) for four.
REGSOLVE_INLINE double sum(const Pack& x) {
#if REGSOLVE_SIMD_DOUBLES == 8
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
#elif REGSOLVE_SIMD_DOUBLES == 4
  return (x[0] + x[2]) + (x[1] + x[3]);
#else
  return x[0] + x[1];
#endif
}

// Half of the way to the sums of x and y: in every 2 h lanes the last h are added to the first;
// what comes of x is followed by what comes of y.
template <int h>
REGSOLVE_INLINE Pack fold(const Pack& x, const Pack& y) {
#if REGSOLVE_SIMD_DOUBLES == 8
  constexpr int a = h == 1 ? 2 : 1, b = h == 4 ? 2 : 4, c = a + b;
  Pack z{x[0], x[a], x[b], x[c], y[0], y[a], y[b], y[c]};
  z += Pack{x[h], x[a + h], x[b + h], x[c + h], y[h], y[a + h], y[b + h], y[c + h]};
#elif REGSOLVE_SIMD_DOUBLES == 4
  constexpr int a = h == 1 ? 2 : 1;
  Pack z{x[0], x[a], y[0], y[a]};
  z += Pack{x[h], x[a + h], y[h], y[a + h]};
#else
  Pack z{x[0], y[0]};
  z += Pack{x[h], y[h]};
#endif
  return z;
}

// sum(x[0]), sum(x[stride]), ..., kLanes of them, to the last bit.
REGSOLVE_INLINE Pack sums(const Pack* x, std::ptrdiff_t stride) {
  Pack y[kLanes];
  REGSOLVE_UNROLL
  for (int l = 0; l < kLanes; ++l) y[l] = x[l * stride];
#if REGSOLVE_SIMD_DOUBLES == 8
  REGSOLVE_UNROLL
  for (int l = 0; l < 4; ++l) y[l] = fold<4>(y[2 * l], y[2 * l + 1]);
#endif
#if REGSOLVE_SIMD_DOUBLES >= 4
  REGSOLVE_UNROLL
  for (int l = 0; l < 2; ++l) y[l] = fold<2>(y[2 * l], y[2 * l + 1]);
#endif
  return fold<1>(y[0], y[1]);
}

// work(std::integral_constant<int, k>) for k = 1..8
template <class Work>
REGSOLVE_INLINE void with_count(int k, const Work& work) {
  switch (k) {
    case 1:
      return work(std::integral_constant<int, 1>());
    case 2:
      return work(std::integral_constant<int, 2>());
    case 3:
      return work(std::integral_constant<int, 3>());
    case 4:
      return work(std::integral_constant<int, 4>());
    case 5:
      return work(std::integral_constant<int, 5>());
    case 6:
      return work(std::integral_constant<int, 6>());
    case 7:
      return work(std::integral_constant<int, 7>());
    default:
      return work(std::integral_constant<int, 8>());
  }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve
