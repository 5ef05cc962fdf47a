/*
 * A simple libmemcached program, compiled twice: against libmemcached, and against OMcache with one include changed.
 * It prints what each function answers, and must print the same. Arguments: a list of two servers, and two servers
 * that are not there.
 */
#ifdef WITH_OMCACHE
#include <omcache_libmemcached.h>
typedef memcached_st callback_handle;
#else
#include <libmemcached/memcached.h>
typedef const memcached_st callback_handle;
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(memcached_return_t rc)
{
    switch (rc) {
    case MEMCACHED_SUCCESS:
        return "success";
    case MEMCACHED_NOTFOUND:
        return "not found";
    case MEMCACHED_BUFFERED:
        return "buffered";
    default:
        return "another failure";
    }
}

static void told(const char *what, memcached_return_t rc)
{
    printf("%s: %s\n", what, name_of(rc));
}

static void get(memcached_st *mc, const char *key)
{
    size_t len = 77;
    uint32_t flags = 77;
    memcached_return_t rc;
    char *value = memcached_get(mc, key, strlen(key), &len, &flags, &rc);
    if (rc == MEMCACHED_SUCCESS)
        printf("get %s: %zu %.*s, flags %" PRIu32 "\n", key, len, (int)len, value ? value : "", flags);
    else
        printf("get %s: %s, %s value\n", key, name_of(rc), value ? "a" : "no");
    free(value);
}

static memcached_return_t show_server(callback_handle *mc, memcached_server_instance_st server, void *context)
{
    (void)mc;
    printf("%s %s:%u\n", (const char *)context, memcached_server_name(server), (unsigned)memcached_server_port(server));
    return MEMCACHED_SUCCESS;
}

static memcached_return_t count_server(callback_handle *mc, memcached_server_instance_st server, void *context)
{
    (void)mc, (void)server;
    ++*(int *)context;
    return MEMCACHED_SUCCESS;
}

/* A handle with these servers; the binary protocol is OMcache's only one. */
static memcached_st *handle_of(const char *list)
{
    memcached_st *mc = memcached_create(NULL);
    memcached_server_st *servers = memcached_servers_parse(list);
#ifndef WITH_OMCACHE
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
#endif
    told("push", memcached_server_push(mc, servers));
    memcached_server_list_free(servers);
    return mc;
}

