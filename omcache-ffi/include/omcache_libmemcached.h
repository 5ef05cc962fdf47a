/*
 * libmemcached's simple functions on top of OMcache, for programs that change one include:
 *
 *     #include <omcache_libmemcached.h>      instead of      #include <libmemcached/memcached.h>
 *
 * and link with -lomcache. Everything here is a macro or a static function: libomcache.so.0 has no memcached_ symbol,
 * so that it can be loaded beside libmemcached. Parameters are libmemcached's; results are omcache_ret_t values.
 *
 * What differs: keys are spread by omcache_dist_libmemcached_ketama from the start; handles are set up with
 * omcache_set_...() instead of behaviours; many values are read with omcache_get_multi() and statistics with
 * omcache_stat(). The functions for these are there, so that programs compile, and fail.
 */
#ifndef OMCACHE_LIBMEMCACHED_H
#define OMCACHE_LIBMEMCACHED_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "omcache.h"

/* How long commands wait, in milliseconds: below 0 until they are answered or have failed, 0 not at all. A program may
   define these before it includes this header. */
#ifndef MEMCACHED_COMMAND_TIMEOUT
#define MEMCACHED_COMMAND_TIMEOUT -1
#endif
/** Of memcached_get(). */
#ifndef MEMCACHED_READ_TIMEOUT
#define MEMCACHED_READ_TIMEOUT MEMCACHED_COMMAND_TIMEOUT
#endif
/** Of the commands that change something. */
#ifndef MEMCACHED_WRITE_TIMEOUT
#define MEMCACHED_WRITE_TIMEOUT MEMCACHED_COMMAND_TIMEOUT
#endif

/** The version of libmemcached whose functions these are. */
#define LIBMEMCACHED_VERSION_HEX 0x01000003

#define MEMCACHED_SUCCESS OMCACHE_OK
#define MEMCACHED_FAILURE OMCACHE_FAIL
#define MEMCACHED_BUFFERED OMCACHE_BUFFERED
#define MEMCACHED_NOTFOUND OMCACHE_NOT_FOUND
/** No function here returns it; the end of a list has no code of its own in OMcache. */
#define MEMCACHED_END -1
/** A callback of memcached_server_cursor() failed. */
#define MEMCACHED_SOME_ERRORS -1
/** The expiration that keeps a counter from being created. */
#define MEMCACHED_EXPIRATION_NOT_ADD OMCACHE_DELTA_NO_ADD

/* A conversion that neither C nor C++ warns of. */
#ifdef __cplusplus
#define OMC_CAST(type, value) static_cast<type>(value)
#else
#define OMC_CAST(type, value) ((type) (value))
#endif

typedef omcache_t memcached_st;
/** A server list: the text that it was made of. */
typedef char memcached_server_st;
typedef memcached_server_st *memcached_server_list_st;
typedef void *memcached_stat_st;
typedef int memcached_return;
typedef int memcached_return_t;
typedef omcache_server_info_t *memcached_server_instance_st;
/* Behaviours, hashes and distributions are known by their names. */
typedef const char *memcached_behavior;
typedef const char *memcached_behavior_t;
typedef const char *memcached_hash;
typedef const char *memcached_hash_t;
typedef const char *memcached_server_distribution;
typedef const char *memcached_server_distribution_t;

/** Called for a server; the server is valid during the call. */
typedef memcached_return_t (*memcached_server_fn)(memcached_st *mc, memcached_server_instance_st server, void *context);
typedef memcached_server_fn memcached_server_function;

/** The bytes of a string as OMcache's functions take them. */
static inline const unsigned char *omc_cc_to_cuc(const char *text)
{
    const void *bytes = text;
    return OMC_CAST(const unsigned char *, bytes);
}

/* ---- Handles ---- */

/** Returns a new handle, to be freed with memcached_free(); always in memory of the library's: mc is ignored. */
static inline memcached_st *memcached_create(memcached_st *mc)
{
    (void) mc;
    return omcache_init();
}

/** Frees a handle. */
static inline void memcached_free(memcached_st *mc)
{
    omcache_free(mc);
}

/** Returns the text of a return code. */
static inline const char *memcached_strerror(const memcached_st *mc, memcached_return_t rc)
{
    (void) mc;
    return rc == MEMCACHED_SOME_ERRORS ? "Some errors were reported" : omcache_strerror(rc);
}

