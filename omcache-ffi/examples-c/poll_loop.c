/* A program's own loop with poll(2): commands are sent without waiting, responses come to a callback. */
#include <omcache.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_FDS 16

struct state {
    int received;
    int ticks;
};

static void on_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    struct state *state = context;
    (void) mc;
    if (result->key_len == 0)
        return; /* of a command without a key */
    printf("%.*s: %s, %.*s\n", (int) result->key_len, (const char *) result->key, omcache_strerror(result->status),
           (int) result->data_len, (const char *) result->data);
    state->received++;
}

/* Waits once: for memcached, and for what else the program has. */
static void turn(omcache_t *mc, int own_fd, struct state *state)
{
    struct pollfd fds[MAX_FDS];
    int nfds = 0, timeout = -1;
    const struct pollfd *wanted = omcache_poll_fds(mc, &nfds, &timeout);
    if (wanted == NULL || nfds > MAX_FDS - 1)
        nfds = 0; /* no room: come back soon */
    else
        memcpy(fds, wanted, (size_t) nfds * sizeof *fds);
    fds[nfds].fd = own_fd;
    fds[nfds].events = POLLIN;
    if (poll(fds, (nfds_t) nfds + 1, timeout) > 0 && (fds[nfds].revents & POLLIN)) {
        char byte;
        if (read(own_fd, &byte, 1) == 1)
            state->ticks++;
    }
    /* Sends and receives what is possible now. */
    omcache_io(mc, NULL, NULL, NULL, NULL, 0);
}

int main(int argc, char **argv)
{
    struct state state = {0, 0};
    int own[2];
    omcache_t *mc = omcache_init();
    omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost");
    omcache_set_response_callback(mc, on_response, &state);
    if (pipe(own) != 0 || write(own[1], "x", 1) != 1)
        return 1;

    for (int i = 0; i < 3; i++) {
        char key[16];
        size_t len = (size_t) snprintf(key, sizeof key, "loop-%d", i);
        const unsigned char *bytes = (const unsigned char *) key;
        omcache_set(mc, bytes, len, bytes, len, 60, 0, 0, 0);
        omcache_get(mc, bytes, len, NULL, NULL, NULL, NULL, 0);
    }
    while (state.received < 3 || state.ticks < 1)
        turn(mc, own[0], &state);
    printf("%d responses, %d ticks\n", state.received, state.ticks);
    omcache_free(mc);
    return 0;
}
