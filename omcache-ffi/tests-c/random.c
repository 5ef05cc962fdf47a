/* Random calls, settings, failures, nested calls and jumps: whatever happens, a key has its own value or none. */
#include "tests.h"

#include <setjmp.h>
#include <signal.h>

enum { SERVERS = 3, KEYS = 40, BATCH = 12 };

static server_t servers[SERVERS];
static enum { RUNS, PAUSED, DEAD } states[SERVERS];
static omcache_t *mc;
static int nowhere, depth, may_jump, answered;
static jmp_buf away;
static uint64_t state;

/* A number below `end`. */
static int number(int end)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int)((state >> 33) % (uint64_t)end);
}

static int32_t timeout(void)
{
    static const int32_t some[] = {0, 1, 5, 200, 1000, -1};
    return some[number(6)];
}

static void pick(char name[16])
{
    snprintf(name, 16, "key-%d", number(KEYS));
}

/* A key's value begins with the key and has a length that is told in it; large ones among them. */
static size_t value_of(const char *name, char value[70000])
{
    size_t len = number(4) ? 20 + (size_t)number(300) : (size_t)number(65000) + 100;
    memset(value, 'v', len);
    int head = snprintf(value, len, "%s:", name);
    value[head] = 'v';
    return len;
}

static void ck_code(int rc)
{
    ck_assert_msg(rc == OMCACHE_OK || rc == OMCACHE_NOT_FOUND || rc == OMCACHE_KEY_EXISTS || rc == OMCACHE_NOT_STORED ||
                      rc == OMCACHE_DELTA_BAD_VALUE || (rc >= OMCACHE_AGAIN && rc <= OMCACHE_SERVER_FAILURE),
                  "0x%x", (unsigned)rc);
    ck_assert_int_ne(rc, OMCACHE_INVALID);
}

/* Fails unless a value is that of its key. */
static void ck_own(const unsigned char *name, size_t name_len, const unsigned char *data, size_t len)
{
    ck_assert_msg(len > name_len && memcmp(data, name, name_len) == 0 && data[name_len] == ':', "%.*s has %.30s",
                  (int)name_len, (const char *)name, (const char *)data);
    size_t own = name_len + 1;
    while (own < len && (data[own] == 'v' || data[own] == '+'))
        own++;
    ck_assert_uint_eq(own, len);
    answered++;
}

static void one_get(void)
{
    char name[16];
    pick(name);
    const unsigned char *data;
    size_t len;
    int rc = number(2) ? omcache_get(mc, B(name), &data, &len, NULL, NULL, timeout())
                       : omcache_gat(mc, B(name), &data, &len, 0, NULL, NULL, timeout());
    ck_code(rc);
    if (rc == OMCACHE_OK)
        ck_own((const unsigned char *)name, strlen(name), data, len);
    else
        ck_assert(data == NULL && len == 0);
}

static void one_store(void)
{
    static char room[4][70000];
    char *value = room[depth], name[16];
    pick(name);
    size_t len = value_of(name, value);
    const unsigned char *data = (const unsigned char *)value;
    switch (number(5)) {
    case 0:
        ck_code(omcache_add(mc, B(name), data, len, 0, 0, timeout()));
        break;
    case 1:
        ck_code(omcache_replace(mc, B(name), data, len, 0, 0, timeout()));
        break;
    case 2:
        ck_code(omcache_append(mc, B(name), B("+"), 0, timeout()));
        break;
    default:
        ck_code(omcache_set(mc, B(name), data, len, 0, 0, 0, timeout()));
    }
}

