/* What the measured C programs have in common: arguments, keys, the loop that is timed, and the line that tells the result.
 *
 * Arguments: SERVERS WORKLOAD VALUE_LENGTH BUDGET. SERVERS is comma-separated, host:port or /path. BUDGET is "ms:N" for about
 * so long, or "ops:N" for exactly so many operations; a batch of 100 keys is 100 operations. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_KEYS 100000
#define KEY_LEN 16
#define QUEUED 1000

static char keys[MAX_KEYS][KEY_LEN + 1];
static char *value;
static size_t value_len, key_count;
static const char *servers, *workload;

static uint64_t nanos(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t) time.tv_sec * 1000000000u + (uint64_t) time.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s failed\n", workload, what);
    exit(1);
}

/* Sends what the program sends; `at` is the number of the operation. Returns how many operations it was. */
typedef size_t (*unit_t)(size_t at);

static void prepare(char **argv)
{
    servers = argv[1];
    workload = argv[2];
    value_len = strtoul(argv[3], NULL, 10);
    value = malloc(value_len);
    memset(value, 'v', value_len);
    /* The number in "get100" and the like; others have 100 keys. */
    key_count = strncmp(workload, "get", 3) == 0 ? strtoul(workload + 3, NULL, 10) : 0;
    if (key_count > MAX_KEYS)
        fail("too many keys");
    if (key_count == 0)
        key_count = 100;
    for (size_t i = 0; i < key_count; i++)
        snprintf(keys[i], sizeof keys[i], "key_%012u", (unsigned) i);
}

/* In kB. What getrusage tells may be that of the program before exec. */
static long peak_memory(void)
{
    char line[256];
    long found = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            found = atol(line + 6);
    if (status)
        fclose(status);
    return found;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return x < y ? -1 : x > y;
}

static void measure(const char *budget, unit_t unit)
{
    static uint32_t latencies[1 << 20];
    size_t recorded = 0, done = 0, limit = SIZE_MAX;
    uint64_t length = UINT64_MAX;
    if (strncmp(budget, "ops:", 4) == 0)
        limit = strtoul(budget + 4, NULL, 10);
    else
        length = strtoul(budget + 3, NULL, 10) * 1000000u;
    uint64_t cpu = nanos(CLOCK_PROCESS_CPUTIME_ID), begin = nanos(CLOCK_MONOTONIC), now = begin;
    while (done < limit && now - begin < length) {
        done += unit(done);
        if (limit == SIZE_MAX) {
            uint64_t later = nanos(CLOCK_MONOTONIC);
            if (recorded < sizeof latencies / sizeof *latencies)
                latencies[recorded++] = (uint32_t) (later - now);
            now = later;
        }
    }
    now = nanos(CLOCK_MONOTONIC);
    cpu = nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(latencies, recorded, sizeof *latencies, by_number);
    printf("ops=%zu wall_ns=%llu cpu_ns=%llu p50_ns=%u p99_ns=%u rss_kb=%ld\n", done,
           (unsigned long long) (now - begin), (unsigned long long) cpu, recorded ? latencies[recorded / 2] : 0,
           recorded ? latencies[recorded * 99 / 100] : 0, peak_memory());
}

#endif
