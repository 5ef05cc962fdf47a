/*
 * OMcache, a memcached client: every type, constant and function of libomcache.so.0.
 *
 * C and C++ programs include <omcache.h>, which includes this file. It holds plain declarations and no preprocessor
 * line, so that a CFFI program can hand it to cdef() as it is.
 *
 * Common to all functions, unless one says otherwise:
 *
 * Result. An omcache_ret_t as an int; OMCACHE_OK is 0. A NULL handle, a NULL pointer where something must be read or
 *   written, an empty key, a key longer than 250 bytes and a length over 32 bits give OMCACHE_INVALID and change
 *   nothing. Out-parameters that are documented as "may be NULL" are skipped where they are.
 * Blocking. Only functions with timeout_msec wait: above 0 at most that many milliseconds, below 0 until the command
 *   is answered or has failed, 0 not at all. They wait in poll(2), and a signal does not end the wait. Host names are
 *   looked up in the background.
 * Not waiting. With timeout_msec 0 a command is sent in its quiet form, if it has one, and the call returns
 *   OMCACHE_BUFFERED: the command was accepted, its fate is not known.
 * Ownership. Everything that a program passes in is copied or read before the call returns, but for the requests of
 *   omcache_command(), which must stay in place until they are settled. What a call returns through a pointer or in
 *   values stays valid until the next call with that handle, and is not freed by the program.
 * Time. expiration is memcached's: 0 for never, up to 2592000 (30 days) seconds from now, above that a Unix time.
 *   Its low 32 bits are sent.
 * Threads. A handle is used by one thread at a time; different handles know nothing of each other.
 * fork. A child may go on using a handle: it makes connections of its own and leaves the parent's alone.
 */

/* For CFFI, which does not know the type; to C programs omcache.h gives the system's. */
typedef long time_t;

/** A handle: servers, their connections, settings. */
typedef struct omcache_s omcache_t;

/** Return codes, and the statuses of responses. */
typedef enum omcache_ret_e {
    OMCACHE_OK = 0x00,              /**< Done. */
    OMCACHE_NOT_FOUND = 0x01,       /**< The key does not exist. */
    OMCACHE_KEY_EXISTS = 0x02,      /**< The key exists, or its CAS is another one. */
    OMCACHE_TOO_LARGE_VALUE = 0x03, /**< The value is larger than the server's item size limit. */
    OMCACHE_NOT_STORED = 0x05,      /**< Append or prepend to a key that does not exist. */
    OMCACHE_DELTA_BAD_VALUE = 0x06, /**< The value to count with is not a decimal number. */
    OMCACHE_FAIL = 0x0FFF,          /**< The server answered with another error. */
    OMCACHE_AGAIN = 0x1001,         /**< Time is over and something is outstanding: call again. */
    OMCACHE_INVALID = 0x1002,       /**< A parameter makes no sense; nothing was done. */
    OMCACHE_BUFFERED = 0x1003,      /**< Accepted, not awaited. */
    OMCACHE_BUFFER_FULL = 0x1004,   /**< The request or its response exceeds a buffer's limit. */
    OMCACHE_NO_SERVERS = 0x1005,    /**< There is no server that takes the request. */
    OMCACHE_SERVER_FAILURE = 0x1006 /**< The connection failed while the request was under way. */
} omcache_ret_t;

/** A request. Lengths are in its header. */
typedef struct omcache_req_s {
    int server_index; /**< The server to send it to; -1: chosen by the key, and set to the choice. */
    struct omcache_req_header_s {
        uint8_t magic;     /**< Set by the library. */
        uint8_t opcode;    /**< The command, a number of the binary protocol. */
        uint16_t keylen;   /**< Bytes of key; network byte order. */
        uint8_t extlen;    /**< Bytes of extra. */
        uint8_t datatype;  /**< Set by the library. */
        uint16_t reserved; /**< The vbucket, 0 for memcached; network byte order. */
        uint32_t bodylen;  /**< Bytes of extra, key and data together; network byte order. */
        uint32_t opaque;   /**< Set by the library; not to be changed while the request is outstanding. */
        uint64_t cas;      /**< The CAS that the item must have, 0 for any; network byte order. */
    } header;
    const void *extra;         /**< The command's extras; NULL where there are none. */
    const unsigned char *key;  /**< The key; NULL where there is none. */
    const unsigned char *data; /**< The value; NULL where there is none. */
} omcache_req_t;

