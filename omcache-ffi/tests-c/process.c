/* What a process does beside: fork, signals, broken pipes, many open descriptors, threads with handles of their own. */
#define _GNU_SOURCE
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Runs `body` in a child, and fails unless it ends well. */
static pid_t in_child(void (*body)(omcache_t *, const server_t *), omcache_t *mc, const server_t *servers)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        body(mc, servers);
        /* Another program in its place: what the parent's look-up threads hold is never freed here, and is no leak. */
        execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    return pid;
}

static void ck_child(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", (unsigned)status);
}

/* As ck_rc, in a child: the parent reports. */
#define child_rc(want, call)                                           \
    do {                                                               \
        int got_ = (call);                                             \
        if (got_ != (want)) {                                          \
            fprintf(stderr, "child: %s: 0x%x\n", #call, (unsigned)got_); \
            _exit(2);                                                  \
        }                                                              \
    } while (0)

static void use_inherited(omcache_t *mc, const server_t *servers)
{
    (void)servers;
    const unsigned char *data;
    size_t len;
    child_rc(OMCACHE_OK, omcache_get(mc, B("before"), &data, &len, NULL, NULL, 5000));
    child_rc(0, len >= 1 ? memcmp(data, "1", 1) : 1);
    for (int i = 0; i < 100; i++)
        child_rc(OMCACHE_OK, omcache_set(mc, B("child"), B("2"), 0, 0, 0, 5000));
    child_rc(OMCACHE_OK, omcache_free(mc));
}

START_TEST(a_child_uses_an_inherited_handle)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_set(mc, B("before"), B("1"), 0, 0, 0, -1));
    pid_t pid = in_child(use_inherited, mc, NULL);
    for (int i = 0; i < 200; i++) {
        ck_rc(OMCACHE_OK, omcache_set(mc, B("parent"), B("3"), 0, 0, 0, -1));
        ck_value(mc, "parent", "3");
    }
    ck_child(pid);
    ck_value(mc, "child", "2");
    ck_value(mc, "parent", "3");
    /* The parent's connection is the one it had: with the child's and those that asked, four. */
    ck_assert_uint_eq(server_stat(&server, "total_connections"), 1 + 1 + 1 + 1);
    omcache_free(mc);
}

static void use_all_calls(omcache_t *mc, const server_t *servers)
{
    char list[400];
    int nfds, timeout;
    snprintf(list, sizeof list, "%s", servers[0].address);
    child_rc(OMCACHE_OK, omcache_set_buffering(mc, 0));
    child_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    child_rc(OMCACHE_OK, omcache_set_servers(mc, ""));
    child_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    child_rc(OMCACHE_OK, omcache_reset_buffers(mc));
    omcache_poll_fds(mc, &nfds, &timeout);
    child_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, 5000));
    child_rc(OMCACHE_OK, omcache_free(mc));
}

static void only_free(omcache_t *mc, const server_t *servers)
{
    (void)servers;
    child_rc(OMCACHE_OK, omcache_free(mc));
}

static void only_set_servers(omcache_t *mc, const server_t *servers)
{
    child_rc(OMCACHE_OK, omcache_set_buffering(mc, 0));
    child_rc(OMCACHE_OK, omcache_set_servers(mc, servers[0].address));
}

static void only_poll_fds(omcache_t *mc, const server_t *servers)
{
    int nfds, timeout;
    (void)servers;
    child_rc(OMCACHE_OK, omcache_set_buffering(mc, 0));
    omcache_poll_fds(mc, &nfds, &timeout);
}

/* Answers are outstanding and requests unsent while children come and go: none of it is theirs. */
START_TEST(the_parent_is_undisturbed)
{
    server_t server = server_start();
    omcache_t *mc = handle_of(&server, 1);
    const unsigned char *keys[] = {(const unsigned char *)"before", (const unsigned char *)"none"};
    size_t lens[] = {6, 4}, reqc = 2, valc = 2;
    omcache_req_t reqs[2];
    omcache_value_t values[2];
    ck_rc(OMCACHE_OK, omcache_set(mc, B("before"), B("1"), 0, 0, 0, -1));
    ck_rc(OMCACHE_OK, omcache_set_buffering(mc, 1));
    for (int i = 0; i < 10; i++)
        ck_rc(OMCACHE_BUFFERED, omcache_append(mc, B("before"), B("+"), 0, 0));
    ck_child(in_child(only_set_servers, mc, &server));
    ck_child(in_child(only_poll_fds, mc, &server));
    ck_child(in_child(use_all_calls, mc, &server));
    ck_child(in_child(only_free, mc, &server));
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    server_pause(&server);
    ck_rc(OMCACHE_AGAIN, omcache_get_multi(mc, keys, lens, 2, reqs, &reqc, values, &valc, 50));
    ck_child(in_child(only_free, mc, &server));
    pid_t pid = in_child(use_inherited, mc, &server);
    server_resume(&server);
    sleep_msec(50);
    ck_child(pid);
    valc = 2;
    ck_rc(OMCACHE_OK, omcache_io(mc, reqs, &reqc, values, &valc, -1));
    ck_assert_uint_eq(valc, 1);
    ck_assert(values[0].data_len == 11 && memcmp(values[0].data, "1++++++++++", 11) == 0);
    omcache_free(mc);
}

static void use_after_look_up(omcache_t *mc, const server_t *servers)
{
    (void)servers;
    child_rc(OMCACHE_OK, omcache_set(mc, B("child"), B("2"), 0, 0, 0, 10000));
    child_rc(OMCACHE_OK, omcache_free(mc));
}

