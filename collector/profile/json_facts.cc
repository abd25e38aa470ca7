// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/json_facts.h"

#include "collector/ledger/utc_time.h"
#include "collector/profile/figures.h"

namespace heapledger::collector {

void WriteValues(const ProfileValues& values, JsonWriter& json) {
  json.Begin('{');
  json.Key("live_bytes").Int(values.live_bytes);
  json.Key("live_objects").Int(values.live_objects);
  json.Key("allocated_bytes").Int(values.allocated_bytes);
  json.Key("allocations").Int(values.allocated_objects);
  json.End('}');
}

void WriteFacts(const ProfileFacts& facts, JsonWriter& json) {
  json.Begin('{');
  json.Key("program").String(facts.program);
  json.Key("exe").String(facts.exe);
  json.Key("pid").Int(facts.pid);
  if (!facts.moment.empty()) json.Key("moment").String(facts.moment);
  json.Key("created_at").String(UtcTimeText(facts.created_realtime_ns));
  json.Key("taken_at").String(UtcTimeText(facts.taken_realtime_ns));
  json.Key("state").String(StateWord(facts.state));
  json.Key("mode").String(ModeWord(facts.mode));
  json.Key("stack").String(StackWord(facts.stack_detail));
  json.Key("max_depth").Int(facts.max_depth);
  json.Key("sample_bytes").Int(facts.sample_bytes);
  json.Key("estimated").Bool(facts.estimated);
  json.Key("peak_live_bytes").Int(facts.peak_live_bytes);
  json.End('}');
}

}  // namespace heapledger::collector