/** Sends what is buffered and waits for the responses, at most MEMCACHED_COMMAND_TIMEOUT. */
static inline memcached_return_t memcached_flush_buffers(memcached_st *mc)
{
    return omcache_io(mc, NULL, NULL, NULL, NULL, MEMCACHED_COMMAND_TIMEOUT);
}

/* ---- Servers ---- */

/** Returns a server list, to be freed with memcached_server_list_free(): a copy of the text, read when it is pushed. */
static inline memcached_server_list_st memcached_servers_parse(const char *server_strings)
{
    size_t size = server_strings ? strlen(server_strings) + 1 : 0;
    char *list = size ? OMC_CAST(char *, malloc(size)) : NULL;
    return list ? OMC_CAST(char *, memcpy(list, server_strings, size)) : NULL;
}

/** Frees a server list. */
static inline void memcached_server_list_free(memcached_server_list_st servers)
{
    free(servers);
}

/**
 * Adds the servers of a list to those that the handle has. The ports of these must be numbers, as libmemcached's are:
 * where one is a service name, the result is OMCACHE_INVALID and nothing is changed. Weights that servers were given by
 * omcache_set_weighted_servers() are lost: all have weight 1 afterwards.
 */
static inline memcached_return_t memcached_server_push(memcached_st *mc, const memcached_server_list_st servers)
{
    memcached_return_t rc = OMCACHE_OK;
    size_t used = servers ? strlen(servers) : 0;
    char *list = memcached_servers_parse(servers);
    omcache_server_info_t *info;
    int index;
    for (index = 0; list && rc == OMCACHE_OK && (info = omcache_server_info(mc, index)) != NULL; index++) {
        size_t room = strlen(info->hostname) + 20;
        int is_path = info->hostname[0] == '/';
        char *longer = OMC_CAST(char *, realloc(list, used + room));
        if (longer)
            list = longer;
        if (!longer)
            rc = OMCACHE_FAIL;
        else if (is_path)
            used += OMC_CAST(size_t, snprintf(list + used, room, ",%s", info->hostname));
        else if (info->port > 0)
            used += OMC_CAST(size_t, snprintf(list + used, room, strchr(info->hostname, ':') ? ",[%s]:%d" : ",%s:%d",
                                      info->hostname, info->port));
        else
            rc = OMCACHE_INVALID;
        omcache_server_info_free(mc, info);
    }
    if (rc == OMCACHE_OK)
        rc = omcache_set_servers(mc, list);
    free(list);
    return rc;
}

/** Returns a server's host name, or the path of its socket. */
static inline const char *memcached_server_name(const omcache_server_info_t *server)
{
    return server->hostname;
}

/** Returns a server's port; 0 for a Unix socket. */
static inline in_port_t memcached_server_port(const omcache_server_info_t *server)
{
    return OMC_CAST(in_port_t, server->port);
}

/** Calls each function for each server. MEMCACHED_SOME_ERRORS: one of them did not return MEMCACHED_SUCCESS. */
static inline memcached_return_t memcached_server_cursor(const memcached_st *mc, const memcached_server_fn *callback,
                                                         void *context, uint32_t number_of_callbacks)
{
    memcached_st *handle;
    memcached_return_t rc = MEMCACHED_SUCCESS;
    omcache_server_info_t *info;
    uint32_t at;
    int index;
    /* libmemcached's callbacks take a handle that is not const. */
    memcpy(&handle, &mc, sizeof handle);
    for (index = 0; (info = omcache_server_info(handle, index)) != NULL; index++) {
        for (at = 0; at < number_of_callbacks; at++)
            if (callback[at](handle, info, context) != MEMCACHED_SUCCESS)
                rc = MEMCACHED_SOME_ERRORS;
        omcache_server_info_free(handle, info);
    }
    return rc;
}

