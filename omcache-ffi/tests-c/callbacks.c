/* Response and log callbacks: what they see, and what they may do. */
#include "tests.h"

enum { KEYS = 20, LEN = 3000 };

/* What a response callback is given, and has seen. */
typedef struct seen_s {
    size_t count, nested;
    int depth;
    omcache_t *other;
    char last_key[260];
    int last_status;
} seen_t;

static void count_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    seen_t *seen = context;
    (void)mc;
    seen->count++;
    seen->last_status = result->status;
    snprintf(seen->last_key, sizeof seen->last_key, "%.*s", (int)result->key_len, (const char *)result->key);
}

START_TEST(every_response_is_seen)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    seen_t seen = {0};
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, count_response, &seen));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_assert_uint_eq(seen.count, 1);
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("none"), NULL, NULL, NULL, NULL, -1));
    ck_assert(seen.count == 2 && seen.last_status == OMCACHE_NOT_FOUND);
    ck_value(mc, "a", "1");
    ck_assert(seen.count == 3 && seen.last_status == OMCACHE_OK);
    ck_assert_str_eq(seen.last_key, "a");
    /* Those too that nobody waits for: an earlier call gave up, or did not wait. */
    server_pause(&server);
    ck_rc(OMCACHE_AGAIN, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 10));
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B("a"), 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_add(mc, B("a"), B("1"), 0, 0, 0));
    server_resume(&server);
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_assert_uint_eq(seen.count, 8);
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    ck_value(mc, "a", "1");
    ck_assert_uint_eq(seen.count, 8);
    omcache_free(mc);
}

/* The value that a key is stored with: it can be told from the key. */
static void fill(char value[LEN + 1], int number)
{
    for (int i = 0; i < LEN; i++)
        value[i] = (char)('a' + (number + i) % 26);
    value[LEN] = 0;
}

static void get_one(omcache_t *mc, int number)
{
    char key[16], value[LEN + 1];
    snprintf(key, sizeof key, "in-%d", number % KEYS);
    fill(value, 1000 + number % KEYS);
    ck_value(mc, key, value);
}

/* Gets one more key from within, and from within that one another. */
static void nested_get(omcache_t *mc, omcache_value_t *result, void *context)
{
    seen_t *seen = context;
    seen->count++;
    ck_assert_uint_eq(result->data_len, LEN);
    if (seen->depth == 2)
        return;
    seen->depth++;
    seen->nested++;
    const unsigned char *data = result->data;
    char first = (char)data[0];
    get_one(mc, (int)seen->nested);
    /* What the outer call received is where it was. */
    ck_assert_int_eq(data[0], first);
    int same = 0;
    while (same < LEN && data[same] == 'a' + (first - 'a' + same) % 26)
        same++;
    ck_assert_int_eq(same, LEN);
    seen->depth--;
}

static omcache_t *filled(server_t servers[2])
{
    char key[16], value[LEN + 1];
    servers[0] = server_start();
    servers[1] = server_start();
    omcache_t *mc = handle_of(servers, 2);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "out-%d", i);
        fill(value, i);
        ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(value), 0, 0, 0, -1));
        snprintf(key, sizeof key, "in-%d", i);
        fill(value, 1000 + i);
        ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(value), 0, 0, 0, -1));
    }
    return mc;
}

static void ck_outer(omcache_t *mc)
{
    char text[KEYS][16], value[LEN + 1];
    const unsigned char *keys[KEYS];
    size_t lens[KEYS], reqc = KEYS, valc = KEYS;
    omcache_req_t reqs[KEYS];
    omcache_value_t values[KEYS];
    for (int i = 0; i < KEYS; i++) {
        snprintf(text[i], sizeof text[i], "out-%d", i);
        keys[i] = (const unsigned char *)text[i];
        lens[i] = strlen(text[i]);
    }
    ck_rc(OMCACHE_OK, omcache_get_multi(mc, keys, lens, KEYS, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == KEYS);
    unsigned all = 0;
    for (size_t i = 0; i < valc; i++) {
        char key[16];
        snprintf(key, sizeof key, "%.*s", (int)values[i].key_len, (const char *)values[i].key);
        int number = atoi(key + 4);
        ck_assert(number >= 0 && number < KEYS);
        all |= 1U << number;
        fill(value, number);
        ck_assert(values[i].data_len == LEN && memcmp(values[i].data, value, LEN) == 0);
    }
    ck_assert_uint_eq(all, (1U << KEYS) - 1);
}

START_TEST(calls_from_a_response_callback)
{
    server_t servers[2];
    omcache_t *mc = filled(servers);
    for (int round = 0; round < 5; round++) {
        seen_t seen = {0};
        ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, nested_get, &seen));
        ck_outer(mc);
        /* The first response asked for one more, and that one for another; theirs were seen too. */
        ck_assert_uint_ge(seen.nested, 2);
        ck_assert_uint_eq(seen.count, KEYS + seen.nested);
    }
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    ck_outer(mc);
    omcache_free(mc);
}

