/* SPDX-License-Identifier: Apache-2.0
 * Server reflection (v1 and v1alpha, the same messages): lists services and hands out the files that describe
 * them, from a FileDescriptorSet that the build made. Answered on the loop, message by message, as the stream
 * stays open while the client asks. A file is sent with all that it imports. Spec:
 * https://github.com/grpc/grpc/blob/master/doc/server-reflection.md, google/protobuf/descriptor.proto
 */
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "net/grpc_conn.h"

#define FILES_MAX        64 /* in one descriptor set; ours has about 15 */
#define ANSWER_BYTES_MAX (1u << 20)

enum {
    REQUEST_FILE_BY_NAME = 3,
    REQUEST_FILE_OF_SYMBOL = 4,
    REQUEST_FILE_OF_EXTENSION = 5,
    REQUEST_EXTENSIONS_OF_TYPE = 6,
    REQUEST_LIST_SERVICES = 7
};
enum { ANSWER_REQUEST = 2, ANSWER_FILES = 4, ANSWER_SERVICES = 6, ANSWER_ERROR = 7 };
enum { SET_FILE = 1 };
enum {
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6
};
enum { MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, SERVICE_METHOD = 2, ANY_NAME = 1 };

jg_grpc_builtin jg_grpc_reflection_method(const jg_grpc_server *server, jaeger_str path)
{
    bool asked = jg_str_is(path, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") ||
                 jg_str_is(path, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    return asked && server->descriptors.len ? JG_GRPC_REFLECTION : JG_GRPC_BUILTIN_NONE;
}

/* ---- the descriptor set: made by our build, so it is well formed
 * ---------------------------------------------- */

/** First LEN field `number` of a message. */
static jaeger_str field_of(jaeger_str message, uint32_t number)
{
    jg_pb pb = jg_pb_of_str(message);
    for (jg_pb_field f; jg_pb_next(&pb, &f);)
        if (f.number == number && f.wire == JG_PB_LEN)
            return jg_pb_str(&f);
    return (jaeger_str){0};
}

/** Is `rest` the name of a child in field `number` of `message`, or of something inside it? */
static bool has_symbol(jaeger_str message, uint32_t number, jaeger_str rest, unsigned depth)
{
    jg_pb pb = jg_pb_of_str(message);
    for (jg_pb_field f; depth < 8 && jg_pb_next(&pb, &f);) {
        if (f.number != number || f.wire != JG_PB_LEN)
            continue;
        jaeger_str child = jg_pb_str(&f), name = field_of(child, ANY_NAME);
        if (!jg_str_starts(rest, name))
            continue;
        jaeger_str after = jg_str_skip(rest, name.len);
        if (after.len == 0)
            return true;
        if (after.ptr[0] != '.')
            continue;
        after = jg_str_skip(after, 1);
        if (has_symbol(child, SERVICE_METHOD, after, depth + 1) ||
            has_symbol(child, MESSAGE_NESTED, after, depth + 1) ||
            has_symbol(child, MESSAGE_ENUM, after, depth + 1))
            return true;
    }
    return false;
}

static bool file_has(jaeger_str file, jaeger_str symbol)
{
    jaeger_str package = field_of(file, FILE_PACKAGE);
    if (!jg_str_starts(symbol, package) || symbol.len <= package.len || symbol.ptr[package.len] != '.')
        return false;
    jaeger_str rest = jg_str_skip(symbol, package.len + 1);
    return has_symbol(file, FILE_MESSAGE, rest, 0) || has_symbol(file, FILE_ENUM, rest, 0) ||
           has_symbol(file, FILE_SERVICE, rest, 0);
}

static jaeger_str find_file(jaeger_str set, jaeger_str wanted, bool by_symbol)
{
    jg_pb pb = jg_pb_of_str(set);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        jaeger_str file = jg_pb_str(&f);
        if (by_symbol ? file_has(file, wanted) : jg_str_eq(field_of(file, FILE_NAME), wanted))
            return file;
    }
    return (jaeger_str){0};
}

/** `file` and its imports, each once. */
typedef struct file_list {
    jaeger_str files[FILES_MAX];
    size_t count;
} file_list;

static void add_with_imports(file_list *list, jaeger_str set, jaeger_str file)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->files[i].ptr == file.ptr)
            return;
    if (!file.ptr || list->count == FILES_MAX)
        return;
    list->files[list->count++] = file;
    jg_pb pb = jg_pb_of_str(file);
    for (jg_pb_field f; jg_pb_next(&pb, &f);)
        if (f.number == FILE_DEPENDENCY && f.wire == JG_PB_LEN)
            add_with_imports(list, set, find_file(set, jg_pb_str(&f), false));
}

/* ---- answers
 * --------------------------------------------------------------------------------------------------- */

static void write_error(jg_buf *out, jaeger_status code, const char *message, jaeger_str subject)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(4096);
    jg_buf_printf(&text, "%s%.*s", message, (int)JG_MIN(subject.len, 1000u), subject.len ? subject.ptr : "");
    size_t mark = jg_pb_begin(out, ANSWER_ERROR, 2);
    jg_pb_write_varint(out, 1, code);
    jg_pb_write_str(out, 2, jg_buf_view(&text));
    jg_pb_end(out, mark, 2);
}

