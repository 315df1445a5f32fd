// Time limit, interruption and progress of one call, and the record of its answers.
#pragma once

#include <chrono>
#include <cmath>

#include "design.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class Monitor {
 public:
  Monitor(const Options& options, Solution& solution)
      : options_(options), solution_(solution), start_(Clock::now()), polled_(start_) {}

  Status status = Status::optimal;  // why to stop, once stopped() is true

  // Asked at least every few milliseconds of work.
  bool stopped() {
    if (stop_) return true;
    const auto now = Clock::now();
    if (options_.max_time > 0.0 && seconds(now) > options_.max_time) {
      end(Status::time_limit);
    } else if (options_.poll && now - polled_ > std::chrono::milliseconds(20)) {
      polled_ = now;
      ask(nullptr);
    }
    return stop_;
  }

  // Records an answer and tells the callback; true when the path ends here.
  bool record(Point&& point, Index n_steps) {
    Step step{Index(solution_.points.size()) + 1, n_steps, point.alpha,          point.relative_gap,
              Index(point.support.size()),        0.0,     seconds(Clock::now())};
    if (solution_.report.x_size > 0.0)
      step.n_passes = solution_.report.x_bytes / solution_.report.x_size;
    const bool enough = (options_.dfmax >= 0 && step.support > options_.dfmax) ||
                        point.deviance_ratio >= options_.stop_at_deviance;
    const bool proven = point.status == Status::optimal || point.status == Status::stationary;
    if (stop_ && !proven && !solution_.points.empty())
      return true;  // a path keeps what is finished
    solution_.points.push_back(std::move(point));
    if (options_.poll) ask(&step, enough || step.step == n_steps);
    return stop_ || enough || (step.step < n_steps && stopped());
  }

 private:
  using Clock = std::chrono::steady_clock;

  double seconds(Clock::time_point now) const {
    return std::chrono::duration<double>(now - start_).count();
  }
  void end(Status why) {
    stop_ = solution_.stopped = true;
    status = solution_.stop = why;
  }
  // `last`: nothing is left that the answer could cut short.
  void ask(const Step* step, bool last = false) {
    if (!stop_ && options_.poll(options_.context, step) != 0 && !last) end(Status::interrupted);
  }

  const Options& options_;
  Solution& solution_;
  Clock::time_point start_, polled_;
  bool stop_ = false;
};

// alpha_max: the least alpha at which no penalised feature moves from the null model, whose
// correlations are c = Z'u. Found in closed form where the penalty is linear in alpha.
inline double largest_alpha(ElasticNet& penalty, const Vector& c) {
  double alpha = 0.0;
  for (std::size_t j = 0; j < c.size(); ++j) {
    const double least = std::fabs(c[j]) / penalty.factor1[j];
    if (!(least > alpha)) continue;
    const bool moves = c[j] > 0.0 ? penalty.upper[j] > 0.0 : penalty.lower[j] < 0.0;
    if (moves && penalty.penalised(Index(j))) alpha = least;
  }
  return alpha;
}

inline double largest_alpha(FunctionPenalty& penalty, const Vector& c) {
  auto all_rest = [&](double alpha) {
    penalty.alpha = alpha;
    for (std::size_t j = 0; j < c.size(); ++j)
      if (penalty.slack(Index(j), c[j]) < 0.0) return false;
    return true;
  };
  double high = 1.0, low = 0.0;
  while (!all_rest(high) && high < 1e150) low = high, high *= 4.0;
  while (low == 0.0 && high > 1e-150 && all_rest(0.25 * high)) high *= 0.25;
  if (high <= 1e-150) return 0.0;
  low = std::max(low, 0.25 * high);
  for (int k = 0; k < 100 && high - low > 1e-15 * high; ++k) {
    const double middle = 0.5 * (low + high);
    (all_rest(middle) ? high : low) = middle;
  }
  return high;
}

// alpha_max of a null model with correlations c = Z'u: 0 where features without penalty leave the
// others only rounding, which any alpha above `floor` holds at 0.
struct AlphaMax {
  double value = 0.0, floor = std::numeric_limits<double>::epsilon();

  AlphaMax() = default;
  // that of another l1_ratio, `times` as large
  AlphaMax(const Solution& found, double times)
      : value(found.alpha_max * times), floor(found.alpha_floor * times) {}
  // square: ||t||^2, of which u is what is left
  template <class Penalty>
  AlphaMax(Penalty& penalty, const Statistics& stats, const Vector& c, double square) {
    bool projected = false, rounding = true;
    for (std::size_t j = 0; j < c.size() && !projected; ++j)
      projected = !penalty.excluded(Index(j)) && !penalty.penalised(Index(j));
    Vector least(projected ? c.size() : 0, 0.0);
    for (std::size_t j = 0; j < least.size(); ++j) {
      if (penalty.excluded(Index(j)) || !penalty.penalised(Index(j))) continue;
      least[j] = 1e-14 * std::sqrt(square) * std::hypot(1.0, stats.mean[j] * stats.inv[j]);
      rounding = rounding && std::fabs(c[j]) <= least[j];
    }
    if (projected && rounding)
      floor = std::max(floor, 10.0 * largest_alpha(penalty, least));
    else
      value = largest_alpha(penalty, c);
  }

  void report(Solution& solution) const {
    solution.alpha_max = value;
    solution.alpha_floor = floor;
  }
};

