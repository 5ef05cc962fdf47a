/* What becomes of requests that nobody waits for, that are thrown away or refused: each ends, and is told where it can be. */
#include "tests.h"

enum { KEYS = 60, MANY = 60000, LONG = 200 };

/* Statuses that a response callback was told. */
typedef struct told_s {
    size_t ok, failed, others;
} told_t;

static void count_told(omcache_t *mc, omcache_value_t *result, void *context)
{
    told_t *told = context;
    (void)mc;
    told->ok += result->status == OMCACHE_OK;
    told->failed += result->status == OMCACHE_SERVER_FAILURE || result->status == OMCACHE_NO_SERVERS;
    told->others += result->status != OMCACHE_OK && result->status < OMCACHE_AGAIN;
}

typedef struct batch_s {
    char text[KEYS][16];
    const unsigned char *keys[KEYS];
    size_t lens[KEYS], reqc, valc;
    time_t times[KEYS];
    omcache_req_t reqs[KEYS];
    omcache_value_t values[KEYS];
} batch_t;

static void fill(batch_t *batch)
{
    for (int i = 0; i < KEYS; i++) {
        snprintf(batch->text[i], sizeof *batch->text, "k%d", i);
        batch->keys[i] = (const unsigned char *)batch->text[i];
        batch->lens[i] = strlen(batch->text[i]);
        batch->times[i] = 0;
    }
    batch->reqc = batch->valc = KEYS;
}

static int get_all(omcache_t *mc, batch_t *batch, int gat, int timeout)
{
    fill(batch);
    if (gat)
        return omcache_gat_multi(mc, batch->keys, batch->lens, batch->times, KEYS, batch->reqs, &batch->reqc,
                                 batch->values, &batch->valc, timeout);
    return omcache_get_multi(mc, batch->keys, batch->lens, KEYS, batch->reqs, &batch->reqc, batch->values,
                             &batch->valc, timeout);
}

/* Requests that are awaited stay so where a call with a bad key is refused. */
START_TEST(refused_beside_awaited)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static batch_t batch;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("k1"), B("v"), 0, 0, 0, -1));
    ck_rc(OMCACHE_BUFFERED, get_all(mc, &batch, 0, 0));
    static const unsigned char long_key[251];
    const unsigned char *bad[] = {(const unsigned char *)"a", long_key};
    size_t lens[] = {1, 251}, reqc = 2, valc = 2;
    omcache_req_t reqs[2];
    omcache_value_t values[2];
    ck_rc(OMCACHE_INVALID, omcache_get_multi(mc, bad, lens, 2, reqs, &reqc, values, &valc, -1));
    batch.valc = KEYS;
    ck_rc(OMCACHE_OK, omcache_io(mc, batch.reqs, &batch.reqc, batch.values, &batch.valc, -1));
    ck_assert_uint_eq(batch.valc, 1);
    omcache_free(mc);
    server_kill(&server);
}
END_TEST

/* A multi-get that did not wait is awaited later, whether some keys are there or none. */
START_TEST(a_batch_that_did_not_wait)
{
    server_t servers[2] = {server_start(), server_start()};
    omcache_t *mc = handle_of(servers, 2);
    static batch_t batch;
    for (int stored = 0; stored <= KEYS; stored += KEYS / 2) {
        for (int i = 0; i < stored; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 0, 0, -1));
        }
        for (int gat = 0; gat < 2; gat++) {
            ck_rc(OMCACHE_BUFFERED, get_all(mc, &batch, gat, 0));
            ck_assert(batch.reqc == KEYS && batch.valc == 0);
            batch.valc = KEYS;
            ck_rc(OMCACHE_OK, omcache_io(mc, batch.reqs, &batch.reqc, batch.values, &batch.valc, -1));
            ck_assert(batch.reqc == 0 && batch.valc == (size_t)stored);
            /* By calls that do not wait either. */
            ck_rc(OMCACHE_BUFFERED, get_all(mc, &batch, gat, 0));
            size_t hits = 0;
            int rc;
            int64_t until = now_msec() + patience(5000);
            do {
                batch.valc = KEYS;
                rc = omcache_io(mc, batch.reqs, &batch.reqc, batch.values, &batch.valc, 0);
                hits += batch.valc;
            } while (rc == OMCACHE_AGAIN && now_msec() < until);
            ck_rc(OMCACHE_OK, rc);
            ck_assert_uint_eq(hits, stored);
        }
    }
    omcache_free(mc);
}

