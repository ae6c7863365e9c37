/* SPDX-License-Identifier: Apache-2.0
 * Functions that read a format: JSON, URLs, addresses, key=value lists, integers. Spec:
 * opentelemetry-collector-contrib pkg/ottl/ottlfuncs/README.md; keys of URL: OpenTelemetry's url.*
 * attributes.
 */
#include "core/arena.h"
#include "core/json_in.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "ottl/node.h"
#include <arpa/inet.h>
#include <openssl/evp.h>

/* ---- JSON ---- */

/* An AnyValue body. The scanner bounds the nesting. */
static void put_json(jg_json_in *in, jg_buf *out)
{
    jg_json_text text;
    bool b = false;
    jaeger_str number;
    double d;
    size_t mark, inner, item;
    switch (jg_json_in_peek(in)) {
    case JG_JSON_OBJECT:
        (void)jg_json_in_object(in);
        mark = jg_pb_begin(out, JG_OTLP_ANY_MAP, 3);
        while (jg_json_in_key(in, &text)) {
            item = jg_pb_begin(out, JG_OTLP_LIST_VALUES, 3);
            inner = jg_pb_begin(out, JG_OTLP_KEY_VALUE_KEY, 1);
            jg_json_in_append(out, text);
            jg_pb_end(out, inner, 1);
            inner = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 3);
            put_json(in, out);
            jg_pb_end(out, inner, 3);
            jg_pb_end(out, item, 3);
        }
        jg_pb_end(out, mark, 3);
        break;
    case JG_JSON_ARRAY:
        (void)jg_json_in_array(in);
        mark = jg_pb_begin(out, JG_OTLP_ANY_ARRAY, 3);
        while (jg_json_in_item(in)) {
            item = jg_pb_begin(out, JG_OTLP_LIST_VALUES, 3);
            put_json(in, out);
            jg_pb_end(out, item, 3);
        }
        jg_pb_end(out, mark, 3);
        break;
    case JG_JSON_STRING:
        (void)jg_json_in_str(in, &text);
        mark = jg_pb_begin(out, JG_OTLP_ANY_STRING, 1);
        jg_json_in_append(out, text);
        jg_pb_end(out, mark, 1);
        break;
    case JG_JSON_NUMBER: /* always double, as encoding/json has it */
        if (jg_json_in_number(in, false, &number) && jg_str_to_double(number, &d))
            jg_pb_write_double(out, JG_OTLP_ANY_DOUBLE, d);
        break;
    case JG_JSON_TRUE:
    case JG_JSON_FALSE:
        (void)jg_json_in_bool(in, &b);
        jg_pb_write_varint(out, JG_OTLP_ANY_BOOL, b);
        break;
    default:
        (void)jg_json_in_null(in);
    }
}

static bool parse_json(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    jg_json_in in = jg_json_in_of(text);
    jg_json_type type = jg_json_in_peek(&in);
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    size_t mark = jg_pb_begin(&out, JG_OTLP_LIST_VALUES, 3); /* a list of one value */
    put_json(&in, &out);
    jg_pb_end(&out, mark, 3);
    if (!jg_json_in_end(&in) || (type != JG_JSON_OBJECT && type != JG_JSON_ARRAY)) {
        jg_buf_done(&out);
        return jg_ottl_fail(e, "ParseJSON: %s", in.fault ? in.fault : "neither an object nor an array");
    }
    if (!jg_ottl_finish(e, &out, JG_OTTL_LIST, ret))
        return false;
    jaeger_iter it = ret->u.it;
    return jg_ottl_next(&it, ret) || jg_ottl_fail(e, "ParseJSON: too large");
}

/* ---- URL ---- */

typedef struct url {
    jaeger_str scheme, user, password, host, port, path, query, fragment;
    bool has_user, has_password;
} url;

/* What stands before `c`, taken off *rest with it. @return false: no `c` */
static bool cut(jaeger_str *rest, char c, jaeger_str *ret)
{
    size_t at = jg_str_find(*rest, c);
    if (at == rest->len)
        return false;
    *ret = (jaeger_str){rest->ptr, at};
    *rest = jg_str_skip(*rest, at + 1);
    return true;
}

