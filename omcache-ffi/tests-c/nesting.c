/* Calls from within callbacks of other calls: whose requests, values and lines are whose, after jumps and forks too. */
#define _GNU_SOURCE
#include "tests.h"

#include <malloc.h>
#include <setjmp.h>
#include <sys/wait.h>

enum { LARGE = 50000 };

/* A log callback whose context is the handle that logs. */
static void line_stays(void *context, int level, const char *msg)
{
    static int at_work, nested;
    char copy[300];
    (void)level;
    if (at_work || nested == 20)
        return;
    snprintf(copy, sizeof copy, "%s", msg);
    at_work = 1;
    nested++;
    ck_value(context, "a", "1");
    ck_rc(OMCACHE_NOT_FOUND, omcache_get(context, B("none"), NULL, NULL, NULL, NULL, -1));
    ck_rc(OMCACHE_INVALID, omcache_set_servers(context, "[broken"));
    at_work = 0;
    ck_assert_str_eq(msg, copy);
}

START_TEST(a_line_outlives_calls_from_its_callback)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_log_callback(mc, 7, line_stays, mc));
    for (int i = 0; i < 5; i++)
        ck_value(mc, "a", "1");
    /* The lines of a call that sets something are delivered as it ends. */
    ck_rc(OMCACHE_INVALID, omcache_set_servers(mc, "[broken"));
    omcache_free(mc);
}

/* Two requests, submitted from within a callback or not. */
static omcache_req_t pair[2];
static size_t pair_count;

static void make_pair(void)
{
    pair[0] = request(OP_GETK, "a", NULL, 0, NULL);
    pair[1] = request(OP_GETK, "b", NULL, 0, NULL);
    pair_count = 2;
}

static void submit_pair(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void)result, (void)context;
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    make_pair();
    ck_rc(OMCACHE_BUFFERED, omcache_command(mc, pair, &pair_count, NULL, NULL, 0));
}

static void get_another(omcache_t *mc, omcache_value_t *result, void *context)
{
    static int at_work;
    (void)result, (void)context;
    if (at_work++ == 0)
        ck_value(mc, "c", "3");
    at_work--;
}

static omcache_t *with_three(server_t *server)
{
    *server = server_start();
    omcache_t *mc = handle_of(server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("2"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set(mc, B("c"), B("3"), 0, 0, 0, -1));
    return mc;
}

/* What a callback submitted and an outer call waits for is not given up for what that call's callbacks submit. */
START_TEST(requests_of_a_callback_are_awaited_outside)
{
    server_t server;
    omcache_t *mc = with_three(&server);
    omcache_value_t values[2];
    size_t valc = 2;
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, submit_pair, NULL));
    ck_value(mc, "c", "3");
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, get_another, NULL));
    ck_rc(OMCACHE_OK, omcache_io(mc, pair, &pair_count, values, &valc, -1));
    ck_assert(pair_count == 0 && valc == 2);
    ck_assert(values[0].data[0] == '1' && values[1].data[0] == '2');
    omcache_free(mc);
}

/* Awaits what the outer call awaits. */
static void await_pair(omcache_t *mc, omcache_value_t *result, void *context)
{
    omcache_value_t values[2];
    size_t count = 2, valc = 2;
    (void)result;
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    ck_rc(OMCACHE_OK, omcache_io(mc, pair, &count, values, &valc, -1));
    ck_assert(count == 0 && valc == 1 && values[0].data[0] == '2');
    ++*(int *)context;
}

START_TEST(a_call_tells_that_its_requests_were_taken)
{
    server_t server;
    omcache_t *mc = with_three(&server);
    omcache_value_t values[2];
    size_t valc = 2;
    int awaited = 0;
    make_pair();
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, await_pair, &awaited));
    ck_rc(OMCACHE_INVALID, omcache_command(mc, pair, &pair_count, values, &valc, -1));
    ck_assert(awaited == 1 && valc == 1 && values[0].data[0] == '1');
    ck_assert_ptr_nonnull(strstr(omcache_last_error(mc), "callback"));
    ck_value(mc, "c", "3");
    omcache_free(mc);
}

static jmp_buf away;

static void jump(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void)result, (void)context;
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, NULL, NULL));
    longjmp(away, 1);
}

/* Calls from further down the stack. */
static int deeper(omcache_t *mc, int (*call)(omcache_t *), int levels)
{
    volatile char room[256];
    room[0] = (char)levels;
    int result = levels ? deeper(mc, call, levels - 1) : call(mc);
    return room[0] == (char)levels ? result : -1;
}

