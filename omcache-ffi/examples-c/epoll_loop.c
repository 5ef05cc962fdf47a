/* A program's own loop with epoll(7): the set of descriptors follows what OMcache asks for. */
#include <errno.h>
#include <omcache.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_FDS 64

struct watch {
    int epoll;
    int fds[MAX_FDS];
    int count;
};

/* poll's and epoll's bits for reading and writing are not the same by contract. */
static uint32_t epoll_events(short events)
{
    return (events & POLLIN ? (uint32_t) EPOLLIN : 0) | (events & POLLOUT ? (uint32_t) EPOLLOUT : 0);
}

/* Makes the set as OMcache wants it now, and returns how long epoll_wait may sleep. */
static int update(struct watch *watch, omcache_t *mc)
{
    int nfds = 0, timeout = 0;
    const struct pollfd *wanted = omcache_poll_fds(mc, &nfds, &timeout);
    if (wanted == NULL)
        return 0;
    for (int i = 0; i < watch->count; i++) {
        int still = 0;
        for (int j = 0; j < nfds; j++)
            still |= wanted[j].fd == watch->fds[i];
        /* A descriptor that was closed has left the set by itself: the error means nothing. */
        if (!still)
            epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watch->fds[i], NULL);
    }
    watch->count = 0;
    for (int j = 0; j < nfds && j < MAX_FDS; j++) {
        struct epoll_event event = {.events = epoll_events(wanted[j].events), .data = {.fd = wanted[j].fd}};
        /* A new connection may have the number of an old one, so what is in the set is asked of the kernel. */
        if (epoll_ctl(watch->epoll, EPOLL_CTL_MOD, event.data.fd, &event) != 0 && errno == ENOENT)
            epoll_ctl(watch->epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        watch->fds[watch->count++] = event.data.fd;
    }
    return timeout;
}

static void on_response(omcache_t *mc, omcache_value_t *result, void *context)
{
    (void) mc;
    if (result->key_len > 0 && result->status == OMCACHE_OK)
        ++*(int *) context;
}

int main(int argc, char **argv)
{
    int hits = 0;
    struct watch watch = {.epoll = epoll_create1(EPOLL_CLOEXEC), .count = 0};
    omcache_t *mc = omcache_init();
    omcache_set_servers(mc, argc > 1 ? argv[1] : "localhost");
    omcache_set_response_callback(mc, on_response, &hits);

    for (int i = 0; i < 50; i++) {
        char key[16];
        size_t len = (size_t) snprintf(key, sizeof key, "epoll-%d", i);
        const unsigned char *bytes = (const unsigned char *) key;
        omcache_set(mc, bytes, len, bytes, len, 60, 0, 0, 0);
        omcache_get(mc, bytes, len, NULL, NULL, NULL, NULL, 0);
    }
    while (hits < 50) {
        struct epoll_event events[MAX_FDS];
        int timeout = update(&watch, mc);
        if (epoll_wait(watch.epoll, events, MAX_FDS, timeout) < 0 && errno != EINTR)
            return 1;
        omcache_io(mc, NULL, NULL, NULL, NULL, 0);
    }
    printf("%d hits\n", hits);
    omcache_free(mc);
    close(watch.epoll);
    return 0;
}
