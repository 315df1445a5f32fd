// Chooses the CPU target, best first; REGSOLVE_TARGET in the environment overrides (in the
// binding).
#include <cstring>

#include "../api.hpp"

namespace regsolve {

Target baseline_target();
#if defined(__x86_64__) && defined(__GNUC__)
Target avx2_target();
Target avx512_target();
#endif

namespace {

std::vector<Target> supported() {
  std::vector<Target> out;
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    out.push_back(avx512_target());
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out.push_back(avx2_target());
#endif
  out.push_back(baseline_target());
  return out;
}

const std::vector<Target>& targets() {
  static const std::vector<Target> list = supported();
  return list;
}

}  // namespace

const Target* find_target(const char* name) {
  for (const Target& target : targets())
    if (std::strcmp(target.name, name) == 0) return &target;
  return nullptr;
}

const Target* best_target() {
  return &targets().front();
}

std::vector<const char*> target_names() {
  std::vector<const char*> names;
  for (const Target& target : targets()) names.push_back(target.name);
  return names;
}

}  // namespace regsolve