static int get_c(omcache_t *mc)
{
    return omcache_get(mc, B("c"), NULL, NULL, NULL, NULL, -1);
}

static int get_large(omcache_t *mc)
{
    const unsigned char *data;
    size_t len;
    int rc = omcache_get(mc, B("large"), &data, &len, NULL, NULL, -1);
    ck_assert(len == LARGE && data[0] == 'l' && data[LARGE - 1] == 'l');
    return rc;
}

static int io(omcache_t *mc)
{
    ck_rc(OMCACHE_BUFFERED, omcache_get(mc, B("large"), NULL, NULL, NULL, NULL, 0));
    return omcache_io(mc, NULL, NULL, NULL, NULL, -1);
}

/* A call that was left by longjmp looks as if it were at work to those from further down the stack. */
START_TEST(what_a_jump_leaves_does_not_grow)
{
    server_t server;
    omcache_t *mc = with_three(&server);
    static char large[LARGE + 1];
    memset(large, 'l', LARGE);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("large"), B(large), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, jump, NULL));
    if (!setjmp(away)) {
        get_c(mc);
        ck_abort_msg("it did not jump");
    }
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (int i = 0; i < 1000; i++) {
        ck_rc(OMCACHE_OK, deeper(mc, get_large, 20));
        ck_rc(OMCACHE_OK, deeper(mc, io, 20));
    }
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    ck_assert_msg(after < before + 10 * 1024 * 1024, "%zu bytes, then %zu", before, after);
    ck_rc(OMCACHE_OK, get_large(mc));
    omcache_free(mc);
}

/* What a fork is about, and what came of it. */
static struct {
    const server_t *silent;
    pid_t child;
    int status;
    size_t hits;
} forked;

/* Forks once; the parent has the silent server answer, and waits until the child has ended. */
static void fork_once(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void)mc, (void)context;
    forked.hits += result->status == OMCACHE_OK && result->key_len > 0;
    if (forked.child >= 0)
        return;
    forked.child = fork();
    ck_assert_int_ge(forked.child, 0);
    if (forked.child > 0) {
        server_resume(forked.silent);
        ck_assert_int_eq(waitpid(forked.child, &forked.status, 0), forked.child);
    }
}

/* The child's copy of the call goes on, but not on the parent's connections: it would take the answers from there. */
START_TEST(a_fork_in_a_callback)
{
    server_t servers[2] = {server_start(), server_start()};
    omcache_t *mc = handle_of(servers, 2);
    char keys[2][32];
    for (int i = 0; i < 2; i++) {
        key_for(mc, index_of(mc, &servers[i]), 0, keys[i]);
        ck_rc(OMCACHE_OK, omcache_set(mc, B(keys[i]), B("1"), 0, 0, 0, -1));
    }
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, (uint32_t)patience(2000)));
    forked.silent = &servers[1];
    forked.child = -1;
    server_pause(&servers[1]);
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, fork_once, NULL));
    for (int i = 0; i < 2; i++) {
        omcache_req_t req = request(OP_GETK, keys[1 - i], NULL, 0, NULL);
        size_t count = 1;
        ck_rc(OMCACHE_BUFFERED, omcache_command(mc, &req, &count, NULL, NULL, 0));
    }
    int rc = omcache_io(mc, NULL, NULL, NULL, NULL, -1);
    if (forked.child == 0) {
        /* Another program in its place: what the parent's look-up threads hold is never freed here, and is no leak. */
        if (rc == OMCACHE_OK && omcache_get(mc, B(keys[0]), NULL, NULL, NULL, NULL, -1) == OMCACHE_OK)
            execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    ck_rc(OMCACHE_OK, rc);
    ck_assert(forked.child > 0 && WIFEXITED(forked.status) && WEXITSTATUS(forked.status) == 0);
    ck_assert_uint_eq(forked.hits, 2);
    ck_assert_str_eq(omcache_last_error(mc), "");
    omcache_free(mc);
}

Suite *nesting_suite(void)
{
    const TTest *const tests[] = {a_line_outlives_calls_from_its_callback,
                                  requests_of_a_callback_are_awaited_outside,
                                  a_call_tells_that_its_requests_were_taken,
                                  what_a_jump_leaves_does_not_grow,
                                  a_fork_in_a_callback,
                                  NULL};
    return suite_of("nesting", tests, 30);
}
