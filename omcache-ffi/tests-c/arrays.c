/* Arrays of requests and values: batches, partial answers over several calls, too few slots, requests that are not active. */
#include "tests.h"

#include <arpa/inet.h>

enum { MOST = 64 };

/* A multi-get: its keys, requests and values. */
typedef struct multi_s {
    char text[MOST][32];
    const unsigned char *keys[MOST];
    size_t lens[MOST], count, reqc, valc;
    omcache_req_t reqs[MOST];
    omcache_value_t values[MOST];
} multi_t;

static void add_key(multi_t *multi, const char *key)
{
    snprintf(multi->text[multi->count], sizeof *multi->text, "%s", key);
    multi->keys[multi->count] = (const unsigned char *)multi->text[multi->count];
    multi->lens[multi->count] = strlen(key);
    multi->count++;
    multi->reqc = multi->valc = multi->count;
}

static int get_multi(omcache_t *mc, multi_t *multi, int timeout)
{
    return omcache_get_multi(mc, multi->keys, multi->lens, multi->count, multi->reqs, &multi->reqc, multi->values,
                             &multi->valc, timeout);
}

static int more(omcache_t *mc, multi_t *multi, int timeout)
{
    multi->valc = multi->count;
    return omcache_io(mc, multi->reqs, &multi->reqc, multi->values, &multi->valc, timeout);
}

/* The value whose key this is; NULL where there is none. */
static const omcache_value_t *value_of(const multi_t *multi, const char *key)
{
    const omcache_value_t *found = NULL;
    for (size_t i = 0; i < multi->valc; i++) {
        const omcache_value_t *value = &multi->values[i];
        if (value->key_len == strlen(key) && memcmp(value->key, key, value->key_len) == 0) {
            ck_assert_msg(!found, "two values for %s", key);
            found = value;
        }
    }
    return found;
}

static void ck_hit(const multi_t *multi, const char *key, const char *text)
{
    const omcache_value_t *value = value_of(multi, key);
    ck_assert_msg(value, "no value for %s", key);
    ck_rc(OMCACHE_OK, value->status);
    ck_assert_uint_eq(value->data_len, strlen(text));
    ck_assert_mem_eq(value->data, text, value->data_len);
}

static void store(omcache_t *mc, const char *key)
{
    ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 9, 0, -1));
}

START_TEST(hits_and_misses)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    multi_t multi = {0};
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add_key(&multi, key);
        if (i % 3 == 0)
            store(mc, key);
    }
    ck_rc(OMCACHE_OK, get_multi(mc, &multi, -1));
    ck_assert(multi.valc == 7 && multi.reqc == 0);
    for (size_t i = 0; i < 20; i++) {
        if (i % 3 == 0) {
            ck_hit(&multi, multi.text[i], multi.text[i]);
            ck_assert_uint_eq(value_of(&multi, multi.text[i])->flags, 9);
            ck_assert_uint_ne(value_of(&multi, multi.text[i])->cas, 0);
        }
    }
    /* Nothing but misses, no keys at all, and the same key twice. */
    multi_t misses = {0};
    add_key(&misses, "none");
    add_key(&misses, "nothing");
    ck_rc(OMCACHE_OK, get_multi(mc, &misses, -1));
    ck_assert(misses.valc == 0 && misses.reqc == 0);
    multi_t empty = {0};
    empty.reqc = 5;
    ck_rc(OMCACHE_OK, omcache_get_multi(mc, empty.keys, empty.lens, 0, empty.reqs, &empty.reqc, empty.values,
                                        &empty.valc, -1));
    ck_assert(empty.reqc == 0 && empty.valc == 0);
    multi_t twice = {0};
    add_key(&twice, "k0");
    add_key(&twice, "k0");
    ck_rc(OMCACHE_OK, get_multi(mc, &twice, -1));
    ck_assert(twice.valc == 2 && twice.reqc == 0);
    ck_assert_mem_eq(twice.values[1].data, "k0", 2);
    omcache_free(mc);
}

START_TEST(gat_multi_sets_expirations)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    multi_t multi = {0};
    store(mc, "stays");
    store(mc, "goes");
    add_key(&multi, "stays");
    add_key(&multi, "goes");
    add_key(&multi, "none");
    time_t times[] = {0, PAST, 0};
    ck_rc(OMCACHE_OK, omcache_gat_multi(mc, multi.keys, multi.lens, times, 3, multi.reqs, &multi.reqc, multi.values,
                                        &multi.valc, -1));
    ck_assert_uint_eq(multi.valc, 2);
    ck_hit(&multi, "stays", "stays");
    ck_hit(&multi, "goes", "goes");
    ck_assert_uint_eq(value_of(&multi, "goes")->flags, 9);
    ck_value(mc, "stays", "stays");
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("goes"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
}