static void read_authority(jaeger_str authority, url *u)
{
    size_t at = authority.len;
    while (at > 0 && authority.ptr[at - 1] != '@')
        at--;
    if (at > 0) {
        jaeger_str rest = {authority.ptr, at - 1};
        u->has_user = true;
        u->has_password = cut(&rest, ':', &u->user);
        *(u->has_password ? &u->password : &u->user) = rest;
        authority = jg_str_skip(authority, at);
    }
    u->host = authority;
    size_t end = authority.len; /* the port, behind the last colon that is not in [...] */
    while (end > 0 && authority.ptr[end - 1] != ':' && authority.ptr[end - 1] != ']')
        end--;
    if (end > 0 && authority.ptr[end - 1] == ':') {
        u->port = jg_str_skip(authority, end);
        u->host.len = end - 1;
    }
    if (u->host.len >= 2 && u->host.ptr[0] == '[' && u->host.ptr[u->host.len - 1] == ']')
        u->host = (jaeger_str){u->host.ptr + 1, u->host.len - 2};
}

static void read_url(jaeger_str text, url *u)
{
    jaeger_str rest = text, before = text;
    if (cut(&rest, '#', &before))
        u->fragment = rest;
    rest = before;
    if (cut(&rest, '?', &before))
        u->query = rest;
    rest = before;
    size_t colon = jg_str_find(rest, ':'), slash = jg_str_find(rest, '/');
    if (colon < slash && colon > 0)
        (void)cut(&rest, ':', &u->scheme);
    if (jg_str_starts(rest, JAEGER_STR("//"))) {
        rest = jg_str_skip(rest, 2);
        size_t end = jg_str_find(rest, '/');
        read_authority((jaeger_str){rest.ptr, end}, u);
        rest = jg_str_skip(rest, end);
    }
    u->path = rest;
}

static void put_str(jg_buf *out, const char *key, jaeger_str s)
{
    jg_ottl_value value = jg_ottl_of_str(s.ptr ? s : JAEGER_STR(""));
    jg_ottl_put_entry(out, jg_str(key), &value);
}

static bool parse_url(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    int64_t port;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    if (text.len == 0)
        return jg_ottl_fail(e, "url cannot be empty");
    url u = {0};
    read_url(text, &u);
    if (u.port.len && (!jg_str_to_i64(u.port, &port) || port < 0 || port > 65535))
        return jg_ottl_fail(e, "URL: invalid port");
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    put_str(&out, "url.original", text);
    put_str(&out, "url.domain", u.host);
    put_str(&out, "url.scheme", u.scheme);
    put_str(&out, "url.path", u.path);
    size_t dot = u.path.len;
    while (dot > 0 && u.path.ptr[dot - 1] != '.' && u.path.ptr[dot - 1] != '/')
        dot--;
    if (dot > 0 && u.path.ptr[dot - 1] == '.')
        put_str(&out, "url.extension", jg_str_skip(u.path, dot));
    if (u.query.len)
        put_str(&out, "url.query", u.query);
    if (u.fragment.len)
        put_str(&out, "url.fragment", u.fragment);
    if (u.has_user)
        put_str(&out, "url.username", u.user);
    if (u.has_password)
        put_str(&out, "url.password", u.password);
    if (u.port.len) {
        jg_ottl_value value = jg_ottl_of_int(port);
        jg_ottl_put_entry(&out, JAEGER_STR("url.port"), &value);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_MAP, ret);
}

/* ---- addresses ---- */

/* Sixteen bytes; IPv4 is mapped. @return the length of the own form in bits; 0: no address */
static unsigned read_address(jaeger_str text, uint8_t ret[16])
{
    char z[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof z)
        return 0;
    memcpy(z, text.ptr, text.len);
    z[text.len] = 0;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(ret, mapped, sizeof mapped);
    if (inet_pton(AF_INET, z, ret + 12) == 1)
        return 32;
    return inet_pton(AF_INET6, z, ret) == 1 ? 128 : 0;
}

/* @return 1: inside, 0: outside, -1: not a network */
static int in_network(const uint8_t address[16], jaeger_str network)
{
    uint8_t base[16];
    int64_t bits;
    jaeger_str rest = network, host = {0};
    if (!cut(&rest, '/', &host) || !jg_str_to_i64(rest, &bits))
        return -1;
    unsigned width = read_address(host, base);
    if (!width || bits < 0 || bits > (int64_t)width)
        return -1;
    bits += 128 - width;
    size_t whole = (size_t)bits / 8;
    if (memcmp(address, base, whole) != 0)
        return 0;
    return bits % 8 == 0 || ((address[whole] ^ base[whole]) >> (8 - bits % 8)) == 0;
}

