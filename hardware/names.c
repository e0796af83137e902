/* SPDX-License-Identifier: Apache-2.0 */
/* hardware/names.c: names of classes, bases, categories, pipes and energy events, and back. */
#include <ctype.h>
#include <string.h>

#include "hardware_priv.h"

static const char *const class_names[] = {"cpu", "gpu", "tpu", "kpu", NULL};
static const char *const basis_names[] = {"measured", "datasheet", "derived", "assumed", NULL};
static const char *const category_names[] = {"compute", "memory", "control"};
static const char *const pipe_kind_names[] = {"vector", "matrix", "special"};

static const struct wl_event_info events[WL_EVENT_COUNT] = {
#define WL_EVENT(id, name, classes, group, category, by_precision, counted)                        \
    {name, classes, group, category, by_precision, counted},
#include "events.def"
#undef WL_EVENT
};

static const char *const event_ids[WL_EVENT_COUNT] = {
#define WL_EVENT(id, name, classes, group, category, by_precision, counted) #id,
#include "events.def"
#undef WL_EVENT
};

const char *wl_hw_class_name(enum wl_hw_class c)
{
    return c < WL_HW_CLASS_COUNT ? class_names[c] : "?";
}

const char *const *wl_class_names(void)
{
    return class_names;
}

const char *wl_basis_name(enum wl_basis b)
{
    return b < WL_BASIS_COUNT ? basis_names[b] : "?";
}

const char *const *wl_basis_names(void)
{
    return basis_names;
}

const char *wl_category_name(enum wl_category c)
{
    return c < WL_CAT_COUNT ? category_names[c] : "?";
}

const char *wl_pipe_kind_name(enum wl_pipe_kind k)
{
    return k < WL_PIPE_KIND_COUNT ? pipe_kind_names[k] : "?";
}

const struct wl_event_info *wl_event_info(enum wl_event e)
{
    return &events[e];
}

const char *wl_event_key(enum wl_event e)
{
    return event_ids[e];
}

enum wl_event wl_event_find(const char *name)
{
    for (int e = 0; e < WL_EVENT_COUNT; e++) {
        if (wl_str_eq_nocase(wl_str(name), wl_str(event_ids[e]))) {
            return (enum wl_event)e;
        }
    }
    return WL_EVENT_COUNT;
}

/* The next character that counts in a mode name; 0 at the end. Advances *s. */
static char next_mode_char(const char **s)
{
    int depth = 0;
    for (; **s != '\0'; (*s)++) {
        char c = **s;
        if (c == '(') {
            depth++;
        } else if (c == ')') {
            depth -= depth > 0 ? 1 : 0;
        } else if (depth == 0 && c != ' ' && c != '_' && c != '-') {
            (*s)++;
            return (char)tolower((unsigned char)c);
        }
    }
    return '\0';
}

bool wl_mode_names_match(const char *a, const char *b)
{
    char ca = 0;
    do {
        ca = next_mode_char(&a);
        if (ca != next_mode_char(&b)) {
            return false;
        }
    } while (ca != '\0');
    return true;
}
