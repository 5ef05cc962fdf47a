/* What every file of the C tests uses: Check, the library, servers, keys, captured log lines, clocks. */
#ifndef TESTS_TESTS_H
#define TESTS_TESTS_H

#include <check.h>
#include <omcache.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memcached.h"

/* A string as the two arguments that a key or a value takes. */
#define B(text) (const unsigned char *)(text), strlen(text)

/* Fails unless `call` returns `want`. */
#define ck_rc(want, call)                                                                                       \
    do {                                                                                                        \
        int want_ = (want), got_ = (call);                                                                      \
        ck_assert_msg(got_ == want_, "%s: %s (0x%x), expected %s", #call, omcache_strerror(got_), (unsigned)got_, \
                      omcache_strerror(want_));                                                                 \
    } while (0)

/* Opcodes of the binary protocol. */
enum {
    OP_GET = 0x00,
    OP_SET = 0x01,
    OP_DELETE = 0x04,
    OP_INCREMENT = 0x05,
    OP_NOOP = 0x0a,
    OP_VERSION = 0x0b,
    OP_GETK = 0x0c,
    OP_GETKQ = 0x0d,
    OP_STAT = 0x10,
    OP_SETQ = 0x11,
    OP_TOUCH = 0x1c
};

/* An expiration that is over: a Unix time long ago. */
enum { PAST = 60 * 60 * 24 * 31 };

/* The suites: one for each file of tests. */
Suite *arguments_suite(void);
Suite *arrays_suite(void);
Suite *buffering_suite(void);
Suite *callbacks_suite(void);
Suite *commands_suite(void);
Suite *distribution_suite(void);
Suite *event_loop_suite(void);
Suite *extras_suite(void);
Suite *failover_suite(void);
Suite *fates_suite(void);
Suite *libmemcached_suite(void);
Suite *limits_suite(void);
Suite *longjmp_suite(void);
Suite *nesting_suite(void);
Suite *process_suite(void);
Suite *random_suite(void);
Suite *scale_suite(void);
Suite *servers_suite(void);
Suite *timeouts_suite(void);

/* A suite of the tests in `tests`, which end with NULL; each may take `seconds`. */
Suite *suite_of(const char *name, const TTest *const *tests, int seconds);

/* A new handle with these servers. */
omcache_t *handle_of(const server_t *servers, size_t count);

/* Writes a key to `key` that goes to the server with this index now, the `nth` of them. */
void key_for(omcache_t *mc, int server_index, int nth, char key[32]);

/* The index of a server in a handle's list. */
int index_of(omcache_t *mc, const server_t *server);

/* Fails unless `key` holds `value`. */
void ck_value(omcache_t *mc, const char *key, const char *value);

/* A request as a program makes it by hand. */
omcache_req_t request(uint8_t opcode, const char *key, const void *extra, uint8_t extra_len, const char *value);

/* Milliseconds of a clock that only goes forward. */
int64_t now_msec(void);
void sleep_msec(int msec);

/* `msec`, longer where everything is slow (as under valgrind; CK_TIMEOUT_MULTIPLIER tells). */
int64_t patience(int64_t msec);

/* Fails unless `call` returns `want` within `msec`. */
#define ck_rc_within(msec, want, call)                                                             \
    do {                                                                                           \
        int64_t begin_ = now_msec();                                                               \
        ck_rc(want, call);                                                                         \
        int64_t took_ = now_msec() - begin_;                                                       \
        ck_assert_msg(took_ <= patience(msec), "%s took %d ms", #call, (int)took_);                \
    } while (0)

/* Log lines. */
typedef struct lines_s {
    size_t count;
    struct {
        int level;
        char text[240];
    } line[400];
} lines_t;

/* A log callback whose context is a lines_t. */
void capture(void *lines, int level, const char *msg);

/* How many lines of a level (0: any) hold `part`. */
size_t lines_with(const lines_t *lines, int level, const char *part);

#endif