/** A response, or what became of a request that got none. All numbers are in the machine's byte order. */
typedef struct omcache_value_s {
    int status;                /**< An omcache_ret_t. */
    const unsigned char *key;  /**< The key, where the response has one; not NUL-terminated. */
    size_t key_len;            /**< Bytes of key. */
    const unsigned char *data; /**< The value; not NUL-terminated. */
    size_t data_len;           /**< Bytes of data. */
    uint32_t flags;            /**< The flags that the value was stored with. */
    uint64_t cas;              /**< The item's CAS. */
    uint64_t delta_value;      /**< What a counter is now, after an increment or decrement. */
} omcache_value_t;

/**
 * Makes the hashes of one point of a server.
 *
 * hostname and portname are the server's as its list has them, point counts from 0. Writes at most entries_per_point
 * hashes and returns how many it wrote. Must return (no longjmp), and must not use the handle.
 */
typedef uint32_t (omc_ketama_point_hash_func)(const char *hostname, const char *portname, uint32_t point,
                                              uint32_t *hashes);

/** Hashes a key. Must return (no longjmp), and must not use the handle. */
typedef uint32_t (omc_ketama_key_hash_func)(const unsigned char *key, size_t key_len);

/**
 * How keys are spread over servers: a ring of points, and a key belongs to the first point at or above its hash. To C
 * programs, omcache.h makes the type const.
 */
typedef struct omcache_dist_s {
    int omcache_version;                         /**< OMCACHE_VERSION of the program that made the structure. */
    uint32_t points_per_server;                  /**< How often the point function is called for each server. */
    uint32_t entries_per_point;                  /**< How many hashes it makes at most. */
    omc_ketama_point_hash_func *point_hash_func; /**< Makes the points. */
    omc_ketama_key_hash_func *key_hash_func;     /**< Places the keys. */
} omcache_dist_t;

/** A server of the list. */
typedef struct omcache_server_info_s {
    int omcache_version; /**< OMCACHE_VERSION of the library. */
    int server_index;    /**< Its place in the sorted list. */
    char *hostname;      /**< Host name or address without brackets; the path of a Unix socket. */
    int port;            /**< The number that the port begins with; 0 for a service name and for a Unix socket. */
} omcache_server_info_t;

/** How a server is doing. */
typedef enum omcache_server_state_e {
    OMCACHE_SERVER_IDLE = 0,       /**< Not connected, as nothing needed it yet; takes keys. */
    OMCACHE_SERVER_CONNECTING = 1, /**< The handshake is under way; takes keys. */
    OMCACHE_SERVER_READY = 2,      /**< Connected; takes keys. */
    OMCACHE_SERVER_DISABLED = 3,   /**< It failed; its keys go to other servers until it is tried again. */
    OMCACHE_SERVER_RETRYING = 4    /**< It is being tried again; its keys go to other servers until it answers. */
} omcache_server_state_t;

/** How a server is doing, and what it last failed of. Since OMcache 1.0. */
typedef struct omcache_server_status_s {
    int state;              /**< An omcache_server_state_t. */
    uint32_t retry_msec;    /**< Milliseconds until a disabled server is tried again; 0 in other states. */
    const char *last_error; /**< What it last failed of, valid until the next call; NULL where it never did. */
} omcache_server_status_t;

/**
 * Receives a log line, without a line feed; level is one of <sys/syslog.h>, such as LOG_INFO.
 *
 * msg is valid during the call. The function may call the library with any handle, on the stack that it was called
 * on, but not free the handle at work. It may leave by longjmp: the call that it came from then has ended, and its
 * handle can be used on; the arrays of that call are not to be looked at.
 */
typedef void (omcache_log_callback_func)(void *context, int level, const char *msg);