/* Three servers with ten keys each, stored; the keys of `multi` are theirs in turn. */
static omcache_t *three(server_t servers[3], multi_t *multi)
{
    for (int i = 0; i < 3; i++)
        servers[i] = server_start();
    omcache_t *mc = handle_of(servers, 3);
    for (int i = 0; i < 30; i++) {
        char key[32];
        key_for(mc, i % 3, i / 3, key);
        store(mc, key);
        add_key(multi, key);
    }
    return mc;
}

static int is_of(omcache_t *mc, const omcache_value_t *value, int index)
{
    return omcache_server_index_for_key(mc, value->key, value->key_len) == index;
}

START_TEST(partial_answers)
{
    server_t servers[3];
    multi_t multi = {0};
    omcache_t *mc = three(servers, &multi);
    ck_rc(OMCACHE_OK, get_multi(mc, &multi, -1));
    ck_assert_uint_eq(multi.valc, 30);
    for (size_t i = 0; i < 30; i++) {
        ck_hit(&multi, multi.text[i], multi.text[i]);
        ck_assert(multi.reqs[i].server_index >= 0 && multi.reqs[i].server_index < 3);
    }
    int slow = index_of(mc, &servers[1]);
    server_pause(&servers[1]);
    multi.reqc = multi.valc = 30;
    ck_rc(OMCACHE_AGAIN, get_multi(mc, &multi, 200));
    ck_assert(multi.valc == 20 && multi.reqc == 30);
    for (size_t i = 0; i < multi.valc; i++)
        ck_assert(!is_of(mc, &multi.values[i], slow));
    ck_rc(OMCACHE_AGAIN, more(mc, &multi, 50));
    ck_assert(multi.valc == 0 && multi.reqc == 30);
    ck_rc(OMCACHE_AGAIN, more(mc, &multi, 0));
    server_resume(&servers[1]);
    ck_rc(OMCACHE_OK, more(mc, &multi, -1));
    ck_assert(multi.valc == 10 && multi.reqc == 0);
    for (size_t i = 0; i < multi.valc; i++) {
        ck_assert(is_of(mc, &multi.values[i], slow));
        ck_assert_mem_eq(multi.values[i].data, multi.values[i].key, multi.values[i].key_len);
    }
    omcache_free(mc);
}

START_TEST(failures_are_values)
{
    server_t servers[3];
    multi_t multi = {0};
    omcache_t *mc = three(servers, &multi);
    int lost = index_of(mc, &servers[2]);
    server_pause(&servers[2]);
    ck_rc(OMCACHE_AGAIN, get_multi(mc, &multi, 200));
    ck_assert_uint_eq(multi.valc, 20);
    server_kill(&servers[2]);
    ck_rc(OMCACHE_OK, more(mc, &multi, -1));
    ck_assert(multi.valc == 10 && multi.reqc == 0);
    for (size_t i = 0; i < multi.valc; i++) {
        ck_rc(OMCACHE_SERVER_FAILURE, multi.values[i].status);
        ck_assert_int_eq(multi.values[i].key[0], 'k');
        ck_assert_uint_eq(multi.values[i].data_len, 0);
    }
    /* Now its keys are the others': they miss there, and nothing fails. */
    multi.reqc = multi.valc = 30;
    ck_rc(OMCACHE_OK, get_multi(mc, &multi, -1));
    ck_assert_uint_eq(multi.valc, 20);
    for (size_t i = 0; i < 30; i++)
        ck_assert_int_ne(omcache_server_index_for_key(mc, multi.keys[i], multi.lens[i]), lost);
    omcache_free(mc);
}

