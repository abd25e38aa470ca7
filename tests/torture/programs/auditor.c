// SPDX-License-Identifier: Apache-2.0
// An auditor of the loader that does nothing. It lives in a namespace of its
// own, with a libc of its own.
#define _GNU_SOURCE
#include <link.h>

unsigned la_version(unsigned version) { return version; }
unsigned la_objopen(struct link_map* map, Lmid_t id, uintptr_t* cookie) {
  (void)map;
  (void)id;
  (void)cookie;
  return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
