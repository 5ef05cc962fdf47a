/* The limit: a loop that sends packets of the binary protocol made before, and does not look at the answers. */
#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GET = 0x00, SET = 0x01, GETQ = 0x09, NOOP = 0x0a, SETQ = 0x11 };
enum { HEADER = 24, SET_EXTRAS = 8, GET_EXTRAS = 4 };

/* What is to be sent and received at once on a connection. */
struct job {
    const unsigned char *packets;
    size_t len, answers;
};

struct connection {
    int fd;
    unsigned char *packets;
    size_t packets_len;
    struct job batch, now;
};

static struct connection connections[MAX_SERVERS];
/* The packet of each key, for what is sent one by one. */
static struct job single[MAX_KEYS];

static void add(struct connection *to, unsigned char opcode, const char *key)
{
    int is_set = opcode == SET || opcode == SETQ;
    size_t key_len = key ? KEY_LEN : 0, extras = is_set ? SET_EXTRAS : 0, body = is_set ? value_len : 0;
    to->packets = realloc(to->packets, to->packets_len + HEADER + extras + key_len + body);
    unsigned char *at = to->packets + to->packets_len;
    uint16_t key_be = htons((uint16_t) key_len);
    uint32_t body_be = htonl((uint32_t) (key_len + extras + body));
    memset(at, 0, HEADER + extras);
    at[0] = 0x80;
    at[1] = opcode;
    memcpy(at + 2, &key_be, 2);
    at[4] = (unsigned char) extras;
    memcpy(at + 8, &body_be, 4);
    if (key)
        memcpy(at + HEADER + extras, key, key_len);
    if (is_set) {
        memcpy(at + HEADER + extras + key_len, value, body);
        memcpy(at + HEADER + extras + key_len, key, key_len);
    }
    to->packets_len += HEADER + extras + key_len + body;
}

static struct connection *of(size_t key)
{
    return &connections[key % server_count];
}

/* 0 where nothing moves now. */
static size_t moved(ssize_t count, const char *what)
{
    if (count > 0)
        return (size_t) count;
    if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        fail(what);
    return 0;
}

static size_t receive(struct connection *from, int flags)
{
    static char sink[64 * 1024];
    size_t wanted = from->now.answers < sizeof sink ? from->now.answers : sizeof sink;
    size_t got = moved(recv(from->fd, sink, wanted, flags), "receive");
    from->now.answers -= got;
    return got;
}

static size_t transmit(struct connection *to)
{
    size_t sent = moved(send(to->fd, to->now.packets, to->now.len, MSG_NOSIGNAL | MSG_DONTWAIT), "send");
    to->now.packets += sent;
    to->now.len -= sent;
    return sent;
}

/* Receives while there is more to send than fits at once, so that neither side waits for the other. */
static void exchange(struct connection *list, size_t count)
{
    size_t unsent;
    do {
        struct pollfd polled[MAX_SERVERS];
        size_t progress = 0;
        unsent = 0;
        for (struct connection *each = list; each < list + count; each++) {
            if (each->now.len == 0)
                continue;
            progress += transmit(each);
            if (each->now.len == 0)
                continue;
            progress += receive(each, MSG_DONTWAIT);
            polled[unsent++] = (struct pollfd){each->fd, POLLIN | POLLOUT, 0};
        }
        if (unsent && !progress)
            poll(polled, unsent, -1);
    } while (unsent);
    for (struct connection *each = list; each < list + count; each++)
        while (each->now.answers > 0)
            receive(each, 0);
}

static size_t one(size_t at)
{
    size_t key = at % key_count;
    of(key)->now = single[key];
    exchange(of(key), 1);
    return 1;
}

static size_t batch_len(void)
{
    return is_workload("queue") ? QUEUED : key_count;
}

static size_t all(size_t at)
{
    (void) at;
    for (size_t i = 0; i < server_count; i++)
        connections[i].now = connections[i].batch;
    exchange(connections, server_count);
    return batch_len();
}

static void open_connection(struct connection *to, char *server)
{
    int on = 1;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (*server == '/') {
        snprintf(path.sun_path, sizeof path.sun_path, "%s", server);
        to->fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(to->fd, (struct sockaddr *) &path, sizeof path) != 0)
            fail("connect");
        return;
    }
    char *port = strrchr(server, ':');
    if (!port)
        fail("an address");
    *port++ = '\0';
    address.sin_port = htons((uint16_t) atoi(port));
    if (inet_pton(AF_INET, server, &address.sin_addr) != 1)
        fail("an address");
    to->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(to->fd, (struct sockaddr *) &address, sizeof address) != 0)
        fail("connect");
    setsockopt(to->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Makes the packet of each key; they stay in place as no more are added. */
static void make_single(unsigned char opcode)
{
    size_t begin[MAX_SERVERS] = {0};
    for (size_t key = 0; key < key_count; key++)
        add(of(key), opcode, keys[key]);
    for (size_t key = 0; key < key_count; key++) {
        size_t *at = &begin[key % server_count], len = of(key)->packets_len / ((key_count - 1 - key % server_count) / server_count + 1);
        single[key] = (struct job){of(key)->packets + *at, len, HEADER + (opcode == GET ? GET_EXTRAS + value_len : 0)};
        *at += len;
    }
}

static void make_batches(unsigned char opcode)
{
    for (size_t i = 0; i < batch_len(); i++) {
        struct connection *to = of(i % key_count);
        add(to, opcode, keys[i % key_count]);
        to->batch.answers += opcode == GETQ ? HEADER + GET_EXTRAS + value_len : 0;
    }
    for (size_t i = 0; i < server_count; i++) {
        struct connection *to = &connections[i];
        add(to, NOOP, NULL);
        to->batch = (struct job){to->packets, to->packets_len, to->batch.answers + HEADER};
    }
}

static void clear(void)
{
    for (size_t i = 0; i < server_count; i++) {
        free(connections[i].packets);
        connections[i].packets = NULL;
        connections[i].packets_len = 0;
    }
}

static void check(size_t key)
{
    unsigned char *answer = malloc(HEADER + GET_EXTRAS + value_len);
    clear();
    add(of(key), GET, keys[key]);
    if (send(of(key)->fd, of(key)->packets, of(key)->packets_len, MSG_NOSIGNAL) != (ssize_t) of(key)->packets_len)
        fail("send");
    size_t wanted = HEADER + GET_EXTRAS + value_len;
    if (!answer || recv(of(key)->fd, answer, wanted, MSG_WAITALL) != (ssize_t) wanted)
        fail("receive");
    check_whole(answer + HEADER + GET_EXTRAS, value_len, key);
    free(answer);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    prepare(argv + 1);
    for (size_t i = 0; i < server_count; i++)
        open_connection(&connections[i], server_list[i]);
    make_single(SET);
    for (size_t key = 0; key < key_count; key++)
        one(key);
    clear();
    if (is_storing())
        memset(value, 'w', value_len);
    if (is_workload("get") || is_workload("set"))
        make_single(is_workload("get") ? GET : SET);
    else
        make_batches(is_workload("queue") ? SETQ : GETQ);
    measure(is_workload("get") || is_workload("set") ? one : all, check);
    return 0;
}
