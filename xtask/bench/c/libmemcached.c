/* libmemcached, measured: ketama, its binary or its text protocol by the first argument, and for quiet sets its buffered
 * requests without replies. */
#include "measure.h"

#include <libmemcached/memcached.h>

static memcached_st *mc;
/* A key of each server. */
static size_t key_of_server[MAX_SERVERS];

static size_t get(size_t at)
{
    size_t len, key = at % key_count;
    uint32_t flags;
    memcached_return_t rc;
    char *found = memcached_get(mc, keys[key], KEY_LEN, &len, &flags, &rc);
    if (rc != MEMCACHED_SUCCESS || !is_right(found, len, keys[key]))
        fail("get");
    free(found);
    return 1;
}

static size_t set(size_t at)
{
    size_t key = at % key_count;
    memcached_return_t rc = memcached_set(mc, keys[key], KEY_LEN, value_of(key), value_len, 0, 0);
    if (rc != MEMCACHED_SUCCESS && rc != MEMCACHED_BUFFERED)
        fail("set");
    return 1;
}

static size_t get_multi(size_t at)
{
    static const char *of[MAX_KEYS];
    static size_t lens[MAX_KEYS];
    static memcached_result_st result;
    size_t found = 0;
    (void) at;
    for (size_t i = 0; i < key_count; i++) {
        of[i] = keys[i];
        lens[i] = KEY_LEN;
    }
    if (memcached_mget(mc, of, lens, key_count) != MEMCACHED_SUCCESS)
        fail("mget");
    memcached_result_create(mc, &result);
    memcached_return_t rc;
    while (memcached_fetch_result(mc, &result, &rc) != NULL) {
        if (memcached_result_key_length(&result) != KEY_LEN ||
            !is_right(memcached_result_value(&result), memcached_result_length(&result), memcached_result_key_value(&result)))
            fail("mget");
        found++;
    }
    memcached_result_free(&result);
    if (found != key_count)
        fail("mget");
    return key_count;
}

/* Nothing tells that requests without replies have arrived but an answer to what follows them, on each connection. */
static size_t queue(size_t at)
{
    (void) at;
    for (size_t i = 0; i < QUEUED; i++)
        set(i);
    if (memcached_flush_buffers(mc) != MEMCACHED_SUCCESS)
        fail("flush");
    for (size_t server = 0; server < server_count; server++)
        get(key_of_server[server]);
    return QUEUED;
}

static void check(size_t key)
{
    size_t len;
    uint32_t flags;
    memcached_return_t rc;
    char *found = memcached_get(mc, keys[key], KEY_LEN, &len, &flags, &rc);
    if (rc != MEMCACHED_SUCCESS)
        fail("get");
    check_whole(found, len, key);
    free(found);
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    prepare(argv + 2);
    mc = memcached_create(NULL);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, strcmp(argv[1], "binary") == 0);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_KETAMA, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    for (size_t i = 0; i < server_count; i++) {
        char *port = strrchr(server_list[i], ':');
        if (*server_list[i] == '/') {
            memcached_server_add_unix_socket(mc, server_list[i]);
        } else if (port) {
            *port++ = '\0';
            memcached_server_add(mc, server_list[i], (in_port_t) atoi(port));
        }
    }
    for (size_t i = 0; i < key_count; i++) {
        set(i);
        key_of_server[memcached_generate_hash(mc, keys[i], KEY_LEN)] = i;
    }
    if (is_workload("queue")) {
        memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_NOREPLY, 1);
        memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BUFFER_REQUESTS, 1);
    }
    measure(is_workload("queue") ? queue : is_workload("get") ? get : is_workload("set") ? set : get_multi, check);
    memcached_free(mc);
    return 0;
}