/** Makes everything on all servers expire. Goes on where a server fails, and returns the first failure. */
static inline memcached_return_t memcached_flush(memcached_st *mc, time_t expiration)
{
    memcached_return_t rc = OMCACHE_OK;
    omcache_server_info_t *info;
    int index;
    for (index = 0; (info = omcache_server_info(mc, index)) != NULL; index++) {
        memcached_return_t one = omcache_flush_all(mc, expiration, index, MEMCACHED_WRITE_TIMEOUT);
        omcache_server_info_free(mc, info);
        if (rc == OMCACHE_OK || (rc == OMCACHE_BUFFERED && one != OMCACHE_OK))
            rc = one;
    }
    return index > 0 ? rc : OMC_CAST(memcached_return_t, OMCACHE_NO_SERVERS);
}

/* ---- Commands on a key ---- */

/**
 * Returns the value of a key, with a NUL behind it, in memory that the program frees with free(); NULL where there is
 * no value, and *error tells why. value_length, flags and error may be NULL.
 */
static inline char *memcached_get(memcached_st *mc, const char *key, size_t key_length, size_t *value_length,
                                  uint32_t *flags, memcached_return_t *error)
{
    const unsigned char *found = NULL;
    char *value = NULL;
    size_t length = 0;
    memcached_return_t rc =
        omcache_get(mc, omc_cc_to_cuc(key), key_length, &found, &length, flags, NULL, MEMCACHED_READ_TIMEOUT);
    if (rc == OMCACHE_OK) {
        value = OMC_CAST(char *, malloc(length + 1));
        if (value) {
            if (length > 0)
                memcpy(value, found, length);
            value[length] = '\0';
        } else {
            rc = OMCACHE_FAIL;
            length = 0;
        }
    }
    if (value_length)
        *value_length = value ? length : 0;
    if (error)
        *error = rc;
    return value;
}

/** Stores a value. */
static inline memcached_return_t memcached_set(memcached_st *mc, const char *key, size_t key_length, const char *value,
                                               size_t value_length, time_t expiration, uint32_t flags)
{
    return omcache_set(mc, omc_cc_to_cuc(key), key_length, omc_cc_to_cuc(value), value_length, expiration, flags, 0,
                       MEMCACHED_WRITE_TIMEOUT);
}

/** Stores a value where the key does not exist. */
static inline memcached_return_t memcached_add(memcached_st *mc, const char *key, size_t key_length, const char *value,
                                               size_t value_length, time_t expiration, uint32_t flags)
{
    return omcache_add(mc, omc_cc_to_cuc(key), key_length, omc_cc_to_cuc(value), value_length, expiration, flags,
                       MEMCACHED_WRITE_TIMEOUT);
}

/** Stores a value where the key exists. */
static inline memcached_return_t memcached_replace(memcached_st *mc, const char *key, size_t key_length,
                                                   const char *value, size_t value_length, time_t expiration,
                                                   uint32_t flags)
{
    return omcache_replace(mc, omc_cc_to_cuc(key), key_length, omc_cc_to_cuc(value), value_length, expiration, flags,
                           MEMCACHED_WRITE_TIMEOUT);
}

/** Adds bytes behind a value. The protocol knows no expiration and flags for it: they are ignored. */
static inline memcached_return_t memcached_append(memcached_st *mc, const char *key, size_t key_length,
                                                  const char *value, size_t value_length, time_t expiration,
                                                  uint32_t flags)
{
    (void) expiration, (void) flags;
    return omcache_append(mc, omc_cc_to_cuc(key), key_length, omc_cc_to_cuc(value), value_length, 0,
                          MEMCACHED_WRITE_TIMEOUT);
}

/** Adds bytes before a value. The protocol knows no expiration and flags for it: they are ignored. */
static inline memcached_return_t memcached_prepend(memcached_st *mc, const char *key, size_t key_length,
                                                   const char *value, size_t value_length, time_t expiration,
                                                   uint32_t flags)
{
    (void) expiration, (void) flags;
    return omcache_prepend(mc, omc_cc_to_cuc(key), key_length, omc_cc_to_cuc(value), value_length, 0,
                           MEMCACHED_WRITE_TIMEOUT);
}

/** Removes a key. The protocol knows no expiration for it: it is ignored. */
static inline memcached_return_t memcached_delete(memcached_st *mc, const char *key, size_t key_length,
                                                  time_t expiration)
{
    (void) expiration;
    return omcache_delete(mc, omc_cc_to_cuc(key), key_length, MEMCACHED_WRITE_TIMEOUT);
}

/** Sets when a key expires. */
static inline memcached_return_t memcached_touch(memcached_st *mc, const char *key, size_t key_length,
                                                 time_t expiration)
{
    return omcache_touch(mc, omc_cc_to_cuc(key), key_length, expiration, MEMCACHED_WRITE_TIMEOUT);
}

/** Adds to a counter; one that does not exist is created with initial, unless expiration is
    MEMCACHED_EXPIRATION_NOT_ADD. */
static inline memcached_return_t memcached_increment_with_initial(memcached_st *mc, const char *key, size_t key_length,
                                                                  uint64_t offset, uint64_t initial,
                                                                  time_t expiration, uint64_t *value)
{
    return omcache_increment(mc, omc_cc_to_cuc(key), key_length, offset, initial, expiration, value,
                             MEMCACHED_WRITE_TIMEOUT);
}

/** Subtracts from a counter; one that does not exist is created with initial, unless expiration is
    MEMCACHED_EXPIRATION_NOT_ADD. */
static inline memcached_return_t memcached_decrement_with_initial(memcached_st *mc, const char *key, size_t key_length,
                                                                  uint64_t offset, uint64_t initial,
                                                                  time_t expiration, uint64_t *value)
{
    return omcache_decrement(mc, omc_cc_to_cuc(key), key_length, offset, initial, expiration, value,
                             MEMCACHED_WRITE_TIMEOUT);
}

/** Adds to a counter that exists. */
static inline memcached_return_t memcached_increment(memcached_st *mc, const char *key, size_t key_length,
                                                     uint32_t offset, uint64_t *value)
{
    return memcached_increment_with_initial(mc, key, key_length, offset, 0, MEMCACHED_EXPIRATION_NOT_ADD, value);
}

/** Subtracts from a counter that exists. */
static inline memcached_return_t memcached_decrement(memcached_st *mc, const char *key, size_t key_length,
                                                     uint32_t offset, uint64_t *value)
{
    return memcached_decrement_with_initial(mc, key, key_length, offset, 0, MEMCACHED_EXPIRATION_NOT_ADD, value);
}

/* ---- What always fails ---- */

/** Fails: use omcache_set_buffering(), omcache_set_dead_timeout() and so on. */
static inline memcached_return_t memcached_behavior_set(memcached_st *mc, const memcached_behavior_t flag,
                                                        uint64_t data)
{
    (void) mc, (void) flag, (void) data;
    return MEMCACHED_FAILURE;
}

/** Fails: use omcache_get_multi(). */
static inline memcached_return_t memcached_mget(memcached_st *mc, const char *const *keys, const size_t *key_length,
                                                size_t number_of_keys)
{
    (void) mc, (void) keys, (void) key_length, (void) number_of_keys;
    return MEMCACHED_FAILURE;
}

/** Fails: use omcache_get_multi(). */
static inline char *memcached_fetch(memcached_st *mc, char *key, size_t *key_length, size_t *value_length,
                                    uint32_t *flags, memcached_return_t *error)
{
    (void) mc, (void) key, (void) flags;
    if (key_length)
        *key_length = 0;
    if (value_length)
        *value_length = 0;
    if (error)
        *error = MEMCACHED_FAILURE;
    return NULL;
}

/** Fails: use omcache_stat(). */
static inline memcached_return_t memcached_stat_servername(memcached_stat_st *stat, char *args, const char *hostname,
                                                           in_port_t port)
{
    (void) stat, (void) args, (void) hostname, (void) port;
    return MEMCACHED_FAILURE;
}

/** Fails: use omcache_stat(). */
static inline char **memcached_stat_get_keys(const memcached_st *mc, memcached_stat_st *stat, memcached_return_t *error)
{
    (void) mc, (void) stat;
    if (error)
        *error = MEMCACHED_FAILURE;
    return NULL;
}

/** Fails: use omcache_stat(). */
static inline char *memcached_stat_get_value(const memcached_st *mc, memcached_stat_st *stat, const char *key,
                                             memcached_return_t *error)
{
    (void) mc, (void) stat, (void) key;
    if (error)
        *error = MEMCACHED_FAILURE;
    return NULL;
}

#undef OMC_CAST

#endif /* OMCACHE_LIBMEMCACHED_H */
