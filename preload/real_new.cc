// SPDX-License-Identifier: Apache-2.0
#include "preload/real_new.h"

#include <dlfcn.h>
#include <link.h>

#include "preload/real_malloc.h"

#pragma weak _dl_find_object

// There only where a C++ runtime is loaded; then all the operators are, too.
extern "C" __attribute__((weak)) void __cxa_throw();

namespace heapledger::preload {

constinit RealNew g_real_new;

namespace {

template <typename Function>
void Find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// Whether a function is the program's own: the C++ runtime is linked into it
// statically. The operators that it has then come before ours, and call malloc.
bool InProgram(void (*function)()) {
  dl_find_object found{};
  return LibcIsKnown() &&
         _dl_find_object(reinterpret_cast<void*>(function), &found) == 0 &&
         found.dlfo_link_map->l_name[0] == '\0';
}

}  // namespace

void RealNew::Resolve() {
  // A look-up that fails leaves an allocated message for the program's
  // dlerror(), so none may.
  if (&__cxa_throw == nullptr || InProgram(&__cxa_throw)) return;
  Find(plain, "_Znwm");
  Find(nothrow[0], "_ZnwmRKSt9nothrow_t");
  Find(nothrow[1], "_ZnamRKSt9nothrow_t");
  Find(aligned[0], "_ZnwmSt11align_val_t");
  Find(aligned[1], "_ZnamSt11align_val_t");
  Find(aligned_nothrow[0], "_ZnwmSt11align_val_tRKSt9nothrow_t");
  Find(aligned_nothrow[1], "_ZnamSt11align_val_tRKSt9nothrow_t");
}

RealNew::New FindThrowingNew(std::uint64_t pc) {
  if (g_real_new.plain != nullptr) return g_real_new.plain;
  // libstdc++ was loaded later and privately: it is in the scope of whoever
  // called.
  dl_find_object found{};
  if (!LibcIsKnown() ||
      _dl_find_object(reinterpret_cast<void*>(pc), &found) != 0) {
    return nullptr;
  }
  return reinterpret_cast<RealNew::New>(dlsym(found.dlfo_link_map, "_Znwm"));
}

}  // namespace heapledger::preload
