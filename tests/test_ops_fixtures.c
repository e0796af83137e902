/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/data/op_fixtures.txt: one line per case,
 *
 *   [domain::]Operator inputs... {attributes} -> outputs... [macs=N]
 *
 * input   FLOAT[2,N]          shape; N and M are symbols, ? an unknown dim; * for an unknown rank
 *         INT64[2]=3,4        a constant; numbers with a point for floating-point types
 *         _                   omitted
 * attribute  name=1  name=1.5  name=text  name=[1,2]   separated by blanks
 * output  FLOAT[2,N]          as above; expressions of symbols without blanks
 *
 * Every operator of the default domain must have a line, but for those that need bodies, sequences
 * or optionals (tests of their own: test_ops_control.c).
 */
#include <inttypes.h>

#include "wl_test_graph.h"

#define FIXTURES WL_SOURCE_DIR "/tests/data/op_fixtures.txt"
#define LINE_MAX_BYTES 4096
#define ITEMS_MAX 32

static const char *const without_fixture[] = {
    "ConcatFromSequence",
    "If",
    "Loop",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "Scan",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "SequenceMap",
    "SplitToSequence",
};

static enum wl_dtype dtype_of(const char *name, size_t len)
{
    for (int i = 0; i < WL_DT_COUNT; i++) {
        if (wl_str_is((struct wl_str){name, len}, wl_dtype_name((enum wl_dtype)i))) {
            return (enum wl_dtype)i;
        }
    }
    fail_msg("no element type %.*s", (int)len, name);
    return WL_DT_UNDEFINED;
}

/* Shape text "[2,N]" into dims as tg_tensor takes them; returns the rank, -1 for "*". */
static int32_t read_shape(const char **at, int64_t *dims)
{
    int32_t rank = 0;
    assert_int_equal(*(*at)++, '[');
    if (**at == '*') {
        *at += 2;
        return -1;
    }
    while (**at != ']') {
        char *stop = NULL;
        assert_true(rank < WL_RANK_MAX);
        if (**at == 'N' || **at == 'M' || **at == '?') {
            dims[rank++] = **at == 'N' ? -1 : **at == 'M' ? -2 : -3;
            (*at)++;
        } else {
            dims[rank++] = strtoll(*at, &stop, 10);
            assert_ptr_not_equal(stop, *at);
            *at = stop;
        }
        *at += **at == ',' ? 1 : 0;
    }
    (*at)++;
    return rank;
}

static void read_constant(struct tg *t, int32_t id, const char *text)
{
    int64_t n;
    enum wl_dtype type = t->g.tensors[id].dtype;
    bool is_float = wl_dtype_is_float(type);
    assert_true(wl_tensor_elems_known(&t->g, id, &n));
    struct wl_value *v = tg_value(t, id, n, is_float);
    for (int64_t i = 0; i < n; i++) {
        char *stop = NULL;
        if (is_float) {
            v->floats[i] = strtod(text, &stop);
        } else {
            v->ints[i] = wl_dim_known(strtoll(text, &stop, 10));
        }
        assert_ptr_not_equal(stop, text);
        text = stop + (*stop == ',' ? 1 : 0);
    }
}

static int32_t read_input(struct tg *t, const char *word)
{
    int64_t dims[WL_RANK_MAX];
    if (strcmp(word, "_") == 0) {
        return WL_NONE;
    }
    const char *at = strchr(word, '[');
    assert_non_null(at);
    enum wl_dtype type = dtype_of(word, (size_t)(at - word));
    int32_t rank = read_shape(&at, dims);
    int32_t id = tg_tensor(t, type, rank < 0 ? 0 : rank, dims);
    t->g.tensors[id].rank = rank;
    if (*at == '=') {
        read_constant(t, id, at + 1);
    }
    return id;
}

static void read_attribute(struct tg *t, int32_t node, char *word)
{
    char *value = strchr(word, '=');
    assert_non_null(value);
    *value++ = '\0';
    if (value[0] == '[') {
        int64_t items[ITEMS_MAX];
        int32_t count = 0;
        for (char *at = value + 1; *at != ']';) {
            items[count++] = strtoll(at, &at, 10);
            at += *at == ',' ? 1 : 0;
        }
        tg_ints(t, node, word, count, items);
        return;
    }
    char *stop = NULL;
    int64_t number = strtoll(value, &stop, 10);
    if (*stop == '\0') {
        tg_int(t, node, word, number);
        return;
    }
    double real = strtod(value, &stop);
    if (*stop == '\0') {
        tg_float(t, node, word, real);
    } else {
        tg_str(t, node, word, value);
    }
}

static void print_tensor(const struct tg *t, int32_t id, struct wl_buf *b)
{
    const struct wl_tensor *x = &t->g.tensors[id];
    wl_buf_printf(b, "%s[", wl_dtype_name(x->dtype));
    for (int32_t i = 0; i < x->rank; i++) {
        wl_buf_puts(b, i > 0 ? "," : "");
        wl_dim_print(&t->g.dims, x->dims[i], b);
    }
    wl_buf_puts(b, x->rank == WL_NONE ? "*]" : "]");
}

