/* Buffer limits: requests that are too large to send, responses that are too large to receive. */
#include "tests.h"

static char *text_of(size_t len)
{
    char *text = malloc(len + 1);
    memset(text, 't', len);
    text[len] = 0;
    return text;
}

START_TEST(receive_limit)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static lines_t lines;
    char *large = text_of(2000);
    const unsigned char *data = (const unsigned char *)"";
    size_t len = 77;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("large"), B(large), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("small"), B("s"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, 1000));
    for (int i = 0; i < 3; i++) {
        ck_rc(OMCACHE_BUFFER_FULL, omcache_get(mc, B("large"), &data, &len, NULL, NULL, -1));
        ck_assert(data == NULL && len == 0);
        ck_value(mc, "small", "s");
    }
    ck_assert_uint_ge(lines_with(&lines, 4, "Buffer full"), 3);
    ck_assert_uint_eq(lines_with(&lines, 0, "disabled"), 0);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("large")), 0);
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, 1056 * 1024));
    ck_value(mc, "large", large);
    free(large);
    omcache_free(mc);
}

START_TEST(receive_limit_among_others)
{
    server_t servers[2] = {server_start(), server_start()};
    omcache_t *mc = handle_of(servers, 2);
    char *large = text_of(300000), keys[8][32];
    const unsigned char *key[8];
    size_t lens[8], reqc = 8, valc = 8, full = 0, whole = 0;
    omcache_req_t reqs[8];
    omcache_value_t values[8];
    for (int i = 0; i < 8; i++) {
        key_for(mc, i % 2, i, keys[i]);
        key[i] = (const unsigned char *)keys[i];
        lens[i] = strlen(keys[i]);
        ck_rc(OMCACHE_OK, omcache_set(mc, B(keys[i]), B(i % 4 ? keys[i] : large), 0, 0, 0, -1));
    }
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, 100000));
    ck_rc(OMCACHE_OK, omcache_get_multi(mc, key, lens, 8, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == 8);
    for (size_t i = 0; i < 8; i++) {
        full += values[i].status == OMCACHE_BUFFER_FULL && values[i].data == NULL && values[i].key_len > 0;
        if (values[i].status == OMCACHE_OK) {
            whole++;
            ck_assert(values[i].data_len == values[i].key_len && !memcmp(values[i].data, values[i].key, values[i].key_len));
        }
    }
    ck_assert(full == 2 && whole == 6);
    free(large);
    omcache_free(mc);
}

START_TEST(statistics_under_a_small_receive_limit)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    omcache_value_t values[200];
    size_t count = 200;
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, 30));
    ck_rc(OMCACHE_BUFFER_FULL, omcache_stat(mc, NULL, values, &count, 0, -1));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, 1000));
    count = 200;
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, values, &count, 0, -1));
    ck_assert_uint_gt(count, 50);
    omcache_free(mc);
}

START_TEST(send_limit)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    char *large = text_of(2000);
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 1000));
    ck_rc(OMCACHE_BUFFER_FULL, omcache_set(mc, B("a"), B(large), 0, 0, 0, -1));
    ck_rc(OMCACHE_BUFFER_FULL, omcache_set(mc, B("a"), B(large), 0, 0, 0, 0));
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("fits"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 3000));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B(large), 0, 0, 0, -1));
    ck_value(mc, "a", large);
    ck_assert_uint_eq(server_stat(&server, "cmd_set"), 2);
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 0));
    ck_rc(OMCACHE_BUFFER_FULL, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    free(large);
    omcache_free(mc);
}

START_TEST(large_values)
{
    server_t server = server_start_with("-I", "32m");
    omcache_t *mc = handle_of(&server, 1);
    const size_t len = 12 * 1024 * 1024;
    char *large = text_of(len);
    ck_rc(OMCACHE_BUFFER_FULL, omcache_set(mc, B("a"), B(large), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 16 * 1024 * 1024));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B(large), 0, 0, 0, -1));
    ck_rc(OMCACHE_BUFFER_FULL, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, SIZE_MAX));
    ck_value(mc, "a", large);
    free(large);
    omcache_free(mc);
}

Suite *limits_suite(void)
{
    const TTest *const tests[] = {receive_limit, receive_limit_among_others, statistics_under_a_small_receive_limit,
                                  send_limit,    large_values,               NULL};
    return suite_of("limits", tests, 20);
}
