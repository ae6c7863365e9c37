/* SPDX-License-Identifier: Apache-2.0
 * A first line with a password, then htpasswd lines: everyone of the file is tried. Slow crypts are left out.
 */
#include "core/arena.h"
#include "core/str.h"
#include "extensions/auth/htpasswd.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str all = {(const char *)data, size}, password = {all.ptr, jg_str_find(all, '\n')};
    jg_htpasswd users;
    jg_map_entry entry;
    jaeger_error err;
    if (size > 4096 || jg_htpasswd_init(&users, &err) != JAEGER_OK)
        return 0;
    if (jg_htpasswd_add(&users, jg_str_skip(all, password.len + 1), &err) != JAEGER_OK)
        abort();
    for (size_t at = 0; jg_map_next(&users.users, &at, &entry);) {
        jaeger_str stored = *(jaeger_str *)entry.value;
        bool slow = stored.len > 1 && stored.ptr[0] == '$' && (stored.ptr[1] == '2' || stored.ptr[1] >= '5');
        if (!slow || jg_str_starts(stored, JAEGER_STR("$apr1$")))
            (void)jg_htpasswd_match(&users, entry.key, password);
    }
    if (jg_htpasswd_match(&users, JAEGER_STR("nobody of this name\n"), password))
        abort();
    jg_htpasswd_done(&users);
    return 0;
}