/* Compares output o with its text; prints the line where they differ. */
static bool check_output(const struct tg *t, int32_t node, int32_t o, const char *want,
                         const char *line)
{
    struct wl_buf b;
    wl_buf_init(&b);
    print_tensor(t, t->g.nodes[node].outputs[o], &b);
    bool same = strcmp(b.data, want) == 0;
    if (!same) {
        printf("%s\n  output %d is %s\n", line, o, b.data);
    }
    wl_buf_done(&b);
    return same;
}

struct fixture {
    char *op, *inputs[ITEMS_MAX], *attrs[ITEMS_MAX], *outputs[ITEMS_MAX], *macs;
    int32_t input_count, attr_count, output_count;
};

/* Cuts a line into its words. */
static void split(char *line, struct fixture *f)
{
    char *save = NULL;
    int part = 0; /* 0 inputs, 1 attributes, 2 outputs */
    memset(f, 0, sizeof(*f));
    for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        if (f->op == NULL) {
            f->op = w;
        } else if (strcmp(w, "{") == 0) {
            part = 1;
        } else if (strcmp(w, "}") == 0) {
            part = 0;
        } else if (strcmp(w, "->") == 0) {
            part = 2;
        } else if (part == 2 && strncmp(w, "macs=", 5) == 0) {
            f->macs = w + 5;
        } else if (part == 0) {
            f->inputs[f->input_count++] = w;
        } else if (part == 1) {
            f->attrs[f->attr_count++] = w;
        } else {
            f->outputs[f->output_count++] = w;
        }
        assert_true(f->input_count < ITEMS_MAX && f->attr_count < ITEMS_MAX &&
                    f->output_count < ITEMS_MAX);
    }
}

static bool run_fixture(const struct fixture *f, const char *line)
{
    struct tg t;
    int32_t ids[ITEMS_MAX];
    char name[128];
    const char *domain = "";
    bool good = true;
    (void)snprintf(name, sizeof(name), "%s", f->op);
    char *colons = strstr(name, "::");
    if (colons != NULL) {
        *colons = '\0';
        domain = name;
    }
    tg_init(&t);
    for (int32_t i = 0; i < f->input_count; i++) {
        ids[i] = read_input(&t, f->inputs[i]);
    }
    int32_t node = tg_node_in(&t, domain, colons == NULL ? name : colons + 2, f->input_count, ids,
                              f->output_count);
    for (int32_t i = 0; i < f->attr_count; i++) {
        read_attribute(&t, node, f->attrs[i]);
    }
    struct wl_work w = tg_work(&t, node);
    for (int32_t o = 0; o < f->output_count; o++) {
        good = check_output(&t, node, o, f->outputs[o], line) && good;
    }
    if (f->macs != NULL && !wl_dim_is(w.macs, strtoll(f->macs, NULL, 10))) {
        printf("%s\n  MACs: %" PRId64 "\n", line, w.macs.value);
        good = false;
    }
    tg_done(&t);
    return good;
}

static int32_t row_index(const char *op)
{
    int32_t count;
    const struct wl_op *rows = wl_op_table(&count);
    const char *colons = strstr(op, "::");
    struct wl_str domain = {op, colons == NULL ? 0 : (size_t)(colons - op)};
    const struct wl_op *row = wl_op_find(domain, wl_str(colons == NULL ? op : colons + 2));
    if (row == NULL) {
        fail_msg("no operator %s", op);
    }
    return (int32_t)(row - rows);
}

static int check_coverage(const bool *seen)
{
    int32_t count;
    int missing = 0;
    const struct wl_op *rows = wl_op_table(&count);
    for (int32_t i = 0; i < count; i++) {
        bool excused = rows[i].domain[0] != '\0';
        for (size_t k = 0; k < WL_ARRAY_LEN(without_fixture); k++) {
            excused = excused || strcmp(rows[i].name, without_fixture[k]) == 0;
        }
        if (!seen[i] && !excused) {
            printf("no fixture for %s\n", rows[i].name);
            missing++;
        }
    }
    return missing;
}

static void test_fixtures(void **state)
{
    static char line[LINE_MAX_BYTES];
    static char words[LINE_MAX_BYTES];
    static bool seen[2048];
    struct wl_file f;
    struct fixture fixture;
    int32_t count;
    int failures = 0;
    (void)state;
    (void)wl_op_table(&count);
    assert_true(count <= (int32_t)WL_ARRAY_LEN(seen));
    assert_int_equal(wl_file_open(FIXTURES, &f, NULL), WL_OK);
    const char *at = (const char *)f.data;
    const char *end = at + f.bytes;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop == NULL ? end : stop) - at);
        assert_true(len < sizeof(line));
        memcpy(line, at, len);
        line[len] = '\0';
        at += len + 1;
        if (len == 0 || line[0] == '#') {
            continue;
        }
        memcpy(words, line, len + 1);
        split(words, &fixture);
        seen[row_index(fixture.op)] = true;
        failures += run_fixture(&fixture, line) ? 0 : 1;
    }
    wl_file_close(&f);
    failures += check_coverage(seen);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixtures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
