// SPDX-License-Identifier: Apache-2.0
// heapledger.h for Python, as an extension module that is built without
// Python's headers: it uses three functions of the stable ABI (PEP 384), whose
// declarations do not change, so that one file serves every CPython 3.
// python/heapledger.py wraps it.
//
// Thread safety: called under the interpreter's lock.
#include <stddef.h>

#include "heapledger/heapledger.h"

// From CPython's documentation of the stable ABI (docs.python.org/3/c-api).
typedef struct _object PyObject;
typedef PyObject* (*PyCFunction)(PyObject*, PyObject*);

typedef struct {
  const char* name;
  PyCFunction function;
  int flags;
  const char* doc;
} PyMethodDef;

typedef struct {
  ptrdiff_t references;
  void* type;
  PyObject* (*init)(void);
  ptrdiff_t index;
  PyObject* copy;
  const char* name;
  const char* doc;
  ptrdiff_t state_bytes;
  PyMethodDef* methods;
  void* slots;
  void* traverse;
  void* clear;
  void* free;
} PyModuleDef;

enum { kArgumentsAsTuple = 1, kStableAbi = 3 };

extern PyObject* PyModule_Create2(PyModuleDef* definition, int abi);
extern int PyArg_ParseTuple(PyObject* arguments, const char* format, ...);
extern PyObject* Py_BuildValue(const char* format, ...);

static PyObject* None(void) { return Py_BuildValue(""); }

// A name, then keys and values in turn.
static PyObject* Tag(PyObject* self, PyObject* arguments) {
  (void)self;
  const char* name = NULL;
  heapledger_label l[4] = {{NULL, NULL}};
  if (!PyArg_ParseTuple(arguments, "s|ssssssss:tag", &name, &l[0].key,
                        &l[0].value, &l[1].key, &l[1].value, &l[2].key,
                        &l[2].value, &l[3].key, &l[3].value)) {
    return NULL;
  }
  size_t count = 0;
  while (count < 4 && l[count].key != NULL && l[count].value != NULL) ++count;
  return Py_BuildValue("I", heapledger_tag_with_labels(name, l, count));
}

static PyObject* Current(PyObject* self, PyObject* arguments) {
  (void)self;
  if (!PyArg_ParseTuple(arguments, ":current")) return NULL;
  return Py_BuildValue("I", heapledger_tag_current());
}

static PyObject* Push(PyObject* self, PyObject* arguments) {
  (void)self;
  unsigned tag = 0;
  if (!PyArg_ParseTuple(arguments, "I:push", &tag)) return NULL;
  return Py_BuildValue("I", heapledger_tag_push(tag));
}

static PyObject* Adopt(PyObject* self, PyObject* arguments) {
  (void)self;
  unsigned tag = 0;
  if (!PyArg_ParseTuple(arguments, "I:adopt", &tag)) return NULL;
  return Py_BuildValue("I", heapledger_tag_adopt(tag));
}

static PyObject* Pop(PyObject* self, PyObject* arguments) {
  (void)self;
  unsigned scope = 0;
  if (!PyArg_ParseTuple(arguments, "I:pop", &scope)) return NULL;
  heapledger_tag_pop(scope);
  return None();
}

static PyObject* Begin(PyObject* self, PyObject* arguments) {
  (void)self;
  unsigned tag = 0;
  if (!PyArg_ParseTuple(arguments, "I:begin", &tag)) return NULL;
  heapledger_tag_begin(tag);
  return None();
}

static PyObject* End(PyObject* self, PyObject* arguments) {
  (void)self;
  unsigned tag = 0;
  if (!PyArg_ParseTuple(arguments, "I:end", &tag)) return NULL;
  heapledger_tag_end(tag);
  return None();
}

static PyMethodDef g_methods[] = {
    {"tag", Tag, kArgumentsAsTuple, "The tag of a name, keys and values."},
    {"current", Current, kArgumentsAsTuple, "The thread's innermost tag."},
    {"push", Push, kArgumentsAsTuple, "Begins a scope."},
    {"adopt", Adopt, kArgumentsAsTuple, "Begins one that is not counted."},
    {"pop", Pop, kArgumentsAsTuple, "Ends a scope."},
    {"begin", Begin, kArgumentsAsTuple, "Counts a thing that lives."},
    {"end", End, kArgumentsAsTuple, "Counts it as gone."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef g_definition = {
    1,  NULL,      NULL, 0,    NULL, "_heapledger", "heapledger.h for Python",
    -1, g_methods, NULL, NULL, NULL, NULL,
};

__attribute__((visibility("default"))) PyObject* PyInit__heapledger(void);
PyObject* PyInit__heapledger(void) {
  return PyModule_Create2(&g_definition, kStableAbi);
}
