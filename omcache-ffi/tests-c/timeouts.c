/* How long calls wait: up to T, for ever, or not at all; and what the library's own time limits do. */
#include "tests.h"

#include <signal.h>

/* Does `what` to the server in the background, after `msec`. */
static void later(const server_t *server, int signal, int msec)
{
    if (fork() == 0) {
        sleep_msec(msec);
        kill(server->pid, signal);
        _exit(0);
    }
}

START_TEST(above_zero_waits_that_long)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 1000));
    server_pause(&server);
    const unsigned char *data;
    size_t len;
    for (int i = 0; i < 3; i++) {
        int64_t before = now_msec();
        ck_rc_within(600, OMCACHE_AGAIN, omcache_get(mc, B("a"), &data, &len, NULL, NULL, 100));
        ck_assert_int_ge(now_msec() - before, 99);
        ck_assert(data == NULL && len == 0);
    }
    /* An answer ends the wait before its time, and it is the answer to this request. */
    ck_rc(OMCACHE_AGAIN, omcache_get(mc, B("none"), &data, &len, NULL, NULL, 10));
    server_resume(&server);
    ck_rc_within(3000, OMCACHE_OK, omcache_get(mc, B("a"), &data, &len, NULL, NULL, 30000));
    ck_assert_uint_eq(len, 1);
    omcache_free(mc);
}

START_TEST(below_zero_waits_for_the_answer)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    server_pause(&server);
    int64_t before = now_msec();
    later(&server, SIGCONT, 300);
    ck_value(mc, "a", "1");
    ck_assert_int_ge(now_msec() - before, 290);
    server_pause(&server);
    later(&server, SIGKILL, 300);
    ck_rc(OMCACHE_SERVER_FAILURE, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, INT32_MIN));
    omcache_free(mc);
}

/* Every command with T = 0. */
static void all_at_zero(omcache_t *mc)
{
    const unsigned char *data = (const unsigned char *)"";
    size_t len = 77;
    uint32_t flags = 77;
    uint64_t cas = 77, number = 77;
    int64_t before = now_msec();
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("b"), 0, 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_add(mc, B("added"), B("1"), 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_add(mc, B("added"), B("2"), 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_replace(mc, B("a"), B("r"), 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_replace(mc, B("none"), B("r"), 0, 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_append(mc, B("a"), B(">"), 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_prepend(mc, B("a"), B("<"), 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_prepend(mc, B("none"), B("<"), 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_increment(mc, B("n"), 1, 5, 0, &number, 0));
    ck_assert_uint_eq(number, 0);
    number = 77;
    ck_rc(OMCACHE_BUFFERED, omcache_decrement(mc, B("n"), 2, 5, 0, &number, 0));
    ck_assert_uint_eq(number, 0);
    ck_rc(OMCACHE_BUFFERED, omcache_delete(mc, B("gone"), 0));
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B("touched"), PAST, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_get(mc, B("a"), &data, &len, &flags, &cas, 0));
    ck_assert(data == NULL && len == 0 && flags == 0 && cas == 0);
    len = flags = cas = 77;
    ck_rc(OMCACHE_BUFFERED, omcache_gat(mc, B("a"), &data, &len, 0, &flags, &cas, 0));
    ck_assert(data == NULL && len == 0 && flags == 0 && cas == 0);
    ck_rc(OMCACHE_BUFFERED, omcache_noop(mc, 0, 0));
    size_t count = 1;
    omcache_value_t value;
    ck_rc(OMCACHE_BUFFERED, omcache_stat(mc, NULL, &value, &count, 0, 0));
    ck_assert_uint_eq(count, 0);
    const unsigned char *keys[] = {(const unsigned char *)"a", (const unsigned char *)"none"};
    size_t lens[] = {1, 4}, reqc = 2;
    omcache_req_t reqs[2];
    count = 1;
    ck_rc(OMCACHE_BUFFERED, omcache_get_multi(mc, keys, lens, 2, reqs, &reqc, &value, &count, 0));
    ck_assert(reqc == 2 && count == 0);
    ck_assert_int_le(now_msec() - before, patience(500));
}

START_TEST(zero_does_not_wait)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1), *other = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(other, B("gone"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(other, B("touched"), B("1"), 0, 0, 0, -1));
    all_at_zero(mc);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_value(other, "a", "<r>");
    ck_value(other, "added", "1");
    ck_value(other, "n", "3");
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(other, B("gone"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(other, B("touched"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(other, B("none"), NULL, NULL, NULL, NULL, -1));
    /* Nor on a server that hangs, whatever was sent before. */
    server_pause(&server);
    all_at_zero(mc);
    ck_rc_within(500, OMCACHE_AGAIN, omcache_io(mc, NULL, NULL, NULL, NULL, 0));
    server_resume(&server);
    ck_rc(OMCACHE_BUFFERED, omcache_flush_all(mc, 0, 0, 0));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(other, B("a"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
    omcache_free(other);
    /* Nor while it connects. */
    hanging_port_t hanging = hanging_port_open();
    mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, hanging.address));
    all_at_zero(mc);
    omcache_free(mc);
    hanging_port_close(&hanging);
}

START_TEST(the_wait_covers_the_look_up)
{
    server_t server = server_start();
    char name[64];
    snprintf(name, sizeof name, "localhost:%d", server.port);
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, name));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "no-such-host.invalid"));
    int64_t before = now_msec();
    int rc = omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 50);
    ck_assert_msg(rc == OMCACHE_AGAIN || rc == OMCACHE_NO_SERVERS, "0x%x", (unsigned)rc);
    ck_assert_int_le(now_msec() - before, patience(500));
    omcache_free(mc);
}

START_TEST(a_connect_that_hangs)
{
    hanging_port_t hanging = hanging_port_open();
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, hanging.address));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 300));
    ck_rc_within(250, OMCACHE_AGAIN, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 50));
    int64_t before = now_msec();
    ck_rc_within(1500, OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_assert_int_ge(now_msec() - before, 150);
    ck_rc_within(100, OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
    hanging_port_close(&hanging);
}

START_TEST(silence_of_a_server)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 300));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    server_pause(&server);
    int64_t before = now_msec();
    ck_rc_within(1000, OMCACHE_SERVER_FAILURE, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_assert_int_ge(now_msec() - before, 295);
    ck_rc_within(1000, OMCACHE_NO_SERVERS, omcache_noop(mc, 0, -1));
    server_resume(&server);
    omcache_free(mc);
}

