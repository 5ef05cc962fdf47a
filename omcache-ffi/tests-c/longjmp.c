/* Callbacks that leave by longjmp: the call they came from has ended, and its handle works on. */
#include "tests.h"

#include <setjmp.h>

static jmp_buf away;
static int jumps_left;

static void jump(void)
{
    if (jumps_left > 0) {
        jumps_left--;
        longjmp(away, 1);
    }
}

static void jump_from_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void)mc, (void)result, (void)context;
    jump();
}

static void jump_from_log(void *context, int level, const char *msg)
{
    (void)context, (void)level, (void)msg;
    jump();
}

/* Whether it jumped. */
static int jumps(omcache_t *mc, int (*call)(omcache_t *))
{
    jumps_left = 1;
    if (setjmp(away))
        return 1;
    call(mc);
    jumps_left = 0;
    return 0;
}

static int one_get(omcache_t *mc)
{
    return omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, -1);
}

static int one_miss(omcache_t *mc)
{
    return omcache_get(mc, B("none"), NULL, NULL, NULL, NULL, 2000);
}

static int one_stat(omcache_t *mc)
{
    omcache_value_t values[10];
    size_t count = 10;
    return omcache_stat(mc, NULL, values, &count, 0, -1);
}

static int one_batch(omcache_t *mc)
{
    const unsigned char *keys[] = {(const unsigned char *)"a", (const unsigned char *)"none", (const unsigned char *)"b"};
    size_t lens[] = {1, 4, 1}, reqc = 3, valc = 3;
    time_t times[] = {0, 0, 0};
    omcache_req_t reqs[3];
    omcache_value_t values[3];
    return omcache_gat_multi(mc, keys, lens, times, 3, reqs, &reqc, values, &valc, -1);
}

static int io_for_all(omcache_t *mc)
{
    omcache_touch(mc, B("a"), 0, 0);
    return omcache_io(mc, NULL, NULL, NULL, NULL, -1);
}

static int same_servers(omcache_t *mc)
{
    omcache_set_servers(mc, "[broken");
    return omcache_noop(mc, 0, -1);
}

static void works(omcache_t *mc)
{
    ck_value(mc, "a", "1");
    ck_rc(OMCACHE_NOT_FOUND, one_miss(mc));
    ck_rc(OMCACHE_OK, one_batch(mc));
    ck_rc(OMCACHE_OK, one_stat(mc));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("2"), 0, 0, 0, -1));
    ck_value(mc, "b", "2");
}

static int (*const calls[])(omcache_t *) = {one_get, one_miss, one_stat, one_batch, io_for_all};

START_TEST(out_of_a_response_callback)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, jump_from_response, NULL));
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
            ck_assert_msg(jumps(mc, calls[i]), "call %zu", i);
            works(mc);
        }
    }
    omcache_free(mc);
}

START_TEST(out_of_a_log_callback)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, jump_from_log, NULL));
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
            ck_assert_msg(jumps(mc, calls[i]), "call %zu", i);
            works(mc);
        }
        ck_assert(jumps(mc, same_servers));
        works(mc);
    }
    omcache_free(mc);
}

/* As a cancelled query does: the first line about a new connection leaves. */
START_TEST(out_of_the_first_connect)
{
    server_t server = server_start();
    for (int i = 0; i < 5; i++) {
        omcache_t *mc = handle_of(&server, 1);
        ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 0, jump_from_log, NULL));
        ck_assert(jumps(mc, one_get));
        ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
        works(mc);
        omcache_free(mc);
    }
}

/* A call within a callback leaves over both. */
static void get_then_jump(omcache_t *mc, omcache_value_t *result, void *context)
{
    int *depth = context;
    (void)result;
    if (++*depth < 3)
        one_get(mc);
    jump();
    --*depth;
}

START_TEST(out_of_nested_calls)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    int depth = 0;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    for (int i = 0; i < 20; i++) {
        depth = 0;
        ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, get_then_jump, &depth));
        ck_assert(jumps(mc, one_batch));
        ck_assert_int_eq(depth, 3);
        ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
        works(mc);
    }
    omcache_free(mc);
}

/* Jumps from within a nested call, to the callback that made it: the outer call goes on. */
static void jump_within(omcache_t *mc, omcache_value_t *result, void *context)
{
    static int inside;
    unsigned char first = result->data_len ? result->data[0] : 0;
    if (inside) {
        inside = 0;
        longjmp(*(jmp_buf *)context, 1);
    }
    inside = 1;
    if (!setjmp(*(jmp_buf *)context)) {
        one_get(mc);
        ck_abort_msg("it did not jump");
    }
    if (result->data_len)
        ck_assert_int_eq(result->data[0], first);
}

START_TEST(out_of_the_inner_call_alone)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    jmp_buf here;
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("2"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, jump_within, &here));
    for (int i = 0; i < 20; i++) {
        const unsigned char *keys[] = {(const unsigned char *)"a", (const unsigned char *)"b"};
        size_t lens[] = {1, 1}, reqc = 2, valc = 2;
        omcache_req_t reqs[2];
        omcache_value_t values[2];
        ck_rc(OMCACHE_OK, omcache_get_multi(mc, keys, lens, 2, reqs, &reqc, values, &valc, -1));
        ck_assert(reqc == 0 && valc == 2);
        ck_assert(values[0].data[0] == '1' && values[1].data[0] == '2');
    }
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    works(mc);
    omcache_free(mc);
}

/* Runs `call` from far down the stack. */
static int deeper(omcache_t *mc, int (*call)(omcache_t *), int levels)
{
    volatile char room[256];
    room[0] = (char)levels;
    int result = levels ? deeper(mc, call, levels - 1) : call(mc);
    return room[0] == (char)levels ? result : -1;
}

static int get_large(omcache_t *mc)
{
    return omcache_get(mc, B("large"), NULL, NULL, NULL, NULL, -1);
}

/* The calls after a jump may come from further down the stack, or further up. */
START_TEST(calls_from_elsewhere_on_the_stack)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    static char large[50000];
    memset(large, 'l', sizeof large - 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("large"), B(large), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, jump_from_response, NULL));
    for (int levels = 0; levels < 40; levels += 13) {
        jumps_left = 1;
        if (!setjmp(away))
            deeper(mc, one_get, 20);
        ck_assert_int_eq(jumps_left, 0);
        ck_rc(OMCACHE_OK, deeper(mc, get_large, levels));
        for (int i = 0; i < 20; i++)
            ck_rc(OMCACHE_OK, deeper(mc, get_large, levels));
        works(mc);
    }
    omcache_free(mc);
}

Suite *longjmp_suite(void)
{
    const TTest *const tests[] = {out_of_a_response_callback,
                                  out_of_a_log_callback,
                                  out_of_the_first_connect,
                                  out_of_nested_calls,
                                  out_of_the_inner_call_alone,
                                  calls_from_elsewhere_on_the_stack,
                                  NULL};
    return suite_of("longjmp", tests, 20);
}
