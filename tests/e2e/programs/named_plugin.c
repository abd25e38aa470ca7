// SPDX-License-Identifier: Apache-2.0
// Keeps PLUGIN_BYTES in a function called PLUGIN_FUNCTION.
#include <stdlib.h>

void* volatile g_plugin_kept;

__attribute__((noinline)) static void PLUGIN_FUNCTION(void) {
  g_plugin_kept = malloc(PLUGIN_BYTES);
}

void PluginEntry(void) { PLUGIN_FUNCTION(); }
