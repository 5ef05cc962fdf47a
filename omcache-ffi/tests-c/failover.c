/* Servers that stop, die and come back: whose keys go where, and how long a call takes meanwhile. */
#include "tests.h"

static server_t servers[3];
static omcache_t *mc;
static lines_t lines;

static void begin(void)
{
    for (int i = 0; i < 3; i++)
        servers[i] = server_start();
    mc = handle_of(servers, 3);
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 1000));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 3000));
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, 4000));
}

static int get(const char *key)
{
    return omcache_get(mc, B(key), NULL, NULL, NULL, NULL, 5000);
}

/* A key of a server, stored. */
static void stored(const server_t *server, int nth, char key[32])
{
    key_for(mc, index_of(mc, server), nth, key);
    ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 0, 0, -1));
}

static int home(const char *key)
{
    return omcache_server_index_for_key(mc, B(key));
}

START_TEST(a_stopped_server)
{
    begin();
    char key[32], other[32];
    stored(&servers[0], 0, key);
    stored(&servers[1], 0, other);
    int index = home(key);
    server_pause(&servers[0]);
    ck_rc_within(1500, OMCACHE_SERVER_FAILURE, get(key));
    ck_rc_within(1500, OMCACHE_SERVER_FAILURE, get(key));
    ck_rc_within(500, OMCACHE_NOT_FOUND, get(key));
    ck_assert(home(key) != index && home(key) >= 0);
    ck_rc_within(500, OMCACHE_OK, get(other));
    ck_assert_uint_eq(lines_with(&lines, 5, "disabled"), 1);
    server_resume(&servers[0]);
    sleep_msec(5000);
    /* It is tried in the background, and takes its keys again when it has answered. */
    ck_rc_within(500, OMCACHE_NOT_FOUND, get(key));
    sleep_msec(50);
    ck_rc_within(500, OMCACHE_OK, get(key));
    ck_assert_int_eq(home(key), index);
    ck_assert_uint_eq(lines_with(&lines, 5, "enabled"), 1);
    omcache_free(mc);
}

/* A server that is connecting, hangs or is tried again keeps nobody waiting whose key is another's. */
START_TEST(keys_of_others_do_not_wait)
{
    begin();
    hanging_port_t hanging = hanging_port_open();
    omcache_server_status_t status;
    char list[600], name[96], sick[32], held[32], key[32], value[16];
    snprintf(list, sizeof list, "%s,%s,%s", servers[0].address, servers[1].address, hanging.address);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 1500));
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, 300));
    int healthy = index_of(mc, &servers[0]), paused = index_of(mc, &servers[1]), hangs = 3 - healthy - paused;
    snprintf(name, sizeof name, "[%s]: disabled", hanging.address);
    key_for(mc, healthy, 0, key);
    key_for(mc, paused, 0, held);
    key_for(mc, hangs, 0, sick);
    ck_rc(OMCACHE_OK, omcache_noop(mc, paused, -1));
    server_pause(&servers[1]);
    /* Both owe an answer from here on. */
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B(held), 0, 0));
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B(sick), 0, 0));
    ck_rc(OMCACHE_OK, omcache_server_status(mc, hangs, &status));
    ck_assert(status.state == OMCACHE_SERVER_CONNECTING && status.retry_msec == 0);
    int retried = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(value, sizeof value, "%d", i);
        ck_rc_within(500, OMCACHE_OK, omcache_set(mc, B(key), B(value), 0, 0, 0, 5000));
        ck_rc_within(500, OMCACHE_OK, get(key));
        ck_rc(OMCACHE_OK, omcache_server_status(mc, hangs, &status));
        retried += status.state == OMCACHE_SERVER_RETRYING;
        sleep_msec(10);
    }
    ck_assert_uint_ge(lines_with(&lines, 5, name), 1);
    ck_assert_int_gt(retried, 0);
    server_resume(&servers[1]);
    omcache_free(mc);
    hanging_port_close(&hanging);
}

