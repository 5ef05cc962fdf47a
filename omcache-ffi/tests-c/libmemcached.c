/* The thin wrapper: a program compiled against libmemcached and against OMcache prints the same. */
#include "tests.h"

#include <sys/wait.h>

/* Runs the program that an environment variable names, and reads what it prints. */
static void run(const char *variable, const char *arguments, char *printed, size_t size)
{
    char command[600];
    const char *program = getenv(variable);
    ck_assert_msg(program, "%s names the program", variable);
    snprintf(command, sizeof command, "'%s' %s", program, arguments);
    FILE *output = popen(command, "r");
    ck_assert_ptr_nonnull(output);
    size_t read = fread(printed, 1, size - 1, output);
    printed[read] = 0;
    int status = pclose(output);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s ended with %x", program, (unsigned)status);
}

START_TEST(both_print_the_same)
{
    static char theirs[65536], ours[65536];
    server_t servers[2] = {server_start(), server_start()};
    char arguments[500];
    /* OMcache sorts the list, as strings. */
    int first = strcmp(servers[0].address, servers[1].address) > 0;
    snprintf(arguments, sizeof arguments, "%s,%s 127.0.0.1:%d 127.0.0.1:%d", servers[first].address, servers[!first].address,
             refusing_port(), refusing_port());
    run("OMCACHE_LIBMEMCACHED_PROGRAM", arguments, theirs, sizeof theirs);
    run("OMCACHE_WRAPPER_PROGRAM", arguments, ours, sizeof ours);
    ck_assert_ptr_nonnull(strstr(theirs, "get a: 6 <four>, flags 6"));
    ck_assert_str_eq(theirs, ours);
}

Suite *libmemcached_suite(void)
{
    const TTest *const tests[] = {both_print_the_same, NULL};
    return suite_of("libmemcached", tests, 60);
}
