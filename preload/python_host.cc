// SPDX-License-Identifier: Apache-2.0
#include "preload/python_host.h"

#include "preload/lifecycle.h"
#include "preload/python_memory.h"
#include "preload/runtime/cpython_version.h"
#include "preload/runtime/elf_symbols.h"
#include "preload/runtime/python_chain.h"
#include "preload/runtime/python_lines.h"
#include "preload/runtime/python_text.h"

namespace heapledger::preload {

constinit PythonHost g_python{};

namespace {

using ledger::PythonState;

// In PythonHost::codes: the interpreter's own code, which no line is of.
constexpr std::uint32_t kNoProgramCode = ~0U;

void SetState(PythonState state) {
  g_python.state.store(static_cast<std::uint32_t>(state),
                       std::memory_order_relaxed);
  PublishPython();
}

// Finds what reading needs, all of it or nothing.
bool FindParts(const ElfSymbols& symbols, PythonHost& host) {
  const auto function = [&symbols](const char* name) {
    return reinterpret_cast<void* (*)()>(symbols.Find(name).address);
  };
  host.this_thread = function("PyGILState_GetThisThreadState");
  host.current_thread = function("PyThreadState_GetUnchecked");  // from 3.13
  if (host.current_thread == nullptr) {
    host.current_thread = function("_PyThreadState_UncheckedGet");
  }
  host.finalizing = reinterpret_cast<int (*)()>(
      symbols.Find("Py_IsFinalizing").address);  // from 3.13
  if (host.finalizing == nullptr) {
    host.finalizing =
        reinterpret_cast<int (*)()>(symbols.Find("_Py_IsFinalizing").address);
  }
  host.code_type = symbols.Find("PyCode_Type").address;
  host.loop = {};
  if (host.layout->chain == FrameChain::kFrameObjects) {
    const auto loop = symbols.Find("_PyEval_EvalFrameDefault");
    host.loop = {loop.address, loop.address + loop.bytes};
    if (loop.bytes == 0) return false;
  }
  return host.this_thread != nullptr && host.current_thread != nullptr &&
         host.finalizing != nullptr && host.code_type != 0;
}

// What the interpreter says of its own layout, where it does.
bool AgreesWithItself(const ElfSymbols& symbols, const CpythonLayout& layout) {
  if (layout.version < 0x030d) return true;
  CpythonDebugOffsets said{};
  return GuardedMemory().Copy(symbols.Find("_PyRuntime").address, &said,
                              sizeof said) &&
         said.cookie == CpythonDebugOffsets::kCookie &&
         said.free_threaded == 0 && said.Agrees(layout);
}

bool OpenTables(PythonHost& host) {
  TargetEnv& env = g_process->env;
  // A second interpreter, after the first was unloaded, goes on with them.
  if (host.last_stack.load(std::memory_order_relaxed) != 0) return true;
  host.last_stack.store(1, std::memory_order_relaxed);
  return host.codes.Open(env, 10) && host.lines.Open(env, 10) &&
         host.stacks.Open(env, 10);
}

// kWaiting where its frames can be read, else why not.
PythonState Judge(const ElfSymbols& symbols, const CpythonVersion& version,
                  PythonHost& host) {
  const Config& config = g_process->config;
  if (!config.python_frames) return PythonState::kNotAsked;
  host.layout = FindCpythonLayout(version.hex);
  if (version.free_threaded) return PythonState::kFreeThreaded;
  if (host.layout == nullptr) return PythonState::kUnknownVersion;
  if (config.stack_mode != ledger::StackMode::kFull) {
    return PythonState::kStackMode;
  }
  if (!FindParts(symbols, host) || !AgreesWithItself(symbols, *host.layout)) {
    return PythonState::kLayoutDoubt;
  }
  return OpenTables(host) ? PythonState::kWaiting : PythonState::kNoMemory;
}

void Refuse(PythonState why) {
  SetState(why);
  g_python.stage.store(PythonStage::kRefused, std::memory_order_release);
  LeavePython();
}

enum class Proof : std::uint8_t { kNone, kGiven, kFailed };

// Reads the frames that a thread runs, as if they could be anything.
Proof Prove(std::uint64_t thread) {
  constexpr std::uint32_t kFrames = 8;
  const GuardedMemory memory;
  std::uint32_t codes = 0;
  bool sound = true;
  const ChainEnd end = WalkPythonChain(
      *g_python.layout, memory, thread, kFrames,
      [&](const ChainFrame& frame) {
        ++codes;
        const CodeIdentity who =
            IdentifyCode(*g_python.layout, memory, frame.code);
        char text[8];
        sound = sound &&
                memory.Word(frame.code + kPyTypeOffset) == g_python.code_type &&
                frame.unit >= -1 && who.first_line < 1U << 24 &&
                CopyPythonText(*g_python.layout, memory, who.name, text,
                               sizeof text, KeepEnd::kFront)
                        .bytes != 0;
      },
      [](std::uint64_t) {});
  if (end == ChainEnd::kDamaged || !sound) return Proof::kFailed;
  return codes == 0 ? Proof::kNone : Proof::kGiven;
}

void FillRecord(const CodeIdentity& who, ledger::CodeRecord& record) {
  const GuardedMemory memory;
  // Of both the end says more: the function of a class of a module, and the
  // file in a folder.
  constexpr std::uint32_t kNameRoom = 104;
  record.first_line = who.first_line;
  record.flags = 0;
  const CopiedText name =
      CopyPythonText(*g_python.layout, memory, who.name, record.text, kNameRoom,
                     KeepEnd::kBack);
  const CopiedText file = CopyPythonText(
      *g_python.layout, memory, who.filename, record.text + name.bytes,
      ledger::kCodeTextBytes - name.bytes, KeepEnd::kBack);
  record.name_bytes = static_cast<std::uint16_t>(name.bytes);
  record.file_bytes = static_cast<std::uint16_t>(file.bytes);
  if (name.truncated) record.flags |= ledger::kCodeNameCut;
  if (file.truncated) record.flags |= ledger::kCodeFileCut;
}

// The code record of a code object, one of the constants above, or
// CodeTable::kNone.
std::uint32_t CodeOf(std::uint64_t code, const CodeIdentity& who) {
  const std::uint64_t key = KeyOfCode(code, who);
  const auto always = [](std::uint32_t) { return true; };
  if (const std::uint32_t id = g_python.codes.Find(key, 0, always)) return id;
  const GuardedMemory memory;
  std::uint32_t id = kNoProgramCode;
  if (memory.Word(code + kPyTypeOffset) == g_python.code_type &&
      memory.Word(who.line_table + kPySizeOffset) != 0) {
    id = g_books->codes().Add(g_books->file(), [&](ledger::CodeRecord& record) {
      FillRecord(who, record);
    });
  }
  if (id == CodeTable::kNone) {
    g_books->file().CountDegraded(ledger::Degraded::kCodesFull);
    return id;
  }
  (void)g_python.codes.Insert(g_process->env, key, 0, id);
  return id;
}

std::uint32_t LineOf(std::uint32_t id, std::int64_t unit,
                     const CodeIdentity& who) {
  const std::uint64_t key = static_cast<std::uint64_t>(unit + 2) << 20 | id;
  const auto always = [](std::uint32_t) { return true; };
  if (const std::uint32_t known = g_python.lines.Find(key, 0, always)) {
    return known - 1;
  }
  const GuardedMemory memory;
  const std::uint32_t line = PythonLineAt(
      g_python.layout->lines, memory, who.line_table + kPyBytesOffset,
      memory.Word(who.line_table + kPySizeOffset), who.first_line, unit * 2);
  if (id != CodeTable::kNone) {
    (void)g_python.lines.Insert(g_process->env, key, 0, line + 1);
  }
  return line;
}

}  // namespace

void NoticePython(const LoadedObject& object) {
  if (g_process == nullptr || object.map->l_ld == nullptr) return;
  PythonStage unseen = PythonStage::kUnseen;
  if (g_python.stage.load(std::memory_order_relaxed) != unseen) return;
  const ElfSymbols symbols(object.map->l_ld, object.map->l_addr);
  const CpythonVersion version = FindCpythonVersion(
      [&symbols](const char* name) { return symbols.Find(name).address; },
      [](std::uint64_t at) {
        return *reinterpret_cast<const std::uint64_t*>(at);
      });
  if (version.hex == 0) return;
  if (!g_python.stage.compare_exchange_strong(unseen, PythonStage::kClaimed,
                                              std::memory_order_acq_rel)) {
    return;
  }
  g_python.version = version.hex;
  g_python.module = object.map;
  g_python.module_start = object.start;
  const PythonState state = Judge(symbols, version, g_python);
  if (state != PythonState::kWaiting) return Refuse(state);
  SetState(state);
  g_python.stage.store(PythonStage::kUnproven, std::memory_order_release);
  EnterPython();
}

void PublishPython() {
  ledger::Header& header = g_books->file().header();
  header.python_version.store(g_python.version, std::memory_order_relaxed);
  header.python_state.store(g_python.state.load(std::memory_order_relaxed),
                            std::memory_order_relaxed);
}

void SuspendPython() {
  g_python.suspended.fetch_add(1, std::memory_order_seq_cst);
  // Whoever is in a function of the interpreter is about to come back. Bounded:
  // a thread that was interrupted there by a handler that never returns, or
  // left behind by a fork, is not waited for.
  constexpr int kTries = 10000;
  for (int i = 0;
       i < kTries && g_python.asking.load(std::memory_order_seq_cst) != 0;
       ++i) {
    raw::Call(SYS_sched_yield);
  }
}

void ResumePython() {
  if (g_python.stage.load(std::memory_order_relaxed) >=
      PythonStage::kUnproven) {
    LoadedObject object;
    const auto inside = reinterpret_cast<std::uint64_t>(g_python.this_thread);
    if (!FindLoadedObject(inside, &object) || object.map != g_python.module ||
        object.start != g_python.module_start) {
      g_python.stage.store(PythonStage::kUnseen, std::memory_order_release);
      LeavePython();
    }
  }
  g_python.suspended.fetch_sub(1, std::memory_order_acq_rel);
}

namespace {

// The state whose frames stand still, or null.
const void* StateThatStands() {
  // Null on threads that never ran Python code. Asked first: what the other
  // function reads may be a thread-local that the loader allocates on first
  // use, and such threads never had it.
  const void* const mine = g_python.this_thread();
  if (mine == nullptr) return nullptr;
  const void* const current = g_python.current_thread();
  if (current == mine) [[likely]]
    return mine;
  const bool is_another_interpreters =
      g_python.layout->chain == FrameChain::kStackFrames && current != nullptr;
  if (is_another_interpreters) return current;
  return g_python.finalizing() != 0 ? nullptr : mine;
}

}  // namespace

std::uint64_t RunningPythonThread() {
  // In this order, and SuspendPython() in the other: one sees the other.
  g_python.asking.fetch_add(1, std::memory_order_seq_cst);
  const bool may_ask =
      g_python.suspended.load(std::memory_order_seq_cst) == 0 && ReadsPython();
  const auto thread =
      may_ask ? reinterpret_cast<std::uint64_t>(StateThatStands()) : 0;
  g_python.asking.fetch_sub(1, std::memory_order_release);
  if (thread == 0) return 0;
  if (g_python.stage.load(std::memory_order_relaxed) == PythonStage::kProven)
      [[likely]] {
    return thread;
  }
  switch (Prove(thread)) {
    case Proof::kNone:
      return 0;
    case Proof::kFailed:
      Refuse(PythonState::kLayoutDoubt);
      return 0;
    case Proof::kGiven:
      break;
  }
  SetState(PythonState::kFrames);
  g_python.stage.store(PythonStage::kProven, std::memory_order_release);
  return thread;
}

std::uint64_t PythonWordOf(std::uint64_t code, std::int64_t unit,
                           const CodeIdentity& who) {
  const std::uint32_t id = CodeOf(code, who);
  if (id == kNoProgramCode) return 0;
  return ledger::PythonWord::Pack(id, unit, LineOf(id, unit, who));
}

std::uint32_t NumberOfNativeStack(std::uint64_t hash) {
  // Of another generation of modules the same addresses are another stack.
  const std::uint32_t generation = g_books->generation();
  const std::uint64_t key = hash != 0 ? hash : 1;
  if (const std::uint32_t known = g_python.stacks.Find(
          key, generation, [](std::uint32_t) { return false; })) {
    return known;
  }
  const std::uint32_t number =
      g_python.last_stack.fetch_add(1, std::memory_order_relaxed) + 1;
  return g_python.stacks.Insert(g_process->env, key, generation, number)
             ? number
             : 0;
}

}  // namespace heapledger::preload