START_TEST(a_killed_server)
{
    begin();
    char key[32], again[32];
    stored(&servers[0], 0, key);
    stored(&servers[0], 1, again);
    int index = home(key);
    server_kill(&servers[0]);
    /* What may have been sent is not sent again; what was not goes to another server within its call. */
    int rc = get(key);
    ck_assert_msg(rc == OMCACHE_SERVER_FAILURE || rc == OMCACHE_NOT_FOUND, "0x%x", (unsigned)rc);
    ck_rc_within(500, OMCACHE_NOT_FOUND, get(key));
    ck_rc_within(500, OMCACHE_OK, omcache_set(mc, B(again), B("elsewhere"), 0, 0, 0, -1));
    ck_value(mc, again, "elsewhere");
    ck_assert_int_ne(home(key), index);
    server_start_again(&servers[0]);
    sleep_msec(4200);
    get(key);
    sleep_msec(50);
    ck_rc_within(500, OMCACHE_OK, omcache_set(mc, B(key), B("back"), 0, 0, 0, -1));
    ck_assert_int_eq(home(key), index);
    ck_rc(OMCACHE_NOT_FOUND, get(again));
    ck_assert_uint_eq(server_stat(&servers[0], "cmd_set"), 1);
    omcache_free(mc);
}

/* Refused before anything was sent: the very call is answered by another server. */
START_TEST(a_server_that_was_never_there)
{
    begin();
    server_kill(&servers[2]);
    char key[32];
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        ck_rc_within(500, OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 0, 0, -1));
        ck_value(mc, key, key);
    }
    ck_assert_uint_eq(lines_with(&lines, 5, "disabled"), 1);
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, index_of(mc, &servers[2]), -1));
    omcache_free(mc);
}

START_TEST(both_of_two_stopped)
{
    server_t two[2] = {server_start(), server_start()};
    mc = handle_of(two, 2);
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 500));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 1500));
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, 2000));
    char keys[2][32];
    stored(&two[0], 0, keys[0]);
    stored(&two[1], 0, keys[1]);
    int homes[2] = {home(keys[0]), home(keys[1])};
    server_pause(&two[0]);
    server_pause(&two[1]);
    for (int i = 0; i < 8; i++) {
        int rc = get(keys[i % 2]);
        ck_assert_msg(rc == OMCACHE_SERVER_FAILURE || rc == OMCACHE_NO_SERVERS, "0x%x", (unsigned)rc);
    }
    ck_assert_int_eq(home(keys[0]), -1);
    ck_assert_int_eq(home(keys[1]), -1);
    ck_rc_within(100, OMCACHE_NO_SERVERS, get(keys[0]));
    server_resume(&two[0]);
    server_resume(&two[1]);
    sleep_msec(2500);
    /* Where no server is left, one that is being tried again is waited for. */
    ck_rc_within(500, OMCACHE_OK, get(keys[0]));
    sleep_msec(50);
    ck_rc_within(500, OMCACHE_OK, get(keys[0]));
    ck_rc_within(500, OMCACHE_OK, get(keys[1]));
    ck_assert(home(keys[0]) == homes[0] && home(keys[1]) == homes[1]);
    omcache_free(mc);
}

/* Restarted while nothing was under way: the next command finds a new connection, and does not fail. */
START_TEST(a_restart_between_two_commands)
{
    begin();
    char key[32];
    stored(&servers[1], 0, key);
    server_kill(&servers[1]);
    server_start_again(&servers[1]);
    sleep_msec(1200);
    ck_rc_within(500, OMCACHE_NOT_FOUND, get(key));
    ck_rc_within(500, OMCACHE_OK, omcache_set(mc, B(key), B("2"), 0, 0, 0, -1));
    ck_value(mc, key, "2");
    omcache_free(mc);
}

/* A server named by its index is not replaced by another. */
START_TEST(a_named_server)
{
    begin();
    int index = index_of(mc, &servers[1]);
    omcache_value_t values[200];
    size_t count = 200;
    ck_rc(OMCACHE_OK, omcache_noop(mc, index, -1));
    server_pause(&servers[1]);
    ck_rc_within(1500, OMCACHE_NO_SERVERS, omcache_noop(mc, index, -1));
    ck_rc_within(1500, OMCACHE_NO_SERVERS, omcache_flush_all(mc, 0, index, -1));
    ck_rc_within(1500, OMCACHE_NO_SERVERS, omcache_stat(mc, NULL, values, &count, index, -1));
    ck_rc_within(100, OMCACHE_NO_SERVERS, omcache_flush_all(mc, 0, index, 0));
    for (int i = 0; i < 3; i++)
        ck_rc(i == index ? OMCACHE_NO_SERVERS : OMCACHE_OK, omcache_noop(mc, i, -1));
    server_resume(&servers[1]);
    omcache_free(mc);
}

Suite *failover_suite(void)
{
    const TTest *const tests[] = {a_stopped_server,    a_killed_server,                a_server_that_was_never_there,
                                  both_of_two_stopped, a_restart_between_two_commands, a_named_server,
                                  keys_of_others_do_not_wait, NULL};
    return suite_of("failover", tests, 40);
}
