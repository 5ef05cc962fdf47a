/* Real memcached processes for the tests: started on ports that the kernel chooses, paused, killed, started again. */
#ifndef TESTS_MEMCACHED_H
#define TESTS_MEMCACHED_H

#include <stddef.h>
#include <sys/types.h>

/* A server process of the running test. */
typedef struct server_s {
    pid_t pid;
    int port;          /* 0 for a Unix socket */
    char address[160]; /* as it stands in a server list */
} server_t;

/* Starts a server at a port of 127.0.0.1 that the kernel chooses, and waits until it listens. */
server_t server_start(void);

/* The same, with one more option and its argument, such as "-I", "8m". */
server_t server_start_with(const char *option, const char *argument);

/* Starts a server at a Unix socket. */
server_t server_start_unix(const char *path);

/* Starts a killed server again, at the same port and with nothing stored. */
void server_start_again(server_t *server);

/* Stops it where it is: the kernel goes on accepting connections and bytes for it. */
void server_pause(const server_t *server);
void server_resume(const server_t *server);

/* Kills it and waits for its end. */
void server_kill(server_t *server);

/* Kills all servers that this process started. A process that ends without this call takes its servers with it. */
void servers_stop(void);

/* A number of the server's statistics, such as "cmd_set", asked on a connection of its own. */
unsigned long server_stat(const server_t *server, const char *name);

/* A port of 127.0.0.1 on which connects hang: somebody listens, and the queue is full. */
typedef struct hanging_port_s {
    int fds[16];
    int port;
    char address[64];
} hanging_port_t;

hanging_port_t hanging_port_open(void);
void hanging_port_close(hanging_port_t *hanging);

/* A port of 127.0.0.1 where nobody listens; it is kept from other programs until the process ends. */
int refusing_port(void);

#endif
