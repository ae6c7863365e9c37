/* SPDX-License-Identifier: Apache-2.0
 * See otlp_answer.h.
 */
#include "wire/otlp_answer.h"

#include "core/json_in.h"
#include "core/pb.h"
#include "core/str.h"

/** Keep what fits of a text; control characters become spaces, it goes to logs. */
static void keep(jg_otlp_answer *ret, jaeger_str text)
{
    size_t len = 0;
    for (size_t step; len < text.len; len += step) {
        step = jg_utf8_step((const uint8_t *)text.ptr + len, text.len - len);
        if (!step || len + step >= sizeof ret->message)
            break;
        memcpy(ret->message + len, text.ptr + len, step);
        if ((unsigned char)ret->message[len] < ' ')
            ret->message[len] = ' ';
    }
    ret->message[len] = 0;
}

static bool keep_json(jg_json_in *in, jg_otlp_answer *ret)
{
    jg_json_text text;
    JG_AUTO_BUF jg_buf plain = JG_BUF_INIT(sizeof ret->message * 6);
    if (!jg_json_in_str(in, &text))
        return false;
    text.raw.len = text.raw.len <= plain.max ? text.raw.len : 0; /* a long one is not cut inside an escape */
    jg_json_in_append(&plain, text);
    keep(ret, jg_buf_view(&plain));
    return true;
}

static bool read_partial_json(jg_json_in *in, jg_otlp_answer *ret)
{
    jg_json_text key;
    if (jg_json_in_peek(in) == JG_JSON_NULL)
        return jg_json_in_null(in);
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("rejectedSpans")))
            (void)jg_json_in_i64(in, true, &ret->rejected_spans);
        else if (jg_json_in_is(key, JAEGER_STR("errorMessage")))
            (void)keep_json(in, ret);
        else
            (void)jg_json_in_skip(in);
    }
    return !in->fault;
}

/** The member `name` of an object, by `read`. */
static bool read_json(jaeger_str body, jaeger_str name, bool (*read)(jg_json_in *, jg_otlp_answer *),
                      jg_otlp_answer *ret)
{
    jg_json_in in = jg_json_in_of(body);
    jg_json_text key;
    if (!jg_json_in_object(&in))
        return false;
    while (jg_json_in_key(&in, &key))
        (void)(jg_json_in_is(key, name) ? read(&in, ret) : jg_json_in_skip(&in));
    return jg_json_in_end(&in);
}

static bool read_partial(jaeger_str body, jg_otlp_answer *ret)
{
    jg_pb message = jg_pb_of_str(body);
    jg_pb_field field;
    while (jg_pb_next(&message, &field)) {
        if (field.number == 1 && field.wire == JG_PB_VARINT)
            ret->rejected_spans = (int64_t)field.varint;
        else if (field.number == 2 && field.wire == JG_PB_LEN)
            keep(ret, jg_pb_str(&field));
    }
    return !message.bad;
}

static bool read_response(jaeger_str body, jg_otlp_answer *ret)
{
    jg_pb message = jg_pb_of_str(body);
    jg_pb_field field;
    bool ok = true;
    while (ok && jg_pb_next(&message, &field))
        if (field.number == 1 && field.wire == JG_PB_LEN)
            ok = read_partial(jg_pb_str(&field), ret);
    return ok && !message.bad;
}

bool jg_otlp_answer_read(jaeger_str body, bool json, jg_otlp_answer *ret)
{
    *ret = (jg_otlp_answer){0};
    bool ok = !json ? read_response(body, ret)
                    : read_json(body, JAEGER_STR("partialSuccess"), read_partial_json, ret);
    if (!ok)
        *ret = (jg_otlp_answer){0};
    return ok;
}

bool jg_otlp_answer_read_status(jaeger_str body, bool json, jg_otlp_answer *ret)
{
    *ret = (jg_otlp_answer){0};
    bool ok;
    if (json) {
        ok = read_json(body, JAEGER_STR("message"), keep_json, ret);
    } else {
        jg_pb message = jg_pb_of_str(body);
        jg_pb_field field;
        while (jg_pb_next(&message, &field))
            if (field.number == 2 && field.wire == JG_PB_LEN)
                keep(ret, jg_pb_str(&field));
        ok = !message.bad;
    }
    if (!ok)
        *ret = (jg_otlp_answer){0};
    return ret->message[0] != 0;
}