/* Changes everything that a callback may change, and works with another handle. */
static void meddle(omcache_t *mc, omcache_value_t *result, void *context)
{
    seen_t *seen = context;
    int nfds, timeout;
    unsigned char first = result->data_len ? result->data[0] : 0;
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, seen->count % 2));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 9000));
    ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, &omcache_dist_libmemcached_ketama));
    ck_assert_int_ge(omcache_server_index_for_key(mc, B("x")), 0);
    omcache_server_info_t *info = omcache_server_info(mc, 0);
    ck_rc(OMCACHE_OK, omcache_server_info_free(mc, info));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("from-within"), B("1"), 0, 0, 0, 0));
    omcache_io(mc, NULL, NULL, NULL, NULL, 0);
    omcache_poll_fds(mc, &nfds, &timeout);
    if (seen->other)
        ck_rc(OMCACHE_OK, omcache_set(seen->other, B("other"), B("1"), 0, 0, 0, -1));
    if (result->data_len)
        ck_assert_int_eq(result->data[0], first);
    seen->count++;
}

START_TEST(changes_from_a_response_callback)
{
    server_t servers[2];
    omcache_t *mc = filled(servers);
    seen_t seen = {.other = handle_of(servers, 2)};
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, meddle, &seen));
    for (int i = 0; i < 5; i++)
        ck_outer(mc);
    ck_assert_uint_ge(seen.count, 5 * KEYS);
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 0));
    ck_value(mc, "from-within", "1");
    ck_value(seen.other, "other", "1");
    omcache_free(seen.other);
    omcache_free(mc);
}

/* Takes the server list away, and gives it back. */
static void swap_servers(omcache_t *mc, omcache_value_t *result, void *context)
{
    const char *list = context;
    (void)result;
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, ""));
    ck_rc(OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("2"), 0, 0, 0, -1));
}

START_TEST(servers_changed_from_a_response_callback)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, swap_servers, server.address));
    const unsigned char *keys[] = {(const unsigned char *)"a", (const unsigned char *)"b"};
    size_t lens[] = {1, 1}, reqc = 2, valc = 2;
    omcache_req_t reqs[2];
    omcache_value_t values[2];
    ck_rc(OMCACHE_OK, omcache_get_multi(mc, keys, lens, 2, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc >= 1);
    ck_rc(OMCACHE_OK, values[0].status);
    ck_assert_mem_eq(values[0].data, "1", 1);
    ck_value(mc, "a", "1");
    ck_value(mc, "b", "2");
    omcache_free(mc);
}

/* A log callback that itself uses the handle that logs. */
static void log_and_get(void *context, int level, const char *msg)
{
    static int at_work;
    (void)level;
    ck_assert_int_eq(msg[0], '[');
    if (at_work++ == 0)
        ck_value(context, "a", "1");
    at_work--;
}

START_TEST(calls_from_a_log_callback)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, log_and_get, mc));
    for (int i = 0; i < 10; i++) {
        ck_value(mc, "a", "1");
        ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("none"), NULL, NULL, NULL, NULL, -1));
    }
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, NULL, NULL));
    omcache_free(mc);
}

