/* The limit: a loop that sends packets of the binary protocol made before, and does not look at the answers. One server. */
#include "measure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GET = 0x00, SET = 0x01, GETKQ = 0x0d, NOOP = 0x0a, SETQ = 0x11, HEADER = 24 };

static int fd;
static unsigned char *packets;
static size_t packets_len, answers_len, count, step;

static void add(unsigned char opcode, size_t key_len, size_t extras, size_t body, const char *key)
{
    unsigned char *at = packets + packets_len;
    uint16_t keys_be = htons((uint16_t) key_len);
    uint32_t body_be = htonl((uint32_t) (key_len + extras + body));
    memset(at, 0, HEADER + extras);
    at[0] = 0x80;
    at[1] = opcode;
    memcpy(at + 2, &keys_be, 2);
    at[4] = (unsigned char) extras;
    memcpy(at + 8, &body_be, 4);
    memcpy(at + HEADER + extras, key, key_len);
    memcpy(at + HEADER + extras + key_len, value, body);
    packets_len += HEADER + extras + key_len + body;
}

static void exchange(const unsigned char *from, size_t len, size_t answers)
{
    static char sink[256 * 1024];
    while (len > 0 || answers > 0) {
        struct pollfd polled = {fd, (short) ((answers ? POLLIN : 0) | (len ? POLLOUT : 0)), 0};
        if (len > 0) {
            ssize_t sent = send(fd, from, len, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent > 0) {
                from += sent;
                len -= (size_t) sent;
            }
            if (len == 0 && answers == 0)
                return;
            polled.events = (short) ((answers ? POLLIN : 0) | (len ? POLLOUT : 0));
        }
        poll(&polled, 1, -1);
        if (polled.revents & POLLIN) {
            ssize_t got = recv(fd, sink, sizeof sink, MSG_DONTWAIT);
            if (got <= 0)
                fail("receive");
            answers -= (size_t) got;
        }
    }
}

static size_t one(size_t at)
{
    exchange(packets + at % key_count * step, step, answers_len);
    return 1;
}

static size_t all(size_t at)
{
    (void) at;
    exchange(packets, packets_len, answers_len);
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    prepare(argv);
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *port = strrchr(servers, ':');
    if (!port)
        return 2;
    address.sin_port = htons((uint16_t) atoi(port + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) != 0)
        fail("connect");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    packets = malloc((QUEUED + MAX_KEYS + 1) * (HEADER + 8 + KEY_LEN + value_len));
    for (size_t i = 0; i < key_count; i++) {
        packets_len = 0;
        add(SET, KEY_LEN, 8, value_len, keys[i]);
        exchange(packets, packets_len, HEADER);
    }
    packets_len = 0;
    unit_t unit = all;
    if (strcmp(workload, "get") == 0 || strcmp(workload, "set") == 0) {
        int gets = workload[0] == 'g';
        for (size_t i = 0; i < key_count; i++)
            gets ? add(GET, KEY_LEN, 0, 0, keys[i]) : add(SET, KEY_LEN, 8, value_len, keys[i]);
        step = packets_len / key_count;
        answers_len = gets ? HEADER + 4 + value_len : HEADER;
        unit = one;
    } else if (strcmp(workload, "queue") == 0) {
        count = QUEUED;
        for (size_t i = 0; i < count; i++)
            add(SETQ, KEY_LEN, 8, value_len, keys[i % key_count]);
        add(NOOP, 0, 0, 0, "");
        answers_len = HEADER;
    } else {
        count = key_count;
        for (size_t i = 0; i < count; i++)
            add(GETKQ, KEY_LEN, 0, 0, keys[i]);
        add(NOOP, 0, 0, 0, "");
        answers_len = count * (HEADER + 4 + KEY_LEN + value_len) + HEADER;
    }
    measure(argv[4], unit);
    close(fd);
    return 0;
}
