// SPDX-License-Identifier: Apache-2.0
// Which CPython a module holds, from its exported symbols alone: nothing of it
// is called, so it may be asked at any moment.
#pragma once

#include <cstdint>

namespace heapledger::preload {

struct CpythonVersion {
  // As Py_Version has it: 0x030b02f0 is 3.11.2 final. 0: no CPython from 3.8
  // on. Up to 3.10, which do not say more, only major and minor.
  std::uint32_t hex = 0;
  // Without a global interpreter lock.
  bool free_threaded = false;
};

// symbol(name): the address of an exported symbol, 0 where there is none.
// load(address): the 8 bytes there.
template <typename Symbol, typename Load>
CpythonVersion FindCpythonVersion(Symbol&& symbol, Load&& load) {
  CpythonVersion version;
  if (symbol("_PyRuntime") == 0) return version;
  if (const std::uint64_t at = symbol("Py_Version")) {
    version.hex = static_cast<std::uint32_t>(load(at));  // an unsigned long
  } else if (symbol("PyIter_Send") != 0) {
    version.hex = 0x030a0000;
  } else if (symbol("PyThreadState_GetInterpreter") != 0) {
    version.hex = 0x03090000;
  } else if (symbol("PyCode_NewWithPosOnlyArgs") != 0) {
    version.hex = 0x03080000;
  }
  // What reference counts are merged by, in such builds alone.
  version.free_threaded = symbol("_Py_MergeZeroLocalRefcount") != 0;
  return version;
}

}  // namespace heapledger::preload
