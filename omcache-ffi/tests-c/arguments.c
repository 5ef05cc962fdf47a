/* Arguments that make no sense: they are INVALID, change nothing, and nothing is sent for them. */
#include "tests.h"

static unsigned char long_key[251];
static server_t server;
static omcache_t *mc;
static lines_t lines;

static void begin(void)
{
    memset(long_key, 'k', sizeof long_key);
    server = server_start();
    mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, capture, &lines));
}

/* Nothing was sent, and the handle works. */
static void end(void)
{
    ck_assert_uint_eq(lines_with(&lines, 0, "sending"), 0);
    ck_assert_uint_eq(lines_with(&lines, 0, "connected"), 0);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_assert_uint_eq(lines_with(&lines, 7, "sending"), 1);
    ck_value(mc, "a", "1");
    omcache_free(mc);
}

START_TEST(no_handle)
{
    omcache_req_t req = request(OP_NOOP, NULL, NULL, 0, NULL);
    omcache_value_t value;
    const unsigned char *keys[] = {long_key};
    size_t lens[] = {1}, one = 1, values = 1;
    time_t times[] = {0};
    int nfds = 77, timeout = 77;
    ck_rc(OMCACHE_INVALID, omcache_free(NULL));
    ck_rc(OMCACHE_INVALID, omcache_set_connect_timeout(NULL, 1));
    ck_rc(OMCACHE_INVALID, omcache_set_reconnect_timeout(NULL, 1));
    ck_rc(OMCACHE_INVALID, omcache_set_dead_timeout(NULL, 1));
    ck_rc(OMCACHE_INVALID, omcache_set_send_buffer_max_size(NULL, 1));
    ck_rc(OMCACHE_INVALID, omcache_set_recv_buffer_max_size(NULL, 1));
    ck_rc(OMCACHE_INVALID, omcache_set_buffering(NULL, 1));
    ck_rc(OMCACHE_INVALID, omcache_reset_buffers(NULL));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(NULL, "a"));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_method(NULL, &omcache_dist_libmemcached_ketama));
    ck_rc(OMCACHE_INVALID, omcache_set_log_callback(NULL, 0, omcache_log_stderr, NULL));
    ck_rc(OMCACHE_INVALID, omcache_set_response_callback(NULL, NULL, NULL));
    ck_rc(OMCACHE_INVALID, omcache_io(NULL, NULL, NULL, NULL, NULL, 0));
    ck_rc(OMCACHE_INVALID, omcache_io(NULL, &req, &one, &value, &values, 0));
    ck_rc(OMCACHE_INVALID, omcache_command(NULL, &req, &one, &value, &values, 0));
    ck_rc(OMCACHE_INVALID, omcache_command_status(NULL, &req, 0));
    ck_rc(OMCACHE_INVALID, omcache_noop(NULL, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_stat(NULL, NULL, &value, &values, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_flush_all(NULL, 0, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_set(NULL, B("a"), B("b"), 0, 0, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_add(NULL, B("a"), B("b"), 0, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_replace(NULL, B("a"), B("b"), 0, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_append(NULL, B("a"), B("b"), 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_prepend(NULL, B("a"), B("b"), 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_increment(NULL, B("a"), 1, 0, 0, NULL, 0));
    ck_rc(OMCACHE_INVALID, omcache_decrement(NULL, B("a"), 1, 0, 0, NULL, 0));
    ck_rc(OMCACHE_INVALID, omcache_delete(NULL, B("a"), 0));
    ck_rc(OMCACHE_INVALID, omcache_touch(NULL, B("a"), 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_get(NULL, B("a"), NULL, NULL, NULL, NULL, 0));
    ck_rc(OMCACHE_INVALID, omcache_gat(NULL, B("a"), NULL, NULL, 0, NULL, NULL, 0));
    ck_rc(OMCACHE_INVALID, omcache_get_multi(NULL, keys, lens, 1, &req, &one, &value, &values, 0));
    ck_rc(OMCACHE_INVALID, omcache_gat_multi(NULL, keys, lens, times, 1, &req, &one, &value, &values, 0));
    ck_assert(one == 1 && values == 1);
    ck_assert_ptr_null(omcache_poll_fds(NULL, &nfds, &timeout));
    ck_assert(nfds == 77 && timeout == 77);
    ck_assert_ptr_null(omcache_server_info(NULL, 0));
    ck_rc(OMCACHE_INVALID, omcache_server_info_free(NULL, NULL));
    ck_assert_int_eq(omcache_server_index_for_key(NULL, B("a")), -1);
    omcache_log_stderr(NULL, 7, NULL);
}

/* Every command on a key, with this key and value. */
static void refused(const unsigned char *key, size_t key_len, const unsigned char *value, size_t value_len)
{
    ck_rc(OMCACHE_INVALID, omcache_set(mc, key, key_len, value, value_len, 0, 0, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_set(mc, key, key_len, value, value_len, 0, 0, 0, 0));
    ck_rc(OMCACHE_INVALID, omcache_add(mc, key, key_len, value, value_len, 0, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_replace(mc, key, key_len, value, value_len, 0, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_append(mc, key, key_len, value, value_len, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_prepend(mc, key, key_len, value, value_len, 0, -1));
}

static void refused_key(const unsigned char *key, size_t key_len)
{
    const unsigned char *data = long_key;
    size_t len = 77;
    uint32_t flags = 77;
    uint64_t cas = 77;
    refused(key, key_len, (const unsigned char *)"v", 1);
    ck_rc(OMCACHE_INVALID, omcache_delete(mc, key, key_len, -1));
    ck_rc(OMCACHE_INVALID, omcache_touch(mc, key, key_len, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_increment(mc, key, key_len, 1, 0, 0, &cas, -1));
    ck_rc(OMCACHE_INVALID, omcache_decrement(mc, key, key_len, 1, 0, 0, &cas, 0));
    ck_rc(OMCACHE_INVALID, omcache_get(mc, key, key_len, &data, &len, &flags, &cas, -1));
    ck_rc(OMCACHE_INVALID, omcache_gat(mc, key, key_len, &data, &len, 0, &flags, &cas, 0));
    ck_assert(data == long_key && len == 77 && flags == 77 && cas == 77);
    ck_assert_int_eq(omcache_server_index_for_key(mc, key, key_len), -1);
}

START_TEST(bad_keys)
{
    begin();
    refused_key(NULL, 3);
    refused_key(NULL, 0);
    refused_key(long_key, 0);
    refused_key(long_key, 251);
    refused_key(long_key, SIZE_MAX);
    refused_key(long_key, (size_t)UINT32_MAX + 2);
    refused_key(long_key, 65536 + 1);
    end();
}

START_TEST(bad_values)
{
    begin();
    refused((const unsigned char *)"a", 1, NULL, 1);
    refused((const unsigned char *)"a", 1, long_key, (size_t)UINT32_MAX + 1);
    refused((const unsigned char *)"a", 1, long_key, SIZE_MAX);
    /* With key and extras it is over 32 bits. */
    ck_rc(OMCACHE_INVALID, omcache_set(mc, B("a"), long_key, UINT32_MAX, 0, 0, 0, -1));
    end();
}

START_TEST(bad_sets_of_keys)
{
    begin();
    const unsigned char *keys[] = {(const unsigned char *)"a", (const unsigned char *)"b", long_key};
    size_t lens[] = {1, 1, 251};
    time_t times[3] = {0};
    omcache_req_t reqs[3], before[3];
    omcache_value_t values[3];
    memset(reqs, 0x5a, sizeof reqs);
    memcpy(before, reqs, sizeof reqs);
    size_t reqc = 3, valc = 3;
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, reqs, &reqc, values, &valc, -1));
    ck_rc(OMCACHE_INVALID, omcache_gat_multi(mc, keys, lens, times, 3, reqs, &reqc, values, &valc, -1));
    lens[2] = 0;
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, reqs, &reqc, values, &valc, -1));
    lens[2] = 1;
    keys[2] = NULL;
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, reqs, &reqc, values, &valc, -1));
    keys[2] = long_key;
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, NULL, lens, 3, reqs, &reqc, values, &valc, -1));
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, NULL, 3, reqs, &reqc, values, &valc, -1));
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, NULL, &reqc, values, &valc, -1));
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, reqs, NULL, values, &valc, -1));
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, reqs, &reqc, values, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_gat_multi(mc, keys, lens, NULL, 3, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 3 && valc == 3);
    reqc = 2;
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, keys, lens, 3, reqs, &reqc, values, &valc, -1));
    ck_rc(OMCACHE_INVALID, omcache_gat_multi(mc, keys, lens, times, 3, reqs, &reqc, values, &valc, -1));
    ck_assert_uint_eq(reqc, 2);
    ck_assert_mem_eq(reqs, before, sizeof reqs);
    end();
}

