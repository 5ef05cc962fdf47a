/* Each command against a real server: hits, misses, wrong CAS, values that are too large or no numbers. */
#include "tests.h"

static server_t server;
static omcache_t *mc;

static void begin(void)
{
    server = server_start();
    mc = handle_of(&server, 1);
}

static void end(void)
{
    ck_rc(OMCACHE_OK, omcache_free(mc));
}

static int set(const char *key, const char *value)
{
    return omcache_set(mc, B(key), B(value), 0, 0, 0, -1);
}

static uint64_t cas_of(const char *key)
{
    uint64_t cas = 0;
    ck_rc(OMCACHE_OK, omcache_get(mc, B(key), NULL, NULL, NULL, &cas, -1));
    ck_assert_uint_ne(cas, 0);
    return cas;
}

START_TEST(set_and_get)
{
    begin();
    const unsigned char *data;
    size_t len;
    uint32_t flags;
    uint64_t cas;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), (const unsigned char *)"x\0y", 3, 0, 0xdeadbeef, 0, -1));
    ck_rc(OMCACHE_OK, omcache_get(mc, B("a"), &data, &len, &flags, &cas, -1));
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(data, "x\0y", 3);
    ck_assert_uint_eq(flags, 0xdeadbeef);
    ck_assert_uint_ne(cas, 0);

    ck_rc(OMCACHE_OK, omcache_set(mc, B("empty"), NULL, 0, 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_get(mc, B("empty"), &data, &len, &flags, &cas, -1));
    ck_assert_uint_eq(len, 0);

    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("none"), &data, &len, &flags, &cas, -1));
    ck_assert(data == NULL && len == 0 && flags == 0 && cas == 0);
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("none"), NULL, NULL, NULL, NULL, -1));
    end();
}

START_TEST(keys_of_any_bytes)
{
    begin();
    unsigned char longest[250], odd[] = {0, ' ', '\n', 0xff, 0x80};
    memset(longest, 'k', sizeof longest);
    const unsigned char *data;
    size_t len;
    ck_rc(OMCACHE_OK, omcache_set(mc, longest, sizeof longest, B("long"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_get(mc, longest, sizeof longest, &data, &len, NULL, NULL, -1));
    ck_assert_mem_eq(data, "long", 4);
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, longest, sizeof longest - 1, &data, &len, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, odd, sizeof odd, B("odd"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_get(mc, odd, sizeof odd, &data, &len, NULL, NULL, -1));
    ck_assert_mem_eq(data, "odd", 3);
    end();
}

START_TEST(set_with_cas)
{
    begin();
    ck_rc(OMCACHE_NOT_FOUND, omcache_set(mc, B("a"), B("1"), 0, 0, 77, -1));
    ck_rc(OMCACHE_OK, set("a", "1"));
    uint64_t cas = cas_of("a");
    ck_rc(OMCACHE_KEY_EXISTS, omcache_set(mc, B("a"), B("2"), 0, 0, cas + 1, -1));
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("2"), 0, 0, cas, -1));
    ck_rc(OMCACHE_KEY_EXISTS, omcache_set(mc, B("a"), B("3"), 0, 0, cas, -1));
    ck_value(mc, "a", "2");
    end();
}

START_TEST(too_large_a_value)
{
    begin();
    size_t len = 1024 * 1024 + 1;
    unsigned char *value = malloc(len);
    memset(value, 'v', len);
    ck_rc(OMCACHE_TOO_LARGE_VALUE, omcache_set(mc, B("a"), value, len, 0, 0, 0, -1));
    ck_rc(OMCACHE_TOO_LARGE_VALUE, omcache_add(mc, B("a"), value, len, 0, 0, -1));
    /* The largest that fits comes back whole: the default receive limit has room for it. */
    len = 1024 * 1024 - 300;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), value, len, 0, 0, 0, -1));
    const unsigned char *data;
    size_t got;
    ck_rc(OMCACHE_OK, omcache_get(mc, B("a"), &data, &got, NULL, NULL, -1));
    ck_assert_uint_eq(got, len);
    ck_assert(memcmp(data, value, len) == 0);
    free(value);
    end();
}

