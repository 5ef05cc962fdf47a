/*
 * A program of OMcache 0.3: compiled with that interface, linked to a library that has only its symbols, and run with the
 * library of today. Calls every function once or more against memcached servers, named by the first argument.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "omcache_0_3.h"

#define T 2000
#define K(text) (const unsigned char *) (text), strlen(text)
#define CHECK(condition) check((condition), #condition, __LINE__)

static int failures;
static int lines;
static int responses;
static omcache_t *cache;

static void check(int holds, const char *what, int line)
{
    if (!holds) {
        printf("line %d: %s\n", line, what);
        failures++;
    }
}

static void on_line(void *context, int level, const char *msg)
{
    (void) context;
    (void) level;
    lines += strstr(msg, "omcache/") != NULL;
}

static void on_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void) result;
    responses += mc == cache && context == &responses;
}

static void settings(const char *servers)
{
    omcache_server_info_t *info;
    CHECK(strcmp(omcache_strerror(OMCACHE_SERVER_FAILURE), "Failure communicating to server") == 0);
    CHECK(omcache_set_connect_timeout(cache, 1000) == OMCACHE_OK);
    CHECK(omcache_set_reconnect_timeout(cache, 1000) == OMCACHE_OK);
    CHECK(omcache_set_dead_timeout(cache, 1000) == OMCACHE_OK);
    CHECK(omcache_set_send_buffer_max_size(cache, 4 << 20) == OMCACHE_OK);
    CHECK(omcache_set_recv_buffer_max_size(cache, 4 << 20) == OMCACHE_OK);
    CHECK(omcache_set_log_callback(cache, 7, on_line, NULL) == OMCACHE_OK);
    CHECK(omcache_set_response_callback(cache, on_response, &responses) == OMCACHE_OK);
    CHECK(omcache_set_servers(cache, servers) == OMCACHE_OK);
    info = omcache_server_info(cache, 0);
    CHECK(info && info->omcache_version == OMCACHE_VERSION && info->server_index == 0 && info->port > 0);
    CHECK(info && strcmp(info->hostname, "127.0.0.1") == 0);
    CHECK(omcache_server_info_free(cache, info) == OMCACHE_OK);
    CHECK(omcache_server_info(cache, 100) == NULL);
    omcache_log_stderr((void *) "callable ", 6, "from the program");
}

/* Where a key is by the structure that the program has: built-in distributions are known by their functions. */
static int places(omcache_dist_t *method, int *indexes, int count)
{
    int rc = omcache_set_distribution_method(cache, method);
    for (int i = 0; i < count; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "place-%d", i);
        indexes[i] = omcache_server_index_for_key(cache, (const unsigned char *) key, (size_t) len);
    }
    return rc;
}

static void distributions(void)
{
    enum { COUNT = 500 };
    int ketama[COUNT], weighted[COUNT], pre1010[COUNT], own[COUNT];
    /* The same functions in a structure of the program's own place the keys alike. */
    omcache_dist_t mine = {
        OMCACHE_VERSION,
        omcache_dist_libmemcached_ketama_weighted.points_per_server,
        omcache_dist_libmemcached_ketama_weighted.entries_per_point,
        omcache_dist_libmemcached_ketama_weighted.point_hash_func,
        omcache_dist_libmemcached_ketama_weighted.key_hash_func,
    };
    CHECK(omcache_dist_libmemcached_ketama.omcache_version == OMCACHE_VERSION);
    CHECK(omcache_dist_libmemcached_ketama.points_per_server == 100);
    CHECK(omcache_dist_libmemcached_ketama.entries_per_point == 1);
    CHECK(omcache_dist_libmemcached_ketama_weighted.entries_per_point == 4);
    CHECK(places(&omcache_dist_libmemcached_ketama_weighted, weighted, COUNT) == OMCACHE_OK);
    CHECK(places(&omcache_dist_libmemcached_ketama_pre1010, pre1010, COUNT) == OMCACHE_OK);
    CHECK(places(&mine, own, COUNT) == OMCACHE_OK);
    CHECK(places(&omcache_dist_libmemcached_ketama, ketama, COUNT) == OMCACHE_OK);
    CHECK(memcmp(weighted, own, sizeof own) == 0);
    CHECK(memcmp(weighted, pre1010, sizeof own) != 0);
    CHECK(memcmp(weighted, ketama, sizeof own) != 0);
}