START_TEST(other_calls_in_between)
{
    server_t servers[3];
    multi_t multi = {0};
    omcache_t *mc = three(servers, &multi);
    server_pause(&servers[0]);
    ck_rc(OMCACHE_AGAIN, get_multi(mc, &multi, 100));
    ck_assert_uint_eq(multi.valc, 20);
    server_resume(&servers[0]);
    /* The answers come while nobody asks for them. */
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    int nfds, timeout;
    omcache_poll_fds(mc, &nfds, &timeout);
    ck_rc(OMCACHE_OK, more(mc, &multi, 0));
    ck_assert(multi.valc == 10 && multi.reqc == 0);
    for (size_t i = 0; i < multi.valc; i++)
        ck_assert_mem_eq(multi.values[i].data, multi.values[i].key, multi.values[i].key_len);
    /* So do failures, each with its key. */
    server_pause(&servers[0]);
    multi.reqc = multi.valc = 30;
    ck_rc(OMCACHE_AGAIN, get_multi(mc, &multi, 100));
    server_kill(&servers[0]);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, more(mc, &multi, 0));
    ck_assert(multi.valc == 10 && multi.reqc == 0);
    for (size_t i = 0; i < multi.valc; i++) {
        ck_rc(OMCACHE_SERVER_FAILURE, multi.values[i].status);
        ck_assert(multi.values[i].key_len > 4 && memcmp(multi.values[i].key, "key-", 4) == 0);
    }
    omcache_free(mc);
}

START_TEST(requests_that_are_not_active)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    store(mc, "a");
    omcache_req_t req = request(OP_GETK, "a", NULL, 0, NULL);
    omcache_value_t value = {.status = 77};
    size_t reqc = 1, valc = 1;
    ck_rc(OMCACHE_INVALID, omcache_io(mc, &req, &reqc, &value, &valc, -1));
    ck_assert(reqc == 1 && valc == 1 && value.status == 77);
    ck_rc(OMCACHE_OK, omcache_command(mc, &req, &reqc, &value, &valc, -1));
    ck_assert(reqc == 0 && valc == 1);
    /* Settled. */
    reqc = 1;
    ck_rc(OMCACHE_INVALID, omcache_io(mc, &req, &reqc, &value, &valc, -1));
    /* Not waited for, and asked for later. */
    ck_rc(OMCACHE_BUFFERED, omcache_command(mc, &req, &reqc, &value, &valc, 0));
    ck_assert(reqc == 1 && valc == 0);
    valc = 1;
    ck_rc(OMCACHE_OK, omcache_io(mc, &req, &reqc, &value, &valc, -1));
    ck_assert(reqc == 0 && valc == 1);
    /* Taken over by a later command. */
    server_pause(&server);
    reqc = valc = 1;
    ck_rc(OMCACHE_AGAIN, omcache_command(mc, &req, &reqc, &value, &valc, 10));
    server_resume(&server);
    ck_value(mc, "a", "a");
    valc = 1;
    ck_rc(OMCACHE_INVALID, omcache_io(mc, &req, &reqc, &value, &valc, -1));
    ck_value(mc, "a", "a");
    omcache_free(mc);
}

START_TEST(too_few_slots)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static lines_t lines;
    multi_t multi = {0};
    for (int i = 0; i < 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        store(mc, key);
        add_key(&multi, key);
    }
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, capture, &lines));
    multi.valc = 4;
    memset(&multi.values[4], 0x5a, sizeof multi.values[4]);
    omcache_value_t untouched = multi.values[4];
    ck_rc(OMCACHE_OK, get_multi(mc, &multi, -1));
    ck_assert(multi.valc == 4 && multi.reqc == 0);
    ck_assert_mem_eq(&multi.values[4], &untouched, sizeof untouched);
    ck_assert_uint_eq(lines_with(&lines, 6, "no space to store response"), 6);
    /* STAT is the usual case, and no more than INFO. */
    lines.count = 0;
    omcache_value_t values[50];
    size_t count = 50;
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, values, &count, 0, 2000));
    ck_assert_uint_eq(count, 50);
    ck_assert_uint_ge(lines_with(&lines, 6, "no space to store response"), 1);
    ck_assert_uint_eq(lines_with(&lines, 6, ""), lines.count);
    count = 3;
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, values, &count, 0, -1));
    ck_assert_uint_eq(count, 3);
    /* No slots wanted at all. */
    lines.count = 0;
    multi.reqc = 10;
    ck_rc(OMCACHE_OK, omcache_get_multi(mc, multi.keys, multi.lens, 10, multi.reqs, &multi.reqc, NULL, NULL, -1));
    ck_rc(OMCACHE_OK, omcache_stat(mc, NULL, NULL, NULL, 0, -1));
    ck_assert_uint_eq(lines.count, 0);
    ck_value(mc, "k1", "k1");
    omcache_free(mc);
}