static void commands(memcached_st *mc)
{
    uint64_t number = 0;
    told("flush", memcached_flush(mc, 0));
    get(mc, "a");
    told("replace", memcached_replace(mc, "a", 1, "r", 1, 0, 0));
    told("append", memcached_append(mc, "a", 1, "r", 1, 0, 0));
    told("prepend", memcached_prepend(mc, "a", 1, "r", 1, 0, 0));
    told("add", memcached_add(mc, "a", 1, "one", 3, 0, 5));
    told("add again", memcached_add(mc, "a", 1, "two", 3, 0, 5));
    get(mc, "a");
    told("set", memcached_set(mc, "a", 1, "three", 5, 0, 0xfffffffe));
    get(mc, "a");
    told("replace", memcached_replace(mc, "a", 1, "four", 4, 0, 6));
    told("append", memcached_append(mc, "a", 1, ">", 1, 0, 0));
    told("prepend", memcached_prepend(mc, "a", 1, "<", 1, 0, 0));
    get(mc, "a");
    told("set", memcached_set(mc, "empty", 5, "", 0, 0, 7));
    get(mc, "empty");
    told("touch", memcached_touch(mc, "a", 1, 1000));
    told("touch none", memcached_touch(mc, "none", 4, 1000));
    told("delete", memcached_delete(mc, "a", 1, 0));
    told("delete again", memcached_delete(mc, "a", 1, 0));
    get(mc, "a");
    told("increment none", memcached_increment(mc, "n", 1, 3, &number));
    told("decrement none", memcached_decrement(mc, "n", 1, 3, &number));
    told("no initial", memcached_increment_with_initial(mc, "n", 1, 3, 40, MEMCACHED_EXPIRATION_NOT_ADD, &number));
    told("initial", memcached_increment_with_initial(mc, "n", 1, 3, 40, 0, &number));
    printf("%" PRIu64 "\n", number);
    told("initial again", memcached_increment_with_initial(mc, "n", 1, 3, 40, 0, &number));
    printf("%" PRIu64 "\n", number);
    told("decrement", memcached_decrement_with_initial(mc, "n", 1, 1, 9, 0, &number));
    printf("%" PRIu64 "\n", number);
    told("increment", memcached_increment(mc, "n", 1, 10, &number));
    printf("%" PRIu64 "\n", number);
    told("decrement", memcached_decrement(mc, "n", 1, 2, &number));
    printf("%" PRIu64 "\n", number);
    told("initial of decrement", memcached_decrement_with_initial(mc, "m", 1, 1, 9, 0, &number));
    printf("%" PRIu64 "\n", number);
    told("set", memcached_set(mc, "text", 4, "text", 4, 0, 0));
    told("increment text", memcached_increment(mc, "text", 4, 1, &number));
    told("flush buffers", memcached_flush_buffers(mc));
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    char key[16], context[] = "server";
    int count = 0;
    memcached_st *mc = handle_of(argv[1]);
    const memcached_server_fn callbacks[] = {(memcached_server_fn)show_server};
    const memcached_server_fn counting[] = {(memcached_server_fn)count_server, (memcached_server_fn)count_server};
    told("cursor", memcached_server_cursor(mc, callbacks, context, 1));
    told("cursor", memcached_server_cursor(mc, counting, &count, 2));
    printf("%d calls\n", count);
    commands(mc);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        told(key, memcached_set(mc, key, strlen(key), key, strlen(key), 0, (uint32_t)i));
        get(mc, key);
    }
    told("flush", memcached_flush(mc, 0));
    get(mc, "key-7");
    /* One more server, that is not there: the flush must not say that all is well. */
    memcached_server_st *more = memcached_servers_parse(argv[2]);
    told("push", memcached_server_push(mc, more));
    memcached_server_list_free(more);
    count = 0;
    memcached_server_cursor(mc, counting, &count, 1);
    printf("%d servers, flush %s\n", count, memcached_flush(mc, 0) == MEMCACHED_SUCCESS ? "succeeds" : "fails");
    memcached_free(mc);

    mc = handle_of(argv[3]);
    told("set", memcached_set(mc, "a", 1, "one", 3, 0, 0));
    get(mc, "a");
    printf("flush %s\n", memcached_flush(mc, 0) == MEMCACHED_SUCCESS ? "succeeds" : "fails");
    printf("%s\n", memcached_strerror(mc, MEMCACHED_NOTFOUND) ? "text" : "none");
    memcached_free(mc);
#ifdef WITH_OMCACHE
    /* These compile, and fail. */
    memcached_return_t rc = MEMCACHED_SUCCESS;
    memcached_stat_st stat;
    const char *const keys[] = {"a"};
    size_t len = 1;
    mc = handle_of(argv[1]);
    if (memcached_behavior_set(mc, "BINARY_PROTOCOL", 1) == MEMCACHED_SUCCESS ||
        memcached_stat_servername(&stat, NULL, "localhost", 11211) == MEMCACHED_SUCCESS ||
        memcached_stat_get_keys(mc, &stat, &rc) || rc == MEMCACHED_SUCCESS ||
        memcached_stat_get_value(mc, &stat, "pid", &rc) || rc == MEMCACHED_SUCCESS ||
        memcached_mget(mc, keys, &len, 1) == MEMCACHED_SUCCESS ||
        memcached_fetch(mc, NULL, &len, &len, NULL, &rc) || rc == MEMCACHED_SUCCESS)
        return 3;
    memcached_free(mc);
#else
    told("push", MEMCACHED_SUCCESS);
#endif
    return 0;
}
