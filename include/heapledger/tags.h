/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags: what a program tells of whose memory it is. For C11 and C++11; needs
 * nothing at build time: no library, no flag. Where the program runs without
 * the shim, every call does nothing, at the price of a test.
 *
 * It finds the shim by weak symbols, so the program must be linked dynamically
 * and as position-independent code (the default of today's compilers). In a
 * static or -no-pie program the calls do nothing, whatever is preloaded.
 *
 * Thread safety: everything here may be called by any thread and in signal
 * handlers. Nothing changes errno, allocates or blocks.
 */
#ifndef HEAPLEDGER_TAGS_H_
#define HEAPLEDGER_TAGS_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- Tags: whose memory it is.
 *
 * A tag is a name with up to four labels. What a thread allocates while it is
 * in a scope is booked under the scope's tag, and a free is booked where the
 * block was, whoever frees it. realloc() books its block anew: under the tag of
 * whoever called it last.
 *
 *   static heapledger_tag_t tenant;           // once
 *   tenant = heapledger_tag("tenant", "acme");
 *
 *   heapledger_scope_t scope = heapledger_tag_push(tenant);
 *   ... serve ...
 *   heapledger_tag_pop(scope);
 *
 * Scopes nest; the innermost tag counts, alone. They belong to their thread:
 * another one that works for the same tenant adopts the tag. The number of open
 * scopes of each tag is a metric; adopted ones are not counted again.
 *
 *   longjmp, exceptions: a scope that was jumped out of ends when the one
 *     around it does, or where heapledger_tag_pop() is called with its word, or
 *     an outer one's. In C++ use heapledger::TagScope.
 *   fork: the child goes on in the scopes of the thread that forked.
 *   A thread that ends inside a scope ends the scope.
 *   A signal handler allocates under the tag of what it interrupts, and leaves
 *     the scopes that it begins.
 */

/* A tag; 0 is none. Good for the life of the process and of its forked
 * children. */
typedef uint32_t heapledger_tag_t;

/* What ends a scope; 0 is none. */
typedef uint32_t heapledger_scope_t;

typedef struct heapledger_label {
  const char* key;
  const char* value;
} heapledger_label;

/* The shim's own functions; null where it is not there. Call those below. */
heapledger_tag_t heapledger_shim_tag(const char* name,
                                     const heapledger_label* labels,
                                     size_t label_count) __attribute__((weak));
heapledger_tag_t heapledger_shim_tag_current(void) __attribute__((weak));
heapledger_scope_t heapledger_shim_tag_push(heapledger_tag_t tag)
    __attribute__((weak));
heapledger_scope_t heapledger_shim_tag_adopt(heapledger_tag_t tag)
    __attribute__((weak));
void heapledger_shim_tag_pop(heapledger_scope_t scope) __attribute__((weak));
void heapledger_shim_tag_begin(heapledger_tag_t tag) __attribute__((weak));
void heapledger_shim_tag_end(heapledger_tag_t tag) __attribute__((weak));

/* The tag with this name and these labels. Looks it up by its text: keep what
 * it gives wherever that is called often.
 *
 * Texts are UTF-8; what is not is shown as U+FFFD. A name has at most 64 bytes,
 * a key 32, a value 64; the rest is cut. A process has at most 4094 tags, what
 * is beyond counts as "_other"; both are told (heapledger_degraded). Do not put
 * into a value what has no bound, such as a request's number. */
static inline heapledger_tag_t heapledger_tag_with_labels(
    const char* name, const heapledger_label* labels, size_t label_count) {
  return heapledger_shim_tag ? heapledger_shim_tag(name, labels, label_count)
                             : 0;
}

/* The tag `name` with one label: name=value. No label where value is null. */
static inline heapledger_tag_t heapledger_tag(const char* name,
                                              const char* value) {
  heapledger_label label;
  label.key = name;
  label.value = value;
  return heapledger_tag_with_labels(name, &label, value ? 1 : 0);
}

/* The tag of the calling thread's innermost scope; 0 outside of all. What a
 * thread hands on to another one that works for it. */
static inline heapledger_tag_t heapledger_tag_current(void) {
  return heapledger_shim_tag_current ? heapledger_shim_tag_current() : 0;
}

/* Begins a scope on the calling thread. Tag 0: what is allocated inside has no
 * tag. */
static inline heapledger_scope_t heapledger_tag_push(heapledger_tag_t tag) {
  return heapledger_shim_tag_push ? heapledger_shim_tag_push(tag) : 0;
}

/* The same for work on behalf of a scope or thing that is counted elsewhere. */
static inline heapledger_scope_t heapledger_tag_adopt(heapledger_tag_t tag) {
  return heapledger_shim_tag_adopt ? heapledger_shim_tag_adopt(tag) : 0;
}

/* Ends a scope of the calling thread, and those inside of it that are still
 * open. Does nothing where it is over. */
static inline void heapledger_tag_pop(heapledger_scope_t scope) {
  if (heapledger_shim_tag_pop) heapledger_shim_tag_pop(scope);
}

/* Count a thing with this tag that lives for longer than a call, and on
 * whatever threads: a connection, a session. Adds 1 to the tag's open scopes,
 * or takes 1 away. What is allocated for it is booked by adopting its tag. A
 * forked child does not count its parent's. */
static inline void heapledger_tag_begin(heapledger_tag_t tag) {
  if (heapledger_shim_tag_begin) heapledger_shim_tag_begin(tag);
}
static inline void heapledger_tag_end(heapledger_tag_t tag) {
  if (heapledger_shim_tag_end) heapledger_shim_tag_end(tag);
}

#ifdef __cplusplus
} /* extern "C" */

