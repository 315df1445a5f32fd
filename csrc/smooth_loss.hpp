// A smooth loss over the linear predictor z_i = x_i'w + intercept + offset_i, and its dual.
#pragma once

#include "null_space.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct SmoothLoss {
  const Design& design;

  double value(const Vector& z) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < z.size(); ++i)
      if (design.omega[i] > 0.0)
        sum += design.omega[i] * design.problem.loss.value(design.problem.y[i], z[i]);
    return std::isnan(sum) ? infinity : sum;
  }
  // u_i = -omega_i f'(z_i)
  void residual(const Vector& z, Vector& u) const {
    for (std::size_t i = 0; i < z.size(); ++i)
      u[i] = design.omega[i] > 0.0
                 ? -design.omega[i] * design.problem.loss.gradient(design.problem.y[i], z[i])
                 : 0.0;
  }
  // h_i = omega_i f''(z_i), at least `floor` of the largest, or of the largest weight where no row
  // is curved; whether any row is raised to that
  bool curvature(const Vector& z, double floor, Vector& h) const {
    double most = 0.0, heaviest = 0.0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      h[i] = design.omega[i] > 0.0
                 ? design.omega[i] * design.problem.loss.curvature(design.problem.y[i], z[i])
                 : 0.0;
      if (!(h[i] >= 0.0)) h[i] = 0.0;
      most = std::max(most, h[i]);
      heaviest = std::max(heaviest, design.omega[i]);
    }
    const double least = floor * (most > 0.0 ? most : heaviest);
    bool raised = false;
    for (std::size_t i = 0; i < z.size(); ++i)
      if (design.omega[i] > 0.0 && h[i] < least) {
        h[i] = least;
        raised = true;
      }
    return raised;
  }
  // sum_i omega_i f*(-s u_i / omega_i) + s sum_i u_i offset_i
  double conjugate(const Vector& u, double s) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      const double w = design.omega[i];
      if (w == 0.0) continue;
      sum += w * design.problem.loss.conjugate(design.problem.y[i], -s * u[i] / w);
      if (design.problem.offset) sum += s * u[i] * design.problem.offset[i];
    }
    return std::isnan(sum) ? infinity : sum;
  }
  // u := s u with s >= 1 - 1e-6 if that suffices, else (1 - t) u_null + t u with the largest t in
  // [0, 1] that keeps the conjugate finite
  void into_domain(const Vector& u_null, Vector& u) const {
    if (std::isfinite(conjugate(u, 1.0))) return;
    Vector trial(u.size());
    for (int k = 15; k > 5; --k) {  // over the edge by rounding only
      const double s = 1.0 - std::pow(10.0, -k);
      for (std::size_t i = 0; i < u.size(); ++i) trial[i] = s * u[i];
      if (std::isfinite(conjugate(trial, 1.0))) {
        u = trial;
        return;
      }
    }
    auto mix = [&](double t) {
      for (std::size_t i = 0; i < u.size(); ++i) trial[i] = u_null[i] + t * (u[i] - u_null[i]);
    };
    double low = 0.0, high = 1.0;
    for (int k = 0; k < 50; ++k) {
      const double middle = 0.5 * (low + high);
      mix(middle);
      (std::isfinite(conjugate(trial, 1.0)) ? low : high) = middle;
    }
    mix(low);
    u = trial;
  }
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve
