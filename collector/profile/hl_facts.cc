// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/hl_facts.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "collector/ledger/utc_time.h"

namespace heapledger::collector {
namespace {

using Json = nlohmann::ordered_json;

// Every fact is named once: the same list writes and reads.
struct Writing {
  Json& json;

  void Field(const char* name, const std::string& value) { json[name] = value; }
  template <typename Number>
  void Field(const char* name, Number value) {
    json[name] = value;
  }
};

struct Reading {
  const Json& json;

  const Json* Find(const char* name) const {
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
  }
  void Field(const char* name, std::string& value) const {
    const Json* const found = Find(name);
    if (found != nullptr && found->is_string()) {
      value = found->get_ref<const std::string&>();
    }
  }
  template <typename Number>
  void Field(const char* name, Number& value) const {
    const Json* const found = Find(name);
    if (found == nullptr || !found->is_number_unsigned()) return;
    const auto number = found->get<std::uint64_t>();
    if (number <= std::numeric_limits<Number>::max()) {
      value = static_cast<Number>(number);
    }
  }
};

template <typename Access, typename Identity>
void IdentityFields(Access access, Identity& who) {
  access.Field("pid", who.pid);
  access.Field("uid", who.uid);
  access.Field("start_time_ticks", who.start_time_ticks);
  access.Field("pid_namespace", who.pid_namespace);
  access.Field("image", who.image);
  access.Field("parent_pid", who.parent_pid);
  access.Field("parent_start_time_ticks", who.parent_start_time_ticks);
  access.Field("created_realtime_ns", who.created_realtime_ns);
  access.Field("created_monotonic_ns", who.created_monotonic_ns);
  access.Field("boot_id", who.boot_id);
  access.Field("exe", who.exe);
  access.Field("comm", who.comm);
  access.Field("shim_version", who.shim_version);
}

template <typename Access, typename Snapshot>
void StateFields(Access access, Snapshot& snapshot) {
  access.Field("off_reason", snapshot.off_reason);
  access.Field("state_changed_realtime_ns", snapshot.state_changed_realtime_ns);
}

template <typename Access, typename Snapshot>
void MeasuredFields(Access access, Snapshot& snapshot) {
  access.Field("max_depth", snapshot.max_depth);
  access.Field("sample_bytes", snapshot.sample_bytes);
  access.Field("budget_percent", snapshot.budget_percent);
  access.Field("armed_realtime_ns", snapshot.armed_realtime_ns);
  access.Field("disarmed_realtime_ns", snapshot.disarmed_realtime_ns);
  access.Field("python_version", snapshot.python_version);
  access.Field("python_state", snapshot.python_state);
}

template <typename Access, typename Snapshot>
void TakenFields(Access access, Snapshot& snapshot) {
  access.Field("realtime_ns", snapshot.taken_realtime_ns);
  access.Field("monotonic_ns", snapshot.taken_monotonic_ns);
}

template <typename Access, typename Counters>
void CounterFields(Access access, Counters& counters) {
  access.Field("inherited_bytes", counters.inherited_bytes);
  access.Field("inherited_objects", counters.inherited_objects);
  access.Field("allocated_bytes", counters.allocated_bytes);
  access.Field("allocated_objects", counters.allocated_objects);
  access.Field("freed_bytes", counters.freed_bytes);
  access.Field("freed_objects", counters.freed_objects);
}

template <typename Access, typename Snapshot>
void LedgerFields(Access access, Snapshot& snapshot) {
  access.Field("bytes", snapshot.ledger_bytes);
  access.Field("cap_bytes", snapshot.cap_bytes);
  access.Field("corrupt_records", snapshot.corrupt_records);
}

// The value whose word is `text`; `otherwise` if there is none.
template <typename Enum>
Enum FromWord(const Json* text, std::string_view (*word)(Enum), Enum last,
              Enum otherwise) {
  if (text == nullptr || !text->is_string()) return otherwise;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<Enum>(i);
    if (word(value) == text->get_ref<const std::string&>()) return value;
  }
  return otherwise;
}

const Json& Member(const Json& facts, const char* name) {
  static const Json& empty = *new Json(Json::object());
  const auto found = facts.find(name);
  return found != facts.end() && found->is_object() ? *found : empty;
}

}  // namespace

Json HlFacts(const LedgerSnapshot& snapshot) {
  Json facts;
  facts["format"] = "heapledger snapshot";
  Json& process = facts["process"];
  process["program"] = snapshot.identity.Program();
  process["state"] = std::string(StateWord(snapshot.state));
  IdentityFields(Writing{process}, snapshot.identity);
  StateFields(Writing{process}, snapshot);
  Json& measured = facts["measured"];
  measured["mode"] = std::string(ModeWord(snapshot.mode));
  measured["stack"] = std::string(StackWord(snapshot.stack_detail));
  measured["estimated"] = snapshot.estimated();
  MeasuredFields(Writing{measured}, snapshot);
  measured["degraded"] = Json::object();
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    if (snapshot.degraded[kind] == 0) continue;
    measured["degraded"][DegradedWord(kind)] = snapshot.degraded[kind];
  }
  Json& taken = facts["taken"];
  taken["utc"] = UtcTimeText(snapshot.taken_realtime_ns);
  TakenFields(Writing{taken}, snapshot);
  CounterFields(Writing{facts["totals"]}, snapshot.totals);
  CounterFields(Writing{facts["cut"]}, snapshot.cut);
  facts["peak_live_bytes"] = snapshot.peak_live_bytes;
  LedgerFields(Writing{facts["ledger"]}, snapshot);
  return facts;
}

void ApplyHlFacts(const Json& facts, LedgerSnapshot& snapshot) {
  const Json& process = Member(facts, "process");
  IdentityFields(Reading{process}, snapshot.identity);
  snapshot.state = FromWord(Reading{process}.Find("state"), StateWord,
                            ProcessState::kOff, ProcessState::kExited);
  StateFields(Reading{process}, snapshot);
  const Json& measured = Member(facts, "measured");
  snapshot.mode = FromWord(Reading{measured}.Find("mode"), ModeWord,
                           MeasureMode::kDormant, MeasureMode::kUnknown);
  snapshot.stack_detail =
      FromWord(Reading{measured}.Find("stack"), StackWord,
               StackDetail::kAdaptive, StackDetail::kUnknown);
  MeasuredFields(Reading{measured}, snapshot);
  const Json& degraded = Member(measured, "degraded");
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    Reading{degraded}.Field(DegradedWord(kind).c_str(),
                            snapshot.degraded[kind]);
  }
  TakenFields(Reading{Member(facts, "taken")}, snapshot);
  CounterFields(Reading{Member(facts, "totals")}, snapshot.totals);
  CounterFields(Reading{Member(facts, "cut")}, snapshot.cut);
  Reading{facts}.Field("peak_live_bytes", snapshot.peak_live_bytes);
  LedgerFields(Reading{Member(facts, "ledger")}, snapshot);
}

}  // namespace heapledger::collector