static bool is_in_cidr(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    jg_ottl_value list, item;
    uint8_t address[16];
    if (!jg_ottl_arg_str(e, call, 0, &text) || !jg_ottl_arg_of(e, call, 1, JG_OTTL_LIST, &list))
        return false;
    bool is_address = read_address(text, address) != 0;
    *ret = jg_ottl_of_bool(false);
    for (jaeger_iter it = list.u.it; is_address && !ret->u.b && jg_ottl_next(&it, &item);) {
        int inside = item.type == JG_OTTL_STRING ? in_network(address, item.u.s) : -1;
        if (inside < 0)
            return jg_ottl_fail(e, "IsInCIDR: invalid CIDR address");
        ret->u.b = inside;
    }
    return true;
}

/* The hash of a flow, version 1 of https://github.com/corelight/community-id-spec. */

typedef struct flow_end {
    uint8_t address[16];
    unsigned bytes;
    uint16_t port;
} flow_end;

static bool read_end(jg_ottl_eval *e, const jg_ottl_node *call, size_t at, flow_end *ret)
{
    jaeger_str text;
    int64_t port;
    uint8_t address[16];
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!jg_ottl_arg_str(e, call, at, &text) || !jg_ottl_arg_int(e, call, at + 1, &port))
        return false;
    if (port < 0 || port > 65535)
        return jg_ottl_fail(e, "CommunityID: a port must be between 0 and 65535");
    if (!read_address(text, address))
        return jg_ottl_fail(e, "CommunityID: invalid IP");
    *ret = (flow_end){.bytes = memcmp(address, mapped, sizeof mapped) ? 16 : 4, .port = (uint16_t)port};
    memcpy(ret->address, address + 16 - ret->bytes, ret->bytes);
    return true;
}

/* @return 0: unknown */
static uint8_t protocol_number(jaeger_str name)
{
    static const struct {
        const char *name;
        uint8_t number;
    } known[] = {{"ICMP", 1}, {"TCP", 6}, {"UDP", 17}, {"RSVP", 46}, {"ICMP6", 58}, {"SCTP", 132}};
    for (size_t i = 0; i < JG_COUNT(known); i++)
        if (jg_str_is(name, known[i].name))
            return known[i].number;
    return 0;
}

static int compare_ends(const flow_end *a, const flow_end *b)
{
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    int order = memcmp(a->address, b->address, a->bytes);
    return order ? order : (int)a->port - (int)b->port;
}

static bool hash_flow(jg_ottl_eval *e, const flow_end *from, const flow_end *to, uint8_t protocol,
                      uint16_t seed, jg_ottl_value *ret)
{
    uint8_t bytes[2 + 16 + 16 + 2 + 4], sha[EVP_MAX_MD_SIZE], *at = bytes;
    unsigned n;
    char text[64] = "1:";
    *at++ = (uint8_t)(seed >> 8);
    *at++ = (uint8_t)seed;
    at = (uint8_t *)mempcpy(mempcpy(at, from->address, from->bytes), to->address, to->bytes);
    const uint8_t tail[] = {
        protocol,         0, (uint8_t)(from->port >> 8), (uint8_t)from->port, (uint8_t)(to->port >> 8),
        (uint8_t)to->port};
    at = (uint8_t *)mempcpy(at, tail, sizeof tail);
    if (!EVP_Digest(bytes, (size_t)(at - bytes), sha, &n, EVP_sha1(), NULL))
        return jg_ottl_fail(e, "CommunityID: not available");
    jg_base64_encode(sha, n, text + 2);
    *ret = jg_ottl_of_str(jaeger_arena_str(e->arena, (jaeger_str){text, 2 + jg_base64_size(n)}));
    return ret->u.s.ptr || jg_ottl_fail(e, "out of memory");
}

static bool community_id(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    flow_end source, destination;
    jaeger_str name = JAEGER_STR("TCP");
    int64_t seed = 0;
    if (!read_end(e, call, 0, &source) || !read_end(e, call, 2, &destination) ||
        (!jg_ottl_arg_is_absent(call, 4) && !jg_ottl_arg_str(e, call, 4, &name)) ||
        (!jg_ottl_arg_is_absent(call, 5) && !jg_ottl_arg_int(e, call, 5, &seed)))
        return false;
    uint8_t protocol = protocol_number(name);
    if (!protocol)
        return jg_ottl_fail(e, "CommunityID: unsupported protocol");
    if (seed < 0 || seed > 65535)
        return jg_ottl_fail(e, "CommunityID: the seed must be between 0 and 65535");
    bool swap = compare_ends(&source, &destination) > 0; /* both ways of a flow have one id */
    return hash_flow(e, swap ? &destination : &source, swap ? &source : &destination, protocol,
                     (uint16_t)seed, ret);
}