static void one_batch(void)
{
    const unsigned char *keys[BATCH];
    char names[BATCH][16];
    size_t lens[BATCH], count = 1 + (size_t)number(BATCH), reqc = count, valc = count;
    time_t times[BATCH] = {0};
    omcache_req_t reqs[BATCH];
    omcache_value_t values[BATCH];
    for (size_t i = 0; i < count; i++) {
        pick(names[i]);
        keys[i] = (const unsigned char *)names[i];
        lens[i] = strlen(names[i]);
    }
    int rc = number(2) ? omcache_get_multi(mc, keys, lens, count, reqs, &reqc, values, &valc, timeout())
                       : omcache_gat_multi(mc, keys, lens, times, count, reqs, &reqc, values, &valc, timeout());
    for (int tries = 0;; tries++) {
        ck_code(rc);
        ck_assert(valc <= count && reqc <= count);
        ck_assert(rc != OMCACHE_OK || reqc == 0);
        for (size_t i = 0; i < valc; i++) {
            if (values[i].status == OMCACHE_OK)
                ck_own(values[i].key, values[i].key_len, values[i].data, values[i].data_len);
            else
                ck_assert_msg(values[i].status >= OMCACHE_AGAIN && values[i].key_len > 0, "value %zu of %zu: 0x%x, key of %zu",
                              i, valc, (unsigned)values[i].status, values[i].key_len);
        }
        if (rc != OMCACHE_AGAIN || tries == number(6))
            return;
        valc = count;
        rc = omcache_io(mc, reqs, &reqc, values, &valc, timeout());
    }
}

static void one_count(void)
{
    uint64_t value = 77;
    int rc = number(2) ? omcache_increment(mc, B("counter"), 1, 1, 0, &value, timeout())
                       : omcache_decrement(mc, B("counter"), 1, 1, OMCACHE_DELTA_NO_ADD, &value, timeout());
    ck_code(rc);
    ck_assert(rc == OMCACHE_OK ? value < 100000 : value == 0);
}

static void other_call(void)
{
    char name[16];
    pick(name);
    omcache_value_t values[30];
    size_t count = (size_t)number(30);
    int nfds, sleep;
    switch (number(9)) {
    case 0:
        ck_code(omcache_delete(mc, B(name), timeout()));
        break;
    case 1:
        ck_code(omcache_touch(mc, B(name), 0, timeout()));
        break;
    case 2:
        ck_code(omcache_noop(mc, number(SERVERS + 1), timeout()));
        break;
    case 3:
        ck_code(omcache_stat(mc, NULL, values, &count, number(SERVERS), timeout()));
        break;
    case 4:
        ck_code(omcache_io(mc, NULL, NULL, NULL, NULL, timeout()));
        break;
    case 5:
        ck_rc(OMCACHE_OK, omcache_reset_buffers(mc));
        break;
    case 6:
        ck_rc(OMCACHE_OK, omcache_set_buffering(mc, number(3) == 0));
        break;
    default:
        ck_assert(omcache_poll_fds(mc, &nfds, &sleep) || nfds == 0);
    }
}

static void set_list(void)
{
    char list[1000] = "";
    size_t used = 0;
    for (int i = 0; i < SERVERS; i++) {
        if (number(5))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s:%d,", number(4) ? "127.0.0.1" : "localhost",
                                     servers[i].port);
    }
    if (number(4) == 0)
        snprintf(list + used, sizeof list - used, "127.0.0.1:%d", nowhere);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
}

static void settle_in(void)
{
    ck_rc(OMCACHE_OK, omcache_set_recv_buffer_max_size(mc, number(4) ? 1 << 20 : 2000));
    ck_rc(OMCACHE_OK, omcache_set_send_buffer_max_size(mc, number(4) ? 1 << 20 : 5000));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, (uint32_t)number(100) + 20));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, (uint32_t)number(100) + 20));
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, (uint32_t)number(100)));
}

static void hurt_a_server(void)
{
    int i = number(SERVERS);
    if (states[i] == DEAD) {
        server_start_again(&servers[i]);
        states[i] = RUNS;
    } else if (states[i] == PAUSED) {
        server_resume(&servers[i]);
        states[i] = RUNS;
    } else if (number(3) == 0) {
        server_kill(&servers[i]);
        states[i] = DEAD;
    } else {
        server_pause(&servers[i]);
        states[i] = PAUSED;
    }
}

