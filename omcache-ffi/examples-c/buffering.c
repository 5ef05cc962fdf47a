/* Buffering: commands are collected, and sent together when the program says so. */
#include <omcache.h>
#include <stdio.h>
#include <string.h>

#define COUNT 1000

/* Of quiet commands only failures are told: what the server refuses, and what is lost with its server. */
static void on_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void) mc;
    if (result->status != OMCACHE_OK)
        ++*(int *) context;
}

int main(int argc, char **argv)
{
    int failures = 0, accepted = 0;
    omcache_t *mc = omcache_init();
    omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost");
    omcache_set_response_callback(mc, on_response, &failures);
    omcache_set_buffering(mc, 1);

    for (int i = 0; i < COUNT; i++) {
        char key[32];
        size_t len = (size_t) snprintf(key, sizeof key, "buffering-%d", i);
        const unsigned char *bytes = (const unsigned char *) key;
        int rc = omcache_set(mc, bytes, len, bytes, len, 60, 0, 0, 0);
        if (rc == OMCACHE_BUFFER_FULL) { /* 10 MiB a server, unless omcache_set_send_buffer_max_size() says otherwise */
            omcache_io(mc, NULL, NULL, NULL, NULL, -1);
            rc = omcache_set(mc, bytes, len, bytes, len, 60, 0, 0, 0);
        }
        if (rc == OMCACHE_BUFFERED)
            accepted++;
    }
    /* Nothing is sent so far. This sends all and waits until every command is settled. */
    int rc = omcache_io(mc, NULL, NULL, NULL, NULL, -1);
    printf("%d accepted, %d failures: %s\n", accepted, failures, omcache_strerror(rc));
    omcache_free(mc);
    return rc == OMCACHE_OK && accepted == COUNT && failures == 0 ? 0 : 1;
}