/* AddressSanitizer's allocator leaves the locks of other threads locked in a child: there nothing is looked up. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOOKED_UP "127.0.0.1"
#endif
#endif
#ifndef LOOKED_UP
#define LOOKED_UP "localhost"
#endif

START_TEST(a_child_of_a_look_up)
{
    server_t server = server_start();
    char list[64];
    snprintf(list, sizeof list, LOOKED_UP ":%d", server.port);
    for (int i = 0; i < 20; i++) {
        omcache_t *mc = omcache_init();
        ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
        /* The look-up is under way while the child is made. */
        ck_rc(OMCACHE_BUFFERED, omcache_set(mc, B("a"), B("1"), 0, 0, 0, 0));
        pid_t pid = in_child(use_after_look_up, mc, NULL);
        ck_rc(OMCACHE_OK, omcache_set(mc, B("b"), B("1"), 0, 0, 0, -1));
        ck_child(pid);
        ck_value(mc, "a", "1");
        ck_value(mc, "child", "2");
        omcache_free(mc);
    }
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms = alarms + 1;
}

START_TEST(signals_do_not_end_a_wait)
{
    server_t server = server_start();
    char list[64];
    snprintf(list, sizeof list, "localhost:%d", server.port);
    struct sigaction action = {.sa_handler = on_alarm}, old;
    sigaction(SIGALRM, &action, &old);
    struct itimerval each = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &each, NULL);
    for (int round = 0; round < 10; round++) {
        omcache_t *mc = omcache_init();
        ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
        for (int i = 0; i < 100; i++) {
            ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
            ck_value(mc, "a", "1");
        }
        omcache_free(mc);
    }
    omcache_t *mc = handle_of(&server, 1);
    ck_rc(OMCACHE_OK, omcache_noop(mc, 0, -1));
    server_pause(&server);
    int64_t before = now_msec();
    ck_rc(OMCACHE_AGAIN, omcache_get(mc, B("a"), NULL, NULL, NULL, NULL, 300));
    ck_assert_int_ge(now_msec() - before, 299);
    server_resume(&server);
    ck_value(mc, "a", "1");
    setitimer(ITIMER_REAL, &none, NULL);
    ck_assert_int_gt(alarms, 200);
    /* The library leaves handlers and masks as they are. */
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int signal = 1; signal < 32; signal++)
        ck_assert_int_eq(sigismember(&blocked, signal), 0);
    sigaction(SIGALRM, NULL, &old);
    ck_assert(old.sa_handler == on_alarm);
    sigaction(SIGPIPE, NULL, &old);
    ck_assert(old.sa_handler == SIG_DFL);
    omcache_free(mc);
}

/* SIGPIPE would end the test. A Unix socket gives EPIPE at once, TCP after a reset. */
START_TEST(no_broken_pipe)
{
    char folder[] = "/tmp/omcache-tests-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    signal(SIGPIPE, SIG_DFL);
    static char large[500000];
    memset(large, 'l', sizeof large - 1);
    for (int i = 0; i < 2; i++) {
        server_t server = i ? server_start() : server_start_unix(path);
        omcache_t *mc = handle_of(&server, 1);
        ck_rc(OMCACHE_OK, omcache_set(mc, B("a"), B("1"), 0, 0, 0, -1));
        server_kill(&server);
        for (int j = 0; j < 20; j++) {
            int rc = omcache_set(mc, B("a"), B(large), 0, 0, 0, j % 2 ? -1 : 0);
            ck_assert(rc == OMCACHE_SERVER_FAILURE || rc == OMCACHE_NO_SERVERS || rc == OMCACHE_BUFFERED);
        }
        omcache_free(mc);
    }
    unlink(path);
    rmdir(folder);
}

START_TEST(descriptors_above_1024)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_uint_gt(limit.rlim_cur, 1200);
    server_t server = server_start();
    int fd = open("/dev/null", O_RDONLY), first = fd + 1;
    while (fd < 1100)
        ck_assert_int_ge(fd = dup(fd), 0);
    char list[200];
    snprintf(list, sizeof list, "%s,localhost:%d", server.address, server.port);
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 0, 0, -1));
        ck_value(mc, key, key);
    }
    ck_rc(OMCACHE_BUFFERED, omcache_touch(mc, B("k1"), 0, 0));
    int nfds = 0, timeout;
    struct pollfd *fds = omcache_poll_fds(mc, &nfds, &timeout);
    ck_assert_int_eq(nfds, 1);
    ck_assert_int_gt(fds[0].fd, 1024);
    ck_rc(OMCACHE_OK, omcache_io(mc, NULL, NULL, NULL, NULL, -1));
    omcache_free(mc);
    while (fd >= first)
        close(fd--);
}

static void *work(void *argument)
{
    const server_t *server = argument;
    omcache_t *mc = handle_of(server, 1);
    char key[64];
    snprintf(key, sizeof key, "%p", (void *)mc);
    for (int i = 0; i < 300; i++) {
        ck_rc(OMCACHE_OK, omcache_set(mc, B(key), B(key), 0, 0, 0, -1));
        ck_value(mc, key, key);
    }
    omcache_free(mc);
    return NULL;
}

START_TEST(threads_with_handles_of_their_own)
{
    server_t server = server_start();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &server), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

Suite *process_suite(void)
{
    const TTest *const tests[] = {a_child_uses_an_inherited_handle,
                                  the_parent_is_undisturbed,
                                  a_child_of_a_look_up,
                                  signals_do_not_end_a_wait,
                                  no_broken_pipe,
                                  descriptors_above_1024,
                                  threads_with_handles_of_their_own,
                                  NULL};
    return suite_of("process", tests, 30);
}
