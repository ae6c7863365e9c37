/* SPDX-License-Identifier: Apache-2.0
 * Apache Thrift: a pull reader for the binary and the compact protocol, and a writer for both. Nothing is
 * copied; every length is checked against what is left, and unknown fields are skipped to
 * JG_THRIFT_DEPTH_MAX.
 *
 *     int16_t last = 0;
 *     while (jg_thrift_next(in, &last, &field))
 *         field.id == 1 && field.type == JG_THRIFT_I64 ? read(in, …) : jg_thrift_skip(in, &field);
 *
 * The first fault is sticky. Spec: https://github.com/apache/thrift/tree/master/doc/specs (binary, compact).
 */
#ifndef JG_WIRE_THRIFT_H
#define JG_WIRE_THRIFT_H

#include "core/buf.h"

typedef enum jg_thrift_protocol { JG_THRIFT_BINARY, JG_THRIFT_COMPACT } jg_thrift_protocol;

/** The binary protocol's numbers; compact ones are translated. */
enum {
    JG_THRIFT_STOP = 0,
    JG_THRIFT_BOOL = 2,
    JG_THRIFT_BYTE = 3,
    JG_THRIFT_DOUBLE = 4,
    JG_THRIFT_I16 = 6,
    JG_THRIFT_I32 = 8,
    JG_THRIFT_I64 = 10,
    JG_THRIFT_STRING = 11,
    JG_THRIFT_STRUCT = 12,
    JG_THRIFT_MAP = 13,
    JG_THRIFT_SET = 14,
    JG_THRIFT_LIST = 15
};

/** Message types of an envelope. */
enum { JG_THRIFT_CALL = 1, JG_THRIFT_REPLY = 2, JG_THRIFT_EXCEPTION = 3, JG_THRIFT_ONEWAY = 4 };

typedef struct jg_thrift {
    const uint8_t *begin, *pos, *end;
    const char *fault; /* static text; NULL: none so far */
    jg_thrift_protocol protocol;
    unsigned depth;
} jg_thrift;

typedef struct jg_thrift_field {
    int16_t id;
    uint8_t type;
    bool flag; /* compact: a bool's value is in its header */
} jg_thrift_field;

jg_thrift jg_thrift_of(jg_thrift_protocol protocol, const void *bytes, size_t len);

/** An envelope: strict and old binary headers, compact ones. @return false: a fault */
bool jg_thrift_message(jg_thrift *in, jaeger_str *ret_name, uint8_t *ret_type);
/** Next field of the struct whose last id is `*last` (0 at its begin). @return false: the struct is complete,
 * or a fault */
bool jg_thrift_next(jg_thrift *in, int16_t *last, jg_thrift_field *ret);
/** Header of a list or set. More elements than bytes are left is a fault. */
bool jg_thrift_list(jg_thrift *in, uint8_t *ret_type, uint32_t *ret_count);
bool jg_thrift_bool(jg_thrift *in, const jg_thrift_field *field, bool *ret);
bool jg_thrift_i16(jg_thrift *in, int16_t *ret);
bool jg_thrift_i32(jg_thrift *in, int32_t *ret);
bool jg_thrift_i64(jg_thrift *in, int64_t *ret);
bool jg_thrift_double(jg_thrift *in, double *ret);
bool jg_thrift_str(jg_thrift *in, jaeger_str *ret);
/** Read over a field's value. @return false: a fault */
bool jg_thrift_skip(jg_thrift *in, const jg_thrift_field *field);
/** Set the fault, unless there is one. @return false */
bool jg_thrift_fail(jg_thrift *in, const char *fault);

/** Writes; errors are those of the buffer. */
typedef struct jg_thrift_out {
    jg_buf *buf;
    jg_thrift_protocol protocol;
} jg_thrift_out;

void jg_thrift_put_message(jg_thrift_out *out, jaeger_str name, uint8_t type, int32_t sequence);
/** Header of a field that is not a bool. `*last`: as in jg_thrift_next. */
void jg_thrift_put_field(jg_thrift_out *out, int16_t *last, int16_t id, uint8_t type);
void jg_thrift_put_bool(jg_thrift_out *out, int16_t *last, int16_t id, bool value); /* with its header */
void jg_thrift_put_stop(jg_thrift_out *out);
void jg_thrift_put_list(jg_thrift_out *out, uint8_t type, uint32_t count);
void jg_thrift_put_i16(jg_thrift_out *out, int16_t value);
void jg_thrift_put_i32(jg_thrift_out *out, int32_t value);
void jg_thrift_put_i64(jg_thrift_out *out, int64_t value);
void jg_thrift_put_double(jg_thrift_out *out, double value);
void jg_thrift_put_str(jg_thrift_out *out, jaeger_str value);

#endif
