/*
 * The declarations that programs of OMcache 0.3.0 were compiled with, as far as the binary contract goes. Not installed,
 * and never changed: program_0_3.c is compiled with them, and must run with the library of today.
 */
#ifndef OMCACHE_0_3_H
#define OMCACHE_0_3_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define OMCACHE_VERSION 0x00000300
#define OMCACHE_DELTA_NO_ADD 0xffffffffu

typedef struct omcache_s omcache_t;

typedef enum omcache_ret_e {
    OMCACHE_OK = 0x00,
    OMCACHE_NOT_FOUND = 0x01,
    OMCACHE_KEY_EXISTS = 0x02,
    OMCACHE_TOO_LARGE_VALUE = 0x03,
    OMCACHE_NOT_STORED = 0x05,
    OMCACHE_DELTA_BAD_VALUE = 0x06,
    OMCACHE_FAIL = 0x0FFF,
    OMCACHE_AGAIN = 0x1001,
    OMCACHE_INVALID = 0x1002,
    OMCACHE_BUFFERED = 0x1003,
    OMCACHE_BUFFER_FULL = 0x1004,
    OMCACHE_NO_SERVERS = 0x1005,
    OMCACHE_SERVER_FAILURE = 0x1006
} omcache_ret_t;

typedef struct omcache_req_s {
    int server_index;
    struct omcache_req_header_s {
        uint8_t magic;
        uint8_t opcode;
        uint16_t keylen;
        uint8_t extlen;
        uint8_t datatype;
        uint16_t reserved;
        uint32_t bodylen;
        uint32_t opaque;
        uint64_t cas;
    } header;
    const void *extra;
    const unsigned char *key;
    const unsigned char *data;
} omcache_req_t;

typedef struct omcache_value_s {
    int status;
    const unsigned char *key;
    size_t key_len;
    const unsigned char *data;
    size_t data_len;
    uint32_t flags;
    uint64_t cas;
    uint64_t delta_value;
} omcache_value_t;

typedef uint32_t (omc_ketama_point_hash_func)(const char *hostname, const char *portname, uint32_t point,
                                              uint32_t *hashes);
typedef uint32_t (omc_ketama_key_hash_func)(const unsigned char *key, size_t key_len);

typedef const struct omcache_dist_s {
    int omcache_version;
    uint32_t points_per_server;
    uint32_t entries_per_point;
    omc_ketama_point_hash_func *point_hash_func;
    omc_ketama_key_hash_func *key_hash_func;
} omcache_dist_t;

typedef struct omcache_server_info_s {
    int omcache_version;
    int server_index;
    char *hostname;
    int port;
} omcache_server_info_t;

typedef void (omcache_log_callback_func)(void *context, int level, const char *msg);
typedef void (omcache_response_callback_func)(omcache_t *mc, omcache_value_t *result, void *context);

omcache_t *omcache_init(void);
int omcache_free(omcache_t *mc);
const char *omcache_strerror(int rc);
int omcache_set_connect_timeout(omcache_t *mc, uint32_t msec);
int omcache_set_reconnect_timeout(omcache_t *mc, uint32_t msec);
int omcache_set_dead_timeout(omcache_t *mc, uint32_t msec);
int omcache_set_send_buffer_max_size(omcache_t *mc, size_t size);
int omcache_set_recv_buffer_max_size(omcache_t *mc, size_t size);
int omcache_set_buffering(omcache_t *mc, uint32_t enabled);
int omcache_reset_buffers(omcache_t *mc);
int omcache_set_servers(omcache_t *mc, const char *servers);
int omcache_set_distribution_method(omcache_t *mc, omcache_dist_t *method);
extern omcache_dist_t omcache_dist_libmemcached_ketama;
extern omcache_dist_t omcache_dist_libmemcached_ketama_weighted;
extern omcache_dist_t omcache_dist_libmemcached_ketama_pre1010;
int omcache_set_log_callback(omcache_t *mc, int level, omcache_log_callback_func *func, void *context);
void omcache_log_stderr(void *context, int level, const char *msg);
int omcache_set_response_callback(omcache_t *mc, omcache_response_callback_func *resp_cb, void *resp_cb_context);
struct pollfd *omcache_poll_fds(omcache_t *mc, int *nfds, int *poll_timeout);
int omcache_io(omcache_t *mc, omcache_req_t *reqs, size_t *req_count, omcache_value_t *values, size_t *value_count,
               int32_t timeout_msec);
int omcache_command(omcache_t *mc, omcache_req_t *reqs, size_t *req_count, omcache_value_t *values,
                    size_t *value_count, int32_t timeout_msec);
int omcache_command_status(omcache_t *mc, omcache_req_t *req, int32_t timeout_msec);
int omcache_server_index_for_key(omcache_t *mc, const unsigned char *key, size_t key_len);
omcache_server_info_t *omcache_server_info(omcache_t *mc, int server_index);
int omcache_server_info_free(omcache_t *mc, omcache_server_info_t *info);
int omcache_noop(omcache_t *mc, int server_index, int32_t timeout_msec);
int omcache_stat(omcache_t *mc, const char *command, omcache_value_t *values, size_t *value_count, int server_index,
                 int32_t timeout_msec);
int omcache_flush_all(omcache_t *mc, time_t expiration, int server_index, int32_t timeout_msec);
int omcache_set(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value, size_t value_len,
                time_t expiration, uint32_t flags, uint64_t cas, int32_t timeout_msec);
int omcache_add(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value, size_t value_len,
                time_t expiration, uint32_t flags, int32_t timeout_msec);
int omcache_replace(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value,
                    size_t value_len, time_t expiration, uint32_t flags, int32_t timeout_msec);
int omcache_append(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value,
                   size_t value_len, uint64_t cas, int32_t timeout_msec);
int omcache_prepend(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value,
                    size_t value_len, uint64_t cas, int32_t timeout_msec);
int omcache_increment(omcache_t *mc, const unsigned char *key, size_t key_len, uint64_t delta, uint64_t initial,
                      time_t expiration, uint64_t *value, int32_t timeout_msec);
int omcache_decrement(omcache_t *mc, const unsigned char *key, size_t key_len, uint64_t delta, uint64_t initial,
                      time_t expiration, uint64_t *value, int32_t timeout_msec);
int omcache_delete(omcache_t *mc, const unsigned char *key, size_t key_len, int32_t timeout_msec);
int omcache_touch(omcache_t *mc, const unsigned char *key, size_t key_len, time_t expiration, int32_t timeout_msec);
int omcache_get(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char **value,
                size_t *value_len, uint32_t *flags, uint64_t *cas, int32_t timeout_msec);
int omcache_gat(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char **value,
                size_t *value_len, time_t expiration, uint32_t *flags, uint64_t *cas, int32_t timeout_msec);
int omcache_get_multi(omcache_t *mc, const unsigned char **keys, size_t *key_lens, size_t key_count,
                      omcache_req_t *reqs, size_t *req_count, omcache_value_t *values, size_t *value_count,
                      int32_t timeout_msec);
int omcache_gat_multi(omcache_t *mc, const unsigned char **keys, size_t *key_lens, time_t *expirations,
                      size_t key_count, omcache_req_t *requests, size_t *req_count, omcache_value_t *values,
                      size_t *value_count, int32_t timeout_msec);

#endif /* OMCACHE_0_3_H */
