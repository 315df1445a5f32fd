// Several problems on one X, solved in lockstep: whenever all of them want X, one reading serves
// them together.
//
// Each problem runs on a thread of its own behind a Companion, a matrix whose readings wait for
// those of its companions. A reading starts when everyone who still runs has asked, so what is read
// together depends on the problems alone, never on the threads. Of those who do not wait,
// n_threads run at a time. The calling thread only asks whether to stop.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "design.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class SharedReading {
 public:
  SharedReading(const AnyMatrix& X, Index members, int n_threads)
      : X_(X),
        running_(members),
        free_(n_threads),
        n_threads_(n_threads),
        seats_(static_cast<std::size_t>(members)) {}

  // A member starts, as soon as one of the n_threads is free.
  void enter(Index member) {
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.push_back(member);
    call_ready();
    await(member, lock);
  }

  // out (p x k, leading dimension ldo) = X'R; returns this member's part of the bytes read
  double xtr(Index member, const double* R, int k, double* out, Index ldo,
             const std::vector<char>& settled) {
    Wish wish{member, R, k, out, ldo, &settled, {}};
    return wait(wish);
  }
  double statistics(Index member, const Moments& wanted) {
    Wish wish{member, nullptr, 0, nullptr, 0, nullptr, wanted};
    return wait(wish);
  }
  // A member will not ask again: the others do without it, though it may work on.
  void ask_no_more() {
    std::unique_lock<std::mutex> lock(mutex_);
    --running_;
    if (running_ > 0 && Index(wishes_.size()) == running_) serve(-1);
    call_ready();
  }
  // Its thread is free.
  void leave() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++free_;
    call_ready();
  }

 private:
  struct Wish {
    Index member;
    const double* R;  // (n, k), or null: statistics
    int k;
    double* out;
    Index ldo;
    const std::vector<char>* settled;
    Moments moments;
    double bytes = 0.0;
    std::exception_ptr failure{};
  };
  // Where a member waits for one of the threads.
  struct Seat {
    std::condition_variable bell;
    std::atomic<bool> called{false};
    bool awake = false;
  };

  double wait(Wish& wish) {
    std::unique_lock<std::mutex> lock(mutex_);
    wishes_.push_back(&wish);
    if (Index(wishes_.size()) == running_) {
      serve(wish.member);
      call_ready();
    } else {
      ++free_;
      call_ready();
      await(wish.member, lock);
    }
    if (wish.failure) std::rethrow_exception(wish.failure);
    return wish.bytes;
  }

  // Calls as many of the ready as there are threads free, those first that are awake.
  void call_ready() {
    while (free_ > 0 && !ready_.empty()) {
      auto next = std::find_if(ready_.begin(), ready_.end(),
                               [&](Index m) { return seats_[std::size_t(m)].awake; });
      if (next == ready_.end()) next = ready_.begin();
      Seat& seat = seats_[std::size_t(*next)];
      ready_.erase(next);
      --free_;
      seat.called = true;
      if (!seat.awake) seat.bell.notify_one();
    }
  }

  // Until it is called. Waking a core takes longer than short problems do between two readings: a
  // member whose thread nobody else takes stays awake on it for a while.
  void await(Index member, std::unique_lock<std::mutex>& lock) {
    Seat& seat = seats_[std::size_t(member)];
    if (!seat.called && awake_ < free_) {
      ++awake_;
      seat.awake = true;
      lock.unlock();
      const auto start = std::chrono::steady_clock::now();
      while (!seat.called && std::chrono::steady_clock::now() - start < kAwake)
        std::this_thread::yield();
      lock.lock();
      seat.awake = false;
      --awake_;
    }
    seat.bell.wait(lock, [&] { return seat.called.load(); });
    seat.called = false;
  }

  // The last to ask reads for all; the others wait, so the lock may be held. All but `reader` are
  // ready then.
  void serve(Index reader) {
    std::sort(wishes_.begin(), wishes_.end(),
              [](const Wish* a, const Wish* b) { return a->member < b->member; });
    std::exception_ptr failure;
    try {
      serve_statistics();
      serve_products();
    } catch (...) {
      failure = std::current_exception();
    }
    for (Wish* wish : wishes_) {
      wish->failure = failure;
      if (wish->member != reader) ready_.push_back(wish->member);
    }
    wishes_.clear();
  }

  void serve_statistics() {
    std::vector<Moments> wanted;
    for (const Wish* wish : wishes_)
      if (!wish->R) wanted.push_back(wish->moments);
    if (wanted.empty()) return;
    const double bytes =
        X_.statistics(wanted, worthwhile(n_threads_, reading_work(X_, int(wanted.size()))));
    for (Wish* wish : wishes_)
      if (!wish->R) wish->bytes = bytes / double(wanted.size());
  }

  // Vectors of all members one behind the other, as many a reading as it serves.
  void serve_products() {
    const Index n = X_.n, p = X_.p;
    std::vector<std::pair<Wish*, int>> vectors;
    for (Wish* wish : wishes_)
      for (int v = 0; wish->R && v < wish->k; ++v) vectors.emplace_back(wish, v);
    const std::size_t most = std::size_t(X_.together());
    for (std::size_t first = 0; first < vectors.size(); first += most) {
      const std::size_t k = std::min(most, vectors.size() - first);
      R_.resize(std::size_t(n) * k);
      C_.resize(std::size_t(p) * k);
      std::vector<char> settled = *vectors[first].first->settled;
      for (std::size_t l = 0; l < k; ++l) {
        const auto [wish, v] = vectors[first + l];
        if (v == 0 || l == 0) settled = settled_in_both(std::move(settled), *wish->settled);
        std::copy(wish->R + n * v, wish->R + n * (v + 1), R_.begin() + n * Index(l));
      }
      const double bytes = X_.xtr(R_.data(), int(k), C_.data(), p,
                                  worthwhile(n_threads_, reading_work(X_, int(k))), settled);
      for (std::size_t l = 0; l < k; ++l) {
        const auto [wish, v] = vectors[first + l];
        std::copy(C_.begin() + p * Index(l), C_.begin() + p * Index(l + 1),
                  wish->out + wish->ldo * v);
        wish->bytes += bytes / double(k);
      }
    }
  }

  static std::vector<char> settled_in_both(std::vector<char> a, const std::vector<char>& b) {
    if (b.empty()) a.clear();
    for (std::size_t j = 0; j < a.size(); ++j) a[j] = a[j] && b[j];
    return a;
  }

  static constexpr std::chrono::microseconds kAwake{1000};

  const AnyMatrix& X_;
  Index running_;
  int free_, awake_ = 0;  // threads that nobody works on; members awake on them
  const int n_threads_;
  std::mutex mutex_;
  std::deque<Seat> seats_;
  std::vector<Index> ready_;  // members that may go on
  std::vector<Wish*> wishes_;
  Vector R_, C_;  // (n, k), (p, k) of a reading
};

