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
int wl_cmd_compare(int argc, char **argv);
int wl_cmd_graph(int argc, char **argv);
int wl_cmd_hw(int argc, char **argv);
int wl_cmd_models(int argc, char **argv);
int wl_cmd_power(int argc, char **argv);
int wl_cmd_measure(int argc, char **argv);

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
/* The directory of zoo models, or NULL when there is none. */
const char *wl_cli_models_dir(struct wl_arena *arena, const char *option);

/* Writes a finished text: to `path`, or to stdout when NULL or "-". Reports a failed write. */
wl_status wl_cli_output(const char *path, const struct wl_buf *text,
                        struct wl_error *err) WL_MUST_CHECK;

/* A whole number in [min, max] from an option's text; USAGE names the option. */
wl_status wl_cli_parse_int(const char *option, const char *text, int64_t min, int64_t max,
                           int64_t *out, struct wl_error *err) WL_MUST_CHECK;

#endif
