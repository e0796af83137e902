/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/exporter.c: GET /metrics over HTTP by libmicrohttpd. The socket is opened here, not by
 * the library, so that a port in use, a forbidden port and a wrong address each get their own
 * message. Listens on the loopback address unless another one is named.
 *
 * The library (and the cryptography behind it) is loaded when a port is served and not before:
 * linked in, it would double the start of every other command.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure_priv.h"

#ifdef WL_HAVE_MICROHTTPD
#include <microhttpd.h>
#endif

#define BACKLOG 16

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Digits up to 65535, and nothing else. */
static bool parse_port(const char *text, uint16_t *port)
{
    char *end = NULL;
    size_t len = strlen(text);
    long value = strtol(text, &end, 10);
    if (len == 0 || len > 5 || text[0] < '0' || text[0] > '9' || *end != '\0' || value > 65535) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

/* "9101", "127.0.0.1:9101", "[::1]:9101", "localhost:9101". */
static bool parse_address(const char *text, union address *out, socklen_t *len)
{
    char host[64] = "127.0.0.1";
    uint16_t port;
    const char *colon = strrchr(text, ':');
    const char *port_text = colon == NULL ? text : colon + 1;
    memset(out, 0, sizeof(*out));
    if (!parse_port(port_text, &port)) {
        return false;
    }
    if (colon != NULL) {
        bool bracket = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
        const char *from = bracket ? text + 1 : text;
        size_t host_len = (size_t)(colon - from) - (bracket ? 1 : 0);
        if (host_len == 0 || host_len >= sizeof(host)) {
            return false;
        }
        memcpy(host, from, host_len);
        host[host_len] = '\0';
        if (strcmp(host, "localhost") == 0) {
            (void)snprintf(host, sizeof(host), "127.0.0.1");
        }
    }
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *len = sizeof(out->v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *len = sizeof(out->v6);
        return true;
    }
    return false;
}

/* Nothing with a slash is an address, nor is a name without a port. */
bool wl_exporter_is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon == NULL ? text : colon + 1;
    return strchr(text, '/') == NULL && *port != '\0' && strspn(port, "0123456789") == strlen(port);
}

#ifdef WL_HAVE_MICROHTTPD

/* What is called of libmicrohttpd. */
struct http {
    void *library;
    __typeof__(&MHD_start_daemon) start_daemon;
    __typeof__(&MHD_stop_daemon) stop_daemon;
    __typeof__(&MHD_create_response_from_buffer) create_response;
    __typeof__(&MHD_add_response_header) add_header;
    __typeof__(&MHD_queue_response) queue_response;
    __typeof__(&MHD_destroy_response) destroy_response;
};

struct wl_exporter {
    struct http http;
    struct wl_meter *meter;
    struct MHD_Daemon *daemon;
    int32_t port;
};

/* POSIX lets dlsym's object pointer stand for a function; ISO C needs the detour. */
static bool bind_function(void *library, void *function, const char *name)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static wl_status http_load(struct http *h, struct wl_error *err)
{
    h->library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    bool all = h->library != NULL &&
               bind_function(h->library, &h->start_daemon, "MHD_start_daemon") &&
               bind_function(h->library, &h->stop_daemon, "MHD_stop_daemon") &&
               bind_function(h->library, &h->create_response, "MHD_create_response_from_buffer") &&
               bind_function(h->library, &h->add_header, "MHD_add_response_header") &&
               bind_function(h->library, &h->queue_response, "MHD_queue_response") &&
               bind_function(h->library, &h->destroy_response, "MHD_destroy_response");
    if (!all) {
        if (h->library != NULL) {
            (void)dlclose(h->library);
        }
        return wl_fail(err, WL_ERR_UNSUPPORTED, "--prometheus",
                       "needs libmicrohttpd; apt-get install libmicrohttpd12, or write to a FILE");
    }
    return WL_OK;
}

static const char *socket_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program listens there; choose another port";
    case EACCES:
        return "ports below 1024 are for root; choose a higher one";
    case EADDRNOTAVAIL:
        return "this machine has no such address; 127.0.0.1 and [::1] are usual";
    case EAFNOSUPPORT:
        return "this machine has no IPv6; name an IPv4 address";
    default:
        return "choose another address";
    }
}

