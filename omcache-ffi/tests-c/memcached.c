/* Real memcached processes for the tests: how they are started and stopped. */
#define _GNU_SOURCE
#include "memcached.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SERVERS = 64, MOST_TRIES = 20000 };

static pid_t started[MOST_SERVERS];
static size_t started_count;

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void note(pid_t pid)
{
    ck_assert_uint_lt(started_count, MOST_SERVERS);
    started[started_count++] = pid;
}

/* Runs memcached; with port_file it tells its port there. */
static pid_t run(const char *const *arguments, const char *port_file)
{
    const char *argv[24] = {"memcached", "-U", "0", "-t", "1"};
    size_t argc = 5;
    if (geteuid() == 0) {
        argv[argc++] = "-u";
        argv[argc++] = "root";
    }
    for (; *arguments; arguments++)
        argv[argc++] = *arguments;
    pid_t parent = getpid();
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        note(pid);
        return pid;
    }
    /* A test that fails ends without a teardown. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (port_file)
        setenv("MEMCACHED_PORT_FILENAME", port_file, 1);
    execvp(argv[0], (char *const *)argv);
    perror("memcached");
    _exit(1);
}

static void still_runs(pid_t pid)
{
    int status;
    ck_assert_msg(waitpid(pid, &status, WNOHANG) == 0, "memcached ended at once");
}

static server_t start(const char *const *arguments)
{
    char folder[] = "/tmp/omcache-tests-XXXXXX";
    char file[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/port", folder);
    server_t server = {.pid = run(arguments, file)};
    for (int tries = 0; tries < MOST_TRIES && server.port == 0; tries++) {
        FILE *told = fopen(file, "r");
        if (told) {
            ck_assert_int_eq(fscanf(told, "TCP INET: %d", &server.port), 1);
            fclose(told);
        } else {
            still_runs(server.pid);
            rest();
        }
    }
    ck_assert_msg(server.port > 0, "memcached told no port");
    unlink(file);
    rmdir(folder);
    snprintf(server.address, sizeof server.address, "127.0.0.1:%d", server.port);
    return server;
}

server_t server_start(void)
{
    return start((const char *[]){"-p", "-1", "-l", "127.0.0.1", NULL});
}

server_t server_start_with(const char *option, const char *argument)
{
    return start((const char *[]){"-p", "-1", "-l", "127.0.0.1", option, argument, NULL});
}

server_t server_start_unix(const char *path)
{
    server_t server = {.pid = run((const char *[]){"-s", path, "-c", "8192", NULL}, NULL)};
    struct stat found;
    for (int tries = 0; tries < MOST_TRIES && stat(path, &found) != 0; tries++) {
        still_runs(server.pid);
        rest();
    }
    snprintf(server.address, sizeof server.address, "%s", path);
    return server;
}

/* Whether somebody listens. */
static int listens(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int done = connect(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    return done == 0;
}

void server_start_again(server_t *server)
{
    char port[16];
    snprintf(port, sizeof port, "%d", server->port);
    server->pid = run((const char *[]){"-p", port, "-l", "127.0.0.1", NULL}, NULL);
    for (int tries = 0; tries < MOST_TRIES && !listens(server->port); tries++) {
        still_runs(server->pid);
        rest();
    }
}

void server_pause(const server_t *server)
{
    int status;
    ck_assert_int_eq(kill(server->pid, SIGSTOP), 0);
    pid_t pid;
    do
        pid = waitpid(server->pid, &status, WUNTRACED);
    while (pid < 0 && errno == EINTR);
    ck_assert(pid == server->pid && WIFSTOPPED(status));
}

void server_resume(const server_t *server)
{
    ck_assert_int_eq(kill(server->pid, SIGCONT), 0);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void server_kill(server_t *server)
{
    for (size_t i = 0; i < started_count; i++) {
        if (started[i] == server->pid)
            started[i] = started[--started_count];
    }
    end(server->pid);
    server->pid = 0;
}

void servers_stop(void)
{
    while (started_count > 0)
        end(started[--started_count]);
}

static int open_tcp(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

unsigned long server_stat(const server_t *server, const char *name)
{
    FILE *link = fdopen(open_tcp(server->port), "r+");
    ck_assert_ptr_nonnull(link);
    fputs("stats\r\n", link);
    fflush(link);
    char line[512], wanted[64];
    unsigned long value = 0;
    int found = 0;
    snprintf(wanted, sizeof wanted, "STAT %s ", name);
    while (fgets(line, sizeof line, link) && strncmp(line, "END", 3) != 0) {
        if (strncmp(line, wanted, strlen(wanted)) == 0)
            found = sscanf(line + strlen(wanted), "%lu", &value);
    }
    fclose(link);
    ck_assert_msg(found == 1, "no statistic %s", name);
    return value;
}

static int bound_port(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

hanging_port_t hanging_port_open(void)
{
    hanging_port_t hanging;
    hanging.fds[0] = bound_port(&hanging.port);
    ck_assert_int_eq(listen(hanging.fds[0], 0), 0);
    snprintf(hanging.address, sizeof hanging.address, "127.0.0.1:%d", hanging.port);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)hanging.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 1; i < sizeof hanging.fds / sizeof *hanging.fds; i++) {
        hanging.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(hanging.fds[i], 0);
        connect(hanging.fds[i], (struct sockaddr *)&address, sizeof address);
    }
    return hanging;
}

void hanging_port_close(hanging_port_t *hanging)
{
    for (size_t i = 0; i < sizeof hanging->fds / sizeof *hanging->fds; i++)
        close(hanging->fds[i]);
}

int refusing_port(void)
{
    int port;
    bound_port(&port);
    return port;
}
