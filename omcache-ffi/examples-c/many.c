/* Many keys in one call: one exchange with each server, whatever the number of keys. */
#include <omcache.h>
#include <stdio.h>
#include <string.h>

#define KEYS 100
#define TIMEOUT 1000 /* milliseconds */

int main(int argc, char **argv)
{
    static char names[KEYS][16];
    const unsigned char *keys[KEYS];
    size_t key_lens[KEYS];
    omcache_req_t requests[KEYS];
    omcache_value_t values[KEYS];
    size_t request_count, value_count, hits = 0, failures = 0;
    int rc;
    omcache_t *mc = omcache_init();
    omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost");

    for (int i = 0; i < KEYS; i++) {
        key_lens[i] = (size_t) snprintf(names[i], sizeof names[i], "many-%d", i);
        keys[i] = (const unsigned char *) names[i];
        /* Every other key is stored; timeout 0 does not wait for the server. */
        if (i % 2 == 0)
            omcache_set(mc, keys[i], key_lens[i], keys[i], key_lens[i], 60, 0, 0, 0);
    }

    request_count = KEYS;
    value_count = KEYS;
    rc = omcache_get_multi(mc, keys, key_lens, KEYS, requests, &request_count, values, &value_count, TIMEOUT);
    for (;;) {
        /* Values are valid until the next call: they are used before it. */
        for (size_t i = 0; i < value_count; i++) {
            if (values[i].status == OMCACHE_OK)
                hits++;
            else
                failures++;
        }
        if (rc != OMCACHE_AGAIN)
            break;
        value_count = KEYS;
        rc = omcache_io(mc, requests, &request_count, values, &value_count, TIMEOUT);
    }
    printf("%s: %zu hits, %zu failures\n", omcache_strerror(rc), hits, failures);
    omcache_free(mc);
    return rc == OMCACHE_OK && hits == KEYS / 2 && failures == 0 ? 0 : 1;
}