/* ---- the rest ---- */

static bool parse_int(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    int64_t base, digits = 0;
    if (!jg_ottl_arg_str(e, call, 0, &text) || !jg_ottl_arg_int(e, call, 1, &base))
        return false;
    if (text.len == 0 || base < 2 || base > 36)
        return jg_ottl_fail(e, "ParseInt: empty, or a base below 2 or above 36");
    bool negative = text.ptr[0] == '-';
    size_t i = negative || text.ptr[0] == '+';
    bool ok = i < text.len;
    for (; i < text.len && ok; i++) {
        char c = text.ptr[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'z' ? c - 'a' + 10
                : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                       : 99;
        ok = d < base && !__builtin_mul_overflow(digits, base, &digits) &&
             !__builtin_sub_overflow(digits, d, &digits); /* below zero: there is one more of them */
    }
    if (!ok || (!negative && digits == INT64_MIN))
        return jg_ottl_fail(e, "ParseInt: not a number of this base, or out of range");
    *ret = jg_ottl_of_int(negative ? digits : -digits);
    return true;
}

static size_t find_text(jaeger_str in, jaeger_str part)
{
    const char *at = part.len ? memmem(in.ptr, in.len, part.ptr, part.len) : NULL;
    return at ? (size_t)(at - in.ptr) : in.len;
}

static bool parse_key_value(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, equals = JAEGER_STR("="), between = JAEGER_STR(" ");
    if (!jg_ottl_arg_str(e, call, 0, &text) ||
        (!jg_ottl_arg_is_absent(call, 1) && !jg_ottl_arg_str(e, call, 1, &equals)) ||
        (!jg_ottl_arg_is_absent(call, 2) && !jg_ottl_arg_str(e, call, 2, &between)))
        return false;
    if (text.len == 0 || jg_str_eq(equals, between))
        return jg_ottl_fail(e, "ParseKeyValue: empty, or equal delimiters");
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    while (text.len) {
        jaeger_str pair = {text.ptr, find_text(text, between)};
        text = jg_str_skip(text, pair.len + between.len);
        pair = jg_str_trim(pair);
        size_t at = find_text(pair, equals);
        if (pair.len == 0)
            continue;
        if (at == pair.len) {
            jg_buf_done(&out);
            return jg_ottl_fail(e, "ParseKeyValue: a pair without a delimiter");
        }
        jg_ottl_value value = jg_ottl_of_str(jg_str_trim(jg_str_skip(pair, at + equals.len)));
        jg_ottl_put_entry(&out, jg_str_trim((jaeger_str){pair.ptr, at}), &value);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_MAP, ret);
}

static bool to_key_value(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str equals = JAEGER_STR("="), between = JAEGER_STR(" "), text;
    jg_ottl_value map;
    if (!jg_ottl_arg_of(e, call, 0, JG_OTTL_MAP, &map) ||
        (!jg_ottl_arg_is_absent(call, 1) && !jg_ottl_arg_str(e, call, 1, &equals)) ||
        (!jg_ottl_arg_is_absent(call, 2) && !jg_ottl_arg_str(e, call, 2, &between)))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (jaeger_attr attr; jaeger_next_attr(&map.u.it, &attr);) {
        jg_ottl_value value = jg_ottl_of(&attr.value);
        if (!jg_ottl_text(e, &value, &text)) {
            jg_buf_done(&out);
            return false;
        }
        if (out.len)
            jg_buf_str(&out, between);
        jg_buf_str(&out, attr.key);
        jg_buf_str(&out, equals);
        jg_buf_str(&out, text);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_STRING, ret);
}

const jg_ottl_fn jg_ottl_parse_fns[] = {
    {"ParseJSON", "target", parse_json, 0},
    {"URL", "uri", parse_url, 0},
    {"IsInCIDR", "target,networks", is_in_cidr, 0},
    {"CommunityID", "source_ip,source_port,destination_ip,destination_port,protocol?,seed?", community_id, 0},
    {"ParseInt", "target,base", parse_int, 0},
    {"ParseKeyValue", "target,delimiter?,pair_delimiter?", parse_key_value, 0},
    {"ToKeyValueString", "target,delimiter?,pair_delimiter?", to_key_value, 0},
    {0}};
