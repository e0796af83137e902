/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as a registry file of any kind: checked, and where it is a correct spec, resolved in every
 * power mode; as an older calibration, converted. The tables that a spec refers to are read from
 * WATTLINE_REGISTRY, else from the registry beside this folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hardware.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resolve(struct wl_registry *r, const char *path)
{
    const struct wl_spec *spec = NULL;
    struct wl_device device;
    if (wl_registry_load(r, path, &spec, NULL) != WL_OK) {
        return;
    }
    for (int32_t i = 0; i < wl_spec_mode_count(spec); i++) {
        if (wl_spec_device(spec, wl_spec_mode_name(spec, i), &device, NULL) == WL_OK) {
            for (int p = 0; p < WL_PREC_COUNT; p++) {
                (void)wl_device_gemm_power_w(&device, (enum wl_precision)p);
                (void)wl_device_nearest(&device, (enum wl_precision)p);
            }
        }
    }
}

/* The repository's registry: two folders above this source. */
static void registry_root(char *out, size_t size)
{
    static const char source[] = __FILE__;
    const char *env = getenv("WATTLINE_REGISTRY");
    size_t end = sizeof(source) - 1;
    for (int slashes = 0; end > 0 && slashes < 2;) {
        end--;
        slashes += source[end] == '/' ? 1 : 0;
    }
    if (env != NULL) {
        (void)snprintf(out, size, "%s", env);
    } else {
        (void)snprintf(out, size, "%.*s/registry", (int)end, source);
    }
}

static void run_file(const char *path)
{
    char folder[512];
    registry_root(folder, sizeof(folder));
    const char *root = folder;
    struct wl_registry r;
    struct wl_hw_problem *problems = NULL;
    const char *kind = NULL, *name = NULL;
    int32_t count = 0;
    struct wl_buf out;
    if (wl_registry_open(&r, &root, 1, NULL) != WL_OK) {
        return;
    }
    (void)!wl_hw_check(&r, path, &kind, &problems, &count, NULL);
    resolve(&r, path);
    wl_buf_init(&out);
    (void)!wl_calibration_import(&r, path, "intel_xeon_8490h", &out, &name, NULL);
    wl_buf_done(&out);
    wl_registry_close(&r);
}

/* The bytes as the only device of a registry: the quick look of a list. */
static void run_list(const uint8_t *data, size_t size)
{
    const char *base = getenv("TMPDIR");
    char root[256], class[300], device[320], file[340];
    struct wl_registry r;
    struct wl_registry_entry *entries = NULL;
    struct wl_error *broken = NULL;
    int32_t count = 0, broken_count = 0;
    (void)snprintf(root, sizeof(root), "%s/wl-fuzz-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(root) == NULL) {
        return;
    }
    const char *roots[] = {root};
    (void)snprintf(class, sizeof(class), "%s/cpu", root);
    (void)snprintf(device, sizeof(device), "%s/x", class);
    (void)snprintf(file, sizeof(file), "%s/spec.json", device);
    (void)mkdir(class, 0700);
    (void)mkdir(device, 0700);
    if (wl_file_write(file, data, size, NULL) == WL_OK &&
        wl_registry_open(&r, roots, 1, NULL) == WL_OK) {
        (void)!wl_registry_list(&r, &entries, &count, &broken, &broken_count, NULL);
        wl_registry_close(&r);
    }
    (void)unlink(file);
    (void)rmdir(device);
    (void)rmdir(class);
    (void)rmdir(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_list(data, size);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    if (fd < 0) {
        return 0;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size) {
        run_file(path);
    }
    (void)close(fd);
    return 0;
}