// A member's part, from its start to its end, whatever ends it.
class Turn {
 public:
  Turn(SharedReading& reading, Index member) : reading_(reading) { reading_.enter(member); }
  ~Turn() {
    ask_no_more();
    reading_.leave();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void ask_no_more() {
    if (std::exchange(asks_, false)) reading_.ask_no_more();
  }

 private:
  SharedReading& reading_;
  bool asks_ = true;
};

// X as one of several problems sees it.
class Companion final : public AnyMatrix {
 public:
  // share: vectors that this member asks for at a time; patience: answers that it lets wait
  Companion(const AnyMatrix& X, SharedReading& reading, Index member, int share, Index patience)
      : AnyMatrix(X.n, X.p),
        X_(X),
        reading_(reading),
        member_(member),
        share_(share),
        patience_(patience) {}

  double xtr(const double* R, int k, double* out, Index ldo, int,
             const std::vector<char>& settled) const override {
    return reading_.xtr(member_, R, k, out, ldo, settled);
  }
  double statistics(const std::vector<Moments>& wanted, int, ByteColumns*) const override {
    double bytes = 0.0;
    for (const Moments& m : wanted) bytes += reading_.statistics(member_, m);
    return bytes;
  }

  int together() const override { return X_.together(); }
  int share() const override { return share_; }
  Index patience() const override { return patience_; }
  double size() const override { return X_.size(); }
  double column_bytes(Index j) const override { return X_.column_bytes(j); }
  double gram_seconds() const override { return X_.gram_seconds(); }
  double dot(Index j, const double* u) const override { return X_.dot(j, u); }
  double square(Index j, const double* omega) const override { return X_.square(j, omega); }
  void axpy(Index j, double a, const double* omega, double* u) const override {
    X_.axpy(j, a, omega, u);
  }
  void add(Index j, double a, double* z) const override { X_.add(j, a, z); }
  void gather(Index j, double* out) const override { X_.gather(j, out); }
  void gather_rows(Index j, const std::vector<Index>& rows, double* out) const override {
    X_.gather_rows(j, rows, out);
  }
  bool sparse() const override { return X_.sparse(); }
  bool by_rows() const override { return X_.by_rows(); }
  Index length(Index j) const override { return X_.length(j); }
  void stored(Index j, std::vector<std::int32_t>& rows, Vector& values) const override {
    X_.stored(j, rows, values);
  }
  bool sums(const double* root, const double* t, bool centred, const Cells& cells, const Blas& blas,
            int n_threads, double* M, Vector& pilot, StopSign& stop) const override {
    return X_.sums(root, t, centred, cells, blas, n_threads, M, pilot, stop);
  }
  double gather_set(const std::vector<Index>& W, WorkingColumns& out) const override {
    return X_.gather_set(W, out);
  }
  double epoch(ResidualModel& model, const ElasticNet& penalty, const std::vector<Index>& W,
               double* b) const override {
    return X_.epoch(model, penalty, W, b);
  }
  double epoch(ResidualModel& model, const FunctionPenalty& penalty, const std::vector<Index>& W,
               double* b) const override {
    return X_.epoch(model, penalty, W, b);
  }

