/*
 * OMcache, a memcached client: the header for C (C99 and later) and C++ programs.
 *
 * Link with -lomcache, or with what `pkg-config --libs omcache` prints.
 */
#ifndef OMCACHE_H
#define OMCACHE_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The version of the interface whose structures are declared here; their omcache_version fields hold it. It stays as
 * long as the layouts stay. The library's own version is told by omcache_library_version().
 */
#define OMCACHE_VERSION 0x00000300

/** The expiration that keeps omcache_increment() and omcache_decrement() from creating a counter. */
#define OMCACHE_DELTA_NO_ADD 0xffffffffu

/* omcache_cdef.h declares time_t for readers that have no <time.h>. That declaration gets another name here: two of one
   name are no C99. Both are the same type. */
#define time_t omcache_cdef_time_t
/* Distributions are const; CFFI could not reach the three of the library if omcache_cdef.h said so. */
#define omcache_dist_t const omcache_dist_t
#include "omcache_cdef.h"
#undef omcache_dist_t
#undef time_t

#ifdef __cplusplus
}
#endif

#endif /* OMCACHE_H */