static wl_status listen_on(const char *text, int *fd, int32_t *port, struct wl_error *err)
{
    union address a;
    socklen_t len = 0;
    const int on = 1;
    if (!parse_address(text, &a, &len)) {
        return wl_fail(err, WL_ERR_USAGE, "--prometheus",
                       "\"%.80s\" is not PORT, ADDRESS:PORT or [IPV6]:PORT (numeric); for example "
                       "9101",
                       text);
    }
    *fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = *fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    if (good && a.any.sa_family == AF_INET6) {
        good = setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
    }
    good = good && bind(*fd, &a.any, len) == 0 && listen(*fd, BACKLOG) == 0 &&
           getsockname(*fd, &a.any, &len) == 0;
    if (!good) {
        int error = errno;
        if (*fd >= 0) {
            (void)close(*fd);
        }
        return wl_fail(err, WL_ERR_IO, "--prometheus", "cannot listen on %s: %s; %s", text,
                       strerror(error), socket_advice(error));
    }
    *port = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
    return WL_OK;
}

static enum MHD_Result answer(const struct http *h, struct MHD_Connection *connection,
                              unsigned int status, const char *type, const char *text, size_t len)
{
    struct MHD_Response *response =
        h->create_response(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)h->add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = h->queue_response(connection, status, response);
    h->destroy_response(response);
    return result;
}

static enum MHD_Result answer_metrics(const struct wl_exporter *e,
                                      struct MHD_Connection *connection)
{
    static const char failed[] = "out of memory\n";
    struct wl_buf text;
    wl_buf_init(&text);
    wl_openmetrics(e->meter, &text);
    enum MHD_Result result =
        text.failed
            ? answer(&e->http, connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", failed,
                     sizeof(failed) - 1)
            : answer(&e->http, connection, MHD_HTTP_OK, WL_OPENMETRICS_TYPE, text.data, text.len);
    wl_buf_done(&text);
    return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static const char elsewhere[] = "the figures are at /metrics\n";
    static const char not_get[] = "only GET and HEAD\n";
    const struct wl_exporter *e = context;
    (void)version;
    (void)upload;
    (void)request;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        *upload_size = 0;
        return answer(&e->http, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", not_get,
                      sizeof(not_get) - 1);
    }
    if (strcmp(url, "/metrics") != 0) {
        return answer(&e->http, connection, MHD_HTTP_NOT_FOUND, "text/plain", elsewhere,
                      sizeof(elsewhere) - 1);
    }
    return answer_metrics(e, connection);
}

wl_status wl_exporter_new(struct wl_meter *m, const char *address, struct wl_exporter **out,
                          struct wl_error *err)
{
    int fd = -1;
    int32_t port = 0;
    WL_TRY(listen_on(address, &fd, &port, err));
    struct wl_exporter *e = wl_malloc(sizeof(*e));
    if (e == NULL) {
        (void)close(fd);
        return wl_fail_nomem(err);
    }
    *e = (struct wl_exporter){.meter = m, .port = port};
    wl_status loaded = http_load(&e->http, err);
    if (loaded != WL_OK) {
        (void)close(fd);
        wl_free(e);
        return loaded;
    }
    /* The server's thread must not take the signals that the measuring thread waits for. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    e->daemon = e->http.start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, e,
                                     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 32u,
                                     MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e->daemon == NULL) {
        (void)close(fd);
        (void)dlclose(e->http.library);
        wl_free(e);
        return wl_fail(err, WL_ERR_IO, "--prometheus",
                       "the server on %s does not start; fewer "
                       "threads or open files help",
                       address);
    }
    *out = e;
    return WL_OK;
}

int32_t wl_exporter_port(const struct wl_exporter *e)
{
    return e->port;
}

void wl_exporter_free(struct wl_exporter *e)
{
    if (e != NULL) {
        e->http.stop_daemon(e->daemon); /* closes the socket too */
        (void)dlclose(e->http.library);
        wl_free(e);
    }
}

#else

wl_status wl_exporter_new(struct wl_meter *m, const char *address, struct wl_exporter **out,
                          struct wl_error *err)
{
    union address a;
    socklen_t len;
    (void)m;
    *out = NULL;
    if (!parse_address(address, &a, &len)) {
        return wl_fail(err, WL_ERR_USAGE, "--prometheus", "\"%.80s\" is not an address", address);
    }
    return wl_fail(err, WL_ERR_UNSUPPORTED, "--prometheus",
                   "this wattline was built without libmicrohttpd; install libmicrohttpd-dev and "
                   "build again, or name a file instead of a port");
}

int32_t wl_exporter_port(const struct wl_exporter *e)
{
    (void)e;
    return 0;
}

void wl_exporter_free(struct wl_exporter *e)
{
    (void)e;
}

#endif
