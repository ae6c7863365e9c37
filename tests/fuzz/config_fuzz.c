/* SPDX-License-Identifier: Apache-2.0
 * YAML loading, merging and expansion: the input is a configuration, and the value of every variable that
 * begins with V. What loads must print as YAML that loads again. */
#include "config/load.h"
#include "core/str.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *user, const char *name)
{
    return name[0] == 'V' ? user : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096]; /* zero-terminated copy: variables are C strings */
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    const char *const sets[] = {"a.b=${env:V}", "c=x${V}y"};
    jg_config_sources sources = {.yaml = text, .sets = sets, .set_count = 2, .getenv = lookup, .user = text};
    if (strstr(text, "file:") || strstr(text, "http"))
        return 0;
    jaeger_config *root = NULL;
    jaeger_error err;
    if (jg_config_load(&sources, &root, &err) == JAEGER_OK) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(64u << 20);
        jg_config_write_yaml(&out, root, 0);
        jaeger_config *again = NULL;
        if (jg_buf_ok(&out) && out.len < (4u << 20) &&
            jaeger_config_parse(jg_buf_view(&out), "again", &again, &err) != JAEGER_OK)
            abort();
        jaeger_config_free(again);
        jaeger_config_free(root);
    }
    if (jaeger_config_parse((jaeger_str){(const char *)data, size}, "fuzz", &root, &err) == JAEGER_OK)
        jaeger_config_free(root);
    return 0;
}