/**
 * Receives a response, or how a request failed that the call at work does not return: then without its key. result is
 * valid during the call. What holds for log callbacks holds here.
 */
typedef void (omcache_response_callback_func)(omcache_t *mc, omcache_value_t *result, void *context);

/* ---- Handles ---- */

/**
 * Returns a new handle without servers, to be freed with omcache_free(); NULL where memory is short. Does not block.
 */
omcache_t *omcache_init(void);

/**
 * Frees a handle: closes its connections and drops what is not sent. Values that it returned are gone. To have
 * everything sent before, call omcache_io() until it returns OMCACHE_OK.
 */
int omcache_free(omcache_t *mc);

/** Returns the text of a return code; static, never NULL, "Unknown" for a number that is none. */
const char *omcache_strerror(int rc);

/** Returns the library's version, such as "1.0.0"; static. Since OMcache 1.0. */
const char *omcache_library_version(void);

/**
 * Returns the text of the last failure on a handle, which may tell more than its code; empty where there was none. A
 * failure is what a call returned other than OMCACHE_OK and OMCACHE_BUFFERED, or what became of a request. Valid until
 * the next call with the handle. Since OMcache 1.0.
 */
const char *omcache_last_error(omcache_t *mc);

/* ---- Settings: none of them blocks ---- */

/**
 * Sets how long a handshake with a server may take: look-up, connect, a NOOP answered. Milliseconds; default 10000.
 * With 0 every handshake fails.
 */
int omcache_set_connect_timeout(omcache_t *mc, uint32_t msec);

/**
 * Sets how long a server that failed its handshake is left alone before it is tried again. Milliseconds, at least
 * 10; default 10000.
 */
int omcache_set_reconnect_timeout(omcache_t *mc, uint32_t msec);

/**
 * Sets how long a connection that owes a response may make no progress before it fails. Milliseconds; default 10000.
 * With 0 every response that is not there at once is a failure.
 */
int omcache_set_dead_timeout(omcache_t *mc, uint32_t msec);

/**
 * Sets how many bytes may wait to be sent to each server; default 10 MiB. More is refused with OMCACHE_BUFFER_FULL.
 */
int omcache_set_send_buffer_max_size(omcache_t *mc, size_t size);

/**
 * Sets the size of the largest response, in bytes with its 24-byte header; default 1056 KiB, room for one value of
 * memcached's default item size limit. The request of a larger one ends with OMCACHE_BUFFER_FULL.
 */
int omcache_set_recv_buffer_max_size(omcache_t *mc, size_t size);

/**
 * Turns buffering on (not 0) or off (0, the default). While it is on, commands with timeout_msec 0 stay in the send
 * buffer until an I/O call: omcache_io(), or any command that waits.
 */
int omcache_set_buffering(omcache_t *mc, uint32_t enabled);

/**
 * Drops the requests that are in the send buffers; one that is sent in part is sent to its end. Calls that wait for
 * dropped ones return them as OMCACHE_SERVER_FAILURE; otherwise nothing is told of them.
 */
int omcache_reset_buffers(omcache_t *mc);

/**
 * Sets the servers, as a list with commas: "host", "host:port", "[v6]:port", a bare IPv6 address, "/path" or
 * "unix:/path" for a Unix socket. The port is a number or a service name and defaults to 11211. Blanks around entries
 * and empty entries are ignored.
 *
 * Servers are sorted by host and port as strings; their place in that order is their index. One that was in the list
 * before keeps its connection. Names are looked up when a server is first used, so a wrong one is no error here.
 *
 * OMCACHE_INVALID: an entry can't be read, or the list is not UTF-8; the old list stays.
 */
int omcache_set_servers(omcache_t *mc, const char *servers);

/**
 * Sets the servers as omcache_set_servers() does, with a weight above 0 for each, in the order of the list as given.
 * Weights count in the distributions that know them, such as "libmemcached_ketama_weighted" by name. Since OMcache
 * 1.0.
 *
 * OMCACHE_INVALID: also where weight_count is not the number of servers.
 */
int omcache_set_weighted_servers(omcache_t *mc, const char *servers, const uint32_t *weights, size_t weight_count);