static void one_call(void)
{
    switch (number(8)) {
    case 0:
    case 1:
        one_get();
        break;
    case 2:
    case 3:
        one_store();
        break;
    case 4:
    case 5:
        one_batch();
        break;
    case 6:
        one_count();
        break;
    default:
        other_call();
    }
}

static void from_within(void)
{
    if (depth < 3 && number(40) == 0) {
        depth++;
        one_call();
        depth--;
    } else if (may_jump && number(300) == 0) {
        longjmp(away, 1);
    }
}

static void on_response(omcache_t *handle, omcache_value_t *result, void *context)
{
    char name[20];
    (void)handle, (void)context;
    size_t len = result->key_len < sizeof name ? result->key_len : 0;
    memcpy(name, result->key ? result->key : (const unsigned char *)"", len);
    from_within();
    /* It is where it was. */
    ck_assert(len == 0 || memcmp(name, result->key, len) == 0);
    if (result->status == OMCACHE_OK && len > 4 && memcmp(name, "key-", 4) == 0 && result->data_len > 0)
        ck_own(result->key, result->key_len, result->data, result->data_len);
}

static void on_line(void *context, int level, const char *msg)
{
    (void)context;
    ck_assert(level >= 3 && level <= 7 && msg[0] == '[');
    from_within();
}

static void step(void)
{
    depth = 0;
    if (setjmp(away))
        return;
    int what = number(100);
    if (what < 2)
        set_list();
    else if (what < 4)
        settle_in();
    else if (what < 7)
        hurt_a_server();
    else
        one_call();
}

/* OMCACHE_SEED and OMCACHE_STEPS make it another, longer run. _i is part of the seed. */
START_TEST(random_calls)
{
    const char *seed = getenv("OMCACHE_SEED"), *steps = getenv("OMCACHE_STEPS");
    state = (seed ? strtoull(seed, NULL, 10) : 1) * 1000 + (uint64_t)_i;
    nowhere = refusing_port();
    for (int i = 0; i < SERVERS; i++)
        servers[i] = server_start();
    mc = handle_of(servers, SERVERS);
    settle_in();
    may_jump = _i != 0;
    /* The last run is without callbacks. */
    if (_i < 3) {
        ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, on_response, NULL));
        ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, _i == 2 ? 7 : 0, on_line, NULL));
    }
    for (int i = 0; i < (steps ? atoi(steps) : 1500); i++)
        step();
    may_jump = 0;
    /* Afterwards everything works. */
    for (int i = 0; i < SERVERS; i++) {
        if (states[i] == DEAD)
            server_start_again(&servers[i]);
        else if (states[i] == PAUSED)
            server_resume(&servers[i]);
    }
    omcache_set_response_callback(mc, NULL, NULL);
    omcache_set_buffering(mc, 0);
    omcache_set_dead_timeout(mc, 5000);
    omcache_set_connect_timeout(mc, 5000);
    omcache_set_recv_buffer_max_size(mc, 1 << 20);
    omcache_set_send_buffer_max_size(mc, 1 << 20);
    omcache_set_servers(mc, servers[0].address);
    int64_t until = now_msec() + patience(5000);
    while (omcache_set(mc, B("last"), B("last"), 0, 0, 0, -1) != OMCACHE_OK && now_msec() < until)
        sleep_msec(10);
    ck_value(mc, "last", "last");
    ck_assert_int_gt(answered, 100);
    omcache_free(mc);
}

Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("random calls");
    tcase_set_timeout(tcase, getenv("OMCACHE_STEPS") ? 0 : 90);
    tcase_add_checked_fixture(tcase, NULL, servers_stop);
    tcase_add_loop_test(tcase, random_calls, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
