// SPDX-License-Identifier: Apache-2.0
// Asks the interpreter for its figures: collections, the object allocator, and
// the objects that the collector tracks by their type.
//
// Thread safety: all of it with the GIL held. No exception is ever pending
// afterwards: what cannot be read is left as it was.
#pragma once

#include "preload/runtime/cpython.h"
#include "preload/runtime/python_book.h"
#include "preload/runtime/type_census.h"

namespace heapledger::preload {

class PythonReader {
 public:
  // Finds the functions to ask. False where one is missing or there is no
  // memory for the tables. Does nothing the second time.
  bool Open(const cpython::Api& api);

  // gc.disable(); whether that changed anything, so that EnableCollector() is
  // to follow.
  bool DisableCollector(const cpython::Api& api) const;
  void EnableCollector(const cpython::Api& api) const;

  void ReadCollections(const cpython::Api& api, PythonBook& book);
  void ReadHeap(const cpython::Api& api, PythonBook& book);
  // Takes some 20 ns an object.
  void CountObjects(const cpython::Api& api, PythonBook& book);

 private:
  struct Space {
    TypeCensus::Tables tables;
    char text[16384];  // of the allocator's statistics, some 5 KB long
  };

  void CountByList(const cpython::Api& api, TypeCensus& census) const;

  bool open_ = false;
  Space* space_ = nullptr;
  TypeCensus census_{nullptr};
  cpython::Object* get_stats_ = nullptr;
  cpython::Object* get_count_ = nullptr;
  cpython::Object* get_threshold_ = nullptr;
  cpython::Object* get_objects_ = nullptr;
  cpython::Object* is_enabled_ = nullptr;
  cpython::Object* enable_ = nullptr;
  cpython::Object* disable_ = nullptr;
  cpython::Object* get_blocks_ = nullptr;
  cpython::Object* collections_ = nullptr;  // keys of gc.get_stats()
  cpython::Object* collected_ = nullptr;
  cpython::Object* uncollectable_ = nullptr;
  // The arguments of gc.get_objects(generation).
  cpython::Object* generation_[ledger::kPythonGenerations] = {};
};

}  // namespace heapledger::preload