/* What is thrown away ends as a failure, what was sent is answered, and the log is spared. */
START_TEST(a_batch_thrown_away_in_part)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static char text[MANY][LONG];
    static const unsigned char *keys[MANY];
    static size_t lens[MANY];
    static omcache_req_t reqs[MANY];
    static omcache_value_t values[MANY];
    static lines_t lines;
    size_t reqc = MANY, valc = MANY;
    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], LONG, "%0*d", LONG - 1, i);
        keys[i] = (const unsigned char *)text[i];
        lens[i] = LONG - 1;
    }
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 64 * 1024 * 1024));
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    server_pause(&server);
    ck_rc(OMCACHE_AGAIN, omcache_get_multi(mc, keys, lens, MANY, reqs, &reqc, values, &valc, 100));
    ck_assert(reqc == MANY && valc == 0);
    ck_rc(OMCACHE_OK, omcache_reset_buffers(mc));
    server_resume(&server);
    valc = MANY;
    ck_rc_within(10000, OMCACHE_OK, omcache_io(mc, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc > 0 && valc < MANY);
    for (size_t i = 0; i < valc; i++)
        ck_rc(OMCACHE_SERVER_FAILURE, values[i].status);
    ck_assert_uint_eq(server_stat(&server, "cmd_get"), MANY - valc);
    ck_assert_uint_eq(lines.count, 0);
    ck_assert_ptr_null(strstr(omcache_last_error(mc), "ommunicat"));
    omcache_free(mc);
}

/* Commands that were not waited for, and whose server is lost: the response callback hears of each. */
START_TEST(commands_lost_with_their_server)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    told_t told = {0};
    static lines_t lines;
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 300));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 300));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 5, capture, &lines));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, count_told, &told));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    server_pause(&server);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B(key), B(key), 0, 0, 0, 0));
    }
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_assert(told.failed == 100 && told.ok == 0 && told.others == 0);
    ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "not answered"));
    /* The loss has a line or two, not each command. */
    ck_assert_msg(lines.count > 0 && lines.count < 10, "%zu lines", lines.count);
    /* A failure that a call returns is not told twice. */
    ck_assert_int_ne(omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1), OMCACHE_OK);
    ck_assert_uint_eq(told.failed, 100);
    server_resume(&server);
    omcache_free(mc);
}

/* Those of a call that gave up are kept for it, and the callback hears of them as of responses. */
START_TEST(requests_lost_between_two_calls)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static batch_t batch;
    told_t told = {0};
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, count_told, &told));
    server_pause(&server);
    ck_rc(OMCACHE_AGAIN, get_all(mc, &batch, 0, 10));
    server_kill(&server);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_assert_uint_eq(told.failed, KEYS);
    batch.valc = KEYS;
    ck_rc(OMCACHE_OK, omcache_io(mc, batch.reqs, &batch.reqc, batch.values, &batch.valc, -1));
    ck_assert(batch.reqc == 0 && batch.valc == KEYS && batch.values[0].key_len > 0);
    for (int i = 0; i < KEYS; i++)
        ck_assert_int_ge(batch.values[i].status, OMCACHE_SERVER_FAILURE);
    omcache_free(mc);
}

/* Requests that the call itself wrote point to nothing that is gone. */
START_TEST(refused_requests_of_a_batch)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static batch_t batch;
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 300));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    ck_rc(OMCACHE_BUFFERED, get_all(mc, &batch, 1, 0));
    size_t accepted = batch.reqc, refused = KEYS - accepted, valc = KEYS;
    ck_assert(accepted > 0 && refused > 0);
    for (int i = 0; i < KEYS; i++)
        ck_assert_ptr_null(batch.reqs[i].extra);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_command(mc, &batch.reqs[accepted], &refused, batch.values, &valc, -1));
    ck_assert(refused == 0);
    omcache_free(mc);
}

/* How statistics ended is told, whether there is room for them or not. */
START_TEST(statistics_without_room)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    omcache_value_t values[2];
    size_t count = 0;
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, NULL, NULL, 0, -1));
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, values, &count, 0, -1));
    ck_rc(OMCACHE_NOT_FOUND, omcache_stat(mc, "no-such-group", NULL, NULL, 0, -1));
    count = 2;
    ck_rc(OMCACHE_NOT_FOUND, omcache_stat(mc, "no-such-group", values, &count, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 200));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 200));
    server_pause(&server);
    ck_rc(OMCACHE_NO_SERVERS, omcache_stat(mc, NULL, NULL, NULL, 0, -1));
    count = 0;
    ck_rc(OMCACHE_NO_SERVERS, omcache_stat(mc, NULL, values, &count, 0, -1));
    server_resume(&server);
    omcache_free(mc);
}

Suite *fates_suite(void)
{
    const TTest *const tests[] = {a_batch_that_did_not_wait,
                                  a_batch_thrown_away_in_part,
                                  commands_lost_with_their_server,
                                  requests_lost_between_two_calls,
                                  refused_requests_of_a_batch,
                                  refused_beside_awaited,
                                  statistics_without_room,
                                  NULL};
    return suite_of("fates", tests, 30);
}
