// The solvers for any CPU of the architecture.
#include "standard.hpp"

#define REGSOLVE_TARGET baseline
#define REGSOLVE_SIMD_DOUBLES 2
#include "../path.hpp"

namespace regsolve {
Target baseline_target() {
  return baseline::make_target("baseline");
}
}  // namespace regsolve