/**
 * Sets the distribution: one of the three below, or a program's own. The structure is copied; its functions must stay
 * callable as long as it is set. The default is omcache_dist_libmemcached_ketama.
 *
 * OMCACHE_INVALID: also where entries_per_point is above 65536.
 */
int omcache_set_distribution_method(omcache_t *mc, omcache_dist_t *method);

/**
 * Sets the distribution by its name: "libmemcached_ketama", "libmemcached_ketama_weighted",
 * "libmemcached_ketama_pre1010", "modula", "twemproxy_ketama" and others that docs/c-guide.md lists. Since OMcache
 * 1.0.
 *
 * OMCACHE_INVALID: there is no such name; omcache_last_error() tells it.
 */
int omcache_set_distribution_by_name(omcache_t *mc, const char *name);

/** libmemcached 1.0.10 and later, MEMCACHED_DISTRIBUTION_CONSISTENT_KETAMA: 100 points, one-at-a-time hashes. */
extern omcache_dist_t omcache_dist_libmemcached_ketama;

/** libmemcached, weighted ketama: 40 points of four MD5 words, keys by MD5. */
extern omcache_dist_t omcache_dist_libmemcached_ketama_weighted;

/** libmemcached before 1.0.10, ketama: 40 points of four MD5 words, keys by one-at-a-time. */
extern omcache_dist_t omcache_dist_libmemcached_ketama_pre1010;

/**
 * Sets the function that receives log lines as important as level (of <sys/syslog.h>) or more; level 0 stands for
 * LOG_INFO. func NULL ends it. The function is called from within calls with this handle, with context.
 */
int omcache_set_log_callback(omcache_t *mc, int level, omcache_log_callback_func *func, void *context);

/** A log callback that writes "<prefix>LEVEL text" to standard error; context is the prefix, a string, or NULL. */
void omcache_log_stderr(void *context, int level, const char *msg);

/**
 * Sets the function that sees every response, those included that no call waits for, and failures that the call at work
 * does not return. resp_cb NULL ends it. It is called from within calls with this handle, with resp_cb_context.
 */
int omcache_set_response_callback(omcache_t *mc, omcache_response_callback_func *resp_cb, void *resp_cb_context);

/* ---- Requests and event loops ---- */

/**
 * Submits *req_count requests, then goes on as omcache_io() does.
 *
 * Sets magic, datatype, opaque, and server_index where it is -1. May change the order of reqs; *req_count becomes the
 * number accepted, and these come first. The array, keys and values must stay in place until all requests are
 * settled.
 *
 * values may be NULL, and takes at most *value_count responses; *value_count becomes their number. A quiet request
 * that has nothing to say, such as a GETKQ that misses, takes none. STAT takes one for each statistic and an empty
 * one that ends the list. Responses beyond that are dropped, with a log line. A failure is a response with a status
 * from OMCACHE_AGAIN upwards and the request's key.
 *
 * OMCACHE_OK: all are settled and *req_count is 0; how each ended is in values. OMCACHE_AGAIN: some are outstanding;
 * call omcache_io() with the same reqs. OMCACHE_BUFFERED: timeout_msec is 0. OMCACHE_NO_SERVERS, OMCACHE_BUFFER_FULL,
 * OMCACHE_INVALID: none was accepted.
 */
int omcache_command(omcache_t *mc, omcache_req_t *reqs, size_t *req_count, omcache_value_t *values,
                    size_t *value_count, int32_t timeout_msec);

/**
 * Submits one request. Returns the status of its response, or how it failed; OMCACHE_BUFFERED where timeout_msec is
 * 0.
 */
int omcache_command_status(omcache_t *mc, omcache_req_t *req, int32_t timeout_msec);

/**
 * Sends what is to be sent, receives what comes, and acts on timers.
 *
 * With the requests of an omcache_command() that returned OMCACHE_AGAIN or OMCACHE_BUFFERED, waits for these; reqs and
 * *req_count as that call left them, results as there. OMCACHE_INVALID: they are not being waited for, as another
 * command followed, or a callback awaited them.
 *
 * With reqs NULL, goes on until nothing is pending (OMCACHE_OK) or time is over (OMCACHE_AGAIN). It stores no values:
 * responses and failures reach the response callback, and those of requests that are waited for are kept for their next
 * call.
 */
