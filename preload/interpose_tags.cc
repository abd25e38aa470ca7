// SPDX-License-Identifier: Apache-2.0
// What include/heapledger/heapledger.h calls where the shim is there.
#include <stddef.h>

#include "preload/interpose.h"
#include "preload/tags.h"

using heapledger::preload::BeginScope;
using heapledger::preload::CountDeadThing;
using heapledger::preload::CountLiveThing;
using heapledger::preload::EndScope;
using heapledger::preload::Running;
using heapledger::preload::ScopeKind;
using heapledger::preload::t_tag;
using heapledger::preload::TagOf;
using heapledger::preload::TagText;

HEAPLEDGER_EXPORT unsigned heapledger_shim_tag(const char* name,
                                               const TagText::Label* labels,
                                               size_t label_count) {
  return Running() ? TagOf({name, labels, label_count}) : 0;
}

HEAPLEDGER_EXPORT unsigned heapledger_shim_tag_current() { return t_tag; }

HEAPLEDGER_EXPORT unsigned heapledger_shim_tag_push(unsigned tag) {
  return Running() ? BeginScope(tag, ScopeKind::kOwn) : 0;
}

HEAPLEDGER_EXPORT unsigned heapledger_shim_tag_adopt(unsigned tag) {
  return Running() ? BeginScope(tag, ScopeKind::kAdopted) : 0;
}

HEAPLEDGER_EXPORT void heapledger_shim_tag_pop(unsigned scope) {
  if (Running()) EndScope(scope);
}

HEAPLEDGER_EXPORT void heapledger_shim_tag_begin(unsigned tag) {
  if (Running()) CountLiveThing(tag);
}

HEAPLEDGER_EXPORT void heapledger_shim_tag_end(unsigned tag) {
  if (Running()) CountDeadThing(tag);
}
