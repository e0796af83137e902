/* SPDX-License-Identifier: Apache-2.0 */
/* cli/main/main.c: the program's entry. Kept apart so that the tests can link everything else. */
#include "cli.h"

int main(int argc, char **argv)
{
    return wl_cli_main(argc, argv);
}
