/* SPDX-License-Identifier: Apache-2.0
 * The JSON scanner: what it accepts is walked again token by token and must be accepted there too.
 */
#include "core/json_in.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(jg_json_in *in)
{
    JG_AUTO_BUF jg_buf text_buf = JG_BUF_INIT(1 << 16);
    jg_json_text text;
    double d;
    switch (jg_json_in_peek(in)) {
    case JG_JSON_OBJECT:
        for (bool ok = jg_json_in_object(in); ok && jg_json_in_key(in, &text);)
            walk(in);
        break;
    case JG_JSON_ARRAY:
        for (bool ok = jg_json_in_array(in); ok && jg_json_in_item(in);)
            walk(in);
        break;
    case JG_JSON_STRING:
        if (jg_json_in_str(in, &text))
            jg_json_in_append(&text_buf, text);
        if (text_buf.len > text.raw.len)
            abort();
        break;
    case JG_JSON_NUMBER:
        if (!jg_json_in_double(in, false, &d))
            in->fault = NULL; /* too large for a double is still JSON */
        break;
    default:
        (void)jg_json_in_skip(in);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str text = {(const char *)data, size};
    jg_json_in in = jg_json_in_of(text), again = jg_json_in_of(text);
    bool ok = jg_json_in_skip(&in) && jg_json_in_end(&in);
    walk(&again);
    if (jg_json_in_end(&again) != ok)
        abort();
    return 0;
}