 private:
  const AnyMatrix& X_;
  SharedReading& reading_;
  Index member_;
  int share_;
  Index patience_;
};

// Vectors that each of the members asks for at a time: `each` at least, and what fills the last
// reading of eight with theirs.
inline int share_of(Index member, Index members, Index each) {
  const Index spare = (8 - each * members % 8) % 8;
  return int(each + spare / members + (member < spare % members));
}

// What the members of a group ask instead of the user: whether all should stop, and the user
// himself about a step.
struct GroupPoll {
  const Options& options;
  std::atomic<bool> stop{false};
  bool cut = false;  // stopped by Ctrl-C rather than at a step; of the calling thread alone
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  static int ask(void* context, const Step* step) {
    GroupPoll& self = *static_cast<GroupPoll*>(context);
    if (!self.stop && step && self.options.poll &&
        self.options.poll(self.options.context, step) != 0)
      self.stop = true;
    return self.stop;
  }
  // The same where problems run one after the other on the calling thread.
  static int ask_alone(void* context, const Step* step) {
    GroupPoll& self = *static_cast<GroupPoll*>(context);
    if (!self.stop && self.options.poll && self.options.poll(self.options.context, step) != 0) {
      self.stop = true;
      self.cut = step == nullptr;
    }
    return self.stop;
  }
  // The options of one of several that run together, what is left of the time among them.
  Options member(const Options& given, Index together) {
    Options own = given;
    own.poll = ask;
    own.context = this;
    own.n_threads = std::max(1, int(given.n_threads / together));
    own.max_bytes = given.max_bytes / double(together);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (given.max_time > 0.0) own.max_time = std::max(1e-9, given.max_time - spent.count());
    return own;
  }
  void ask_user() {
    if (!stop && options.poll && options.poll(options.context, nullptr) != 0) stop = true;
  }
};

// work(member) for 0 .. members - 1, each on a thread of its own, while this one asks `poll`. The
// first exception of any comes out when all are done. Members may wait for one another: none starts
// before all threads are made.
template <class Work>
void run_group(Index members, GroupPoll& poll, const Work& work) {
  std::mutex mutex;
  std::condition_variable changed;
  Index running = 0;
  bool started = false, abandoned = false;
  std::exception_ptr failure;
  auto member_thread = [&](Index member) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return started || abandoned; });
    std::exception_ptr mine;
    if (!abandoned) {
      lock.unlock();
      try {
        work(member);
      } catch (...) {
        mine = std::current_exception();
        poll.stop = true;
      }
      lock.lock();
    }
    if (mine && !failure) failure = mine;
    if (--running == 0) changed.notify_all();
  };
  std::vector<std::thread> threads;
  threads.reserve(std::size_t(members));
  std::unique_lock<std::mutex> lock(mutex);
  try {
    for (; running < members; ++running) threads.emplace_back(member_thread, running);
    started = true;
  } catch (...) {
    failure = std::current_exception();
    abandoned = true;
  }
  changed.notify_all();
  while (!changed.wait_for(lock, std::chrono::milliseconds(20), [&] { return running == 0; })) {
    lock.unlock();
    poll.ask_user();
    lock.lock();
  }
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve
