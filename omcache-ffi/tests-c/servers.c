/* Server lists: their order, duplicates, ports, nonsense; what a change of the list keeps. */
#include "tests.h"

/* Fails unless the list has this server at `index`. */
static void ck_server(omcache_t *mc, int index, const char *host, int port)
{
    omcache_server_info_t *info = omcache_server_info(mc, index);
    ck_assert_msg(info, "no server %d", index);
    ck_assert_int_eq(info->omcache_version, OMCACHE_VERSION);
    ck_assert_int_eq(info->server_index, index);
    ck_assert_str_eq(info->hostname, host);
    ck_assert_int_eq(info->port, port);
    ck_rc(OMCACHE_OK, omcache_server_info_free(mc, info));
}

static void ck_count(omcache_t *mc, int count)
{
    if (count > 0) {
        omcache_server_info_t *info = omcache_server_info(mc, count - 1);
        ck_assert_ptr_nonnull(info);
        omcache_server_info_free(mc, info);
    }
    ck_assert_ptr_null(omcache_server_info(mc, count));
    ck_assert_ptr_null(omcache_server_info(mc, -1));
    ck_assert_ptr_null(omcache_server_info(mc, INT32_MAX));
}

START_TEST(order)
{
    omcache_t *mc = omcache_init();
    ck_count(mc, 0);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("a")), 0);
    /* By host and port as strings: "11211" before "9". */
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "b:9, b , a:1 ,10.0.0.2,10.0.0.10:11212,  ,,b:11210"));
    ck_count(mc, 6);
    ck_server(mc, 0, "10.0.0.10", 11212);
    ck_server(mc, 1, "10.0.0.2", 11211);
    ck_server(mc, 2, "a", 1);
    ck_server(mc, 3, "b", 11210);
    ck_server(mc, 4, "b", 11211);
    ck_server(mc, 5, "b", 9);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "\tonly\n"));
    ck_count(mc, 1);
    ck_server(mc, 0, "only", 11211);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("a")), 0);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, " , ,,"));
    ck_count(mc, 0);
    ck_rc(OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
}

START_TEST(duplicates)
{
    server_t server = server_start();
    char list[600];
    snprintf(list, sizeof list, "%s,%s,other,%s", server.address, server.address, server.address);
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_count(mc, 4);
    for (int i = 0; i < 3; i++) {
        ck_server(mc, i, "127.0.0.1", server.port);
        ck_rc(OMCACHE_OK, omcache_noop(mc, i, -1));
    }
    ck_server(mc, 3, "other", 11211);
    ck_assert_uint_eq(server_stat(&server, "curr_connections"), 3 + 1);
    /* One of them goes: its connection is closed, the others stay. */
    snprintf(list, sizeof list, "%s,%s", server.address, server.address);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    int64_t until = now_msec() + patience(3000);
    while (server_stat(&server, "curr_connections") > 2 + 1 && now_msec() < until)
        sleep_msec(1);
    ck_assert_uint_eq(server_stat(&server, "curr_connections"), 2 + 1);
    ck_value(mc, "a", "1");
    omcache_free(mc);
}

/* The system's look-up takes such a number modulo 65536; it must not lead to another port. */
START_TEST(ports_that_can_not_be)
{
    server_t server = server_start();
    const char *hosts[] = {"localhost", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        char list[64], number[16];
        snprintf(number, sizeof number, "%d", server.port + 65536);
        snprintf(list, sizeof list, "%s:%s", hosts[i], number);
        omcache_t *mc = omcache_init();
        ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
        ck_rc(OMCACHE_NO_SERVERS, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 5000));
        ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), number));
        ck_server(mc, 0, hosts[i], server.port + 65536);
        omcache_free(mc);
    }
}

START_TEST(ports)
{
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "127.0.0.1:99999,127.0.0.2:80http,127.0.0.3:memcached,127.0.0.4:0,"
                                              "127.0.0.5:00011211,127.0.0.foobar:asdf"));
    ck_count(mc, 6);
    ck_server(mc, 0, "127.0.0.1", 99999);
    ck_server(mc, 1, "127.0.0.2", 80);
    ck_server(mc, 2, "127.0.0.3", 0);
    ck_server(mc, 3, "127.0.0.4", 0);
    ck_server(mc, 4, "127.0.0.5", 11211);
    ck_server(mc, 5, "127.0.0.foobar", 0);
    omcache_free(mc);
}

START_TEST(names_that_lead_nowhere)
{
    server_t server = server_start();
    static lines_t lines;
    char list[300];
    snprintf(list, sizeof list, "127.0.0.foobar:asdf,127.0.0.1:no-such-service,%s", server.address);
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_assert_uint_eq(lines.count, 0);
    /* All keys end up at the server that is there, each within its call. */
    for (int i = 0; i < 60; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 0, 0, 20000));
        ck_value(mc, key, key);
    }
    ck_assert_uint_eq(lines_with(&lines, 4, "[127.0.0.foobar:asdf]: disabled"), 1);
    ck_assert_uint_eq(lines_with(&lines, 4, "[127.0.0.1:no-such-service]: disabled"), 1);
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, 2, -1));
    omcache_free(mc);
}

START_TEST(other_notations)
{
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "[::1]:300,::2,[2001:db8::3],fe80::1,/some/path,unix:/other:path"));
    ck_count(mc, 6);
    ck_server(mc, 0, "/other:path", 0);
    ck_server(mc, 1, "/some/path", 0);
    ck_server(mc, 2, "2001:db8::3", 11211);
    ck_server(mc, 3, "::1", 300);
    ck_server(mc, 4, "::2", 11211);
    ck_server(mc, 5, "fe80::1", 11211);
    omcache_free(mc);
}

START_TEST(a_unix_socket)
{
    char folder[] = "/tmp/omcache-tests-XXXXXX", path[64], list[80];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    server_t server = server_start_unix(path);
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_value(mc, "a", "1");
    snprintf(list, sizeof list, "unix:%s", path);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_value(mc, "a", "1");
    omcache_free(mc);
    unlink(path);
    rmdir(folder);
}

START_TEST(nonsense)
{
    const char *const lists[] = {"a,[::1", "[::1]x", "[]:1", "a:", ":1", ":", "unix:", "a:1:2", "a,\xc3("};
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        ck_assert_msg(omcache_set_servers(mc, lists[i]) == OMCACHE_INVALID, "%s", lists[i]);
        ck_count(mc, 1);
    }
    ck_value(mc, "a", "1");
    ck_assert_uint_eq(server_stat(&server, "total_connections"), 1 + 2);
    /* A very long list, and very long names. */
    char *list = malloc(200000);
    memset(list, ',', 199999);
    list[199999] = 0;
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_count(mc, 0);
    memset(list, 'h', 199999);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_count(mc, 1);
    ck_rc(OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 10000));
    list[0] = '/';
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_rc(OMCACHE_NO_SERVERS, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 10000));
    free(list);
    omcache_free(mc);
}

START_TEST(servers_that_stay_keep_their_connections)
{
    server_t servers[3] = {server_start(), server_start(), server_start()};
    char list[400];
    omcache_t *mc = handle_of(servers, 2);
    for (int i = 0; i < 2; i++)
        ck_rc(OMCACHE_OK, omcache_noop(mc, i, -1));
    snprintf(list, sizeof list, "%s,%s", servers[2].address, servers[1].address);
    /* What is outstanding on one that stays is answered; on one that goes, it has failed. */
    server_pause(&servers[0]);
    server_pause(&servers[1]);
    char keys[2][32];
    const unsigned char *key[2];
    size_t lens[2], reqc = 2, valc = 2;
    omcache_req_t reqs[2];
    omcache_value_t values[2];
    for (int i = 0; i < 2; i++) {
        key_for(mc, index_of(mc, &servers[i]), 0, keys[i]);
        key[i] = (const unsigned char *)keys[i];
        lens[i] = strlen(keys[i]);
    }
    ck_rc(OMCACHE_AGAIN, omcache_get_multi(mc, key, lens, 2, reqs, &reqc, values, &valc, 50));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    valc = 2;
    ck_rc(OMCACHE_AGAIN, omcache_io(mc, reqs, &reqc, values, &valc, 50));
    ck_assert_uint_eq(valc, 1);
    ck_rc(OMCACHE_SERVER_FAILURE, values[0].status);
    ck_assert(values[0].key_len == lens[0] && memcmp(values[0].key, keys[0], lens[0]) == 0);
    server_resume(&servers[1]);
    valc = 2;
    ck_rc(OMCACHE_OK, omcache_io(mc, reqs, &reqc, values, &valc, -1));
    ck_assert_uint_eq(valc, 0);
    ck_assert_uint_eq(server_stat(&servers[1], "total_connections"), 1 + 2);
    omcache_free(mc);
}

Suite *servers_suite(void)
{
    const TTest *const tests[] = {order,
                                  duplicates,
                                  ports,
                                  ports_that_can_not_be,
                                  names_that_lead_nowhere,
                                  other_notations,
                                  a_unix_socket,
                                  nonsense,
                                  servers_that_stay_keep_their_connections,
                                  NULL};
    return suite_of("servers", tests, 60);
}
