/* The runner of the C tests, and what their files share. CK_RUN_SUITE and CK_RUN_CASE choose among them. */
#define _GNU_SOURCE
#include "tests.h"

#include <arpa/inet.h>
#include <time.h>

int64_t now_msec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void sleep_msec(int msec)
{
    int64_t end = now_msec() + msec;
    for (int64_t left = msec; left > 0; left = end - now_msec())
        nanosleep(&(struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000}, NULL);
}

int64_t patience(int64_t msec)
{
    const char *factor = getenv("CK_TIMEOUT_MULTIPLIER");
    double times = factor ? atof(factor) : 1;
    return times > 1 ? (int64_t)((double)msec * times) : msec;
}

Suite *suite_of(const char *name, const TTest *const *tests, int seconds)
{
    Suite *suite = suite_create(name);
    for (; *tests; tests++) {
        TCase *tcase = tcase_create((*tests)->name);
        tcase_set_timeout(tcase, seconds);
        tcase_add_checked_fixture(tcase, NULL, servers_stop);
        tcase_add_test(tcase, *tests);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}

omcache_t *handle_of(const server_t *servers, size_t count)
{
    char list[16384] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s,", servers[i].address);
    ck_assert_uint_lt(used, sizeof list);
    omcache_t *mc = omcache_init();
    ck_assert_ptr_nonnull(mc);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    return mc;
}

void key_for(omcache_t *mc, int server_index, int nth, char key[32])
{
    for (int number = 0; number < 100000; number++) {
        snprintf(key, 32, "key-%d", number);
        if (omcache_server_index_for_key(mc, B(key)) == server_index && nth-- == 0)
            return;
    }
    ck_abort_msg("no key goes to server %d", server_index);
}

int index_of(omcache_t *mc, const server_t *server)
{
    for (int index = 0;; index++) {
        omcache_server_info_t *info = omcache_server_info(mc, index);
        ck_assert_msg(info, "%s is not in the list", server->address);
        int found = info->port == server->port;
        omcache_server_info_free(mc, info);
        if (found)
            return index;
    }
}

void ck_value(omcache_t *mc, const char *key, const char *value)
{
    const unsigned char *data;
    size_t len;
    ck_rc(OMCACHE_OK, omcache_get(mc, B(key), &data, &len, NULL, NULL, -1));
    ck_assert_uint_eq(len, strlen(value));
    ck_assert_mem_eq(data, value, len);
}

omcache_req_t request(uint8_t opcode, const char *key, const void *extra, uint8_t extra_len, const char *value)
{
    size_t key_len = key ? strlen(key) : 0, value_len = value ? strlen(value) : 0;
    omcache_req_t req = {.server_index = -1, .extra = extra};
    req.key = (const unsigned char *)key;
    req.data = (const unsigned char *)value;
    req.header.opcode = opcode;
    req.header.extlen = extra_len;
    req.header.keylen = htons((uint16_t)key_len);
    req.header.bodylen = htonl((uint32_t)(extra_len + key_len + value_len));
    return req;
}

void capture(void *context, int level, const char *msg)
{
    lines_t *lines = context;
    if (lines->count == sizeof lines->line / sizeof *lines->line)
        return;
    lines->line[lines->count].level = level;
    snprintf(lines->line[lines->count].text, sizeof lines->line->text, "%s", msg);
    lines->count++;
}

size_t lines_with(const lines_t *lines, int level, const char *part)
{
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++)
        count += (level == 0 || lines->line[i].level == level) && strstr(lines->line[i].text, part) != NULL;
    return count;
}

int main(void)
{
    SRunner *runner = srunner_create(commands_suite());
    Suite *(*const others[])(void) = {
        arguments_suite, timeouts_suite, buffering_suite, arrays_suite,   limits_suite,     callbacks_suite, longjmp_suite,
        servers_suite,   extras_suite,   process_suite,   scale_suite,    event_loop_suite, distribution_suite,
        failover_suite,  libmemcached_suite, random_suite, nesting_suite,    fates_suite,
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        srunner_add_suite(runner, others[i]());
    srunner_run_all(runner, CK_ENV);
    int ran = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
