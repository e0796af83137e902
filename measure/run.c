/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure/run.c: a region around a command, a process or a time. One loop waits for the child, for
 * signals and for the end of time; signals come through a descriptor (signalfd), so nothing runs in
 * a handler.
 *
 * Signals that ask to end are passed on to the command and do not end wattline, so that a command
 * killed half-way still gets its report. Those that the kernel sends for a key (Ctrl-C) reach the
 * command by themselves, being in the same process group, and are not sent twice (si_code tells
 * them apart).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure_priv.h"

extern char **environ;

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

struct waiting {
    const struct wl_run_request *req;
    struct wl_run_result *out;
    pid_t child; /* 0: none */
    int signal_fd;
    int process_fd; /* of --pid; -1: none */
    double end_t, tick_t;
    bool over;
};

/* ---- signals --------------------------------------------------------------------------------- */

static void watched_set(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < WL_ARRAY_LEN(forwarded); i++) {
        (void)sigaddset(set, forwarded[i]);
    }
}

static bool asks_to_end(int signal)
{
    return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

static void handle_signal(struct waiting *w, const struct signalfd_siginfo *info)
{
    int signal = (int)info->ssi_signo;
    if (signal == SIGCHLD) {
        return; /* the loop looks after the child anyway */
    }
    if (asks_to_end(signal)) {
        w->out->interrupted_by = signal;
    }
    if (w->child == 0) {
        w->over = w->over || asks_to_end(signal);
    } else if (info->ssi_code != SI_KERNEL) {
        (void)kill(w->child, signal);
    }
}

static void drain_signals(struct waiting *w)
{
    struct signalfd_siginfo info;
    while (read(w->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        handle_signal(w, &info);
    }
}

/* ---- the command ----------------------------------------------------------------------------- */

static wl_status spawn(struct waiting *w, const sigset_t *before, struct wl_error *err)
{
    posix_spawnattr_t attributes;
    const char *command = w->req->argv[0];
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, before);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(&w->child, command, NULL, &attributes, w->req->argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    if (error == 0) {
        return WL_OK;
    }
    w->child = 0;
    w->out->exit_code = error == ENOENT ? WL_RUN_NOT_FOUND : WL_RUN_NOT_RUNNABLE;
    return wl_fail(err, WL_ERR_IO, command, "cannot be run: %s; name a program or its path",
                   strerror(error));
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void reap_child(struct waiting *w)
{
    struct rusage use;
    int status = 0;
    if (wait4(w->child, &status, WNOHANG, &use) == 0) {
        return;
    }
    struct wl_run_result *out = w->out;
    w->child = 0;
    w->over = true;
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    out->exit_code = out->signal != 0 ? WL_RUN_SIGNAL_BASE + out->signal : WEXITSTATUS(status);
    out->cpu_user_s = seconds_of(use.ru_utime);
    out->cpu_system_s = seconds_of(use.ru_stime);
    out->max_rss_bytes = (int64_t)use.ru_maxrss * 1024;
}

/* ---- a process that runs already ------------------------------------------------------------- */

/* Fields 14 and 15 of /proc/PID/stat, counted behind the command name, which may hold anything. */
static bool process_cpu(int32_t pid, double *user_s, double *system_s)
{
    char dir[32];
    char text[1024];
    (void)snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
    if (wl_sysfs_text(dir, "stat", text, sizeof(text)) != 0) {
        return false;
    }
    const char *at = strrchr(text, ')');
    for (int field = 3; at != NULL && field <= 14; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    char *end = NULL;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    *user_s = strtod(at + 1, &end) / ticks;
    *system_s = strtod(end, NULL) / ticks;
    return true;
}

static wl_status open_process(struct waiting *w, struct wl_error *err)
{
    char where[32];
    w->process_fd = (int)syscall(SYS_pidfd_open, w->req->pid, 0);
    if (w->process_fd >= 0) {
        return WL_OK;
    }
    (void)snprintf(where, sizeof(where), "--pid %d", (int)w->req->pid);
    return wl_fail(err, WL_ERR_IO, where, "%s; name a running process (ps -e lists them)",
                   errno == ESRCH ? "is no process" : strerror(errno));
}

/* ---- waiting --------------------------------------------------------------------------------- */

/*
 * Milliseconds until the next thing that time brings; -1: nothing. The kernel lets poll end up to a
 * thousandth of its time late (100 ms at most), so a long wait ends early and a short one follows.
 */
static int poll_timeout(const struct waiting *w)
{
    double next = fmin(w->end_t, w->tick_t);
    double left = next - wl_clock_s();
    if (!(left < 3600.0)) {
        return isinf(next) ? -1 : 3600 * 1000;
    }
    left -= left > 1.0 ? 0.2 : 0.0;
    return left <= 0.0 ? 0 : (int)ceil(left * 1e3);
}

static void wait_until_over(struct waiting *w)
{
    double user_0 = (double)NAN;
    double system_0 = (double)NAN;
    bool process = w->req->pid > 0 && process_cpu(w->req->pid, &user_0, &system_0);
    while (!w->over) {
        struct pollfd fds[2] = {{.fd = w->signal_fd, .events = POLLIN},
                                {.fd = w->process_fd, .events = POLLIN}};
        (void)poll(fds, w->process_fd >= 0 ? 2 : 1, poll_timeout(w));
        double now = wl_clock_s();
        drain_signals(w);
        if (w->child != 0) {
            reap_child(w);
        }
        w->over = w->over || now >= w->end_t || (w->process_fd >= 0 && fds[1].revents != 0);
        double user;
        double system;
        if (process && process_cpu(w->req->pid, &user, &system)) {
            w->out->cpu_user_s = user - user_0;
            w->out->cpu_system_s = system - system_0;
        }
        if (now >= w->tick_t) {
            if (w->req->tick != NULL) {
                w->req->tick(w->req->context);
            }
            w->tick_t = now + w->req->tick_s;
        }
    }
}

static void plan_time(struct waiting *w, double start_t)
{
    const struct wl_run_request *req = w->req;
    w->end_t = req->argv == NULL && req->seconds > 0.0 ? start_t + req->seconds : (double)INFINITY;
    bool ticking = req->tick != NULL && req->tick_s > 0.0;
    w->tick_t = ticking ? start_t + req->tick_s : (double)INFINITY;
}

static wl_status run(struct wl_meter *m, struct waiting *w, const sigset_t *before,
                     struct wl_error *err)
{
    if (w->req->pid > 0) {
        WL_TRY(open_process(w, err));
    }
    WL_TRY(wl_meter_start(m, err));
    double start_t = wl_clock_s();
    wl_status status = w->req->argv == NULL ? WL_OK : spawn(w, before, err);
    if (status == WL_OK) {
        plan_time(w, start_t);
        wait_until_over(w);
    }
    w->out->wall_s = wl_clock_s() - start_t;
    wl_meter_halt(m);
    return status;
}

wl_status wl_run(struct wl_meter *m, const struct wl_run_request *req, struct wl_run_result *out,
                 struct wl_error *err)
{
    struct waiting w = {.req = req, .out = out, .process_fd = -1};
    sigset_t watched;
    sigset_t before;
    *out = (struct wl_run_result){
        .cpu_user_s = (double)NAN, .cpu_system_s = (double)NAN, .exit_code = WL_RUN_FAILED};
    watched_set(&watched);
    w.signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (w.signal_fd < 0) {
        return wl_fail(err, WL_ERR_IO, "signals", "cannot be watched: %s; fewer open files help",
                       strerror(errno));
    }
    (void)pthread_sigmask(SIG_BLOCK, &watched, &before);
    /* Where SIGCHLD is ignored the kernel would throw the exit code away. */
    struct sigaction child_before;
    const struct sigaction child_default = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGCHLD, &child_default, &child_before);
    if (req->argv == NULL) {
        out->exit_code = 0;
    }
    wl_status status = run(m, &w, &before, err);
    drain_signals(&w); /* what came while the region ended must not end us after it */
    (void)sigaction(SIGCHLD, &child_before, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(w.signal_fd);
    if (w.process_fd >= 0) {
        (void)close(w.process_fd);
    }
    return status;
}
