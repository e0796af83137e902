/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options.c: command-line options from tables. getopt and argp report errors in their own
 * two-line form and cannot offer the nearest name; scripts are promised one line, so this walks
 * argv itself.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define NAMES_MAX 96

static const struct wl_option *find_option(const struct wl_cli_parse *p, const char *name,
                                           size_t len)
{
    for (const struct wl_option *const *t = p->tables; *t != NULL; t++) {
        for (const struct wl_option *o = *t; o->name != NULL; o++) {
            if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
                return o;
            }
        }
    }
    return NULL;
}

static int option_width(const struct wl_option *o)
{
    return (int)(strlen(o->name) + (o->arg == NULL ? 0 : strlen(o->arg) + 1));
}

/* One option; further lines of its help stand under the first. */
static void print_option(const struct wl_option *o, int widest)
{
    printf("  --%s%s%s%*s  ", o->name, o->arg == NULL ? "" : " ", o->arg == NULL ? "" : o->arg,
           widest - option_width(o), "");
    for (const char *h = o->help; *h != '\0'; h++) {
        putchar(*h);
        if (*h == '\n') {
            printf("%*s", widest + 6, "");
        }
    }
    putchar('\n');
}

/* An option of an earlier table hides one of the same name in a later table. */
static bool hidden(const struct wl_cli_parse *p, const struct wl_option *o)
{
    return find_option(p, o->name, strlen(o->name)) != o;
}

static void print_help(const struct wl_cli_parse *p)
{
    int widest = (int)strlen("help");
    printf("usage: wattline %s %s\n\n%s\n\noptions:\n", p->command, p->synopsis, p->summary);
    for (const struct wl_option *const *t = p->tables; *t != NULL; t++) {
        for (const struct wl_option *o = *t; o->name != NULL; o++) {
            int width = option_width(o);
            widest = width > widest ? width : widest;
        }
    }
    for (const struct wl_option *const *t = p->tables; *t != NULL; t++) {
        for (const struct wl_option *o = *t; o->name != NULL; o++) {
            if (!hidden(p, o)) {
                print_option(o, widest);
            }
        }
    }
    printf("  --help%*s  this text\n", widest - (int)strlen("help"), "");
}

static int fail_unknown(const struct wl_cli_parse *p, const char *name, size_t len)
{
    const char *names[NAMES_MAX];
    int32_t count = 0;
    char asked[64];
    char near[160];
    for (const struct wl_option *const *t = p->tables; *t != NULL; t++) {
        for (const struct wl_option *o = *t; o->name != NULL && count < NAMES_MAX; o++) {
            names[count++] = o->name;
        }
    }
    (void)snprintf(asked, sizeof(asked), "%.*s", (int)(len < 60 ? len : 60), name);
    wl_nearest_names(asked, names, count, 3, near, sizeof(near));
    return wl_cli_usage(p->command, "unknown option --%s; %s%s%s", asked,
                        near[0] != '\0' ? "near: " : "", near,
                        near[0] != '\0' ? "; --help lists all" : "--help lists them");
}

/* Handles argv[i], which begins with "--". Advances *i over a separate value. */
static int take_option(const struct wl_cli_parse *p, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct wl_option *o = find_option(p, name, len);
    struct wl_error err;
    if (o == NULL) {
        return fail_unknown(p, name, len);
    }
    const char *value = equals == NULL ? "" : equals + 1;
    if (o->arg == NULL && equals != NULL) {
        return wl_cli_usage(p->command, "--%s takes no value; write --%s", o->name, o->name);
    }
    if (o->arg != NULL && equals == NULL) {
        if (*i + 1 >= argc) {
            return wl_cli_usage(p->command, "--%s needs a value; write --%s %s", o->name, o->name,
                                o->arg);
        }
        value = argv[++*i];
    }
    return o->set(p->target, value, &err) == WL_OK ? WL_EXIT_OK : wl_cli_error(&err);
}

static int check_positional(const struct wl_cli_parse *p, int32_t count)
{
    if (count < p->positional_min) {
        return wl_cli_usage(p->command, "too few arguments; usage: wattline %s %s", p->command,
                            p->synopsis);
    }
    if (p->positional_max >= 0 && count > p->positional_max) {
        return wl_cli_usage(p->command, "too many arguments; usage: wattline %s %s", p->command,
                            p->synopsis);
    }
    return WL_EXIT_OK;
}

wl_status wl_cli_parse_options(const struct wl_cli_parse *p, int argc, char **argv,
                               int32_t *positional_count, int *exit_code)
{
    int32_t count = 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        bool is_option = options && argv[i][0] == '-' && argv[i][1] != '\0';
        if (is_option && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (is_option && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            print_help(p);
            *exit_code = WL_EXIT_OK;
            return WL_ERR_USAGE;
        } else if (is_option && argv[i][1] != '-') {
            *exit_code =
                wl_cli_usage(p->command, "unknown option %s; options begin with --", argv[i]);
            return WL_ERR_USAGE;
        } else if (is_option) {
            *exit_code = take_option(p, argc, argv, &i);
            if (*exit_code != WL_EXIT_OK) {
                return WL_ERR_USAGE;
            }
        } else {
            options = options && !p->stop_at_positional;
            argv[1 + count++] = argv[i];
        }
    }
    *positional_count = count;
    *exit_code = check_positional(p, count);
    return *exit_code == WL_EXIT_OK ? WL_OK : WL_ERR_USAGE;
}