static void write_files(jg_buf *out, jaeger_str set, jaeger_str wanted, bool by_symbol)
{
    file_list list = {.count = 0};
    add_with_imports(&list, set, find_file(set, wanted, by_symbol));
    if (list.count == 0) {
        write_error(out, JAEGER_NOT_FOUND, by_symbol ? "Symbol not found: " : "File not found: ", wanted);
        return;
    }
    size_t mark = jg_pb_begin(out, ANSWER_FILES, 3);
    for (size_t i = 0; i < list.count; i++)
        jg_pb_write_str(out, 1, list.files[i]);
    jg_pb_end(out, mark, 3);
}

/** The service of a method path "/package.Service/Method". */
static jaeger_str service_of(const char *path)
{
    jaeger_str rest = jg_str_skip(jg_str(path), 1);
    return (jaeger_str){rest.ptr, jg_str_find(rest, '/')};
}

static void write_service(jg_buf *out, jaeger_str name)
{
    size_t mark = jg_pb_begin(out, 1, 1);
    jg_pb_write_str(out, 1, name);
    jg_pb_end(out, mark, 1);
}

static void write_services(jg_buf *out, const jg_grpc_server *server)
{
    size_t mark = jg_pb_begin(out, ANSWER_SERVICES, 2);
    write_service(out, JAEGER_STR("grpc.reflection.v1.ServerReflection"));
    write_service(out, JAEGER_STR("grpc.reflection.v1alpha.ServerReflection"));
    if (server->health_services)
        write_service(out, JAEGER_STR("grpc.health.v1.Health"));
    for (size_t i = 0; i < server->method_count; i++) { /* methods of a service stand together */
        jaeger_str name = service_of(server->methods[i].path);
        if (i == 0 || !jg_str_eq(name, service_of(server->methods[i - 1].path)))
            write_service(out, name);
    }
    jg_pb_end(out, mark, 2);
}

/** One request's answer. @return false: the request is not one */
static bool write_answer(jg_buf *out, const jg_grpc_server *server, jaeger_str request)
{
    jg_pb pb = jg_pb_of_str(request);
    jg_pb_field f, asked = {0};
    while (jg_pb_next(&pb, &f))
        if (f.number >= REQUEST_FILE_BY_NAME && f.number <= REQUEST_LIST_SERVICES && f.wire == JG_PB_LEN)
            asked = f;
    if (pb.bad)
        return false;
    jg_pb_write_str(out, ANSWER_REQUEST, request);
    jaeger_str subject = {(const char *)asked.ptr, asked.len};
    switch (asked.number) {
    case REQUEST_FILE_BY_NAME:
    case REQUEST_FILE_OF_SYMBOL:
        write_files(out, server->descriptors, subject, asked.number == REQUEST_FILE_OF_SYMBOL);
        break;
    case REQUEST_LIST_SERVICES:
        write_services(out, server);
        break;
    case REQUEST_FILE_OF_EXTENSION:
    case REQUEST_EXTENSIONS_OF_TYPE:
        write_error(out, JAEGER_NOT_FOUND, "there are no extensions", (jaeger_str){0});
        break;
    default:
        write_error(out, JAEGER_INVALID_ARGUMENT, "invalid MessageRequest", (jaeger_str){0});
    }
    return true;
}

void jg_grpc_reflection_answer(jg_grpc_stream *stream)
{
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(ANSWER_BYTES_MAX);
    jaeger_str request = {stream->body ? (const char *)stream->body : "",
                          stream->body ? stream->body_len : 0};
    if (stream->compressed) {
        jg_grpc_reply_status(stream, 0, JAEGER_UNIMPLEMENTED, "compressed reflection requests are not read",
                             0);
        return;
    }
    if (!write_answer(&answer, stream->server, request)) {
        jg_grpc_reply_status(stream, 0, JAEGER_INTERNAL, "grpc: failed to unmarshal the received message", 0);
        return;
    }
    uint8_t prefix[JG_GRPC_PREFIX_BYTES];
    jg_grpc_prefix_write(prefix, false, (uint32_t)answer.len);
    (void)pthread_mutex_lock(&stream->reply_mutex);
    bool ok =
        jg_buf_ok(&answer) && stream->queue.len < ANSWER_BYTES_MAX; /* a client that asks must also read */
    if (ok) {
        jg_buf_append(&stream->queue, prefix, sizeof prefix);
        jg_buf_str(&stream->queue, jg_buf_view(&answer));
        ok = jg_buf_ok(&stream->queue);
    }
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    if (ok)
        jg_grpc_reply_update(stream);
    else
        jg_grpc_reply_status(stream, 0, JAEGER_RESOURCE_EXHAUSTED, "too many answers wait to be read", 0);
}

void jg_grpc_reflection_end(jg_grpc_stream *stream)
{
    (void)pthread_mutex_lock(&stream->reply_mutex);
    stream->finished = true;
    (void)pthread_mutex_unlock(&stream->reply_mutex);
    jg_grpc_reply_update(stream);
}
