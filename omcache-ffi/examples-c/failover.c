/* A server that is not there: its keys go to the others, and the program can see it. */
#include <omcache.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define TIMEOUT 2000 /* milliseconds */

static const char *const STATES[] = {"idle", "connecting", "ready", "disabled", "retrying"};

int main(int argc, char **argv)
{
    char prefix[] = "log: ";
    int stored = 0;
    omcache_t *mc = omcache_init();
    omcache_set_log_callback(mc, LOG_NOTICE, omcache_log_stderr, prefix);
    omcache_set_connect_timeout(mc, 500);     /* a server that does not complete a handshake in this time is disabled, */
    omcache_set_reconnect_timeout(mc, 30000); /* and tried again in the background after this one */
    omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost:11211,localhost:1");

    for (int i = 0; i < 100; i++) {
        char key[16];
        size_t len = (size_t) snprintf(key, sizeof key, "failover-%d", i);
        const unsigned char *bytes = (const unsigned char *) key;
        int rc = omcache_set(mc, bytes, len, bytes, len, 60, 0, 0, TIMEOUT);
        if (rc == OMCACHE_OK)
            stored++;
        else
            fprintf(stderr, "%s: %s\n", key, omcache_strerror(rc));
    }
    printf("%d of 100 stored\n", stored);

    omcache_server_info_t *info;
    for (int i = 0; (info = omcache_server_info(mc, i)) != NULL; i++) {
        omcache_server_status_t status;
        if (omcache_server_status(mc, i, &status) == OMCACHE_OK)
            printf("server %d is %s%s%s\n", i, STATES[status.state], status.last_error ? ": " : "",
                   status.last_error ? status.last_error : "");
        omcache_server_info_free(mc, info);
    }
    omcache_free(mc);
    return stored == 100 ? 0 : 1;
}
