/* A program's own loop with epoll(7): the set of descriptors follows what OMcache asks for. */
#include <errno.h>
#include <omcache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A set of OMcache's descriptors alone: the program adds `epoll` to a set of its own, where it has one. Else a descriptor
   of the program's that has got the number of a closed connection would be taken out with it. */
struct watch {
    int epoll;
    int *fds;
    int count, room;
};

/* poll's and epoll's bits for reading and writing are not the same by contract. */
static uint32_t epoll_events(short events)
{
    return (events & POLLIN ? (uint32_t) EPOLLIN : 0) | (events & POLLOUT ? (uint32_t) EPOLLOUT : 0);
}

/* Makes the set as OMcache wants it now, and returns how long epoll_wait may sleep; -1 where memory is short. */
static int update(struct watch *watch, omcache_t *mc)
{
    int nfds = 0, timeout = 0;
    const struct pollfd *wanted = omcache_poll_fds(mc, &nfds, &timeout);
    for (int i = 0; i < watch->count; i++) {
        int still = 0;
        for (int j = 0; j < nfds; j++)
            still |= wanted[j].fd == watch->fds[i];
        /* A descriptor that was closed has left the set by itself: the error means nothing. */
        if (!still)
            epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watch->fds[i], NULL);
    }
    watch->count = 0;
    if (nfds > watch->room) {
        int *fds = realloc(watch->fds, (size_t) nfds * sizeof *fds);
        if (fds == NULL)
            return -1;
        watch->fds = fds;
        watch->room = nfds;
    }
    for (int j = 0; j < nfds; j++) {
        struct epoll_event event = {.events = epoll_events(wanted[j].events), .data = {.fd = wanted[j].fd}};
        /* A new connection may have the number of an old one, so what is in the set is asked of the kernel. */
        if (epoll_ctl(watch->epoll, EPOLL_CTL_MOD, event.data.fd, &event) != 0 && errno == ENOENT)
            epoll_ctl(watch->epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        watch->fds[watch->count++] = event.data.fd;
    }
    return timeout;
}

struct counts {
    int hits, failures;
};

static void on_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    struct counts *counts = context;
    (void) mc;
    if (result->status != OMCACHE_OK)
        counts->failures++;
    else if (result->key_len > 0)
        counts->hits++;
}

int main(int argc, char **argv)
{
    struct counts counts = {0, 0};
    struct watch watch = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    omcache_t *mc = omcache_init();
    omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost");
    omcache_set_response_callback(mc, on_response, &counts);

    for (int i = 0; i < 50; i++) {
        char key[16];
        size_t len = (size_t) snprintf(key, sizeof key, "epoll-%d", i);
        const unsigned char *bytes = (const unsigned char *) key;
        omcache_set(mc, bytes, len, bytes, len, 60, 0, 0, 0);
        omcache_get(mc, bytes, len, NULL, NULL, NULL, NULL, 0);
    }
    /* A command that is lost with its server ends too, as a failure. */
    int rc = omcache_io(mc, NULL, NULL, NULL, NULL, 0);
    while (rc == OMCACHE_AGAIN) {
        struct epoll_event event;
        int timeout = update(&watch, mc);
        if (timeout < 0 || (epoll_wait(watch.epoll, &event, 1, timeout) < 0 && errno != EINTR))
            return 1;
        rc = omcache_io(mc, NULL, NULL, NULL, NULL, 0);
    }
    printf("%d hits, %d failures\n", counts.hits, counts.failures);
    omcache_free(mc);
    close(watch.epoll);
    free(watch.fds);
    return rc == OMCACHE_OK && counts.hits == 50 && counts.failures == 0 ? 0 : 1;
}
