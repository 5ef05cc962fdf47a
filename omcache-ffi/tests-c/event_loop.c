/* omcache_poll_fds in a program's own loop: poll, epoll and libevent, with look-ups, connects and time-outs under way. */
#include "tests.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/epoll.h>

enum { KEYS = 100 };

/* Waits until one of the descriptors is ready or `timeout` milliseconds are over. */
typedef void wait_func(struct pollfd *fds, int nfds, int timeout);

static void by_poll(struct pollfd *fds, int nfds, int timeout)
{
    ck_assert_int_ge(poll(fds, (nfds_t)nfds, timeout), 0);
}

static int epoll_fd = -1;
static int known[256], known_count;

static void by_epoll(struct pollfd *fds, int nfds, int timeout)
{
    struct epoll_event event, ready[16];
    if (epoll_fd < 0)
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < known_count; i++) {
        int stays = 0;
        for (int j = 0; j < nfds; j++)
            stays |= fds[j].fd == known[i];
        if (!stays)
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, known[i], &event);
    }
    ck_assert_int_le(nfds, 256);
    known_count = nfds;
    for (int i = 0; i < nfds; i++) {
        event.events = (fds[i].events & POLLIN ? EPOLLIN : 0) | (fds[i].events & POLLOUT ? EPOLLOUT : 0);
        event.data.fd = known[i] = fds[i].fd;
        if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fds[i].fd, &event) != 0) {
            ck_assert_int_eq(errno, ENOENT);
            ck_assert_int_eq(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[i].fd, &event), 0);
        }
    }
    ck_assert_int_ge(epoll_wait(epoll_fd, ready, 16, timeout), 0);
}

static struct event_base *base;

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what, (void)context;
}

static void by_libevent(struct pollfd *fds, int nfds, int timeout)
{
    struct event *events[257];
    struct timeval left = {timeout / 1000, timeout % 1000 * 1000};
    ck_assert_int_le(nfds, 256);
    for (int i = 0; i < nfds; i++) {
        short what = (short)((fds[i].events & POLLIN ? EV_READ : 0) | (fds[i].events & POLLOUT ? EV_WRITE : 0));
        events[i] = event_new(base, fds[i].fd, what, on_event, NULL);
        ck_assert_int_eq(event_add(events[i], NULL), 0);
    }
    events[nfds] = evtimer_new(base, on_event, NULL);
    evtimer_add(events[nfds], &left);
    ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
    for (int i = 0; i <= nfds; i++)
        event_free(events[i]);
}

static wait_func *const waits[] = {by_poll, by_epoll, by_libevent};

static void begin(int loop)
{
    known_count = 0;
    epoll_fd = -1;
    if (waits[loop] == by_libevent)
        base = event_base_new();
}

static void end(void)
{
    if (base)
        event_base_free(base);
    if (epoll_fd >= 0)
        close(epoll_fd);
}

/* One round of the loop. */
static int one_round(omcache_t *mc, wait_func *wait)
{
    int nfds = -1, timeout = -1;
    struct pollfd *fds = omcache_poll_fds(mc, &nfds, &timeout);
    ck_assert(nfds >= 0 && timeout >= 0);
    ck_assert(nfds == 0 || fds);
    for (int i = 0; i < nfds; i++)
        ck_assert(fds[i].fd >= 0 && fds[i].events != 0 && (fds[i].events & ~(POLLIN | POLLOUT)) == 0);
    wait(fds, nfds, timeout > 50 ? 50 : timeout);
    return omcache_io(mc, NULL, NULL, NULL, NULL, 0);
}

/* Goes round until nothing is pending; returns how often it went. */
static int go_round(omcache_t *mc, wait_func *wait)
{
    int rounds = 0, rc;
    do {
        rc = one_round(mc, wait);
        ck_assert(rc == OMCACHE_OK || rc == OMCACHE_AGAIN);
        ck_assert_int_lt(++rounds, 100000);
    } while (rc == OMCACHE_AGAIN);
    return rounds;
}

typedef struct seen_s {
    size_t hits, misses, others;
} seen_t;

static void count_responses(omcache_t *mc, omcache_value_t *result, void *context)
{
    seen_t *seen = context;
    (void)mc;
    seen->hits += result->status == OMCACHE_OK && result->key_len > 0;
    seen->misses += result->status == OMCACHE_NOT_FOUND;
    seen->others += result->status != OMCACHE_OK && result->status != OMCACHE_NOT_FOUND;
}

static void ask(omcache_t *mc, int number)
{
    char key[16];
    snprintf(key, sizeof key, "k%d", number);
    omcache_req_t req = request(OP_GETK, key, NULL, 0, NULL);
    size_t count = 1;
    ck_rc(OMCACHE_BUFFERED, omcache_command(mc, &req, &count, NULL, NULL, 0));
}

/* _i is the loop. */
START_TEST(look_ups_and_answers)
{
    begin(_i);
    server_t server = server_start();
    char list[64];
    snprintf(list, sizeof list, "localhost:%d", server.port);
    omcache_t *mc = omcache_init();
    seen_t seen = {0};
    int nfds = -1, timeout = -1;
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, count_responses, &seen));
    omcache_poll_fds(mc, &nfds, &timeout);
    ck_assert(nfds == 0 && timeout > 0);
    for (int i = 0; i < KEYS; i += 2) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B(key), B(key), 0, 0, 0, 0));
    }
    /* The look-up's descriptor is there. */
    struct pollfd *fds = omcache_poll_fds(mc, &nfds, &timeout);
    ck_assert(nfds == 1 && fds[0].events == POLLIN && timeout <= 10000);
    for (int i = 0; i < KEYS; i++)
        ask(mc, i);
    int rounds = go_round(mc, waits[_i]);
    ck_assert_msg(rounds < 60, "%d rounds", rounds);
    ck_assert(seen.hits == KEYS / 2 && seen.misses == KEYS / 2 && seen.others == 0);
    /* Nothing is left to be watched. */
    omcache_poll_fds(mc, &nfds, &timeout);
    ck_assert(nfds == 0 && timeout > 0);
    omcache_free(mc);
    end();
}