START_TEST(add_and_replace)
{
    begin();
    ck_rc(OMCACHE_NOT_FOUND, omcache_replace(mc, B("a"), B("0"), 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_add(mc, B("a"), B("1"), 0, 5, -1));
    ck_rc(OMCACHE_KEY_EXISTS, omcache_add(mc, B("a"), B("2"), 0, 5, -1));
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_OK, omcache_replace(mc, B("a"), B("3"), 0, 6, -1));
    uint32_t flags = 0;
    ck_rc(OMCACHE_OK, omcache_get(mc, B("a"), NULL, NULL, &flags, NULL, -1));
    ck_assert_uint_eq(flags, 6);
    ck_value(mc, "a", "3");
    end();
}

START_TEST(append_and_prepend)
{
    begin();
    ck_rc(OMCACHE_NOT_STORED, omcache_append(mc, B("a"), B("x"), 0, -1));
    ck_rc(OMCACHE_NOT_STORED, omcache_prepend(mc, B("a"), B("x"), 0, -1));
    ck_rc(OMCACHE_OK, set("a", "b"));
    ck_rc(OMCACHE_OK, omcache_append(mc, B("a"), B("c"), 0, -1));
    ck_rc(OMCACHE_OK, omcache_prepend(mc, B("a"), B("a"), 0, -1));
    ck_value(mc, "a", "abc");
    uint64_t cas = cas_of("a");
    ck_rc(OMCACHE_KEY_EXISTS, omcache_append(mc, B("a"), B("!"), cas + 1, -1));
    ck_rc(OMCACHE_KEY_EXISTS, omcache_prepend(mc, B("a"), B("!"), cas + 1, -1));
    ck_rc(OMCACHE_OK, omcache_append(mc, B("a"), B("d"), cas, -1));
    ck_rc(OMCACHE_OK, omcache_prepend(mc, B("a"), B("-"), cas_of("a"), -1));
    ck_value(mc, "a", "-abcd");
    end();
}

START_TEST(counters)
{
    begin();
    uint64_t value = 99;
    ck_rc(OMCACHE_NOT_FOUND, omcache_increment(mc, B("n"), 1, 5, OMCACHE_DELTA_NO_ADD, &value, -1));
    ck_assert_uint_eq(value, 0);
    ck_rc(OMCACHE_NOT_FOUND, omcache_decrement(mc, B("n"), 1, 5, OMCACHE_DELTA_NO_ADD, &value, -1));
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), 1, 5, 0, &value, -1));
    ck_assert_uint_eq(value, 5);
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), 10, 0, 0, &value, -1));
    ck_assert_uint_eq(value, 15);
    ck_rc(OMCACHE_OK, omcache_decrement(mc, B("n"), 4, 0, OMCACHE_DELTA_NO_ADD, &value, -1));
    ck_assert_uint_eq(value, 11);
    ck_rc(OMCACHE_OK, omcache_decrement(mc, B("n"), 100, 0, 0, &value, -1));
    ck_assert_uint_eq(value, 0);
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), UINT64_MAX, 0, 0, &value, -1));
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), 3, 0, 0, &value, -1));
    ck_assert_uint_eq(value, 2);
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), 1, 0, 0, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("n"), 0, 0, OMCACHE_DELTA_NO_ADD, &value, -1));
    ck_assert_uint_eq(value, 3);

    ck_rc(OMCACHE_OK, set("text", "three"));
    value = 99;
    ck_rc(OMCACHE_DELTA_BAD_VALUE, omcache_increment(mc, B("text"), 1, 0, 0, &value, -1));
    ck_assert_uint_eq(value, 0);
    ck_rc(OMCACHE_DELTA_BAD_VALUE, omcache_decrement(mc, B("text"), 1, 0, 0, &value, -1));
    ck_value(mc, "text", "three");
    /* It is created to be over at once. */
    ck_rc(OMCACHE_OK, omcache_increment(mc, B("m"), 1, 5, PAST, &value, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("m"), NULL, NULL, NULL, NULL, -1));
    end();
}

