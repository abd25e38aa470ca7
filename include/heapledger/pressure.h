/* SPDX-License-Identifier: Apache-2.0
 *
 * How a program hears that memory runs short, and that it is over: somebody
 * asks from outside (heapledger collect, by its rules), and the program takes
 * that at a moment of its own choosing. For C11 and C++11; needs nothing at
 * build time: no library, no flag. Where the program runs without the shim,
 * every call returns at once and says so.
 *
 * It finds the shim by weak symbols, so the program must be linked dynamically
 * and as position-independent code (the default of today's compilers).
 *
 * Nothing of the program's is ever called from inside malloc, and heapledger
 * has no thread of its own. So the program does one of these:
 *
 *   poll     at points where it holds no lock, such as a turn of its event loop
 *     if (heapledger_poll_pressure() >= HEAPLEDGER_PRESSURE_MEDIUM) clear();
 *
 *   wait     in a thread of its own
 *     while (running) react(heapledger_wait_pressure(1000));
 *
 *   register callbacks anywhere, and run them in a thread of its own
 *     heapledger_on_pressure(HEAPLEDGER_PRESSURE_MEDIUM, clear_cache, cache);
 *     while (running) heapledger_run_pressure_callbacks(1000);
 *
 * Each request is given once, to whoever takes it first; one that was not taken
 * yet is replaced by the next.
 *
 * Thread safety: any thread, but not in signal handlers. errno stays.
 */
#ifndef HEAPLEDGER_PRESSURE_H_
#define HEAPLEDGER_PRESSURE_H_

#ifdef __cplusplus
extern "C" {
#endif

/* What is asked. Each level but the last asks for what those below it ask for,
 * too. */
enum heapledger_pressure {
  HEAPLEDGER_PRESSURE_NONE = 0,     /* nothing new */
  HEAPLEDGER_PRESSURE_LOW = 1,      /* advisory: memory becomes short */
  HEAPLEDGER_PRESSURE_MEDIUM = 2,   /* clear caches, shrink pools */
  HEAPLEDGER_PRESSURE_HIGH = 3,     /* close what is idle */
  HEAPLEDGER_PRESSURE_CRITICAL = 4, /* stop work that is not critical */
  HEAPLEDGER_PRESSURE_OVER = 5      /* it has passed: go on as usual */
};

/* What calls return that cannot do their work. */
enum {
  HEAPLEDGER_NO_SHIM = -1, /* the program runs without it, or it is off */
  HEAPLEDGER_BUSY = -2     /* another thread runs the callbacks */
};

/* Gets the level and what was registered with it. It may do whatever the
 * program may do on the thread that runs it, but must return: no exception, no
 * longjmp, no pthread_exit. */
typedef void (*heapledger_pressure_callback)(int level, void* context);

/* The shim's own functions; null where it is not there. Call those below. */
int heapledger_shim_on_pressure(int least_level,
                                heapledger_pressure_callback callback,
                                void* context) __attribute__((weak));
int heapledger_shim_off_pressure(int id) __attribute__((weak));
int heapledger_shim_poll_pressure(void) __attribute__((weak));
int heapledger_shim_wait_pressure(int timeout_ms) __attribute__((weak));
int heapledger_shim_run_pressure_callbacks(int timeout_ms)
    __attribute__((weak));

/* Registers a callback for this level and those above it; OVER is above all.
 * Returns an id above 0; 0 where 16 are registered already or an argument makes
 * no sense; HEAPLEDGER_NO_SHIM. A forked child has those of its parent. */
static inline int heapledger_on_pressure(int least_level,
                                         heapledger_pressure_callback callback,
                                         void* context) {
  return heapledger_shim_on_pressure
             ? heapledger_shim_on_pressure(least_level, callback, context)
             : HEAPLEDGER_NO_SHIM;
}

/* Unregisters one. When it returns, the callback is not running and will not
 * run: it waits for one that runs on another thread, so the caller must hold no
 * lock that the callback takes. Returns 1; 0 for an id that nobody has. */
static inline int heapledger_off_pressure(int id) {
  return heapledger_shim_off_pressure ? heapledger_shim_off_pressure(id)
                                      : HEAPLEDGER_NO_SHIM;
}

/* The level that is asked for, once; HEAPLEDGER_PRESSURE_NONE where nothing is
 * new. Costs a few loads. */
static inline int heapledger_poll_pressure(void) {
  return heapledger_shim_poll_pressure ? heapledger_shim_poll_pressure()
                                       : HEAPLEDGER_NO_SHIM;
}

/* The same, waiting until there is one; milliseconds, negative for ever. Serves
 * meanwhile what else is asked of the program from outside, such as
 * `heapledger trim`. Signals do not end the wait, and it is no cancellation
 * point. */
static inline int heapledger_wait_pressure(int timeout_ms) {
  return heapledger_shim_wait_pressure
             ? heapledger_shim_wait_pressure(timeout_ms)
             : HEAPLEDGER_NO_SHIM;
}

/* Waits likewise and then runs the callbacks whose level is reached, in the
 * order of their ids, on the calling thread. Returns how many ran; 0 after the
 * time; HEAPLEDGER_BUSY at once where another thread is in it. */
static inline int heapledger_run_pressure_callbacks(int timeout_ms) {
  return heapledger_shim_run_pressure_callbacks
             ? heapledger_shim_run_pressure_callbacks(timeout_ms)
             : HEAPLEDGER_NO_SHIM;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HEAPLEDGER_PRESSURE_H_ */
