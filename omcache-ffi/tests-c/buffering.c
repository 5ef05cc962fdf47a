/* Buffering: what is held back, what sends it, what throws it away. */
#include "tests.h"

START_TEST(nothing_is_written_before_an_io_call)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    for (int i = 0; i < 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B(key), B(key), 0, 0, 0, 0));
    }
    uint64_t number = 7;
    const unsigned char *data = (const unsigned char *)"";
    size_t len = 7;
    ck_rc(OMCACHE_BUFFERED, omcache_increment(mc, B("n"), 1, 5, 0, &number, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_get(mc, B("k1"), &data, &len, NULL, NULL, 0));
    ck_assert(number == 0 && data == NULL && len == 0);
    ck_assert_uint_eq(server_stat(&server, "cmd_set"), 0);
    ck_assert_uint_eq(server_stat(&server, "cmd_get"), 0);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_value(mc, "k9", "k9");
    ck_assert_uint_eq(server_stat(&server, "cmd_set"), 10);
    omcache_free(mc);
}

static void count_response(omcache_t *mc, omcache_value_t *value, void *context)
{
    (void)mc;
    (void)value;
    ++*(int *)context;
}

/* An I/O call without requests returns when all are settled, those that succeed in silence included. */
START_TEST(io_settles_quiet_requests)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    int responses = 0;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("there"), B("x"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, count_response, &responses));
    for (int i = 0; i < 100; i++)
        ck_rc(OMCACHE_BUFFERED, omcache_get(mc, B("there"), NULL, NULL, NULL, NULL, 0));
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_assert_int_eq(responses, 100);
    /* A connection that is closed with refusals unread would take with it what the server has not read. */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d-%d", round, i);
            ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B(key), B(key), 0, 0, 0, 0));
            ck_rc(OMCACHE_BUFFERED, omcache_add(mc, B("there"), B(key), 0, 0, 0));
        }
        ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
        omcache_free(mc);
        ck_assert_uint_eq(server_stat(&server, "curr_items"), 1u + 3000u * (unsigned)(round + 1));
        mc = handle_of(&server, 1);
    }
    omcache_free(mc);
}

START_TEST(a_command_that_waits_is_answered)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_append(mc, B("a"), B("2"), 0, 0));
    ck_value(mc, "a", "12");
    ck_rc(OMCACHE_NOT_FOUND, omcache_delete(mc, B("none"), 1000));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    omcache_free(mc);
}

START_TEST(turned_off_it_is_sent_by_the_next_call)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    for (int i = 0; i < 10; i++)
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("b"), B("2"), 0, 0, 0, 0));
    omcache_t *other = handle_of(&server, 1);
    int64_t until = now_msec() + patience(3000);
    while (server_stat(&server, "cmd_set") < 11 && now_msec() < until)
        sleep_msec(1);
    ck_value(other, "a", "1");
    ck_value(other, "b", "2");
    omcache_free(other);
    omcache_free(mc);
}

START_TEST(reset_throws_away)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_reset_buffers(mc));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("b"), B("1"), 0, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_reset_buffers(mc));
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("2"), 0, 0, 0, -1));
    ck_value(mc, "b", "2");
    ck_assert_uint_eq(server_stat(&server, "cmd_set"), 1);
    omcache_free(mc);
}

START_TEST(reset_lets_a_request_sent_in_part_end)
{
    server_t server = server_start_with("-I", "32m");
    omcache_t *mc = handle_of(&server, 1);
    const size_t len = 9 * 1024 * 1024;
    unsigned char *value = malloc(len);
    memset(value, 'v', len);
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, 2 * len));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    server_pause(&server);
    /* More than the kernel takes for a server that does not read. */
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("large"), value, len, 0, 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("small"), B("1"), 0, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_reset_buffers(mc));
    server_resume(&server);
    const unsigned char *data;
    size_t got;
    ck_rc(OMCACHE_OK, omcache_get(mc, B("large"), &data, &got, NULL, NULL, -1));
    ck_assert(got == len && memcmp(data, value, len) == 0);
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("small"), NULL, NULL, NULL, NULL, -1));
    free(value);
    omcache_free(mc);
}

START_TEST(a_full_buffer_refuses_what_does_not_fit)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static lines_t lines;
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 1000));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    char value[400] = "";
    memset(value, 'v', sizeof value - 1);
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B(value), 0, 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("b"), B(value), 0, 0, 0, 0));
    ck_rc(OMCACHE_BUFFER_FULL, omcache_set(mc, B("c"), B(value), 0, 0, 0, 0));
    ck_assert_uint_eq(lines_with(&lines, 4, "Buffer full"), 1);
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("d"), B("fits"), 0, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_value(mc, "a", value);
    ck_value(mc, "b", value);
    ck_value(mc, "d", "fits");
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("c"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
}

/* Commands that are only buffered take the shortest way, until something else is asked for between them. */
START_TEST(what_is_asked_for_between_commands_counts)
{
    server_t servers[] = {server_start(), server_start()};
    omcache_t *mc = handle_of(servers, 2);
    static lines_t lines;
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 1, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    for (int i = 0; i < 10; i++)
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("b"), B("1"), 0, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, capture, &lines));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("b"), B("2"), 0, 0, 0, 0));
    ck_assert_uint_eq(lines_with(&lines, 7, "sending"), 1);
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, NULL, NULL));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("b"), B("3"), 0, 0, 0, 0));
    ck_assert_uint_eq(lines_with(&lines, 7, "sending"), 1);
    /* What a get returned is there until the next call, whichever that is. */
    const unsigned char *data;
    size_t len;
    ck_rc(OMCACHE_OK, omcache_get(mc, B("a"), &data, &len, NULL, NULL, -1));
    ck_assert(len == 1 && *data == '1');
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("2"), 0, 0, 0, 0));
    /* Another list of servers takes what is buffered along. */
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, servers[1].address));
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("c"), B("4"), 0, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 0));
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_value(mc, "c", "4");
    ck_assert_uint_ge(server_stat(&servers[1], "cmd_set"), 1);
    omcache_free(mc);
}

Suite *buffering_suite(void)
{
    const TTest *const tests[] = {io_settles_quiet_requests,
                                  nothing_is_written_before_an_io_call,
                                  a_command_that_waits_is_answered,
                                  turned_off_it_is_sent_by_the_next_call,
                                  reset_throws_away,
                                  reset_lets_a_request_sent_in_part_end,
                                  a_full_buffer_refuses_what_does_not_fit,
                                  what_is_asked_for_between_commands_counts,
                                  NULL};
    return suite_of("buffering", tests, 20);
}
