/* SPDX-License-Identifier: Apache-2.0
 * Golden files: read whole, from tests/data/ (JG_TEST_DATA is set by the build).
 */
#ifndef JG_TEST_FILE_H
#define JG_TEST_FILE_H

#include "core/alloc.h"
#include "support/test.h"
#include <stdio.h>

/** The file `name` below tests/data/; free ptr with jg_free. Fails the test if it cannot be read. */
static inline jaeger_str read_data(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", JG_TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be opened", path);
    size_t cap = 1 << 20;
    char *bytes = jg_alloc(cap);
    size_t len = fread(bytes, 1, cap, file);
    assert_true(len < cap);
    (void)fclose(file);
    return (jaeger_str){bytes, len};
}

static inline void free_data(jaeger_str *data)
{
    jg_free((void *)data->ptr);
}
#define JG_AUTO_DATA JG_CLEANUP(free_data)

#endif