START_TEST(mixed_commands)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    const unsigned char store_extra[8] = {0};
    const unsigned char count_extra[20] = {[7] = 3, [15] = 40};
    omcache_req_t reqs[] = {
        request(OP_SET, "a", store_extra, 8, "1"), request(OP_GETKQ, "none", NULL, 0, NULL),
        request(OP_GETK, "a", NULL, 0, NULL),      request(OP_INCREMENT, "n", count_extra, 20, NULL),
        request(OP_DELETE, "a", NULL, 0, NULL),    request(OP_SETQ, "b", store_extra, 8, "2"),
        request(OP_GETKQ, "b", NULL, 0, NULL),
    };
    omcache_value_t values[7];
    size_t reqc = 7, valc = 7;
    ck_rc(OMCACHE_OK, omcache_command(mc, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == 5);
    /* Per server, answers come in the order of the requests. */
    ck_assert(values[0].status == OMCACHE_OK && values[0].cas != 0);
    ck_assert(values[1].status == OMCACHE_OK && memcmp(values[1].data, "1", 1) == 0);
    ck_assert_uint_eq(values[2].delta_value, 40);
    ck_assert_int_eq(values[3].status, OMCACHE_OK);
    ck_assert(values[4].data_len == 1 && memcmp(values[4].data, "2", 1) == 0 && values[4].key_len == 1);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(reqs[i].header.magic, 0x80);
        ck_assert_int_eq(reqs[i].server_index, 0);
        ck_assert(i == 0 || reqs[i].header.opaque != reqs[i - 1].header.opaque);
    }
    omcache_free(mc);
}

START_TEST(some_are_refused)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, 400));
    const unsigned char extra[8] = {0};
    char large[500] = "";
    memset(large, 'v', sizeof large - 1);
    omcache_req_t reqs[] = {request(OP_SET, "large", extra, 8, large), request(OP_SET, "a", extra, 8, "1"),
                            request(OP_SET, "huge", extra, 8, large), request(OP_SET, "b", extra, 8, "2")};
    omcache_value_t values[4];
    size_t reqc = 4, valc = 4, full = 0, done = 0;
    ck_rc(OMCACHE_OK, omcache_command(mc, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == 4);
    for (size_t i = 0; i < 4; i++) {
        done += values[i].status == OMCACHE_OK;
        if (values[i].status == OMCACHE_BUFFER_FULL) {
            full++;
            ck_assert(memcmp(values[i].key, "large", 5) == 0 || memcmp(values[i].key, "huge", 4) == 0);
        }
    }
    ck_assert(full == 2 && done == 2);
    ck_value(mc, "a", "1");
    ck_value(mc, "b", "2");
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(mc, B("large"), NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
}

/* A batch larger than all socket buffers: reading goes on while writing. */
START_TEST(a_large_batch)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    enum { COUNT = 3000, LEN = 10000 };
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, (size_t)COUNT * (LEN + 100)));
    char(*keys)[16] = calloc(COUNT, sizeof *keys), *value = malloc(LEN + 1);
    omcache_req_t *reqs = calloc(COUNT, sizeof *reqs);
    omcache_value_t *values = calloc(COUNT, sizeof *values);
    const unsigned char extra[8] = {0};
    memset(value, 'v', LEN);
    value[LEN] = 0;
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        reqs[i] = request(OP_SET, keys[i], extra, 8, value);
    }
    size_t reqc = COUNT, valc = COUNT;
    ck_rc(OMCACHE_OK, omcache_command(mc, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == COUNT);
    for (int i = 0; i < COUNT; i++)
        reqs[i] = request(OP_GETK, keys[i], NULL, 0, NULL);
    reqc = valc = COUNT;
    ck_rc(OMCACHE_OK, omcache_command(mc, reqs, &reqc, values, &valc, -1));
    ck_assert(reqc == 0 && valc == COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(values[i].key_len == strlen(keys[i]) && memcmp(values[i].key, keys[i], values[i].key_len) == 0);
        ck_assert(values[i].data_len == LEN && memcmp(values[i].data, value, LEN) == 0);
    }
    free(keys);
    free(value);
    free(reqs);
    free(values);
    omcache_free(mc);
}

Suite *arrays_suite(void)
{
    const TTest *const tests[] = {hits_and_misses,        gat_multi_sets_expirations,   partial_answers,
                                  failures_are_values,    other_calls_in_between,       too_few_slots,
                                  requests_that_are_not_active, mixed_commands,         some_are_refused,
                                  a_large_batch,          NULL};
    return suite_of("arrays", tests, 30);
}