#include <initializer_list>

namespace heapledger {

/* A tag as a value. */
class Tag {
 public:
  constexpr Tag() : id_(0) {}
  constexpr Tag(heapledger_tag_t id) : id_(id) {}
  explicit Tag(const char* name,
               std::initializer_list<heapledger_label> labels = {})
      : id_(heapledger_tag_with_labels(name, labels.begin(), labels.size())) {}

  /* Of the calling thread's innermost scope. */
  static Tag Current() { return Tag(heapledger_tag_current()); }

  heapledger_tag_t id() const { return id_; }

 private:
  heapledger_tag_t id_;
};

/* A scope for as long as the object lives, exceptions included. On the stack:
 * it must end on the thread that began it. A coroutine that may go on
 * elsewhere adopts its tag anew after each suspension. */
class TagScope {
 public:
  explicit TagScope(Tag tag) : scope_(heapledger_tag_push(tag.id())) {}
  ~TagScope() { heapledger_tag_pop(scope_); }
  TagScope(const TagScope&) = delete;
  TagScope& operator=(const TagScope&) = delete;

 private:
  heapledger_scope_t scope_;
};

/* The same for work on behalf of what is counted elsewhere. */
class AdoptedTag {
 public:
  explicit AdoptedTag(Tag tag) : scope_(heapledger_tag_adopt(tag.id())) {}
  ~AdoptedTag() { heapledger_tag_pop(scope_); }
  AdoptedTag(const AdoptedTag&) = delete;
  AdoptedTag& operator=(const AdoptedTag&) = delete;

 private:
  heapledger_scope_t scope_;
};

/* A thing that counts for as long as the object lives. Its owner moves it
 * where it likes; any thread may end it. */
class TaggedThing {
 public:
  explicit TaggedThing(Tag tag) : tag_(tag) { heapledger_tag_begin(tag.id()); }
  TaggedThing(TaggedThing&& other) noexcept : tag_(other.tag_) {
    other.tag_ = Tag();
  }
  ~TaggedThing() { heapledger_tag_end(tag_.id()); }
  TaggedThing(const TaggedThing&) = delete;
  TaggedThing& operator=(const TaggedThing&) = delete;
  TaggedThing& operator=(TaggedThing&&) = delete;

  Tag tag() const { return tag_; }

 private:
  Tag tag_;
};

}  // namespace heapledger
#endif

#endif /* HEAPLEDGER_TAGS_H_ */
