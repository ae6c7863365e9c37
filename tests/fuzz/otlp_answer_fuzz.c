/* SPDX-License-Identifier: Apache-2.0
 * Answers of OTLP servers: any bytes, and the text that comes out is valid UTF-8 on one line.
 */
#include "core/str.h"
#include "wire/otlp_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool found, const jg_otlp_answer *answer)
{
    jaeger_str text = jg_str(answer->message);
    if (!jg_utf8_valid(text) || jg_str_find(text, '\n') != text.len || (!found && text.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str body = {(const char *)data, size};
    jg_otlp_answer answer;
    for (int json = 0; json < 2; json++) {
        bool found = jg_otlp_answer_read(body, json, &answer);
        check(found, &answer);
        found = jg_otlp_answer_read_status(body, json, &answer);
        check(found, &answer);
    }
    return 0;
}
