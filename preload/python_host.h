// SPDX-License-Identifier: Apache-2.0
// The CPython that the program hosts, if any: which version, where its parts
// lie, and whether its frames can be read. Found when a stack first leads
// through its module, so no other program pays for it; read by plain loads of
// each thread's own frames, with nothing of it linked.
//
// Thread safety: any thread. Survives a fork.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/core/intern_table.h"
#include "preload/loaded_object.h"
#include "preload/runtime/cpython_layout.h"
#include "preload/runtime/python_code.h"
#include "preload/runtime/python_stack.h"

namespace heapledger::preload {

enum class PythonStage : std::uint32_t {
  kUnseen = 0,
  kClaimed,  // somebody looks at a module
  kRefused,  // seen, and not read: the ledger says why
  // From here on stacks are taken with Python frames.
  kUnproven,  // no frame was read yet
  kProven,    // its objects are where they should be
};

struct PythonHost {
  std::atomic<PythonStage> stage;
  std::atomic<std::uint32_t> suspended;  // dlclose calls under way
  std::atomic<std::uint32_t> asking;     // threads in the functions below
  std::uint32_t version;                 // as Py_Version has it
  std::atomic<std::uint32_t> state;      // ledger::PythonState

  // Valid from kUnproven on.
  const CpythonLayout* layout;
  void* (*this_thread)();     // PyGILState_GetThisThreadState
  void* (*current_thread)();  // PyThreadState_GetUnchecked
  int (*finalizing)();        // Py_IsFinalizing
  std::uint64_t code_type;    // &PyCode_Type
  LoopRange loop;             // empty where frames have anchors
  const void* module;         // its link map, and where it begins
  std::uint64_t module_start;

  InternTable codes;   // KeyOfCode() -> code record
  InternTable lines;   // code record and instruction -> line + 1
  InternTable stacks;  // native stack -> number
  std::atomic<std::uint32_t> last_stack;
};

[[gnu::visibility("hidden")]] extern PythonHost g_python;

inline bool ReadsPython() {
  return g_python.stage.load(std::memory_order_acquire) >=
         PythonStage::kUnproven;
}

// Looks whether a module that a stack leads through is CPython.
void NoticePython(const LoadedObject& object);

// Says in a fresh ledger what is known of CPython.
void PublishPython();

// Around a dlclose(): nothing of the interpreter is read meanwhile, and nothing
// after it if the interpreter went.
void SuspendPython();
void ResumePython();

// The calling thread's state in CPython, if its frames stand still: nobody but
// the thread itself runs them, and it is here. That holds as well where it gave
// the interpreter's lock away to be in C code; but not when the interpreter
// ends, as that frees the states of threads that do not hold the lock. Else 0.
// Takes no lock and allocates nothing. REQUIRES, here and below: ReadsPython().
std::uint64_t RunningPythonThread();

// The word (ledger::PythonWord) of a place in a code object that `thread` runs,
// which is written to the ledger if it is new there; 0 for code that is no part
// of the program.
std::uint64_t PythonWordOf(std::uint64_t code, std::int64_t unit,
                           const CodeIdentity& who);

// A number for a native stack by its hash; 0 where there is no room for one.
std::uint32_t NumberOfNativeStack(std::uint64_t hash);

}  // namespace heapledger::preload