START_TEST(deleting)
{
    begin();
    ck_rc(OMCACHE_NOT_FOUND, omcache_delete(mc, B("a"), -1));
    ck_rc(OMCACHE_OK, set("a", "1"));
    ck_rc(OMCACHE_OK, omcache_delete(mc, B("a"), -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    end();
}

START_TEST(expirations)
{
    begin();
    const unsigned char *data;
    size_t len;
    ck_rc(OMCACHE_NOT_FOUND, omcache_touch(mc, B("a"), 0, -1));
    ck_rc(OMCACHE_OK, set("a", "1"));
    ck_rc(OMCACHE_OK, omcache_touch(mc, B("a"), 100, -1));
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_OK, omcache_touch(mc, B("a"), PAST, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), &data, &len, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), PAST, 0, 0, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), &data, &len, NULL, NULL, -1));
    /* The protocol takes the low 32 bits. */
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), (time_t)(INT64_C(1) << 32), 0, 0, -1));
    ck_value(mc, "a", "1");
    end();
}

START_TEST(get_and_touch)
{
    begin();
    const unsigned char *data = NULL;
    size_t len = 0;
    uint32_t flags = 0;
    uint64_t cas = 0;
    ck_rc(OMCACHE_NOT_FOUND, omcache_gat(mc, B("a"), &data, &len, 0, &flags, &cas, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("value"), 0, 1234, 0, -1));
    ck_rc(OMCACHE_OK, omcache_gat(mc, B("a"), &data, &len, PAST, &flags, &cas, -1));
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(data, "value", 5);
    ck_assert_uint_eq(flags, 1234);
    ck_assert_uint_ne(cas, 0);
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    end();
}

START_TEST(commands_to_a_server)
{
    begin();
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, 1, -1));
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, -1, -1));
    ck_rc(OMCACHE_OK, set("a", "1"));
    ck_rc(OMCACHE_NO_SERVERS, omcache_flush_all(mc, 0, 1, -1));
    ck_rc(OMCACHE_NO_SERVERS, omcache_flush_all(mc, 0, -1, -1));
    ck_rc(OMCACHE_OK, omcache_flush_all(mc, 1000, 0, -1));
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_OK, omcache_flush_all(mc, 0, 0, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    end();
}

static int holds(const omcache_value_t *values, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].key_len == strlen(key) && memcmp(values[i].key, key, values[i].key_len) == 0)
            return 1;
    }
    return 0;
}

START_TEST(statistics)
{
    begin();
    static omcache_value_t values[500];
    size_t count = 500;
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, values, &count, 0, -1));
    ck_assert_uint_gt(count, 50);
    ck_assert(holds(values, count, "pid") && holds(values, count, "cmd_get"));
    for (size_t i = 0; i + 1 < count; i++)
        ck_assert(values[i].status == OMCACHE_OK && values[i].key_len > 0);
    /* The empty one that ends the list. */
    ck_assert(values[count - 1].key == NULL && values[count - 1].key_len == 0);
    ck_assert(values[count - 1].data == NULL && values[count - 1].data_len == 0);

    size_t general = count;
    count = 500;
    ck_rc(OMCACHE_OK, omcache_stat(mc, "", values, &count, 0, -1));
    ck_assert_uint_eq(count, general);
    count = 500;
    ck_rc(OMCACHE_OK, omcache_stat(mc, "settings", values, &count, 0, -1));
    ck_assert(holds(values, count, "maxbytes") && !holds(values, count, "pid"));
    count = 500;
    ck_rc(OMCACHE_NOT_FOUND, omcache_stat(mc, "no such statistics", values, &count, 0, -1));
    count = 500;
    ck_rc(OMCACHE_NO_SERVERS, omcache_stat(mc, NULL, values, &count, 1, -1));
    ck_rc(OMCACHE_NO_SERVERS, omcache_stat(mc, NULL, values, &count, -1, -1));
    end();
}

