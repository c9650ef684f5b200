/**
 * The team of a program in C: threads that take parts of one step at a time, the caller among them. A ticket says which
 * step is being done, how many parts it has and how many were taken; a part is taken by adding one to it, so whoever comes
 * too late sees that, and a thread that was descheduled holds up the others by a part.
 *
 * Threads look for work for some 50 µs before they sleep. They are never waited for, nor joined: the process may end.
 */
export const teamText = `
#include <pthread.h>
#include <stdatomic.h>
#if defined(__x86_64__) || defined(__i386__)
#define gf_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define gf_pause() __asm__ volatile("yield")
#else
#define gf_pause() ((void)0)
#endif

typedef void (*gf_step)(uint8_t *m, const long *L, long batch, long from, long to, long member);
typedef struct { gf_step step; uint8_t *m; const long *L; long batch, extent, each; } gf_work;

static gf_work gf_now;
/* Number of the step, parts, parts taken: 24, 20 and 20 bits. */
static _Atomic uint64_t gf_ticket;
static _Atomic uint32_t gf_done, gf_sleepers;
static long gf_members = 1;
static atomic_flag gf_busy = ATOMIC_FLAG_INIT;
static pthread_mutex_t gf_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gf_bell = PTHREAD_COND_INITIALIZER;

static int gf_is_open(uint64_t ticket) { return (ticket & 0xfffff) < ((ticket >> 20) & 0xfffff); }

/* Takes parts of the present step until there are none. */
static void gf_serve(long member) {
  while (gf_is_open(atomic_load(&gf_ticket))) {
    const uint64_t ticket = atomic_fetch_add(&gf_ticket, 1);
    if (!gf_is_open(ticket)) return;
    const long part = (long)(ticket & 0xfffff), from = part * gf_now.each;
    gf_now.step(gf_now.m, gf_now.L, gf_now.batch, from, gf_min(from + gf_now.each, gf_now.extent), member);
    atomic_fetch_add(&gf_done, 1);
  }
}

static void *gf_member(void *number) {
  for (long looked = 0;;) {
    if (gf_is_open(atomic_load(&gf_ticket))) {
      gf_serve((long)number);
      looked = 0;
    } else if (looked++ < 2000) {
      gf_pause();
    } else {
      pthread_mutex_lock(&gf_lock);
      atomic_fetch_add(&gf_sleepers, 1);
      while (!gf_is_open(atomic_load(&gf_ticket))) pthread_cond_wait(&gf_bell, &gf_lock);
      atomic_fetch_sub(&gf_sleepers, 1);
      pthread_mutex_unlock(&gf_lock);
      looked = 0;
    }
  }
  return 0;
}

/* Starts threads until there are so many; those that the system refuses are done without. */
static void gf_gather(long members) {
  for (; gf_members < members; gf_members++) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 8 << 20);
    const int refused = pthread_create(&thread, &attributes, gf_member, (void *)gf_members);
    pthread_attr_destroy(&attributes);
    if (refused) return;
  }
}

/* A step in at most so many parts, by members of the team. */
static void gf_do(gf_step step, uint8_t *m, const long *L, long batch, long extent, long parts, long members) {
  parts = gf_min(gf_min(parts, members * 4), extent);
  if (members < 2 || parts < 2) {
    step(m, L, batch, 0, extent, 0);
    return;
  }
  long each = (extent + parts - 1) / parts;
  if (each >= 64) each = (each + 63) / 64 * 64;
  parts = (extent + each - 1) / each;
  gf_now = (gf_work){step, m, L, batch, extent, each};
  atomic_store(&gf_done, 0);
  const uint64_t next = ((atomic_load(&gf_ticket) >> 40) + 1) << 40;
  atomic_store(&gf_ticket, next | (uint64_t)parts << 20);
  if (atomic_load(&gf_sleepers) > 0) {
    pthread_mutex_lock(&gf_lock);
    pthread_cond_broadcast(&gf_bell);
    pthread_mutex_unlock(&gf_lock);
  }
  gf_serve(0);
  while (atomic_load(&gf_done) < (uint32_t)parts) gf_pause();
}
`;
