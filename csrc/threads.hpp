// Threads over fixed blocks: what a block computes never depends on how many threads there are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace regsolve {

// Threads that `work` operations are worth: starting one costs about 30 microseconds.
inline int worthwhile(int n_threads, double work) {
  return work > 3e5 ? n_threads : 1;
}

// work(block) for block = 0 .. n_blocks - 1, each on some thread; threads live for this call only.
template <class Work>
void parallel_blocks(int n_threads, std::ptrdiff_t n_blocks, const Work& work) {
  const int extra = static_cast<int>(
      std::max<std::ptrdiff_t>(0, std::min<std::ptrdiff_t>(n_threads, n_blocks) - 1));
  if (extra == 0) {
    for (std::ptrdiff_t block = 0; block < n_blocks; ++block) work(block);
    return;
  }
  std::atomic<std::ptrdiff_t> next{0};
  auto loop = [&] {
    for (std::ptrdiff_t block; (block = next.fetch_add(1)) < n_blocks;) work(block);
  };
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(extra));
  for (int t = 0; t < extra; ++t) threads.emplace_back(loop);
  loop();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace regsolve