int omcache_io(omcache_t *mc, omcache_req_t *reqs, size_t *req_count, omcache_value_t *values, size_t *value_count,
               int32_t timeout_msec);

/**
 * Tells what an event loop has to wait for: returns an array of *nfds descriptors with their events, owned by the
 * handle and valid until its next call. *poll_timeout is how many milliseconds the loop may sleep; when a descriptor
 * is ready or that time is over, call omcache_io() with timeout_msec 0, then ask again: descriptors change as
 * connections come and go. NULL, changing nothing, where a parameter is NULL. Does not block.
 */
struct pollfd *omcache_poll_fds(omcache_t *mc, int *nfds, int *poll_timeout);

/* ---- Servers ---- */

/**
 * Returns the index of the server that a key goes to now; -1 where all are disabled, the key is empty or longer than
 * 250 bytes, or the handle is NULL; else 0 with one server or none.
 */
int omcache_server_index_for_key(omcache_t *mc, const unsigned char *key, size_t key_len);

/** Describes a server; NULL where there is no such index. Valid until it is freed with omcache_server_info_free(). */
omcache_server_info_t *omcache_server_info(omcache_t *mc, int server_index);

/** Frees what omcache_server_info() returned. */
int omcache_server_info_free(omcache_t *mc, omcache_server_info_t *info);

/** Tells how a server is doing, without asking it. OMCACHE_INVALID: there is no such index. Since OMcache 1.0. */
int omcache_server_status(omcache_t *mc, int server_index, omcache_server_status_t *status);

/**
 * Asks a server for its version and writes it, NUL-terminated and cut to size bytes, to version; on failure an empty
 * string. Waits, so timeout_msec must not be 0. OMCACHE_NO_SERVERS: it does not answer, or there is no such index.
 * Since OMcache 1.0.
 */
int omcache_server_version(omcache_t *mc, int server_index, char *version, size_t size, int32_t timeout_msec);

/** Asks a server whether it is there. OMCACHE_NO_SERVERS: it does not answer, or there is no such index. */
int omcache_noop(omcache_t *mc, int server_index, int32_t timeout_msec);

/**
 * Asks a server for statistics: command NULL or "" for the general ones, else "items", "settings" and so on. Each
 * comes as a value with its name as key and its text as data, and an empty one ends the list; what does not fit into
 * *value_count values is dropped. values may be NULL. OMCACHE_NOT_FOUND: the server has no such statistics.
 * OMCACHE_AGAIN: time is over. OMCACHE_NO_SERVERS: the server does not answer.
 */
int omcache_stat(omcache_t *mc, const char *command, omcache_value_t *values, size_t *value_count, int server_index,
                 int32_t timeout_msec);

/**
 * Makes everything that a server holds expire, at once (0) or later. OMCACHE_NO_SERVERS: the server does not answer.
 */
int omcache_flush_all(omcache_t *mc, time_t expiration, int server_index, int32_t timeout_msec);

/*
 * ---- Commands on a key ----
 *
 * Each may also return OMCACHE_BUFFERED (timeout_msec is 0), OMCACHE_AGAIN (time is over, and the command may still
 * be carried out), OMCACHE_NO_SERVERS, OMCACHE_SERVER_FAILURE (the connection failed before the answer, and the
 * command may have been carried out), OMCACHE_BUFFER_FULL, OMCACHE_FAIL.
 */

/**
 * Stores a value. flags are kept with it. cas 0 stores in any case, another only over an item with that CAS.
 * OMCACHE_KEY_EXISTS: the CAS is another one. OMCACHE_NOT_FOUND: cas is given, and the key does not exist.
 * OMCACHE_TOO_LARGE_VALUE: the server does not take values of that size.
 */
int omcache_set(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value, size_t value_len,
                time_t expiration, uint32_t flags, uint64_t cas, int32_t timeout_msec);

