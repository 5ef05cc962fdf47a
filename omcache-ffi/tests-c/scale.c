/* Many servers, many requests, many handles. */
#include "tests.h"

#include <sys/resource.h>

enum { SERVERS = 1000 };

/* One server behind a thousand names: links to its Unix socket. */
START_TEST(a_thousand_servers)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_uint_gt(limit.rlim_cur, 2500);
    char folder[] = "/tmp/omcache-tests-XXXXXX", path[64], name[80];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    server_t server = server_start_unix(path);
    ck_assert_int_gt(server.pid, 0);
    char *list = calloc(SERVERS, sizeof name), *end = list;
    for (int i = 0; i < SERVERS; i++) {
        snprintf(name, sizeof name, "%s/%04d", folder, i);
        ck_assert_int_eq(symlink(path, name), 0);
        end += sprintf(end, "%s,", name);
    }
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    static char keys[5000][16];
    static const unsigned char *key[5000];
    static size_t lens[5000];
    static omcache_req_t reqs[5000];
    static omcache_value_t values[5000];
    static int chosen[SERVERS];
    for (int i = 0; i < 5000; i++) {
        lens[i] = (size_t)snprintf(keys[i], sizeof keys[i], "key-%d", i);
        key[i] = (const unsigned char *)keys[i];
        ck_rc(OMCACHE_OK, omcache_set(mc, key[i], lens[i], B(keys[i]), 0, 0, 0, -1));
        chosen[omcache_server_index_for_key(mc, key[i], lens[i])]++;
    }
    int used = 0;
    for (int i = 0; i < SERVERS; i++)
        used += chosen[i] > 0;
    ck_assert_int_gt(used, 800);
    size_t reqc = 5000, valc = 5000;
    ck_rc(OMCACHE_OK, omcache_get_multi(mc, key, lens, 5000, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == 5000);
    for (size_t i = 0; i < 5000; i++)
        ck_assert(values[i].data_len == values[i].key_len && !memcmp(values[i].data, values[i].key, values[i].key_len));
    /* All of them owe an answer at once. */
    int timeout, nfds = -1;
    server_pause(&server);
    for (int i = 0; i < SERVERS; i++)
        ck_rc(OMCACHE_BUFFERED, omcache_noop(mc, i, 0));
    ck_assert_ptr_nonnull(omcache_poll_fds(mc, &nfds, &timeout));
    ck_assert_int_eq(nfds, SERVERS);
    server_resume(&server);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_free(mc));
    for (int i = 0; i < SERVERS; i++) {
        snprintf(name, sizeof name, "%s/%04d", folder, i);
        unlink(name);
    }
    unlink(path);
    rmdir(folder);
    free(list);
}

/* Requests that nobody waits for settle by themselves, and none of them is lost. */
START_TEST(many_requests_without_waiting)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    enum { COUNT = 50000 };
    for (int i = 0; i < COUNT; i++)
        ck_rc(OMCACHE_BUFFERED, omcache_increment(mc, B("n"), 1, 1, 0, NULL, 0));
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    uint64_t value = 0;
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), 0, 0, OMCACHE_DELTA_NO_ADD, &value, -1));
    ck_assert_uint_eq(value, COUNT);
    omcache_free(mc);
}

START_TEST(handles_that_come_and_go)
{
    server_t server = server_start();
    for (int i = 0; i < 300; i++) {
        omcache_t *mc = handle_of(&server, 1);
        if (i % 3 > 0)
            ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 0));
        if (i % 3 > 1)
            ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
        ck_rc(OMCACHE_OK, omcache_free(mc));
    }
    ck_assert_uint_le(server_stat(&server, "curr_connections"), 1 + 1 + 4);
}

Suite *scale_suite(void)
{
    const TTest *const tests[] = {a_thousand_servers, many_requests_without_waiting, handles_that_come_and_go, NULL};
    return suite_of("scale", tests, 60);
}