START_TEST(requests_by_hand)
{
    begin();
    const unsigned char extra[8] = {0, 0, 0, 9, 0, 0, 0, 0};
    omcache_req_t req = request(OP_SET, "a", extra, sizeof extra, "by hand");
    ck_rc(OMCACHE_OK, omcache_command_status(mc, &req, -1));
    ck_assert_int_eq(req.server_index, 0);
    ck_value(mc, "a", "by hand");
    req = request(OP_GET, "none", NULL, 0, NULL);
    ck_rc(OMCACHE_NOT_FOUND, omcache_command_status(mc, &req, -1));
    req = request(OP_DELETE, "a", NULL, 0, NULL);
    ck_rc(OMCACHE_OK, omcache_command_status(mc, &req, 1000));
    /* A command that the server does not know. (With a key, memcached would hold its answer back.) */
    req = request(0x7e, NULL, NULL, 0, NULL);
    req.server_index = 0;
    ck_rc(OMCACHE_FAIL, omcache_command_status(mc, &req, -1));
    /* A wrong body makes the server answer, and close the connection: that may cost one more request, and no more. */
    req = request(OP_SET, "a", NULL, 0, "no extras");
    ck_rc(OMCACHE_FAIL, omcache_command_status(mc, &req, -1));
    int rc = set("a", "may fail");
    ck_assert_msg(rc == OMCACHE_OK || rc == OMCACHE_SERVER_FAILURE, "0x%x", (unsigned)rc);
    ck_rc(OMCACHE_OK, set("a", "works"));
    ck_value(mc, "a", "works");
    end();
}

START_TEST(texts_of_return_codes)
{
    ck_assert_str_eq(omcache_strerror(OMCACHE_OK), "Success");
    ck_assert_str_eq(omcache_strerror(OMCACHE_NOT_FOUND), "Key not found from memcached");
    ck_assert_str_eq(omcache_strerror(OMCACHE_KEY_EXISTS), "Conflicting key exists in memcached");
    ck_assert_str_eq(omcache_strerror(OMCACHE_TOO_LARGE_VALUE), "Value size exceeds maximum");
    ck_assert_str_eq(omcache_strerror(OMCACHE_NOT_STORED), "Append or prepend value not stored");
    ck_assert_str_eq(omcache_strerror(OMCACHE_DELTA_BAD_VALUE),
                     "Existing value can not be incremented or decremented");
    ck_assert_str_eq(omcache_strerror(OMCACHE_FAIL), "Command failed in memcached");
    ck_assert_str_eq(omcache_strerror(OMCACHE_AGAIN), "Call would block, try again");
    ck_assert_str_eq(omcache_strerror(OMCACHE_INVALID), "Invalid parameters");
    ck_assert_str_eq(omcache_strerror(OMCACHE_BUFFERED), "Data buffered in OMcache");
    ck_assert_str_eq(omcache_strerror(OMCACHE_BUFFER_FULL), "Buffer full, command dropped");
    ck_assert_str_eq(omcache_strerror(OMCACHE_NO_SERVERS), "No server available");
    ck_assert_str_eq(omcache_strerror(OMCACHE_SERVER_FAILURE), "Failure communicating to server");
    ck_assert_str_eq(omcache_strerror(4), "Unknown");
    ck_assert_str_eq(omcache_strerror(-1), "Unknown");
}

Suite *commands_suite(void)
{
    const TTest *const tests[] = {set_and_get,     keys_of_any_bytes,    set_with_cas,     too_large_a_value,
                                  add_and_replace, append_and_prepend,   counters,         deleting,
                                  expirations,     get_and_touch,        statistics,       commands_to_a_server,
                                  requests_by_hand, texts_of_return_codes, NULL};
    return suite_of("commands", tests, 20);
}
