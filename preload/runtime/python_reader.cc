// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/python_reader.h"

#include "preload/raw_io.h"

namespace heapledger::preload {
namespace {

using cpython::Api;
using cpython::Object;
using ledger::kPythonGenerations;

// Null, and no exception, for a call that fails.
Object* Call(const Api& api, Object* function, Object* arguments = nullptr) {
  Object* const result = api.call_object(function, arguments);
  if (result == nullptr) api.clear_error();
  return result;
}

std::uint64_t Number(const Api& api, Object* value) {
  const long number = value == nullptr ? 0 : api.as_long(value);
  if (number < 0) api.clear_error();
  return number < 0 ? 0 : static_cast<std::uint64_t>(number);
}

// (a, b, c) into a field of each generation.
void ReadTuple(const Api& api, Object* function,
               GenerationFigures (&generations)[kPythonGenerations],
               std::uint64_t GenerationFigures::*field) {
  Object* const tuple = Call(api, function);
  if (tuple == nullptr) return;
  const std::ptrdiff_t size = api.tuple_size(tuple);
  for (std::uint32_t i = 0; i < kPythonGenerations; ++i) {
    if (i >= size) break;
    generations[i].*field = Number(api, api.tuple_item(tuple, i));
  }
  api.decref(tuple);
}

struct Visit {
  TypeCensus* census;
};

int OnObject(Object* object, void* argument) {
  static_cast<Visit*>(argument)->census->Add(cpython::TypeOf(object));
  return 1;
}

}  // namespace

bool PythonReader::Open(const Api& api) {
  if (open_) return true;
  const auto find = [&api](Object* from, const char* name) -> Object* {
    return from == nullptr ? nullptr : api.get_attribute(from, name);
  };
  Object* const gc = api.import("gc");
  get_stats_ = find(gc, "get_stats");
  get_count_ = find(gc, "get_count");
  get_threshold_ = find(gc, "get_threshold");
  get_objects_ = find(gc, "get_objects");
  is_enabled_ = find(gc, "isenabled");
  enable_ = find(gc, "enable");
  disable_ = find(gc, "disable");
  Object* const sys = api.import("sys");
  get_blocks_ = find(sys, "getallocatedblocks");
  collections_ = api.intern("collections");
  collected_ = api.intern("collected");
  uncollectable_ = api.intern("uncollectable");
  bool found = true;
  for (std::uint32_t i = 0; i < kPythonGenerations; ++i) {
    generation_[i] = api.new_tuple(1);
    Object* const number = api.new_long(i);
    found = found && generation_[i] != nullptr && number != nullptr &&
            api.set_tuple_item(generation_[i], 0, number) == 0;
  }
  for (Object* const object :
       {get_stats_, get_count_, get_threshold_, get_objects_, is_enabled_,
        enable_, disable_, get_blocks_, collections_, collected_,
        uncollectable_}) {
    found = found && object != nullptr;
  }
  if (gc != nullptr) api.decref(gc);
  if (sys != nullptr) api.decref(sys);
  api.clear_error();
  if (!found) return false;
  space_ = static_cast<Space*>(raw::MapPrivate(sizeof(Space)));
  if (space_ == nullptr) return false;
  census_ = TypeCensus(&space_->tables);
  open_ = true;
  return true;
}

bool PythonReader::DisableCollector(const Api& api) const {
  Object* const answer = Call(api, is_enabled_);
  if (answer == nullptr) return false;
  const bool enabled = api.is_true(answer) == 1;
  api.decref(answer);
  if (!enabled) return false;
  Object* const done = Call(api, disable_);
  if (done != nullptr) api.decref(done);
  return done != nullptr;
}

void PythonReader::EnableCollector(const Api& api) const {
  Object* const done = Call(api, enable_);
  if (done != nullptr) api.decref(done);
}

void PythonReader::ReadCollections(const Api& api, PythonBook& book) {
  GenerationFigures generations[kPythonGenerations];
  // Before anything that the collector tracks is made here.
  ReadTuple(api, get_count_, generations, &GenerationFigures::counter);
  ReadTuple(api, get_threshold_, generations, &GenerationFigures::threshold);
  Object* const stats = Call(api, get_stats_);
  if (stats == nullptr) return;
  const std::ptrdiff_t size = api.list_size(stats);
  for (std::uint32_t i = 0; i < kPythonGenerations && i < size; ++i) {
    Object* const facts = api.list_item(stats, i);
    GenerationFigures& figures = generations[i];
    figures.collections = Number(api, api.get_item(facts, collections_));
    figures.collected = Number(api, api.get_item(facts, collected_));
    figures.uncollectable = Number(api, api.get_item(facts, uncollectable_));
  }
  api.decref(stats);
  if (size == kPythonGenerations) book.SetGenerations(generations);
}

void PythonReader::ReadHeap(const Api& api, PythonBook& book) {
  Object* const answer = Call(api, get_blocks_);
  if (answer == nullptr) return;
  const std::uint64_t blocks = Number(api, answer);
  api.decref(answer);
  MallocStats stats;
  if (void* const file = api.fmemopen(space_->text, sizeof space_->text, "w")) {
    space_->text[0] = '\0';
    (void)api.debug_malloc_stats(file);
    (void)api.fclose(file);
    if (!ParseMallocStats(space_->text, sizeof space_->text, &stats)) {
      stats = {};
    }
  }
  book.SetHeap(stats, blocks, raw::RealtimeNs());
}

void PythonReader::CountByList(const Api& api, TypeCensus& census) const {
  for (Object* const generation : generation_) {
    Object* const list = Call(api, get_objects_, generation);
    if (list == nullptr) continue;
    const std::ptrdiff_t size = api.list_size(list);
    for (std::ptrdiff_t i = 0; i < size; ++i) {
      census.Add(cpython::TypeOf(api.list_item(list, i)));
    }
    api.decref(list);
  }
}

void PythonReader::CountObjects(const Api& api, PythonBook& book) {
  const std::uint64_t begin = raw::FineNs();
  raw::Discard(&space_->tables, sizeof space_->tables);
  census_.Begin();
  if (api.visit_objects != nullptr) {
    Visit visit{&census_};
    api.visit_objects(OnObject, &visit);
  } else {
    CountByList(api, census_);
  }
  CountedType named[TypeCensus::kNamed];
  const std::uint32_t count = census_.Choose(cpython::NameOf, named);
  book.SetTypes(named, count, census_.objects(), raw::FineNs() - begin,
                raw::RealtimeNs());
}

}  // namespace heapledger::preload