START_TEST(bad_arrays)
{
    begin();
    omcache_req_t req = request(OP_GET, "a", NULL, 0, NULL);
    omcache_value_t value;
    size_t one = 1, values = 1;
    ck_rc(OMCACHE_INVALID, omcache_command(mc, NULL, &one, &value, &values, -1));
    ck_rc(OMCACHE_INVALID, omcache_command(mc, &req, NULL, &value, &values, -1));
    ck_rc(OMCACHE_INVALID, omcache_command(mc, &req, &one, &value, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_io(mc, &req, NULL, &value, &values, -1));
    ck_rc(OMCACHE_INVALID, omcache_io(mc, &req, &one, &value, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_io(mc, NULL, NULL, &value, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_stat(mc, NULL, &value, NULL, 0, -1));
    ck_assert(one == 1 && values == 1);
    int count;
    ck_assert_ptr_null(omcache_poll_fds(mc, NULL, &count));
    ck_assert_ptr_null(omcache_poll_fds(mc, &count, NULL));
    end();
}

START_TEST(bad_requests)
{
    begin();
    omcache_req_t req = request(OP_GET, "a", NULL, 0, NULL);
    req.key = NULL;
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, -1));
    req = request(OP_SET, "a", NULL, 8, "v");
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, -1));
    req = request(OP_SET, "a", "12345678", 8, "v");
    req.data = NULL;
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, -1));
    /* Less body than key and extras. */
    req = request(OP_SET, "a", "12345678", 8, "v");
    req.header.bodylen = 0;
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, -1));
    /* A key of 251 bytes. */
    char text[252] = {0};
    memcpy(text, long_key, 251);
    req = request(OP_GET, text, NULL, 0, NULL);
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, -1));
    req.server_index = 0;
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, 0));
    /* Nothing to choose a server by. */
    req = request(OP_NOOP, NULL, NULL, 0, NULL);
    ck_rc(OMCACHE_INVALID, omcache_command_status(mc, &req, -1));
    req.server_index = 7;
    ck_rc(OMCACHE_NO_SERVERS, omcache_command_status(mc, &req, -1));
    end();
}

START_TEST(bad_statistics)
{
    begin();
    char name[252];
    memset(name, 's', 251);
    name[251] = 0;
    omcache_value_t value;
    size_t values = 1;
    ck_rc(OMCACHE_INVALID, omcache_stat(mc, name, &value, &values, 0, -1));
    ck_assert_uint_eq(values, 1);
    end();
}

START_TEST(bad_settings)
{
    begin();
    omcache_dist_t no_point = {OMCACHE_VERSION, 1, 1, NULL, omcache_dist_libmemcached_ketama.key_hash_func};
    omcache_dist_t no_key = {OMCACHE_VERSION, 1, 1, omcache_dist_libmemcached_ketama.point_hash_func, NULL};
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_method(mc, NULL));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_method(mc, &no_point));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_method(mc, &no_key));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, NULL));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, "a,\xff\xfe,b"));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, "caf\xe9:11211"));
    end();
}

Suite *arguments_suite(void)
{
    const TTest *const tests[] = {no_handle,    bad_keys,       bad_values,   bad_sets_of_keys, bad_arrays,
                                  bad_requests, bad_statistics, bad_settings, NULL};
    return suite_of("arguments", tests, 20);
}
