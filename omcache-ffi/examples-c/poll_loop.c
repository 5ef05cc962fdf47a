/* A program's own loop with poll(2): commands are sent without waiting, responses come to a callback. */
#include <omcache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state {
    int received, failures, ticks;
    struct pollfd *fds;
    int room;
};

static void on_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    struct state *state = context;
    (void) mc;
    if (result->status >= OMCACHE_AGAIN)
        state->failures++; /* of a command that is lost: which one is not told */
    if (result->key_len == 0)
        return; /* of a command without a key */
    printf("%.*s: %s, %.*s\n", (int) result->key_len, (const char *) result->key, omcache_strerror(result->status),
           (int) result->data_len, (const char *) result->data);
    state->received++;
}

/* Room for all descriptors: there is one for each server, and more while names are looked up. */
static int make_room(struct state *state, int count)
{
    if (count > state->room) {
        struct pollfd *fds = realloc(state->fds, (size_t) count * sizeof *fds);
        if (fds == NULL)
            return -1;
        state->fds = fds;
        state->room = count;
    }
    return 0;
}

/* Waits once: for memcached, and for what else the program has. Returns OMCACHE_AGAIN while something is under way. */
static int turn(omcache_t *mc, int own_fd, struct state *state)
{
    int nfds = 0, timeout = -1;
    const struct pollfd *wanted = omcache_poll_fds(mc, &nfds, &timeout);
    if (wanted == NULL || make_room(state, nfds + 1) != 0)
        return OMCACHE_FAIL;
    memcpy(state->fds, wanted, (size_t) nfds * sizeof *wanted);
    state->fds[nfds].fd = own_fd;
    state->fds[nfds].events = POLLIN;
    if (poll(state->fds, (nfds_t) nfds + 1, timeout) > 0 && (state->fds[nfds].revents & POLLIN)) {
        char byte;
        if (read(own_fd, &byte, 1) == 1)
            state->ticks++;
    }
    /* Sends and receives what is possible now. */
    return omcache_io(mc, NULL, NULL, NULL, NULL, 0);
}

int main(int argc, char **argv)
{
    struct state state = {0};
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
    int rc = omcache_io(mc, NULL, NULL, NULL, NULL, 0);
    while (rc == OMCACHE_AGAIN || (rc == OMCACHE_OK && state.ticks < 1))
        rc = turn(mc, own[0], &state);
    printf("%d responses, %d failures, %d ticks\n", state.received, state.failures, state.ticks);
    omcache_free(mc);
    free(state.fds);
    return rc == OMCACHE_OK && state.failures == 0 && state.received == 3 ? 0 : 1;
}
