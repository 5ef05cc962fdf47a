/* What libmemcached's ring costs: building it for so many servers (the argument), and looking a key up. */
#include <libmemcached/memcached.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BUILDS 3
#define KEYS 1024
#define KEY_LEN 16
#define LOOK_UPS 1000000

static char keys[KEYS][KEY_LEN + 1];

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static int measure(const char *name, memcached_behavior_t behavior, memcached_server_list_st list)
{
    double quickest = 1e9;
    memcached_st *mc = NULL;
    for (int build = 0; build < BUILDS; build++) {
        if (mc)
            memcached_free(mc);
        mc = memcached_create(NULL);
        memcached_behavior_set(mc, behavior, 1);
        double begin = seconds();
        if (memcached_server_push(mc, list) != MEMCACHED_SUCCESS)
            return 1;
        double took = seconds() - begin;
        quickest = took < quickest ? took : quickest;
    }
    uint64_t places = 0;
    for (size_t key = 0; key < KEYS; key++)
        places = places * 31 + memcached_generate_hash(mc, keys[key], KEY_LEN);
    volatile uint32_t sink = 0;
    double begin = seconds();
    for (size_t i = 0; i < LOOK_UPS; i++)
        sink = memcached_generate_hash(mc, keys[i % KEYS], KEY_LEN);
    double took = seconds() - begin;
    (void) sink;
    printf("%s build_us=%.0f lookup_ns=%.1f places=%llu\n", name, quickest * 1e6, took / LOOK_UPS * 1e9,
           (unsigned long long) places);
    memcached_free(mc);
    return 0;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    memcached_server_list_st list = NULL;
    memcached_return_t rc = MEMCACHED_SUCCESS;
    for (size_t i = 0; i < count; i++) {
        char host[32];
        snprintf(host, sizeof host, "10.%zu.%zu.%zu", i >> 16, i >> 8 & 255, i & 255);
        list = memcached_server_list_append(list, host, 11211, &rc);
    }
    for (size_t key = 0; key < KEYS; key++)
        snprintf(keys[key], sizeof keys[key], "key_%012zu", key);
    return rc != MEMCACHED_SUCCESS || measure("ketama", MEMCACHED_BEHAVIOR_KETAMA, list) ||
           measure("ketama_weighted", MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, list);
}