/* A program that was busy elsewhere: what came in time is not taken for silence. */
START_TEST(a_late_program)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static lines_t lines;
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 200));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    /* TOUCH has no quiet form: its answer is there, but nobody has read it. */
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B("a"), 0, 0));
    sleep_msec(300);
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B("a"), 0, 0));
    sleep_msec(300);
    ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("2"), 0, 0, 0, 0));
    ck_value(mc, "a", "2");
    /* The same in a program's own loop. */
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B("a"), 0, 0));
    sleep_msec(300);
    int nfds, timeout;
    ck_assert_ptr_nonnull(omcache_poll_fds(mc, &nfds, &timeout));
    ck_value(mc, "a", "2");

    const unsigned char *keys[] = {(const unsigned char *)"a", (const unsigned char *)"none"};
    size_t lens[] = {1, 4}, reqc = 2, valc = 2;
    omcache_req_t reqs[2];
    omcache_value_t values[2];
    server_pause(&server);
    ck_rc(OMCACHE_AGAIN, omcache_get_multi(mc, keys, lens, 2, reqs, &reqc, values, &valc, 20));
    server_resume(&server);
    sleep_msec(300);
    valc = 2;
    ck_rc(OMCACHE_OK, omcache_io(mc, reqs, &reqc, values, &valc, -1));
    ck_assert_uint_eq(valc, 1);
    ck_assert_mem_eq(values[0].data, "2", 1);
    ck_assert_uint_eq(lines_with(&lines, 0, "reset"), 0);
    ck_assert_uint_eq(lines_with(&lines, 0, "connected"), 1);
    omcache_free(mc);
}

/* A program that calls now and then, without ever waiting: each call finds what the last one began. */
START_TEST(a_rare_caller)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1), *other = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 200));
    for (int i = 0; i < 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B(key), B(key), 0, 0, 0, 0));
        sleep_msec(300);
    }
    ck_value(other, "k0", "k0");
    ck_value(other, "k3", "k3");
    omcache_free(other);
    omcache_free(mc);
}

Suite *timeouts_suite(void)
{
    const TTest *const tests[] = {above_zero_waits_that_long, below_zero_waits_for_the_answer, zero_does_not_wait,
                                  the_wait_covers_the_look_up, a_connect_that_hangs, silence_of_a_server, a_late_program, a_rare_caller,
                                  NULL};
    return suite_of("timeouts", tests, 20);
}