// The grid asked for: given alphas, or n_alphas from alpha_max down by equal ratios; all the same
// where there is nothing to select.
inline Vector alpha_grid(const Options& options, const AlphaMax& alpha_max) {
  const Index m = options.n_alphas;
  if (options.alphas) return Vector(options.alphas, options.alphas + m);
  const bool selects = std::isfinite(alpha_max.value) && alpha_max.value > 0.0;
  Vector out(std::size_t(m), selects ? alpha_max.value : alpha_max.floor);
  for (Index k = 1; k < m && selects; ++k)
    out[std::size_t(k)] *= std::pow(options.alpha_min_ratio, double(k) / double(m - 1));
  return out;
}

// Whether a verdict proves the answer, and what to call it if not.
inline Status judge_status(const Problem& problem, const Verdict& verdict, double tol, bool by_kkt,
                           Status otherwise) {
  if (!problem.convex) return verdict.kkt <= tol ? Status::stationary : otherwise;
  const bool proven =
      std::isnan(verdict.relative_gap) || by_kkt ? verdict.kkt <= tol : verdict.relative_gap <= tol;
  return proven ? Status::optimal : otherwise;
}

// What rounding of the intercept base - sum_j m_j w_j may add to a quadratic objective, which is
// flat in it: half a square. base and what is returned are rounded to half a unit in their last
// places, means and products to two of theirs.
inline void count_rounding(const Problem& problem, const Statistics& stats,
                           const std::vector<Index>& support, const Vector& b, double base,
                           const NullModel& null, Verdict& verdict) {
  if (!problem.fit_intercept || !problem.loss.quadratic || null.exact()) return;
  double terms = 2.0 * std::fabs(base);
  for (std::size_t k = 0; k < support.size(); ++k) {
    const std::size_t j = std::size_t(support[k]);
    terms += 4.0 * std::fabs(stats.mean[j] * stats.inv[j] * b[k]);
  }
  const double delta = 0.5 * std::numeric_limits<double>::epsilon() * terms;
  verdict.primal += 0.5 * delta * delta;
  verdict.gap += 0.5 * delta * delta;
  verdict.relative_gap += 0.5 * delta * delta / null.objective;
}

// Whether parts of given coefficients cancel, as those without penalty may: what rounding makes of
// sum_j |x_j| |w_j| would stay in every residual.
template <class Penalty>
bool cancels(const Penalty& penalty, const Statistics& stats, const double* coef, double tt) {
  double sum = 0.0;
  for (std::size_t j = 0; j < stats.inv.size(); ++j)
    if (!penalty.excluded(Index(j)) && !penalty.penalised(Index(j)))
      sum += std::fabs(coef[j]) * (stats.norm(j) + std::fabs(stats.mean[j]));
  return !(sum <= 1e5 * std::sqrt(tt));
}

// Coefficients in X's units as b_j = d_j w_j, zero where the penalty has no value there.
template <class Penalty>
Vector scaled(const Penalty& penalty, const Statistics& stats, const double* coef) {
  Vector b(stats.inv.size(), 0.0);
  for (std::size_t j = 0; j < b.size(); ++j) {
    const double value = penalty.excluded(Index(j)) ? 0.0 : coef[j] * stats.norm(j);
    if (std::isfinite(penalty.value(Index(j), value))) b[j] = value;
  }
  return b;
}

// Whether b, of that loss but for `rounding`, is a start to be taken: by an elastic net only where
// it is better than the null model, since what a far start loses to rounding stays lost.
template <class Penalty>
bool worth_starting(const Penalty& penalty, const Vector& b, double loss, double rounding,
                    const NullModel& null) {
  if (!std::is_same_v<Penalty, ElasticNet>) return std::isfinite(loss);
  double objective = loss + rounding;
  for (std::size_t j = 0; j < b.size(); ++j)
    if (b[j] != 0.0) objective += penalty.value(Index(j), b[j]);
  return objective < null.objective;
}

// A sum and what rounding took from it, Neumaier (1974).
struct CompensatedSum {
  double sum = 0.0, lost = 0.0;
  void add(double term) {
    const double next = sum + term;
    lost += std::fabs(sum) >= std::fabs(term) ? (sum - next) + term : (term - next) + sum;
    sum = next;
  }
  double value() const { return sum + lost; }
};

// A point in X's units from the non-zero b_j of `support`, ascending: w_j = b_j / d_j, exactly on
// its bound where b_j is, and the intercept base - sum_j m_j w_j.
inline Point make_point(const Problem& problem, double alpha, const Statistics& stats,
                        const std::vector<Index>& support, const Vector& b, double base,
                        const Verdict& verdict, double deviance_ratio, Status status) {
  Point point;
  point.alpha = alpha;
  CompensatedSum shift;
  point.support = support;
  for (std::size_t k = 0; k < support.size(); ++k) {
    const std::size_t j = std::size_t(support[k]);
    double w = b[k] * stats.inv[j];
    if (problem.lower && b[k] <= stats.norm(j) * problem.lower[j]) w = problem.lower[j];
    if (problem.upper && b[k] >= stats.norm(j) * problem.upper[j]) w = problem.upper[j];
    point.coef.push_back(w);
    shift.add(stats.mean[j] * w);
  }
  point.intercept = base - shift.value();
  point.primal = verdict.primal;
  point.dual = verdict.dual;
  point.gap = verdict.gap;
  point.relative_gap = verdict.relative_gap;
  point.kkt = verdict.kkt;
  point.deviance_ratio = deviance_ratio;
  point.status = status;
  return point;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve
