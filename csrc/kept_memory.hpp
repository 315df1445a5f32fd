// Blocks of memory, kept from one fit for the next. The system clears every page it hands out: for
// a small X that costs as much as a reading of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <new>
#include <vector>

namespace regsolve {

class KeptMemory {
 public:
  // Whether blocks of so many bytes are kept: smaller ones the C library keeps itself, and those of
  // a large X would add to the peak of a fit more than their pages cost beside its readings.
  static constexpr bool keeps(std::size_t bytes) { return bytes >= kLeast && bytes <= kLargest; }

  static void* take(std::size_t bytes) {
    void* at = find(rounded(bytes));
#ifdef REGSOLVE_DEBUG
    std::memset(at, 0xff, bytes);  // what is read before it is written is no number
#endif
    return at;
  }

  static void give(void* at, std::size_t bytes) {
    if (const Turn turn; turn.mine)
      store().give({at, rounded(bytes)});
    else
      ::operator delete(at, kAligned);
  }

 private:
  static constexpr std::size_t kLeast = std::size_t(1) << 15, kLargest = std::size_t(1) << 21;
  static constexpr std::size_t kMost = std::size_t(1) << 24;  // bytes kept in all
  static constexpr std::align_val_t kAligned{64};

  static void* find(std::size_t size) {
    if (const Turn turn; turn.mine)
      if (void* at = store().take(size)) return at;
    try {
      return ::operator new(size, kAligned);
    } catch (const std::bad_alloc&) {
      if (const Turn turn; turn.mine) store().drop_to(0);
    }
    return ::operator new(size, kAligned);
  }

  // Eighths of a power of two: requests of nearly one size are served by each other's blocks.
  static std::size_t rounded(std::size_t bytes) {
    std::size_t eighth = kLeast / 8;
    while (bytes > 16 * eighth) eighth *= 2;
    return (bytes + eighth - 1) / eighth * eighth;
  }

  // One thread at a time; another does not wait but goes to the system, as does a process that was
  // forked meanwhile.
  struct Turn {
    static inline std::atomic_flag taken = ATOMIC_FLAG_INIT;
    const bool mine = !taken.test_and_set(std::memory_order_acquire);
    Turn() = default;
    Turn(const Turn&) = delete;
    ~Turn() {
      if (mine) taken.clear(std::memory_order_release);
    }
  };

  struct Block {
    void* at;
    std::size_t size;
  };

  struct Store {
    std::vector<Block> blocks;  // the longest kept first
    std::size_t total = 0;

    Store() { blocks.reserve(kMost / kLeast + 1); }  // nothing is given back by asking for more

    void* take(std::size_t size) {
      for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
        if (block->size != size) continue;
        void* at = block->at;
        total -= size;
        blocks.erase(std::next(block).base());
        return at;
      }
      return nullptr;
    }

    void give(Block block) {
      blocks.push_back(block);
      total += block.size;
      drop_to(kMost);
    }

    void drop_to(std::size_t most) {
      auto block = blocks.begin();
      for (; total > most; ++block) {
        total -= block->size;
        ::operator delete(block->at, kAligned);
      }
      blocks.erase(blocks.begin(), block);
    }
  };

  // never destroyed: a vector of static life may end after it
  static Store& store() {
    static Store* const store = new Store;
    return *store;
  }
};

}  // namespace regsolve
