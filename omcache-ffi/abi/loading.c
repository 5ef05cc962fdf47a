/*
 * Loads the library with dlopen, as language bindings do: forks with a handle at work, closes the library while it looks
 * a name up, and loads it again. Arguments: the library, a server.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <omcache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define T 2000
#define CALL(name) ((__typeof__(&name)) symbol(library, #name))

static const unsigned char KEY[] = "loading";

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, dlerror());
    exit(1);
}

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fail(path);
    return library;
}

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL)
        fail(name);
    return found;
}

static unsigned long connections(void *library, omcache_t *mc)
{
    omcache_value_t values[300];
    size_t count = 300;
    if (CALL(omcache_stat)(mc, NULL, values, &count, 0, T) == OMCACHE_OK)
        for (size_t i = 0; i < count; i++)
            if (values[i].key_len == 17 && memcmp(values[i].key, "total_connections", 17) == 0) {
                char number[32] = "";
                memcpy(number, values[i].data, values[i].data_len < 31 ? values[i].data_len : 31);
                return strtoul(number, NULL, 10);
            }
    fprintf(stderr, "the server tells no connections\n");
    exit(1);
}

static int stores(void *library, omcache_t *mc, const char *value)
{
    return CALL(omcache_set)(mc, KEY, 7, (const unsigned char *) value, strlen(value), 60, 0, 0, T) == OMCACHE_OK;
}

/* A child makes connections of its own, and the parent's are as they were. */
static int forks(void *library, const char *server)
{
    omcache_t *mc = CALL(omcache_init)();
    int status = 1, works = CALL(omcache_set_servers)(mc, server) == OMCACHE_OK && stores(library, mc, "parent");
    unsigned long before = connections(library, mc);
    pid_t child = fork();
    if (child == 0)
        _exit(stores(library, mc, "child") && CALL(omcache_free)(mc) == OMCACHE_OK ? 0 : 1);
    works &= child > 0 && waitpid(child, &status, 0) == child && status == 0;
    works &= connections(library, mc) == before + 1;
    works &= stores(library, mc, "parent again") && connections(library, mc) == before + 1;
    CALL(omcache_free)(mc);
    return works;
}

/* Begins to look a name up, which a thread does. */
static void look_up(void *library)
{
    omcache_t *mc = CALL(omcache_init)();
    CALL(omcache_set_servers)(mc, "no-such-host.invalid");
    CALL(omcache_set)(mc, KEY, 7, KEY, 7, 60, 0, 0, 0);
    CALL(omcache_io)(mc, NULL, NULL, NULL, NULL, 0);
    CALL(omcache_free)(mc);
}

int main(int argc, char **argv)
{
    int works = argc == 3;
    for (int i = 0; works && i < 20; i++) {
        void *library = load(argv[1]);
        works = forks(library, argv[2]);
        look_up(library);
        dlclose(library);
    }
    /* By now, threads that look names up have had time to come back to code that must still be there. */
    usleep(200000);
    printf("%s\n", works ? "loaded, forked, closed" : "failed");
    return works ? 0 : 1;
}