static size_t keys_of(omcache_t *mc, int index)
{
    size_t count = 0;
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        count += omcache_server_index_for_key(mc, B(key)) == index;
    }
    return count;
}

START_TEST(connects_and_time_outs)
{
    begin(_i);
    server_t servers[3] = {server_start(), server_start(), server_start()};
    hanging_port_t hanging = hanging_port_open();
    char list[800];
    snprintf(list, sizeof list, "%s,localhost:%d,%s,%s,127.0.0.1:%d,127.0.0.foobar:asdf", servers[0].address,
             servers[1].port, servers[2].address, hanging.address, refusing_port());
    omcache_t *mc = omcache_init();
    seen_t seen = {0};
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 800));
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 300));
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, 700));
    int index = index_of(mc, &servers[2]);
    ck_rc(OMCACHE_OK, omcache_noop(mc, index, -1));
    server_pause(&servers[2]);
    ck_rc(OMCACHE_OK, omcache_set_response_callback(mc, count_responses, &seen));
    int64_t before = now_msec();
    for (int i = 0; i < KEYS; i++)
        ask(mc, i);
    int rounds = go_round(mc, waits[_i]);
    int64_t took = now_msec() - before;
    ck_assert_msg(rounds < 300, "%d rounds", rounds);
    ck_assert_msg(took >= 750 && took < patience(2500), "%d ms", (int)took);
    /* All but those that the stopped server was sent are answered, by whatever server. */
    size_t lost = keys_of(mc, index);
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_eq(seen.hits + seen.misses, KEYS - lost);
    ck_assert_uint_eq(seen.others, lost);
    omcache_free(mc);
    hanging_port_close(&hanging);
    end();
}

/* A server that is tried again in the background, while nothing is asked of it, comes back by the loop alone. */
START_TEST(a_server_comes_back)
{
    begin(_i);
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    omcache_server_status_t status;
    ck_rc(OMCACHE_OK, omcache_set_connect_timeout(mc, 200));
    ck_rc(OMCACHE_OK, omcache_set_reconnect_timeout(mc, 300));
    server_pause(&server);
    ck_rc(OMCACHE_NO_SERVERS, omcache_noop(mc, 0, -1));
    int rounds = 0;
    int64_t until = now_msec() + 900;
    for (; now_msec() < until; rounds++)
        ck_rc(OMCACHE_OK, one_round(mc, waits[_i]));
    ck_assert_msg(rounds < 100, "%d rounds", rounds);
    server_resume(&server);
    until = now_msec() + patience(3000);
    do {
        ck_rc(OMCACHE_OK, one_round(mc, waits[_i]));
        ck_rc(OMCACHE_OK, omcache_server_status(mc, 0, &status));
    } while (status.state != OMCACHE_SERVER_READY && now_msec() < until);
    ck_assert_int_eq(status.state, OMCACHE_SERVER_READY);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
    omcache_free(mc);
    end();
}

/* More to write than the sockets take at once. */
START_TEST(large_requests)
{
    begin(_i);
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1), *other = handle_of(&server, 1);
    static unsigned char value[200000];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B(key), value, sizeof value, 0, 0, 0, 0));
    }
    int rounds = go_round(mc, waits[_i]);
    ck_assert_msg(rounds < 3000, "%d rounds", rounds);
    /* Quiet requests are settled by a NOOP behind them, so nothing pending means that they have been carried out. */
    ck_assert_uint_eq(server_stat(&server, "cmd_set"), 40);
    size_t len = 0;
    ck_rc(OMCACHE_OK, omcache_get(other, B("k39"), NULL, &len, NULL, NULL, -1));
    ck_assert_uint_eq(len, sizeof value);
    omcache_free(other);
    omcache_free(mc);
    end();
}

/* With a dead timeout of 0, which makes every answer late, an idle loop does not spin. */
START_TEST(an_idle_loop_sleeps)
{
    omcache_t *mc = omcache_init();
    int nfds = -1, timeout = -1;
    ck_rc(OMCACHE_OK, omcache_set_dead_timeout(mc, 0));
    omcache_poll_fds(mc, &nfds, &timeout);
    ck_assert_msg(nfds == 0 && timeout >= 1000, "%d descriptors, %d ms (%d)", nfds, timeout, _i);
    omcache_free(mc);
}

Suite *event_loop_suite(void)
{
    const TTest *const tests[] = {look_ups_and_answers, connects_and_time_outs, a_server_comes_back, large_requests,
                                  an_idle_loop_sleeps};
    Suite *suite = suite_create("event loop");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        TCase *tcase = tcase_create(tests[i]->name);
        tcase_set_timeout(tcase, 30);
        tcase_add_checked_fixture(tcase, NULL, servers_stop);
        tcase_add_loop_test(tcase, tests[i], 0, sizeof waits / sizeof *waits);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}
