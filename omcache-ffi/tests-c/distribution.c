/* Which server has a key: the three of libmemcached against known answers, and a program's own distribution. */
#include "tests.h"

#include <ctype.h>

/* Reading the vectors, each a line of JSON with known members in a known order; see omcache-hash/tests. */
typedef struct vector_s {
    char distribution[32];
    int count;
    struct {
        char host[64];
        int port;
        uint32_t weight;
    } servers[64];
    int key_count;
    struct {
        unsigned char bytes[256];
        size_t len;
        int server;
    } keys[64];
} vector_t;

static const char *expect(const char *at, const char *text)
{
    ck_assert_msg(strncmp(at, text, strlen(text)) == 0, "expected %s at %.30s", text, at);
    return at + strlen(text);
}

static const char *read_servers(const char *at, vector_t *vector)
{
    int read = 0;
    do {
        char host[64];
        ck_assert_int_lt(vector->count, 64);
        int found = sscanf(at, "[\"%63[^\"]\",%d,%u]%n", host, &vector->servers[vector->count].port,
                           &vector->servers[vector->count].weight, &read);
        ck_assert_msg(found == 3, "no server at %.30s", at);
        strcpy(vector->servers[vector->count++].host, host);
        at += read;
    } while (*at++ == ',');
    return at;
}

static const char *read_keys(const char *at, vector_t *vector)
{
    do {
        ck_assert_int_lt(vector->key_count, 64);
        unsigned byte;
        size_t len = 0;
        for (at = expect(at, "\""); isxdigit((unsigned char)*at); at += 2) {
            ck_assert_int_eq(sscanf(at, "%2x", &byte), 1);
            vector->keys[vector->key_count].bytes[len++] = (unsigned char)byte;
        }
        vector->keys[vector->key_count++].len = len;
        at = expect(at, "\"");
    } while (*at++ == ',');
    return at;
}

static void read_vector(const char *line, vector_t *vector)
{
    memset(vector, 0, sizeof *vector);
    int read = 0;
    ck_assert_int_eq(sscanf(line, "{\"distribution\":\"%31[a-z0-9_]\",%n", vector->distribution, &read), 1);
    const char *at = read_servers(expect(line + read, "\"servers\":["), vector);
    at = read_keys(expect(at, ",\"keys\":["), vector);
    at = expect(at, ",\"server_index\":[");
    for (int i = 0; i < vector->key_count; i++) {
        vector->keys[i].server = (int)strtol(at, (char **)&at, 10);
        at++;
    }
}

/* Checks one line with a distribution that is given by its structure, or by its name. */
static void check(const vector_t *vector, omcache_dist_t *method)
{
    char list[64 * 80];
    uint32_t weights[64];
    size_t used = 0;
    for (int i = 0; i < vector->count; i++) {
        weights[i] = vector->servers[i].weight;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s:%d,", vector->servers[i].host, vector->servers[i].port);
    }
    omcache_t *mc = omcache_init();
    if (method)
        ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, method));
    else
        ck_rc(OMCACHE_OK, omcache_set_distribution_by_name(mc, vector->distribution));
    ck_rc(OMCACHE_OK, omcache_set_weighted_servers(mc, list, weights, (size_t)vector->count));
    for (int i = 0; i < vector->key_count; i++) {
        int index = omcache_server_index_for_key(mc, vector->keys[i].bytes, vector->keys[i].len);
        omcache_server_info_t *info = omcache_server_info(mc, index);
        ck_assert_ptr_nonnull(info);
        int wanted = vector->keys[i].server;
        ck_assert_msg(strcmp(info->hostname, vector->servers[wanted].host) == 0 &&
                          info->port == vector->servers[wanted].port,
                      "%s of %d servers: key %d goes to %s:%d", vector->distribution, vector->count, i, info->hostname,
                      info->port);
        omcache_server_info_free(mc, info);
    }
    omcache_free(mc);
}

START_TEST(the_three_of_libmemcached)
{
    const char *path = getenv("OMCACHE_VECTORS");
    ck_assert_msg(path, "OMCACHE_VECTORS names the file of the vectors");
    FILE *file = fopen(path, "r");
    ck_assert_msg(file, "%s: cannot be read", path);
    static char line[16384];
    static vector_t vector;
    int seen[3] = {0};
    while (fgets(line, sizeof line, file)) {
        omcache_dist_t *const methods[] = {&omcache_dist_libmemcached_ketama, &omcache_dist_libmemcached_ketama_weighted,
                                           &omcache_dist_libmemcached_ketama_pre1010};
        const char *const names[] = {"ketama", "ketama_weighted", "ketama_pre1010"};
        char name[32];
        if (sscanf(line, "{\"distribution\":\"%31[a-z0-9_]\"", name) != 1)
            continue;
        for (int i = 0; i < 3; i++) {
            /* Five lines of each, from one server to some dozens. */
            if (strcmp(name, names[i]) != 0 || seen[i] >= 5)
                continue;
            seen[i]++;
            read_vector(line, &vector);
            check(&vector, methods[i]);
            check(&vector, NULL);
        }
    }
    fclose(file);
    ck_assert(seen[0] == 5 && seen[1] == 5 && seen[2] == 5);
}

