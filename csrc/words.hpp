// Words: the 16-bit whole numbers of one vector register, and products of bytes with them.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr int kWords = 4 * kLanes;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(REGSOLVE_PLAIN_PACK)

#if REGSOLVE_SIMD_DOUBLES == 8
using Words = __m512i;
using Totals = __m512i;  // of 32 bits, half as many; halved() adds them in pairs, exactly
REGSOLVE_INLINE Words widen(const std::int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
REGSOLVE_INLINE Words load(const std::int16_t* p) {
  return _mm512_loadu_si512(p);
}
REGSOLVE_INLINE void add_products(const Words& x, const Words& y, Totals& z) {
  z = _mm512_add_epi32(z, _mm512_madd_epi16(x, y));
}
#elif REGSOLVE_SIMD_DOUBLES == 4
using Words = __m256i;
using Totals = __m256i;
REGSOLVE_INLINE Words widen(const std::int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
REGSOLVE_INLINE Words load(const std::int16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
REGSOLVE_INLINE void add_products(const Words& x, const Words& y, Totals& z) {
  z = _mm256_add_epi32(z, _mm256_madd_epi16(x, y));
}
#else
using Words = __m128i;
using Totals = __m128i;
REGSOLVE_INLINE Words widen(const std::int8_t* p) {
  const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8);
}
REGSOLVE_INLINE Words load(const std::int16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
REGSOLVE_INLINE void add_products(const Words& x, const Words& y, Totals& z) {
  z = _mm_add_epi32(z, _mm_madd_epi16(x, y));
}
#endif

REGSOLVE_INLINE Pack halved(const Totals& z) {
  typedef std::int32_t Half __attribute__((vector_size(4 * kLanes)));
  Half part[2];
  std::memcpy(part, &z, sizeof part);
  return __builtin_convertvector(part[0], Pack) + __builtin_convertvector(part[1], Pack);
}

#else

struct Words {
  std::int16_t lane[kWords];
};
struct Totals {
  std::int32_t lane[kWords / 2];
};
REGSOLVE_INLINE Words widen(const std::int8_t* p) {
  Words out;
  for (int l = 0; l < kWords; ++l) out.lane[l] = p[l];
  return out;
}
REGSOLVE_INLINE Words load(const std::int16_t* p) {
  Words out;
  std::memcpy(&out, p, sizeof out);
  return out;
}
// neighbours together: z_l += x_2l y_2l + x_2l+1 y_2l+1
REGSOLVE_INLINE void add_products(const Words& x, const Words& y, Totals& z) {
  for (int l = 0; l < kWords / 2; ++l)
    z.lane[l] += std::int32_t(x.lane[2 * l]) * y.lane[2 * l] +
                 std::int32_t(x.lane[2 * l + 1]) * y.lane[2 * l + 1];
}
REGSOLVE_INLINE Pack halved(const Totals& z) {
  double lane[kLanes];
  for (int l = 0; l < kLanes; ++l) lane[l] = double(z.lane[l]) + double(z.lane[l + kLanes]);
  return load(lane);
}

#endif

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve
