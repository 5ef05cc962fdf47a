/* libmemcached with ketama, measured, and for quiet sets its buffered requests without replies. The first argument is the
 * protocol, "text" (its default) or "binary"; then come those of measure.h. */
#include "measure.h"

#include <libmemcached/memcached.h>

static memcached_st *mc;

static size_t get(size_t at)
{
    size_t len;
    uint32_t flags;
    memcached_return_t rc;
    char *found = memcached_get(mc, keys[at % key_count], KEY_LEN, &len, &flags, &rc);
    if (rc != MEMCACHED_SUCCESS || len != value_len)
        fail("get");
    free(found);
    return 1;
}

static size_t set(size_t at)
{
    memcached_return_t rc = memcached_set(mc, keys[at % key_count], KEY_LEN, value, value_len, 0, 0);
    if (rc != MEMCACHED_SUCCESS && rc != MEMCACHED_BUFFERED)
        fail("set");
    return 1;
}

static size_t get_multi(size_t at)
{
    static const char *of[MAX_KEYS];
    static size_t lens[MAX_KEYS];
    size_t count = key_count, found = 0;
    (void) at;
    for (size_t i = 0; i < count; i++) {
        of[i] = keys[i];
        lens[i] = KEY_LEN;
    }
    if (memcached_mget(mc, of, lens, count) != MEMCACHED_SUCCESS)
        fail("mget");
    static memcached_result_st result;
    memcached_result_create(mc, &result);
    memcached_return_t rc;
    while (memcached_fetch_result(mc, &result, &rc) != NULL) {
        if (memcached_result_length(&result) != value_len)
            fail("mget");
        found++;
    }
    memcached_result_free(&result);
    if (found != count)
        fail("mget");
    return count;
}

static size_t queue(size_t at)
{
    (void) at;
    for (size_t i = 0; i < QUEUED; i++)
        set(i);
    memcached_flush_buffers(mc);
    return QUEUED;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    int binary = strcmp(*++argv, "binary") == 0;
    prepare(argv);
    mc = memcached_create(NULL);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, (uint64_t) binary);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_KETAMA, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    char *list = strdup(servers);
    for (char *server = strtok(list, ","); server; server = strtok(NULL, ",")) {
        char *port = strrchr(server, ':');
        if (*server == '/') {
            memcached_server_add_unix_socket(mc, server);
        } else {
            *port++ = '\0';
            memcached_server_add(mc, server, (in_port_t) atoi(port));
        }
    }
    for (size_t i = 0; i < key_count; i++)
        set(i);
    int quiet = strcmp(workload, "queue") == 0;
    if (quiet) {
        memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_NOREPLY, 1);
        memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BUFFER_REQUESTS, 1);
    }
    measure(argv[4], quiet ? queue : strcmp(workload, "get") == 0 ? get : strcmp(workload, "set") == 0 ? set : get_multi);
    memcached_free(mc);
    free(list);
    return 0;
}