static void values(void)
{
    const unsigned char *value;
    size_t len;
    uint32_t flags;
    uint64_t cas, number = 0;
    CHECK(omcache_set(cache, K("a"), K("one"), 60, 5, 0, T) == OMCACHE_OK);
    CHECK(omcache_add(cache, K("a"), K("two"), 60, 0, T) == OMCACHE_KEY_EXISTS);
    CHECK(omcache_replace(cache, K("missing"), K("two"), 60, 0, T) == OMCACHE_NOT_FOUND);
    CHECK(omcache_append(cache, K("a"), K(" more"), 0, T) == OMCACHE_OK);
    CHECK(omcache_prepend(cache, K("a"), K("not "), 0, T) == OMCACHE_OK);
    CHECK(omcache_append(cache, K("missing"), K("x"), 0, T) == OMCACHE_NOT_STORED);
    CHECK(omcache_get(cache, K("a"), &value, &len, &flags, &cas, T) == OMCACHE_OK);
    CHECK(len == 12 && memcmp(value, "not one more", 12) == 0 && flags == 5 && cas != 0);
    CHECK(omcache_set(cache, K("a"), K("one"), 60, 5, cas + 1000, T) == OMCACHE_KEY_EXISTS);
    CHECK(omcache_gat(cache, K("a"), &value, &len, 90, &flags, &cas, T) == OMCACHE_OK && len == 12);
    CHECK(omcache_touch(cache, K("a"), 60, T) == OMCACHE_OK);
    CHECK(omcache_touch(cache, K("missing"), 60, T) == OMCACHE_NOT_FOUND);
    CHECK(omcache_increment(cache, K("n"), 1, 7, OMCACHE_DELTA_NO_ADD, &number, T) == OMCACHE_NOT_FOUND);
    CHECK(omcache_increment(cache, K("n"), 1, 7, 60, &number, T) == OMCACHE_OK && number == 7);
    CHECK(omcache_decrement(cache, K("n"), 2, 0, 60, &number, T) == OMCACHE_OK && number == 5);
    CHECK(omcache_increment(cache, K("a"), 1, 0, 60, &number, T) == OMCACHE_DELTA_BAD_VALUE);
    CHECK(omcache_delete(cache, K("n"), T) == OMCACHE_OK);
    CHECK(omcache_delete(cache, K("n"), T) == OMCACHE_NOT_FOUND);
}

static void many(void)
{
    enum { COUNT = 40 };
    static char names[COUNT][16];
    const unsigned char *keys[COUNT];
    size_t lens[COUNT], reqs_left, found;
    time_t expirations[COUNT];
    omcache_req_t reqs[COUNT];
    omcache_value_t got[COUNT];
    for (int i = 0; i < COUNT; i++) {
        lens[i] = (size_t) snprintf(names[i], sizeof names[i], "many-%d", i);
        keys[i] = (const unsigned char *) names[i];
        expirations[i] = 60;
        if (i % 4)
            CHECK(omcache_set(cache, keys[i], lens[i], keys[i], lens[i], 60, (uint32_t) i, 0, T) == OMCACHE_OK);
    }
    reqs_left = found = COUNT;
    CHECK(omcache_get_multi(cache, keys, lens, COUNT, reqs, &reqs_left, got, &found, T) == OMCACHE_OK);
    CHECK(reqs_left == 0 && found == COUNT * 3 / 4);
    for (size_t i = 0; i < found; i++)
        CHECK(got[i].status == OMCACHE_OK && got[i].key_len == got[i].data_len &&
              memcmp(got[i].key, got[i].data, got[i].key_len) == 0 && got[i].flags % 4 != 0);
    reqs_left = found = COUNT;
    CHECK(omcache_gat_multi(cache, keys, lens, expirations, COUNT, reqs, &reqs_left, got, &found, T) == OMCACHE_OK);
    CHECK(reqs_left == 0 && found == COUNT * 3 / 4);
}

static void requests(void)
{
    omcache_req_t req = {.server_index = -1, .key = (const unsigned char *) "a"};
    omcache_value_t value;
    size_t req_count = 1, value_count = 1;
    req.header.opcode = 0x00; /* GET */
    req.header.keylen = htons(1);
    req.header.bodylen = htonl(1);
    CHECK(omcache_command(cache, &req, &req_count, &value, &value_count, T) == OMCACHE_OK);
    CHECK(req_count == 0 && value_count == 1 && value.status == OMCACHE_OK && value.data_len == 12);
    CHECK(req.server_index >= 0 && req.header.magic == 0x80);
    CHECK(omcache_command_status(cache, &req, T) == OMCACHE_OK);
}

static void servers(void)
{
    omcache_value_t stats[300];
    size_t count = 300;
    int nfds = -1, timeout = -2;
    CHECK(omcache_noop(cache, 0, T) == OMCACHE_OK);
    CHECK(omcache_stat(cache, NULL, stats, &count, 0, T) == OMCACHE_OK);
    CHECK(count > 10 && stats[count - 1].key_len == 0 && stats[0].key_len > 0);
    CHECK(omcache_set_buffering(cache, 1) == OMCACHE_OK);
    CHECK(omcache_set(cache, K("buffered"), K("x"), 60, 0, 0, 0) == OMCACHE_BUFFERED);
    CHECK(omcache_poll_fds(cache, &nfds, &timeout) != NULL && nfds >= 1 && timeout >= 0);
    CHECK(omcache_reset_buffers(cache) == OMCACHE_OK);
    CHECK(omcache_set_buffering(cache, 0) == OMCACHE_OK);
    CHECK(omcache_io(cache, NULL, NULL, NULL, NULL, T) == OMCACHE_OK);
    CHECK(omcache_flush_all(cache, 0, 0, T) == OMCACHE_OK);
    CHECK(omcache_flush_all(cache, 0, 99, T) == OMCACHE_NO_SERVERS);
}

int main(int argc, char **argv)
{
    cache = omcache_init();
    if (argc < 2 || cache == NULL)
        return 2;
    settings(argv[1]);
    distributions();
    values();
    many();
    requests();
    servers();
    CHECK(lines > 0);
    CHECK(responses > 0);
    CHECK(omcache_free(cache) == OMCACHE_OK);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
