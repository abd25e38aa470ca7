// SPDX-License-Identifier: Apache-2.0
// /debug/pprof/heap: the heap of one process as a profile, for `go tool pprof`
// and for a browser.
//
//   ?pid=PID         which process; may be left out where one alone is measured
//   &format=FORMAT   pb.gz (default), folded, json, speedscope, svg, html, txt
//   &base=MARK       the difference since a mark
//   &seconds=N       the difference over the next N seconds, 300 at most
//   &value=VALUE     live-bytes (default), live-objects, allocated-bytes or
//                    allocations, for formats that show one
//
// A profile takes symbols and time, so at most two are made at once; a third
// request is told to come again. Every error is one plain sentence.
//
// Thread safety: Answer() from any thread. Stop() ends the waiting of requests
// with `seconds`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "collector/exporter/http_server.h"
#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

struct HeapPageOptions {
  // A fresh snapshot of the process that a user names; any thread.
  std::function<absl::StatusOr<std::shared_ptr<const LedgerSnapshot>>(
      const std::string& what)>
      take;
  FrameNames* names = nullptr;  // of any thread; must outlive the page
};

class HeapPage {
 public:
  static constexpr int kMaximumAtWork = 2;

  explicit HeapPage(HeapPageOptions options);

  [[nodiscard]] HttpResponse Answer(const HttpRequest& request);
  void Stop();

 private:
  struct Query;
  absl::StatusOr<HttpResponse> Make(const Query& query);
  // False if Stop() came first.
  bool Wait(std::uint64_t seconds);

  const HeapPageOptions options_;
  std::atomic<int> at_work_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
};

}  // namespace heapledger::collector
