/* A first program: stores a value, reads it back, counts, and removes both keys. */
#include <inttypes.h>
#include <omcache.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT 1000 /* milliseconds that each call may take */

static const unsigned char *bytes(const char *text)
{
    return (const unsigned char *) text;
}

static int failed(omcache_t *mc, const char *what, int rc)
{
    fprintf(stderr, "%s: %s (%s)\n", what, omcache_strerror(rc), omcache_last_error(mc));
    omcache_free(mc);
    return 1;
}

int main(int argc, char **argv)
{
    omcache_t *mc = omcache_init();
    int rc = omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost");
    if (rc != OMCACHE_OK)
        return failed(mc, "servers", rc);

    rc = omcache_set(mc, bytes("greeting"), 8, bytes("hello"), 5, 60, 0, 0, TIMEOUT);
    if (rc != OMCACHE_OK)
        return failed(mc, "set", rc);

    const unsigned char *value;
    size_t value_len;
    uint32_t flags;
    uint64_t cas;
    rc = omcache_get(mc, bytes("greeting"), 8, &value, &value_len, &flags, &cas, TIMEOUT);
    if (rc != OMCACHE_OK)
        return failed(mc, "get", rc);
    printf("greeting is %.*s\n", (int) value_len, (const char *) value);

    uint64_t visits = 0;
    for (int i = 0; i < 3; i++) {
        rc = omcache_increment(mc, bytes("visits"), 6, 1, 1, 60, &visits, TIMEOUT);
        if (rc != OMCACHE_OK)
            return failed(mc, "increment", rc);
    }
    printf("visits is %" PRIu64 "\n", visits);

    omcache_delete(mc, bytes("greeting"), 8, TIMEOUT);
    omcache_delete(mc, bytes("visits"), 6, TIMEOUT);
    rc = omcache_get(mc, bytes("greeting"), 8, &value, &value_len, &flags, &cas, TIMEOUT);
    printf("greeting: %s\n", omcache_strerror(rc));
    omcache_free(mc);
    return rc == OMCACHE_NOT_FOUND ? 0 : 1;
}