/* The structure counts, not its address: a program that is no PIE has copies. */
START_TEST(copies_of_the_structures)
{
    omcache_t *mc = omcache_init(), *copied = omcache_init();
    omcache_dist_t *const methods[] = {&omcache_dist_libmemcached_ketama, &omcache_dist_libmemcached_ketama_weighted,
                                       &omcache_dist_libmemcached_ketama_pre1010};
    const uint32_t points[] = {100, 40, 40}, entries[] = {1, 4, 4};
    const char *list = "a:1,b:2,c:3,127.0.0.1:99";
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, list));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(methods[i]->omcache_version, OMCACHE_VERSION);
        ck_assert_uint_eq(methods[i]->points_per_server, points[i]);
        ck_assert_uint_eq(methods[i]->entries_per_point, entries[i]);
        omcache_dist_t copy = *methods[i];
        ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, methods[i]));
        ck_rc(OMCACHE_OK, omcache_set_servers(copied, list));
        ck_rc(OMCACHE_OK, omcache_set_distribution_method(copied, &copy));
        for (int n = 0; n < 500; n++) {
            char key[16];
            snprintf(key, sizeof key, "%d", n);
            ck_assert_int_eq(omcache_server_index_for_key(mc, B(key)), omcache_server_index_for_key(copied, B(key)));
        }
    }
    omcache_free(copied);
    omcache_free(mc);
}

/* A distribution of the program's own: keys "0…" to "9…" in tenths of the ring, one point a server. */
static int points_asked;

static uint32_t own_points(const char *hostname, const char *portname, uint32_t point, uint32_t *hashes)
{
    ck_assert_uint_lt(point, 2);
    ck_assert_str_eq(portname, "11211");
    points_asked++;
    /* The second point has no entries: fewer than there is room for. */
    hashes[0] = (uint32_t)(hostname[0] - 'a') * 100 + 50;
    return point == 0 ? 1 : 0;
}

static uint32_t own_key(const unsigned char *key, size_t key_len)
{
    return key_len ? (uint32_t)(key[0] - '0') * 100 : 0;
}

START_TEST(an_own_distribution)
{
    omcache_dist_t own = {OMCACHE_VERSION, 2, 3, own_points, own_key};
    omcache_t *mc = omcache_init();
    ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, &own));
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "c,a,b"));
    ck_assert_int_eq(points_asked, 6);
    /* a at 50, b at 150, c at 250; past the last point it begins anew. */
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("0")), 0);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("1x")), 1);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("2yz")), 2);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("3")), 0);
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("9")), 0);
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "a,b"));
    ck_assert_int_eq(omcache_server_index_for_key(mc, B("2")), 0);
    ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, &omcache_dist_libmemcached_ketama));
    omcache_free(mc);
}

static uint32_t too_many_points(const char *hostname, const char *portname, uint32_t point, uint32_t *hashes)
{
    (void)hostname, (void)portname;
    hashes[0] = point;
    return UINT32_MAX;
}

static uint32_t no_points(const char *hostname, const char *portname, uint32_t point, uint32_t *hashes)
{
    (void)hostname, (void)portname, (void)point, (void)hashes;
    return 0;
}

START_TEST(an_own_distribution_that_is_wrong)
{
    omcache_t *mc = omcache_init();
    omcache_dist_t many = {OMCACHE_VERSION, 5, 1, too_many_points, own_key};
    omcache_dist_t none = {OMCACHE_VERSION, 5, 1, no_points, own_key};
    omcache_dist_t zero = {OMCACHE_VERSION, 0, 0, no_points, own_key};
    ck_rc(OMCACHE_OK, omcache_set_servers(mc, "a,b"));
    ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, &many));
    ck_assert_int_ge(omcache_server_index_for_key(mc, B("1")), 0);
    /* A ring without a point has no server for a key; nothing breaks. */
    omcache_set_distribution_method(mc, &none);
    int index = omcache_server_index_for_key(mc, B("1"));
    ck_assert(index >= -1 && index < 2);
    omcache_set_distribution_method(mc, &zero);
    omcache_get(mc, B("1"), NULL, NULL, NULL, NULL, 0);
    /* The library's own functions write four hashes, whatever the structure says. */
    const omcache_dist_t *weighted = &omcache_dist_libmemcached_ketama_weighted;
    omcache_dist_t few = {OMCACHE_VERSION, 1000, 1, weighted->point_hash_func, weighted->key_hash_func};
    omcache_dist_t absurd = {OMCACHE_VERSION, 1, UINT32_MAX, weighted->point_hash_func, weighted->key_hash_func};
    ck_rc(OMCACHE_OK, omcache_set_distribution_method(mc, &few));
    ck_assert_int_ge(omcache_server_index_for_key(mc, B("1")), 0);
    ck_rc(OMCACHE_INVALID, omcache_set_distribution_method(mc, &absurd));
    ck_assert_int_ge(omcache_server_index_for_key(mc, B("1")), 0);
    omcache_free(mc);
}

Suite *distribution_suite(void)
{
    const TTest *const tests[] = {the_three_of_libmemcached, copies_of_the_structures, an_own_distribution,
                                  an_own_distribution_that_is_wrong, NULL};
    return suite_of("distribution", tests, 20);
}