/** Stores a value where the key does not exist. OMCACHE_KEY_EXISTS: it does. */
int omcache_add(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value, size_t value_len,
                time_t expiration, uint32_t flags, int32_t timeout_msec);

/** Stores a value where the key exists. OMCACHE_NOT_FOUND: it does not. */
int omcache_replace(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value,
                    size_t value_len, time_t expiration, uint32_t flags, int32_t timeout_msec);

/**
 * Adds bytes behind the value of a key; cas as in omcache_set(). OMCACHE_NOT_STORED: the key does not exist.
 * OMCACHE_KEY_EXISTS: the CAS is another one.
 */
int omcache_append(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value,
                   size_t value_len, uint64_t cas, int32_t timeout_msec);

/** Adds bytes before the value of a key; results as of omcache_append(). */
int omcache_prepend(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char *value,
                    size_t value_len, uint64_t cas, int32_t timeout_msec);

/**
 * Adds delta to a counter, which wraps at 64 bits, and writes what it is then to *value (may be NULL; 0 on failure
 * and where timeout_msec is 0). A key that does not exist is created with initial and expiration, unless expiration
 * is OMCACHE_DELTA_NO_ADD (0xffffffff). OMCACHE_NOT_FOUND: it does not exist and was not created.
 * OMCACHE_DELTA_BAD_VALUE: its value is not a decimal number.
 */
int omcache_increment(omcache_t *mc, const unsigned char *key, size_t key_len, uint64_t delta, uint64_t initial,
                      time_t expiration, uint64_t *value, int32_t timeout_msec);

/** Subtracts delta from a counter, which stops at 0; else as omcache_increment(). */
int omcache_decrement(omcache_t *mc, const unsigned char *key, size_t key_len, uint64_t delta, uint64_t initial,
                      time_t expiration, uint64_t *value, int32_t timeout_msec);

/** Removes a key. OMCACHE_NOT_FOUND: it does not exist. */
int omcache_delete(omcache_t *mc, const unsigned char *key, size_t key_len, int32_t timeout_msec);

/** Sets when a key expires. OMCACHE_NOT_FOUND: it does not exist. */
int omcache_touch(omcache_t *mc, const unsigned char *key, size_t key_len, time_t expiration, int32_t timeout_msec);

/**
 * Reads the value of a key: its bytes (no NUL behind them) and their number, its flags and its CAS. Each
 * out-parameter may be NULL; on failure, and where timeout_msec is 0, they become NULL and 0. The value is valid
 * until the next call with the handle. OMCACHE_NOT_FOUND: the key does not exist.
 */
int omcache_get(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char **value,
                size_t *value_len, uint32_t *flags, uint64_t *cas, int32_t timeout_msec);

/** Reads the value of a key as omcache_get() does, and sets when it expires. */
int omcache_gat(omcache_t *mc, const unsigned char *key, size_t key_len, const unsigned char **value,
                size_t *value_len, time_t expiration, uint32_t *flags, uint64_t *cas, int32_t timeout_msec);

/**
 * Reads the values of key_count keys. reqs is room for as many requests, which the call writes, and *req_count its
 * size; then it goes on as omcache_command(). Keys that do not exist take no value: *value_count becomes the number
 * of hits (and failures). Values come in any order, with their keys.
 *
 * OMCACHE_AGAIN: some are outstanding; call omcache_io() with the same reqs. OMCACHE_INVALID: *req_count is less than
 * key_count, or a key is empty or too long.
 */
int omcache_get_multi(omcache_t *mc, const unsigned char **keys, size_t *key_lens, size_t key_count,
                      omcache_req_t *reqs, size_t *req_count, omcache_value_t *values, size_t *value_count,
                      int32_t timeout_msec);

/**
 * Reads the values of keys as omcache_get_multi() does, and sets when each expires. The extra of the requests is NULL
 * when it returns: one that was refused can't be submitted as it is.
 */
int omcache_gat_multi(omcache_t *mc, const unsigned char **keys, size_t *key_lens, time_t *expirations,
                      size_t key_count, omcache_req_t *requests, size_t *req_count, omcache_value_t *values,
                      size_t *value_count, int32_t timeout_msec);
