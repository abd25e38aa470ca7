// SPDX-License-Identifier: Apache-2.0
// What the interpreter itself calls: our function in gc.callbacks, which times
// collections, and one in a forked child.
//
// Thread safety: the callbacks run with the GIL held, as all the rest must.
#pragma once

#include "preload/runtime/cpython.h"
#include "preload/runtime/python_book.h"

namespace heapledger::preload {

class GcWatch {
 public:
  // Puts the callbacks in place. False, without an exception pending, where the
  // interpreter refuses. `in_child` runs in a child of os.fork() once that
  // may run Python; `finalized` when the interpreter lets the callbacks go.
  // GIL held; once a process.
  static bool Install(const cpython::Api& api, void (*in_child)(),
                      void (*finalized)());

  // Where collections are written; null: nowhere. Any thread.
  static void SetBook(ledger::PythonRecord* record);

  // Puts the callback back if the program emptied gc.callbacks. GIL held.
  static void Keep(const cpython::Api& api);
};

}  // namespace heapledger::preload
