/* SPDX-License-Identifier: Apache-2.0
 * wire_dump FORMAT FILE [TO]: reads a request of that format and prints it as OTLP-JSON, or in the format TO.
 * For the golden tests, and handy at a terminal.
 */
#include "core/alloc.h"
#include "core/str.h"
#include "model/batch.h"
#include "wire/jaeger_model_json.h"
#include "wire/jaeger_pb.h"
#include "wire/jaeger_thrift.h"
#include "wire/otlp_json.h"
#include "wire/zipkin.h"
#include <stdio.h>

enum { BYTES_MAX = 64 << 20 };

typedef jaeger_status (*reader)(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err);

static jaeger_status otlp_pb(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jaeger_batch_from_otlp((void *)bytes.ptr, bytes.len, NULL, NULL, ret, err);
}

static jaeger_status thrift_binary(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_jaeger_thrift_to_batch(JG_THRIFT_BINARY, bytes, ret, err);
}

static jaeger_status thrift_compact(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_jaeger_thrift_to_batch(JG_THRIFT_COMPACT, bytes, ret, err);
}

static jaeger_status packet_binary(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_jaeger_thrift_packet(JG_THRIFT_BINARY, bytes, ret, err);
}

static jaeger_status packet_compact(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_jaeger_thrift_packet(JG_THRIFT_COMPACT, bytes, ret, err);
}

static jaeger_status zipkin_v2(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_zipkin_v2_json_to_batch(bytes, false, ret, err);
}

static jaeger_status zipkin_v2_parsed(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_zipkin_v2_json_to_batch(bytes, true, ret, err);
}

static jaeger_status zipkin_v1(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_zipkin_v1_json_to_batch(bytes, false, ret, err);
}

static jaeger_status zipkin_v1_parsed(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_zipkin_v1_json_to_batch(bytes, true, ret, err);
}

static jaeger_status zipkin_proto(jaeger_str bytes, jaeger_batch **ret, jaeger_error *err)
{
    return jg_zipkin_pb_to_batch(bytes, false, ret, err);
}

static const struct {
    const char *name;
    reader read;
} readers[] = {
    {"otlp_pb", otlp_pb},
    {"otlp_json", jg_otlp_json_to_batch},
    {"binary", thrift_binary},
    {"compact", thrift_compact},
    {"packet_binary", packet_binary},
    {"packet_compact", packet_compact},
    {"post", jg_jaeger_pb_post_to_batch},
    {"jaeger_proto", jg_jaeger_pb_span_to_batch},
    {"jaeger_json", jg_jaeger_model_json_to_batch},
    {"zipkin_v2", zipkin_v2},
    {"zipkin_v2_parsed", zipkin_v2_parsed},
    {"zipkin_v1", zipkin_v1},
    {"zipkin_v1_parsed", zipkin_v1_parsed},
    {"zipkin_thrift", jg_zipkin_v1_thrift_to_batch},
    {"zipkin_proto", zipkin_proto},
};

static void write_jaeger_proto(const jaeger_batch *batch, jg_buf *out)
{
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++) {
        JG_AUTO_BUF jg_buf span = JG_BUF_INIT(BYTES_MAX);
        jg_jaeger_pb_write_span(&span, &jaeger_batch_spans(batch)[i], true);
        uint8_t head[4] = {(uint8_t)(span.len >> 24), (uint8_t)(span.len >> 16), (uint8_t)(span.len >> 8),
                           (uint8_t)span.len};
        jg_buf_append(out, head, 4);
        jg_buf_append(out, span.data, span.len);
    }
}

static void write_jaeger_json(const jaeger_batch *batch, jg_buf *out)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    json.html = true;
    jg_json_array(&json);
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++)
        jg_jaeger_model_json_write(&json, &jaeger_batch_spans(batch)[i]);
    jg_json_end(&json);
}

static void write_zipkin_json(const jaeger_batch *batch, jg_buf *out)
{
    if (jg_zipkin_json_write(out, batch, NULL) != JAEGER_OK)
        out->failed = true;
}

static void write_zipkin_pb(const jaeger_batch *batch, jg_buf *out)
{
    if (jg_zipkin_pb_write(out, batch, NULL) != JAEGER_OK)
        out->failed = true;
}

/** The first resource's spans: a Batch has one process. */
static void write_binary(const jaeger_batch *batch, jg_buf *out)
{
    jg_thrift_out thrift = {out, JG_THRIFT_BINARY};
    (void)jg_jaeger_thrift_write(&thrift, batch, 0);
}

static void write_otlp_json(const jaeger_batch *batch, jg_buf *out)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    jg_otlp_json_write(&json, batch);
}

static const struct {
    const char *name;
    void (*write)(const jaeger_batch *batch, jg_buf *out);
} writers[] = {
    {"otlp_json", write_otlp_json},     {"jaeger_proto", write_jaeger_proto},
    {"jaeger_json", write_jaeger_json}, {"zipkin_json", write_zipkin_json},
    {"zipkin_pb", write_zipkin_pb},     {"binary", write_binary},
};

static bool read_file(const char *path, jg_buf *out)
{
    FILE *file = fopen(path, "rb");
    uint8_t chunk[65536];
    size_t n;
    if (!file)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, file)))
        jg_buf_append(out, chunk, n);
    return fclose(file) == 0 && jg_buf_ok(out);
}

int main(int argc, char **argv)
{
    JG_AUTO_BUF jg_buf in = JG_BUF_INIT(BYTES_MAX), out = JG_BUF_INIT(BYTES_MAX);
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jaeger_error err;
    const char *to = argc > 3 ? argv[3] : "otlp_json";
    if (argc < 3 || !read_file(argv[2], &in)) {
        (void)fprintf(stderr, "usage: wire_dump FORMAT FILE [TO]\n");
        return 2;
    }
    for (size_t i = 0; i < JG_COUNT(readers); i++)
        if (jg_str_is(jg_str(argv[1]), readers[i].name) &&
            readers[i].read(jg_buf_view(&in), &batch, &err) != JAEGER_OK) {
            (void)fprintf(stderr, "%s: %s\n", jaeger_status_name(err.status), err.message);
            return 1;
        }
    for (size_t i = 0; batch && i < JG_COUNT(writers); i++)
        if (jg_str_is(jg_str(to), writers[i].name))
            writers[i].write(batch, &out);
    return batch && jg_buf_ok(&out) && fwrite(out.data, 1, out.len, stdout) == out.len ? 0 : 2;
}
