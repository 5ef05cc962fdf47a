/* OMcache through its C interface, measured. */
#include "measure.h"

#include <omcache.h>

static omcache_t *mc;

static const unsigned char *bytes(const char *text)
{
    return (const unsigned char *) text;
}

static size_t get(size_t at)
{
    const unsigned char *found;
    size_t len;
    if (omcache_get(mc, bytes(keys[at % key_count]), KEY_LEN, &found, &len, NULL, NULL, -1) != OMCACHE_OK || len != value_len)
        fail("get");
    return 1;
}

static size_t set(size_t at)
{
    if (omcache_set(mc, bytes(keys[at % key_count]), KEY_LEN, bytes(value), value_len, 0, 0, 0, -1) != OMCACHE_OK)
        fail("set");
    return 1;
}

static size_t get_multi(size_t at)
{
    static const unsigned char *of[MAX_KEYS];
    static size_t lens[MAX_KEYS];
    static omcache_req_t requests[MAX_KEYS];
    static omcache_value_t values[MAX_KEYS];
    size_t count = key_count, requested = count, found = count;
    (void) at;
    for (size_t i = 0; i < count; i++) {
        of[i] = bytes(keys[i]);
        lens[i] = KEY_LEN;
    }
    int rc = omcache_get_multi(mc, of, lens, count, requests, &requested, values, &found, -1);
    if (rc != OMCACHE_OK || found != count || values[count - 1].data_len != value_len)
        fail("get_multi");
    return count;
}

static size_t queue(size_t at)
{
    (void) at;
    for (size_t i = 0; i < QUEUED; i++)
        if (omcache_set(mc, bytes(keys[i % key_count]), KEY_LEN, bytes(value), value_len, 0, 0, 0, 0) != OMCACHE_BUFFERED)
            fail("quiet set");
    if (omcache_io(mc, NULL, NULL, NULL, NULL, -1) != OMCACHE_OK)
        fail("flush");
    return QUEUED;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    prepare(argv);
    mc = omcache_init();
    if (omcache_set_servers(mc, servers) != OMCACHE_OK)
        fail("servers");
    omcache_set_dead_timeout(mc, 60000);
    for (size_t i = 0; i < key_count; i++)
        set(i);
    int quiet = strcmp(workload, "queue") == 0;
    if (quiet)
        omcache_set_buffering(mc, 1);
    measure(argv[4], quiet ? queue : strcmp(workload, "get") == 0 ? get : strcmp(workload, "set") == 0 ? set : get_multi);
    omcache_free(mc);
    return 0;
}
