/* What the measured C programs have in common: keys, values and their check, the rounds, and the lines that tell results.
 *
 * Arguments: SERVERS WORKLOAD VALUE_LENGTH PREFIX. SERVERS is comma-separated, host:port or /path; the PREFIX of four bytes makes
 * the keys those of this program. "ready" is printed when the values are stored; then each line of standard input asks for a
 * round, of "ms:N" milliseconds or "ops:N" operations, and is answered with a line. At the end of input all values are checked.
 * Exit status: 0; 1 where something failed or was wrong; 3 where the program can't do what it is asked for. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_KEYS 10000
#define MAX_SERVERS 16
#define KEY_LEN 16
/* Quiet sets between two flushes. */
#define QUEUED 10000
/* Values from this length on are so large that few of them do. */
#define LARGE 100000

static char keys[MAX_KEYS][KEY_LEN + 1];
/* What is stored: the key, and the filler. */
static char *value;
static size_t value_len, key_count;
static const char *workload;
static char *server_list[MAX_SERVERS];
static size_t server_count;
/* Operations of all rounds. */
static size_t total;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s failed\n", workload, what);
    exit(1);
}

static int is_workload(const char *name)
{
    return strcmp(workload, name) == 0;
}

static int is_storing(void)
{
    return is_workload("set") || is_workload("queue");
}

static void prepare(char **argv)
{
    workload = argv[1];
    value_len = strtoul(argv[2], NULL, 10);
    value = malloc(value_len);
    if (!value || value_len < KEY_LEN)
        fail("memory for a value");
    memset(value, 'v', value_len);
    key_count = is_workload("get10000") ? 10000 : value_len >= LARGE ? 8 : 100;
    for (size_t i = 0; i < key_count; i++)
        snprintf(keys[i], sizeof keys[i], "%.4s%012u", argv[3], (unsigned) i);
    char *list = strdup(argv[0]);
    for (char *server = strtok(list, ","); server && server_count < MAX_SERVERS; server = strtok(NULL, ","))
        server_list[server_count++] = server;
}

/* The value of this key, until the next call. */
static const char *value_of(size_t key)
{
    return memcpy(value, keys[key], KEY_LEN);
}

/* The quick check in the measured loop: the length, and that the value is this key's. */
static int is_right(const void *found, size_t len, const char *key)
{
    return len == value_len && memcmp(found, key, KEY_LEN) == 0;
}

/* The thorough one at the end. */
static void check_whole(const void *found, size_t len, size_t key)
{
    memset(value, is_storing() && key < total ? 'w' : 'v', value_len);
    if (len != value_len || memcmp(found, value_of(key), value_len) != 0)
        fail("the check of a value");
}

static uint64_t nanos(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t) time.tv_sec * 1000000000u + (uint64_t) time.tv_nsec;
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

/* Latencies by their size: 64 buckets for each power of two. */
static uint32_t latencies[60 * 64];

static void note_latency(uint64_t nsec)
{
    unsigned power = nsec < 64 ? 5 : 63 - (unsigned) __builtin_clzll(nsec);
    latencies[nsec < 64 ? nsec : (power - 5) * 64 + (nsec >> (power - 6)) - 64]++;
}

/* In nanoseconds, to 1.6 %. */
static uint64_t latency_at(uint64_t hundredths)
{
    uint64_t all = 0, passed = 0;
    size_t buckets = sizeof latencies / sizeof *latencies;
    for (size_t i = 0; i < buckets; i++)
        all += latencies[i];
    for (size_t i = 0; i < buckets; i++) {
        passed += latencies[i];
        if (passed * 100 > all * hundredths)
            return i < 64 ? i : (i % 64 + 64) << (i / 64 - 1);
    }
    return 0;
}

/* Does what the workload sends at once; `at` is the number of the operation. Returns how many operations it was. */
typedef size_t (*unit_t)(size_t at);

/* Latencies are not asked for where operations are counted. */
static size_t operations(unit_t unit, size_t limit)
{
    size_t done = 0;
    while (done < limit)
        done += unit(total + done);
    return done;
}

static size_t milliseconds(unit_t unit, uint64_t length)
{
    size_t done = 0;
    memset(latencies, 0, sizeof latencies);
    for (uint64_t begin = nanos(CLOCK_MONOTONIC), now = begin; now - begin < length;) {
        done += unit(total + done);
        uint64_t later = nanos(CLOCK_MONOTONIC);
        note_latency(later - now);
        now = later;
    }
    return done;
}

/* Measures rounds as they are asked for, then has every value read and checked. */
static void measure(unit_t unit, void (*check)(size_t key))
{
    char line[64];
    if (is_storing())
        memset(value, 'w', value_len);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t cpu = nanos(CLOCK_PROCESS_CPUTIME_ID), begin = nanos(CLOCK_MONOTONIC);
        size_t done = strncmp(line, "ops:", 4) == 0 ? operations(unit, strtoul(line + 4, NULL, 10))
                                                    : milliseconds(unit, strtoul(line + 3, NULL, 10) * 1000000u);
        uint64_t wall = nanos(CLOCK_MONOTONIC) - begin;
        cpu = nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        total += done;
        printf("ops=%zu wall_ns=%llu cpu_ns=%llu p50_ns=%llu p99_ns=%llu peak_kb=%ld\n", done, (unsigned long long) wall,
               (unsigned long long) cpu, (unsigned long long) latency_at(50), (unsigned long long) latency_at(99), peak_memory());
        fflush(stdout);
    }
    for (size_t key = 0; key < key_count; key++)
        check(key);
}

#endif
