/* SPDX-License-Identifier: Apache-2.0 */
/* cli/commands.c: the table of subcommands, `--help`, `--version`. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct wl_command commands[] = {
    {"analyze", "MODEL --hw ID [options]", "one model on one device", wl_cmd_analyze},
    {"compare", "MODEL --hw ID,ID,... | --class C | --all [options]", "one model on many devices",
     wl_cmd_compare},
    {"sweep", "MODEL... --hw ID,... --output F [options]",
     "every combination of batches, precisions, devices ... into a file", wl_cmd_sweep},
    {"diff", "A.json B.json | MODEL --hw A[,B] [options]", "two results against each other",
     wl_cmd_diff},
    {"graph", "MODEL [options]", "nodes, shapes, work, partition (no device)", wl_cmd_graph},
    {"hw", "list | show ID | check FILE... | calibrations [ID] | detect | import-calibration FILE",
     "the device registry, and this machine in it", wl_cmd_hw},
    {"power", "ID | --list", "power profiles of a device side by side", wl_cmd_power},
    {"calibrate", "[--framework NAME] [options]", "measure kernels on this host", wl_cmd_calibrate},
    {"validate", "MODEL... [options]", "predictions against runs on this host", wl_cmd_validate},
    {"models", "list | path NAME | materialize NAME --output F.onnx", "the model zoo",
     wl_cmd_models},
    {"measure", "[options] -- COMMAND...", "time and energy of a run, from this machine's meters",
     wl_cmd_measure},
};

static void print_usage(FILE *to)
{
    (void)fprintf(to,
                  "wattline %s: how fast an ONNX model runs on a device, how many joules it takes, "
                  "what limits it\n\nusage: wattline COMMAND [arguments]\n\n",
                  WATTLINE_VERSION);
    for (size_t i = 0; i < WL_ARRAY_LEN(commands); i++) {
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fprintf(to, "\nfor example:\n"
                      "  wattline analyze resnet18 --hw intel_xeon_8490h\n"
                      "  wattline analyze model.onnx --hw h100 --batch 8 --precision fp16\n"
                      "  wattline graph model.onnx --fusion basic\n"
                      "  wattline hw list --class gpu\n\n"
                      "wattline COMMAND --help tells the options of a command.\n");
}

static int unknown_command(const char *name)
{
    const char *names[WL_ARRAY_LEN(commands)];
    char near[128];
    for (size_t i = 0; i < WL_ARRAY_LEN(commands); i++) {
        names[i] = commands[i].name;
    }
    wl_nearest_names(name, names, (int32_t)WL_ARRAY_LEN(commands), 2, near, sizeof(near));
    return wl_cli_usage("command", "\"%.60s\" is not one; %s%s%swattline --help lists them", name,
                        near[0] != '\0' ? "near: " : "", near, near[0] != '\0' ? "; " : "");
}

int wl_cli_main(int argc, char **argv)
{
    wl_malloc_keep();
    if (argc < 2) {
        print_usage(stderr);
        return WL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return WL_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("wattline %s\n", WATTLINE_VERSION);
        return WL_EXIT_OK;
    }
    for (size_t i = 0; i < WL_ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return unknown_command(argv[1]);
}
