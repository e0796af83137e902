/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a blocked product reads from main memory through one buffer, by hand. A convolution-like
 * product: 4,000 results of 90 terms for each of 100 filters, whose input lies in memory once
 * though nine results read it: 40,000 elements (160,000 B), weights 9,000 (36,000 B), both beyond
 * the buffer of 40,000 B.
 */
#include <math.h>

#include "map_fixture.h"

#define LEFT 160000.0
#define RIGHT 36000.0
#define ROWS 4000.0
#define COLS 100.0

static void buffered(struct fixture *f)
{
    fixture_init(f);
    fixture_device(f, WL_HW_KPU, 1);
    struct wl_pipe *p = fixture_pipe(&f->device, "pe", WL_PIPE_MATRIX, 32);
    p->rows = p->cols = 4;
    fixture_level(&f->device, "buffer", WL_SCOPE_DEVICE, 40000);
    fixture_level(&f->device, "dram", WL_SCOPE_DEVICE, 0);
    f->options.cold = true;
    fixture_output(f, 2);
    fixture_product(f, 0, 40000, 1, 9000, 2,
                    (struct wl_product){.g = 1, .m = 4000, .n = 100, .k = 90});
}

static void expect_read(struct fixture *f, double want, const char *what)
{
    fixture_run(f);
    expect_near(f->mappings.items[0].traffic[1].read_bytes, want, what);
    fixture_done(f);
}

/* Half of the buffer holds a block of 5,000 results, as high as it is wide: 70.7. */
static void cache(void **state)
{
    (void)state;
    struct fixture f;
    buffered(&f);
    double side = sqrt(5000);
    expect_read(&f, LEFT * COLS / side + RIGHT * ROWS / side, "square blocks");
}

/* Software chooses nine times as many rows as columns: both operands cost the same. */
static void scratchpad(void **state)
{
    (void)state;
    struct fixture f;
    buffered(&f);
    f.device.levels[0].managed = true;
    double cols = sqrt(5000.0 / 9);
    expect_read(&f, LEFT * COLS / cols + RIGHT * ROWS / (9 * cols), "blocks of the fewest bytes");
    double square = LEFT * COLS / sqrt(5000) + RIGHT * ROWS / sqrt(5000);
    assert_true(LEFT * COLS / cols + RIGHT * ROWS / (9 * cols) < square);
}

/* 4,000 B for weights on their way: the block has the other 36,000 B. */
static void divided_scratchpad(void **state)
{
    (void)state;
    struct fixture f;
    buffered(&f);
    f.device.levels[0].managed = true;
    f.device.levels[0].weight_bytes = 4000;
    double cols = sqrt(9000.0 / 9);
    expect_read(&f, LEFT * COLS / cols + RIGHT * ROWS / (9 * cols), "a larger block");
}

/* Half the bytes per activation: 18 times as many rows as columns; the buffer is filled in full. */
static void compressed(void **state)
{
    (void)state;
    struct fixture f;
    buffered(&f);
    f.device.levels[0].managed = true;
    f.device.levels[1].activation_compression = 2;
    double cols = sqrt(5000.0 / 18);
    double left = LEFT * COLS / cols;
    fixture_run(&f);
    const struct wl_mapping *m = &f.mappings.items[0];
    expect_near(m->traffic[1].saved_read_bytes, left / 2, "what compression saves");
    for (int32_t i = 0; i < m->event_count; i++) {
        if (m->events[i].event == WL_EV_LEVEL_WRITE_0) {
            double written = left + RIGHT * ROWS / (18 * cols) + m->traffic[0].write_bytes;
            expect_near(m->events[i].count, written, "what the buffer takes in");
        }
    }
    expect_read(&f, left / 2 + RIGHT * ROWS / (18 * cols), "compressed activations");
}

/* What the caller feeds crosses as it is. */
static void inputs_are_not_compressed(void **state)
{
    (void)state;
    struct fixture f;
    buffered(&f);
    fixture_input(&f, 0);
    f.device.levels[1].activation_compression = 2;
    double side = sqrt(5000);
    expect_read(&f, LEFT * COLS / side + RIGHT * ROWS / side, "an input");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache),
        cmocka_unit_test(scratchpad),
        cmocka_unit_test(divided_scratchpad),
        cmocka_unit_test(compressed),
        cmocka_unit_test(inputs_are_not_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