/* A line that waited since an earlier call is told in the next one, and what is called from there leaves that one whole. */
START_TEST(calls_from_a_line_that_waited)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    const unsigned char *keys[] = {(const unsigned char *)"b", (const unsigned char *)"c"};
    size_t lens[] = {1, 1}, reqc = 2, valc = 2;
    time_t times[] = {PAST, PAST};
    omcache_req_t reqs[2];
    omcache_value_t values[2];
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("2"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("c"), B("3"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, log_and_get, mc));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_by_name(mc, "no_such_distribution"));
    ck_rc(OMCACHE_OK, omcache_gat_multi(mc, keys, lens, times, 2, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == 2);
    ck_assert(values[0].data[0] == '2' && values[1].data[0] == '3');
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("b"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("c"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
}

START_TEST(log_lines_have_their_form)
{
    server_t servers[2] = {server_start(), server_start()};
    omcache_t *mc = omcache_init();
    static lines_t lines;
    char list[300], name[200], refused[64];
    snprintf(refused, sizeof refused, "127.0.0.1:%d", refusing_port());
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, servers[0].address));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    snprintf(name, sizeof name, "omcache/[%s]: connected", servers[0].address);
    ck_assert_uint_eq(lines_with(&lines, 6, name), 1);
    ck_assert_uint_ge(lines_with(&lines, 7, servers[0].address), 2);
    for (size_t i = 0; i < lines.count; i++) {
        unsigned seconds, milli;
        int read = 0;
        ck_assert_int_eq(sscanf(lines.line[i].text, "[%u.%3u] omcache/%n", &seconds, &milli, &read), 2);
        ck_assert(read > 0 && seconds < 60);
    }
    snprintf(list, sizeof list, "%s,%s", refused, servers[0].address);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "key%d", i);
        ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B(name), NULL, NULL, NULL, NULL, -1));
    }
    snprintf(name, sizeof name, "[%s]: disabled", refused);
    ck_assert_uint_eq(lines_with(&lines, 5, name), 1);
    lines.count = 0;
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, refused));
    ck_rc(OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_assert_uint_ge(lines_with(&lines, 3, "No server available"), 1);
    /* A level lets through what is as important or more. */
    lines.count = 0;
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 3, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, servers[1].address));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_assert_uint_eq(lines.count, 0);
    omcache_free(mc);
}

/* The lines of a call that sets something come before it returns, and none of before a callback was set. */
START_TEST(lines_of_settings_come_at_once)
{
    omcache_t *mc = omcache_init();
    static lines_t lines;
    const uint32_t weight = 1;
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_by_name(mc, "no_such_distribution"));
    ck_assert_uint_eq(lines_with(&lines, 5, "no_such_distribution"), 1);
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, "a,b", &weight, 1));
    ck_assert_uint_eq(lines_with(&lines, 5, "2 servers"), 1);
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, "[broken"));
    ck_assert_uint_eq(lines_with(&lines, 5, "[broken"), 1);
    ck_assert_uint_eq(lines.count, 3);
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, "a", &weight, SIZE_MAX / 8));
    omcache_free(mc);
}

START_TEST(the_log_to_standard_error)
{
    FILE *file = tmpfile();
    int saved = dup(2);
    dup2(fileno(file), 2);
    omcache_log_stderr(NULL, 3, "one");
    omcache_log_stderr((char[]){"prefix: "}, 6, "two");
    omcache_log_stderr((char[]){"p "}, 7, "three");
    omcache_log_stderr(NULL, 4, "four");
    omcache_log_stderr(NULL, 5, "five");
    dup2(saved, 2);
    close(saved);
    char text[300] = "";
    rewind(file);
    size_t read = fread(text, 1, sizeof text - 1, file);
    ck_assert_uint_gt(read, 0);
    fclose(file);
    ck_assert_str_eq(text, "ERROR one\nprefix: INFO two\np DEBUG three\nWARNING four\nNOTICE five\n");
}

Suite *callbacks_suite(void)
{
    const TTest *const tests[] = {every_response_is_seen,
                                  calls_from_a_response_callback,
                                  changes_from_a_response_callback,
                                  servers_changed_from_a_response_callback,
                                  calls_from_a_log_callback,
                                  calls_from_a_line_that_waited,
                                  log_lines_have_their_form,
                                  lines_of_settings_come_at_once,
                                  the_log_to_standard_error,
                                  NULL};
    return suite_of("callbacks", tests, 20);
}
