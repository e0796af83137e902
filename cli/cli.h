/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: one file per subcommand (cmd_<name>.c), one table (commands.c). A command parses its options
 * with argp, calls the library, prints through report/, and returns an exit code of OUTPUT's list.
 */
#ifndef WL_CLI_H
#define WL_CLI_H

#include "core.h"

/* Exit codes: a contract with scripts. */
enum wl_exit {
    WL_EXIT_OK = 0,
    WL_EXIT_INPUT = 1,       /* bad input: file, model, spec */
    WL_EXIT_USAGE = 2,       /* options; unbound or unknown dims; unknown device */
    WL_EXIT_UNSUPPORTED = 3, /* the device lacks it; with --strict any warning */
    WL_EXIT_INTERNAL = 4,
    WL_EXIT_FAIL_IF = 5
};

/* One subcommand. `run` gets argv[0] = "wattline NAME" and returns a wl_exit. */
struct wl_command {
    const char *name;
    const char *synopsis;
    const char *summary;
    int (*run)(int argc, char **argv);
};

int wl_cli_main(int argc, char **argv);

/* The commands (one per file); listed in commands.c. */
int wl_cmd_analyze(int argc, char **argv);
int wl_cmd_calibrate(int argc, char **argv);
int wl_cmd_compare(int argc, char **argv);
int wl_cmd_sweep(int argc, char **argv);
int wl_cmd_validate(int argc, char **argv);
int wl_cmd_diff(int argc, char **argv);
int wl_cmd_graph(int argc, char **argv);
int wl_cmd_hw(int argc, char **argv);
int wl_cmd_measure(int argc, char **argv);
int wl_cmd_models(int argc, char **argv);
int wl_cmd_power(int argc, char **argv);

/* ---- options (options.c) ----------------------------------------------------------------------
 */

/*
 * One option. `set` stores the text into the command's own struct (`value` is "" for a flag, where
 * `arg` is NULL) and fails with USAGE. A table ends with a row whose name is NULL.
 */
struct wl_option {
    const char *name; /* without the dashes */
    const char *arg;  /* "N", "FILE"; NULL: a flag */
    const char *help;
    wl_status (*set)(void *target, const char *value, struct wl_error *err);
};

struct wl_cli_parse {
    const char *command;  /* "analyze" */
    const char *synopsis; /* "MODEL --hw ID [options]" */
    const char *summary;  /* one or two lines for --help; may be longer, wrapped by hand */
    const struct wl_option *const *tables; /* ends with NULL */
    void *target;
    int32_t positional_min, positional_max; /* max -1: any number */
    bool stop_at_positional;                /* measure: what follows is a command line */
};

/*
 * Parses --name VALUE, --name=VALUE and positional arguments in any order; "--" ends options.
 * Positional arguments are moved to the front of argv + 1 and counted. Returns WL_OK to go on;
 * otherwise `*exit_code` says how to end (0 after --help, WL_EXIT_USAGE after a reported error).
 */
wl_status wl_cli_parse_options(const struct wl_cli_parse *p, int argc, char **argv,
                               int32_t *positional_count, int *exit_code) WL_MUST_CHECK;

/* ---- shared by commands (cli_util.c) --------------------------------------------------------- */

/* Prints `wattline: <where>: <message>` to stderr and returns the exit code that fits `err->code`.
 */
int wl_cli_error(const struct wl_error *err);
/* A usage error: `wattline: <where>: <message>`; returns WL_EXIT_USAGE. */
int wl_cli_usage(const char *where, const char *fmt, ...) WL_PRINTF(2, 3);
int wl_cli_exit_code(wl_status code);

/*
 * Data directories, in search order: --registry DIR (may be NULL), else $WATTLINE_REGISTRY, else
 * beside the binary (../share/wattline/registry, or registry/ of a checkout above it); then the
 * host directory ($WATTLINE_HOST_DIR, $XDG_DATA_HOME/wattline, ~/.local/share/wattline) for the
 * registry. Strings live in `arena`. `count` may come out 0.
 */
wl_status wl_cli_registry_roots(struct wl_arena *arena, const char *option, const char *roots[4],
                                int32_t *count, struct wl_error *err) WL_MUST_CHECK;
/* What wattline itself writes about this host goes there (it need not exist); NULL without a HOME.
 */
const char *wl_cli_host_dir(struct wl_arena *arena);
/* A folder of the host directory and those above it, where they are missing. */
wl_status wl_cli_make_folders(struct wl_arena *arena, const char *path,
                              struct wl_error *err) WL_MUST_CHECK;
/* The directory of zoo models, or NULL when there is none. */
const char *wl_cli_models_dir(struct wl_arena *arena, const char *option);

/* The scripts that run other runtimes (tools/ of a checkout or as installed), or NULL. */
const char *wl_cli_tools_dir(struct wl_arena *arena);

/* Writes a finished text: to `path`, or to stdout when NULL or "-". Reports a failed write. */
wl_status wl_cli_output(const char *path, const struct wl_buf *text,
                        struct wl_error *err) WL_MUST_CHECK;

/* Numbers in [min, max] between commas, at most `room`; USAGE names the option. */
wl_status wl_cli_parse_ints(const char *option, const char *text, int64_t min, int64_t max,
                            int64_t *out, int32_t room, int32_t *count,
                            struct wl_error *err) WL_MUST_CHECK;

/* A whole number in [min, max] from an option's text; USAGE names the option. */
wl_status wl_cli_parse_int(const char *option, const char *text, int64_t min, int64_t max,
                           int64_t *out, struct wl_error *err) WL_MUST_CHECK;

#endif
