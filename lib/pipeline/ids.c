/* SPDX-License-Identifier: Apache-2.0
 * See ids.h.
 */
#include "pipeline/ids.h"

#include "core/err.h"
#include "core/str.h"

#define TYPE_BYTES_MAX 63
#define NAME_BYTES_MAX 1024

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool type_is_valid(jaeger_str type)
{
    if (type.len > TYPE_BYTES_MAX || !is_letter(type.ptr[0]))
        return false;
    for (size_t i = 1; i < type.len; i++)
        if (!is_letter(type.ptr[i]) && type.ptr[i] != '_' && !(type.ptr[i] >= '0' && type.ptr[i] <= '9'))
            return false;
    return true;
}

static bool name_is_valid(jaeger_str name)
{
    if (name.len > NAME_BYTES_MAX || !jg_utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f || strchr("$+<=>^`|~", name.ptr[i]))
            return false;
    return true;
}

jaeger_status jg_id_parse(jaeger_str text, jg_id *ret, jaeger_error *err)
{
    jg_id id = {.text = jg_str_trim(text)};
    if (!id.text.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "id must not be empty");
    size_t slash = jg_str_find(id.text, '/');
    id.type = jg_str_trim((jaeger_str){id.text.ptr, slash});
    if (!id.type.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "in \"%.*s\" id: the part before / should not be empty",
                       JAEGER_STR_ARGS(id.text));
    if (!type_is_valid(id.type))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "in \"%.*s\" id: invalid character(s) in type \"%.*s\"",
                       JAEGER_STR_ARGS(id.text), JAEGER_STR_ARGS(id.type));
    if (slash < id.text.len) {
        id.name = jg_str_trim(jg_str_skip(id.text, slash + 1));
        if (!id.name.len)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "in \"%.*s\" id: the part after / should not be empty", JAEGER_STR_ARGS(id.text));
        if (!name_is_valid(id.name))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "in \"%.*s\" id: invalid character(s) in name \"%.*s\"", JAEGER_STR_ARGS(id.text),
                           JAEGER_STR_ARGS(id.name));
    }
    *ret = id;
    return JAEGER_OK;
}

uint32_t jg_signal_parse(jaeger_str text)
{
    if (jg_str_is(text, "traces"))
        return JAEGER_TRACES;
    if (jg_str_is(text, "metrics"))
        return JAEGER_METRICS;
    return jg_str_is(text, "logs") ? JAEGER_LOGS : 0;
}

const char *jg_signal_name(uint32_t signal)
{
    return signal & JAEGER_TRACES ? "traces" : signal & JAEGER_METRICS ? "metrics" : "logs";
}

const char *jg_kind_name(jaeger_kind kind)
{
    static const char *const names[] = {"receiver", "processor", "exporter", "connector", "extension"};
    return names[kind];
}

const char *jg_kind_section(jaeger_kind kind)
{
    static const char *const names[] = {"receivers", "processors", "exporters", "connectors", "extensions"};
    return names[kind];
}
