// Threads over fixed blocks: what a block computes never depends on how many threads there are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace regsolve {

// Asks, on the thread that made it alone, whether a long reading should end; all threads heed it.
class StopSign {
 public:
  explicit StopSign(std::function<bool()> ask) : ask_(std::move(ask)) {}
  StopSign() = default;

  bool up() {
    if (!up_ && ask_ && std::this_thread::get_id() == owner_ && ask_()) up_ = true;
    return up_;
  }

 private:
  std::function<bool()> ask_;
  std::thread::id owner_ = std::this_thread::get_id();
  std::atomic<bool> up_{false};
};

// Threads that `work` operations are worth: waking a second core can take a millisecond.
inline int worthwhile(int n_threads, double work) {
  return work > 2e6 ? n_threads : 1;
}

// work(block) for block = 0 .. n_blocks - 1, each on some thread; threads live for this call only.
// Blocks that no further thread could be made for are this one's. The first exception of any comes
// out when all threads have ended.
template <class Work>
void parallel_blocks(int n_threads, std::ptrdiff_t n_blocks, const Work& work) {
  const int extra = static_cast<int>(
      std::max<std::ptrdiff_t>(0, std::min<std::ptrdiff_t>(n_threads, n_blocks) - 1));
  if (extra == 0) {
    for (std::ptrdiff_t block = 0; block < n_blocks; ++block) work(block);
    return;
  }
  std::atomic<std::ptrdiff_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;  // written by the thread that set `failed`
  auto loop = [&] {
    try {
      for (std::ptrdiff_t block; (block = next.fetch_add(1)) < n_blocks;) work(block);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
      next = n_blocks;
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(extra));
  try {
    for (int t = 0; t < extra; ++t) threads.emplace_back(loop);
  } catch (const std::system_error&) {
  }
  loop();
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace regsolve
