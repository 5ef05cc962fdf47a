/* A libmemcached program: with OMcache it is compiled without USE_LIBMEMCACHED, and is otherwise the same. */
#ifdef USE_LIBMEMCACHED
#include <libmemcached/memcached.h>
#else
#include <omcache_libmemcached.h>
#endif
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static memcached_return_t describe(const memcached_st *mc, memcached_server_instance_st server, void *context)
{
    (void) mc;
    printf("server %s has a port: %s\n", memcached_server_name(server), memcached_server_port(server) ? "yes" : "no");
    ++*(int *) context;
    return MEMCACHED_SUCCESS;
}

int main(int argc, char **argv)
{
    int servers = 0;
    memcached_return_t rc;
    memcached_st *mc = memcached_create(NULL);
    memcached_server_st *list = memcached_servers_parse(argc > 1 ? argv[1] : "localhost");
    rc = memcached_server_push(mc, list);
    memcached_server_list_free(list);
    if (rc != MEMCACHED_SUCCESS)
        return 1;
#ifdef USE_LIBMEMCACHED
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
#endif

    memcached_server_fn callbacks[] = {(memcached_server_fn) describe};
    rc = memcached_server_cursor(mc, callbacks, &servers, 1);
    printf("%d servers: %s\n", servers, rc == MEMCACHED_SUCCESS ? "success" : "failure");

    rc = memcached_set(mc, "moved", 5, "value", 5, 60, 7);
    printf("set: %d\n", rc == MEMCACHED_SUCCESS);
    rc = memcached_append(mc, "moved", 5, "!", 1, 0, 0);
    printf("append: %d\n", rc == MEMCACHED_SUCCESS);
    rc = memcached_prepend(mc, "moved", 5, "a ", 2, 0, 0);
    printf("prepend: %d\n", rc == MEMCACHED_SUCCESS);
    rc = memcached_replace(mc, "not there", 9, "x", 1, 60, 0);
    printf("replace: %d\n", rc == MEMCACHED_NOTFOUND || rc != MEMCACHED_SUCCESS);
    rc = memcached_touch(mc, "moved", 5, 90);
    printf("touch: %d\n", rc == MEMCACHED_SUCCESS);

    size_t length = 0;
    uint32_t flags = 0;
    char *value = memcached_get(mc, "moved", 5, &length, &flags, &rc);
    printf("get: %.*s, flags %" PRIu32 "\n", (int) length, value ? value : "", flags);
    free(value);
    value = memcached_get(mc, "absent", 6, &length, &flags, &rc);
    printf("get of an absent key: %s, %d\n", value ? "a value" : "NULL", rc == MEMCACHED_NOTFOUND);

    uint64_t counter = 0;
    rc = memcached_increment(mc, "count", 5, 1, &counter);
    printf("increment of an absent counter: %d\n", rc == MEMCACHED_NOTFOUND);
    memcached_increment_with_initial(mc, "count", 5, 1, 10, 60, &counter);
    memcached_increment(mc, "count", 5, 5, &counter);
    memcached_decrement(mc, "count", 5, 2, &counter);
    memcached_decrement_with_initial(mc, "count", 5, 1, 0, 60, &counter);
    printf("counter: %" PRIu64 "\n", counter);

    rc = memcached_delete(mc, "moved", 5, 0);
    printf("delete: %d\n", rc == MEMCACHED_SUCCESS);
    rc = memcached_add(mc, "moved", 5, "again", 5, 60, 0);
    printf("add: %d\n", rc == MEMCACHED_SUCCESS);
    rc = memcached_flush_buffers(mc);
    printf("flush buffers: %d\n", rc == MEMCACHED_SUCCESS);
    rc = memcached_flush(mc, 0);
    printf("flush: %d\n", rc == MEMCACHED_SUCCESS);
    printf("text of a code: %s\n", memcached_strerror(mc, rc) ? "yes" : "no");
    memcached_free(mc);
    return 0;
}
