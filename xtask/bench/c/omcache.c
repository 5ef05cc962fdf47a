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
    const char *key = keys[at % key_count];
    if (omcache_get(mc, bytes(key), KEY_LEN, &found, &len, NULL, NULL, -1) != OMCACHE_OK || !is_right(found, len, key))
        fail("get");
    return 1;
}

static size_t set(size_t at)
{
    size_t key = at % key_count;
    if (omcache_set(mc, bytes(keys[key]), KEY_LEN, bytes(value_of(key)), value_len, 0, 0, 0, -1) != OMCACHE_OK)
        fail("set");
    return 1;
}

static size_t get_multi(size_t at)
{
    static const unsigned char *of[MAX_KEYS];
    static size_t lens[MAX_KEYS];
    static omcache_req_t requests[MAX_KEYS];
    static omcache_value_t values[MAX_KEYS];
    size_t requested = key_count, found = key_count;
    (void) at;
    for (size_t i = 0; i < key_count; i++) {
        of[i] = bytes(keys[i]);
        lens[i] = KEY_LEN;
    }
    if (omcache_get_multi(mc, of, lens, key_count, requests, &requested, values, &found, -1) != OMCACHE_OK || found != key_count)
        fail("get_multi");
    for (size_t i = 0; i < found; i++)
        if (values[i].key_len != KEY_LEN || !is_right(values[i].data, values[i].data_len, (const char *) values[i].key))
            fail("get_multi");
    return key_count;
}

static size_t queue(size_t at)
{
    (void) at;
    for (size_t i = 0; i < QUEUED; i++) {
        size_t key = i % key_count;
        if (omcache_set(mc, bytes(keys[key]), KEY_LEN, bytes(value_of(key)), value_len, 0, 0, 0, 0) != OMCACHE_BUFFERED)
            fail("quiet set");
    }
    if (omcache_io(mc, NULL, NULL, NULL, NULL, -1) != OMCACHE_OK)
        fail("flush");
    return QUEUED;
}

static void check(size_t key)
{
    const unsigned char *found;
    size_t len;
    omcache_set_buffering(mc, 0);
    if (omcache_get(mc, bytes(keys[key]), KEY_LEN, &found, &len, NULL, NULL, -1) != OMCACHE_OK)
        fail("get");
    check_whole(found, len, key);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    prepare(argv + 1);
    mc = omcache_init();
    if (omcache_set_servers(mc, argv[1]) != OMCACHE_OK)
        fail("servers");
    omcache_set_dead_timeout(mc, 60000);
    for (size_t i = 0; i < key_count; i++)
        set(i);
    if (is_workload("queue"))
        omcache_set_buffering(mc, 1);
    measure(is_workload("queue") ? queue : is_workload("get") ? get : is_workload("set") ? set : get_multi, check);
    omcache_free(mc);
    return 0;
}
