// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/fault_guard.h"

#include <setjmp.h>
#include <signal.h>

#include <atomic>
#include <mutex>

namespace heapledger::collector {
namespace {

struct Guard {
  sigjmp_buf return_point;
  std::uintptr_t begin;
  std::uintptr_t end;
};

constinit thread_local std::atomic<Guard*> t_guard{nullptr};
struct sigaction g_previous;

void OnSigbus(int signal, siginfo_t* info, void* context) {
  Guard* const guard = t_guard.load(std::memory_order_relaxed);
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (guard != nullptr && address >= guard->begin && address < guard->end) {
    siglongjmp(guard->return_point, 1);
  }
  if ((g_previous.sa_flags & SA_SIGINFO) != 0) {
    g_previous.sa_sigaction(signal, info, context);
  } else if (g_previous.sa_handler != SIG_DFL &&
             g_previous.sa_handler != SIG_IGN) {
    g_previous.sa_handler(signal);
  } else {
    // The faulting instruction runs again, without us.
    sigaction(SIGBUS, &g_previous, nullptr);
  }
}

void Install() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = OnSigbus;
    // NODEFER: the handler leaves by siglongjmp, which restores no mask.
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &g_previous);
  });
}

// Runs `access`, which touches [begin, begin + bytes) and holds nothing that a
// jump out of it would leak. False if pages there are gone.
template <typename Access>
bool Guarded(const void* begin, std::size_t bytes, const Access& access) {
  Install();
  Guard guard;
  guard.begin = reinterpret_cast<std::uintptr_t>(begin);
  guard.end = guard.begin + bytes;
  if (sigsetjmp(guard.return_point, 0) != 0) {
    t_guard.store(nullptr, std::memory_order_relaxed);
    return false;
  }
  t_guard.store(&guard, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  access();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_guard.store(nullptr, std::memory_order_relaxed);
  return true;
}

}  // namespace

bool CopyWordsGuarded(const std::uint64_t* from, std::size_t count,
                      std::uint64_t* to) {
  return Guarded(from, count * sizeof *from, [=] {
    for (std::size_t i = 0; i < count; ++i) {
      // Acquire: pairs with the release by which the shim publishes a record.
      to[i] = __atomic_load_n(from + i, __ATOMIC_ACQUIRE);
    }
  });
}

bool ChangeBitsGuarded(std::uint64_t* word, std::uint64_t clear,
                       std::uint64_t set) {
  return Guarded(word, sizeof *word, [=] {
    std::uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
    // Release: pairs with the acquire by which the shim takes the word; the
    // bits themselves are all that it needs.
    while (!__atomic_compare_exchange_n(word, &before, (before & ~clear) | set,
                                        false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
    }
  });
}

}  // namespace heapledger::collector
