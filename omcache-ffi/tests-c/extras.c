/* What goes beyond OMcache 0.3: version, weights, distributions by name, how a server is doing, the last error. */
#include "tests.h"

START_TEST(versions)
{
    unsigned major, minor, patch;
    ck_assert_int_eq(sscanf(omcache_library_version(), "%u.%u.%u", &major, &minor, &patch), 3);
    ck_assert_int_eq(OMCACHE_VERSION, 0x300);
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    char version[32], cut[3];
    ck_rc(OMCACHE_OK, omcache_server_version(mc, 0, version, sizeof version, -1));
    ck_assert_int_eq(sscanf(version, "%u.%u.%u", &major, &minor, &patch), 3);
    ck_rc(OMCACHE_OK, omcache_server_version(mc, 0, cut, sizeof cut, 1000));
    ck_assert_uint_eq(strlen(cut), 2);
    ck_assert_mem_eq(cut, version, 2);
    strcpy(cut, "x");
    ck_rc(OMCACHE_INVALID, omcache_server_version(mc, 0, cut, sizeof cut, 0));
    ck_rc(OMCACHE_INVALID, omcache_server_version(mc, 0, NULL, 3, -1));
    ck_rc(OMCACHE_INVALID, omcache_server_version(mc, 0, cut, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_server_version(NULL, 0, cut, 3, -1));
    ck_assert_str_eq(cut, "x");
    ck_rc(OMCACHE_NO_SERVERS, omcache_server_version(mc, 1, cut, 3, -1));
    ck_assert_str_eq(cut, "");
    omcache_free(mc);
}

/* How often each of two servers is chosen for 1,000 keys. */
static void spread(omcache_t *mc, int chosen[2])
{
    chosen[0] = chosen[1] = 0;
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        int index = omcache_server_index_for_key(mc, B(key));
        ck_assert(index == 0 || index == 1);
        chosen[index]++;
    }
}

START_TEST(weights)
{
    omcache_t *mc = omcache_init();
    const uint32_t nine_to_one[] = {9, 1}, one_to_nine[] = {1, 9}, zero[] = {1, 0};
    int chosen[2];
    ck_rc(OMCACHE_OK, omcache_set_distribution_by_name(mc, "libmemcached_ketama_weighted"));
    ck_rc(OMCACHE_OK, omcache_set_weighted_servers(mc, "b,a", nine_to_one, 2));
    spread(mc, chosen);
    ck_assert_msg(chosen[1] > 800, "b has %d of 1000 keys", chosen[1]);
    ck_rc(OMCACHE_OK, omcache_set_weighted_servers(mc, "b,a", one_to_nine, 2));
    spread(mc, chosen);
    ck_assert_msg(chosen[0] > 800, "a has %d of 1000 keys", chosen[0]);
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, "b,a,c", nine_to_one, 2));
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, "b", nine_to_one, 2));
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, "b,a", zero, 2));
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, "b,a", NULL, 2));
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(mc, NULL, zero, 2));
    ck_rc(OMCACHE_INVALID, omcache_set_weighted_servers(NULL, "b,a", nine_to_one, 2));
    int after[2];
    spread(mc, after);
    ck_assert(after[0] == chosen[0] && after[1] == chosen[1]);
    ck_rc(OMCACHE_OK, omcache_set_weighted_servers(mc, "", NULL, 0));
    ck_assert_ptr_null(omcache_server_info(mc, 0));
    omcache_free(mc);
}

START_TEST(distributions_by_name)
{
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "a,b,c"));
    ck_assert_str_eq(omcache_last_error(mc), "");
    ck_rc(OMCACHE_OK, omcache_set_distribution_by_name(mc, "modula"));
    int index = omcache_server_index_for_key(mc, B("key"));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_by_name(mc, "no_such_distribution"));
    ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "no_such_distribution"));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_by_name(mc, NULL));
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_by_name(NULL, "modula"));
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("key")), index);
    omcache_free(mc);
}

START_TEST(how_a_server_is_doing)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    omcache_server_status_t status = {.state = 77};
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, 700));
    ck_rc(OMCACHE_OK, omcache_server_status(mc, 0, &status));
    ck_assert(status.state == OMCACHE_SERVER_IDLE && status.retry_msec == 0 && status.last_error == NULL);
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_server_status(mc, 0, &status));
    ck_assert(status.state == OMCACHE_SERVER_READY && status.last_error == NULL);
    server_kill(&server);
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_server_status(mc, 0, &status));
    ck_assert_int_eq(status.state, OMCACHE_SERVER_DISABLED);
    ck_assert(status.retry_msec > 0 && status.retry_msec <= 700);
    ck_assert_ptr_nonnull(strstr(status.last_error, "efused"));
    server_start_again(&server);
    sleep_msec(750);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_server_status(mc, 0, &status));
    ck_assert_int_eq(status.state, OMCACHE_SERVER_READY);
    ck_rc(OMCACHE_INVALID, omcache_server_status(mc, 1, &status));
    ck_rc(OMCACHE_INVALID, omcache_server_status(mc, -1, &status));
    ck_rc(OMCACHE_INVALID, omcache_server_status(mc, 0, NULL));
    ck_rc(OMCACHE_INVALID, omcache_server_status(NULL, 0, &status));
    omcache_free(mc);
}

START_TEST(the_last_error)
{
    omcache_t *mc = omcache_init();
    ck_assert_str_eq(omcache_last_error(mc), "");
    ck_rc(OMCACHE_NO_SERVERS, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "No server available"));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, "[broken"));
    ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "[broken"));
    ck_assert_ptr_nonnull(omcache_last_error(NULL));
    /* It is the last failure's, whatever the earlier ones had to tell. */
    ck_rc(OMCACHE_INVALID, omcache_get(mc, B(""), NULL, NULL, NULL, NULL, -1));
    ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "key"));
    size_t none = 0;
    ck_rc(OMCACHE_INVALID, omcache_command(mc, NULL, &none, NULL, NULL, -1));
    ck_assert_ptr_null(strstr(omcache_last_error(mc), "key"));
    server_t server = server_start();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, server.address));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, "[broken"));
    for (int i = 0; i < 2; i++) {
        ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("none"), NULL, NULL, NULL, NULL, -1));
        ck_assert_str_eq(omcache_last_error(mc), omcache_strerror(OMCACHE_NOT_FOUND));
        ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
        ck_assert_str_eq(omcache_last_error(mc), omcache_strerror(OMCACHE_NOT_FOUND));
        server_pause(&server);
        ck_rc(OMCACHE_AGAIN, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 20));
        ck_assert_str_eq(omcache_last_error(mc), omcache_strerror(OMCACHE_AGAIN));
        server_resume(&server);
    }
    /* The cause is told, of a request that was handed over and of one that is refused. */
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "127.0.0.1:1"));
    for (int i = 0; i < 2; i++) {
        ck_rc(OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
        ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "efused"));
    }
    omcache_free(mc);
}

Suite *extras_suite(void)
{
    const TTest *const tests[] = {versions, weights, distributions_by_name, how_a_server_is_doing, the_last_error, NULL};
    return suite_of("extras", tests, 20);
}
