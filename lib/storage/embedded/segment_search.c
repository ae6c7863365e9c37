/* SPDX-License-Identifier: Apache-2.0
 * Search in one segment: each condition becomes lists of rows; the shortest first, they are joined in a
 * bitmap; what is left is decoded and tested exactly, newest trace first.
 */
#include "storage/embedded/segment_lists.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr.h"
#include "storage/embedded/attr_key.h"

#define CONDITIONS_MAX 64u   /* more are left to the exact test */
#define FEW_ROWS       32u   /* so few rows are cheaper to test than a long list to read ... */
#define LONG_LIST      4096u /* ... which this is */
#define CHECK_TRACES   256u  /* look at the deadline after so many traces */

/** Rows that may satisfy one condition: the union of some lists in reader->refs. */
typedef struct condition {
    uint32_t first, count; /* references */
    uint64_t rows;         /* sum of the lists' lengths */
} condition;

typedef struct search {
    jg_seg_reader *reader;
    const jg_seg_view *view;
    const jg_match *match;
    condition conditions[CONDITIONS_MAX];
    uint32_t condition_count;
    uint16_t code_min, code_max; /* of the duration */
    jg_lists lists;
} search;

static void add_ref(search *s, condition *c, uint32_t ref)
{
    jg_pb cursor;
    jg_buf_append(&s->reader->refs, &ref, sizeof ref);
    c->count++;
    c->rows += jg_list_open(&s->lists, ref, &cursor);
}

static void found_rows(jg_lists *lists, void *user, uint32_t ref)
{
    add_ref(JG_CONTAINER(lists, search, lists), user, ref);
}

/** Resources and scopes that carry a term, as a bitmap: 2 n resource, 2 n + 1 scope. */
typedef struct entity_set {
    uint8_t *bits;
    size_t bit_count;
    bool any;
} entity_set;

static void found_entities(jg_lists *lists, void *user, uint32_t ref)
{
    entity_set *set = user;
    jg_pb cursor;
    uint64_t item = 0, step, count = jg_list_open(lists, ref, &cursor);
    for (uint64_t i = 0; i < count; i++) {
        if (ref & JG_REF_ROW)
            item = ref & ~JG_REF_ROW;
        else if (jg_pb_varint(&cursor, &step))
            item += step;
        else
            lists->damaged = true;
        if (item < set->bit_count && !lists->damaged) {
            set->bits[item / 8] |= (uint8_t)(1u << (item & 7));
            set->any = true;
        }
    }
}

static bool entity_in(const entity_set *set, uint64_t item)
{
    return item < set->bit_count && (set->bits[item / 8] >> (item & 7) & 1);
}

static void add_origin(search *s, condition *c, uint32_t origin)
{
    const jg_bytes *refs = &s->view->sections[JG_SEC_ORIGIN_REFS];
    if ((origin + 1ull) * 4 <= refs->len)
        add_ref(s, c, jg_u32_at(refs, origin));
    else
        s->lists.damaged = true;
}

static void add_entity_rows(search *s, condition *c, const jg_hash128 *terms, int count)
{
    uint32_t resources = jg_seg_string_count(s->view, JG_SEC_RESOURCES);
    uint32_t scopes = jg_seg_string_count(s->view, JG_SEC_SCOPES), parts[3];
    entity_set set = {.bit_count = 2 * ((size_t)JG_MAX(resources, scopes) + 1)};
    JG_AUTO_FREE uint8_t *bits = jg_calloc(set.bit_count / 8 + 1, 1);
    set.bits = bits;
    if (!bits) {
        s->lists.failed = true;
        return;
    }
    for (int i = 0; i < count; i++)
        jg_term_find(&s->lists, terms[i].lo, found_entities, &set);
    for (uint32_t o = 0; set.any && jg_seg_origin_parts(s->view, o, parts); o++)
        if (entity_in(&set, 2ull * parts[0]) || entity_in(&set, 2ull * parts[1] + 1))
            add_origin(s, c, o);
}

bool jg_origin_matches(const jg_match_attr *attr, const jaeger_span_group *group)
{
    jaeger_attr found;
    jaeger_scope scope;
    switch (attr->where) {
    case JG_MATCH_SCOPE_NAME:
        jaeger_scope_read(group, &scope);
        return jg_str_eq(scope.name, attr->want.text);
    case JG_MATCH_SCOPE_VERSION:
        jaeger_scope_read(group, &scope);
        return jg_str_eq(scope.version, attr->want.text);
    case JG_MATCH_ANYWHERE:
        for (jaeger_iter it = jaeger_scope_attrs(group); jaeger_next_attr(&it, &found);)
            if (jg_str_eq(found.key, attr->key) && jg_match_value(&attr->want, &found.value))
                return true;
        /* fall through */
    case JG_MATCH_RESOURCE:
        for (jaeger_iter it = jaeger_resource_attrs(group); jaeger_next_attr(&it, &found);)
            if (jg_str_eq(found.key, attr->key) && jg_match_value(&attr->want, &found.value))
                return true;
        return false;
    default:
        return false;
    }
}

static void add_scope_rows(search *s, condition *c, const jg_match_attr *attr)
{
    jaeger_span_group group;
    for (uint32_t o = 0; o < jg_seg_origin_count(s->view); o++) {
        if (!jg_seg_origin(s->view, o, &group))
            s->lists.damaged = true;
        else if (jg_origin_matches(attr, &group))
            add_origin(s, c, o);
    }
}

static void add_status_rows(search *s, condition *c, uint32_t code)
{
    jg_term_find(&s->lists, jg_status_term(s->view, code), found_rows, c);
}

/** @return false: this attribute needs no list, the exact test is enough */
static bool add_attr(search *s, const jg_match_attr *attr, condition *c)
{
    jg_hash128 terms[JG_TERMS_MAX];
    uint64_t seed = s->view->header.seed;
    int n = 0;
    switch (attr->where) {
    case JG_MATCH_ERROR:
    case JG_MATCH_STATUS: {
        bool is_error = attr->where == JG_MATCH_ERROR;
        uint32_t code = is_error && attr->number == 1 ? JAEGER_STATUS_ERROR : attr->number;
        if ((is_error && attr->number == 0) || (!is_error && code == JAEGER_STATUS_UNSET))
            return false;
        if (!is_error || attr->number == 1)
            add_status_rows(s, c, code);
        return true;
    }
    case JG_MATCH_KIND:
        return false; /* with the operations */
    case JG_MATCH_SCOPE_NAME:
    case JG_MATCH_SCOPE_VERSION:
        add_scope_rows(s, c, attr);
        return true;
    case JG_MATCH_ANYWHERE:
        n = jg_attr_terms(attr, seed + JG_SEED_ATTR, terms);
        for (int i = 0; i < n; i++)
            jg_term_find(&s->lists, terms[i].lo, found_rows, c);
        /* fall through */
    case JG_MATCH_RESOURCE:
        n = n < 0 ? n : jg_attr_terms(attr, seed + JG_SEED_ORIGIN_ATTR, terms);
        if (n < 0)
            s->lists.failed = true;
        else
            add_entity_rows(s, c, terms, n);
        return true;
    }
    return false;
}

static condition *new_condition(search *s)
{
    condition *c = &s->conditions[s->condition_count++];
    *c = (condition){.first = (uint32_t)(s->reader->refs.len / 4)};
    return c;
}

/** @return false: no row can match */
static bool add_attrs(search *s)
{
    for (size_t i = 0; i < s->match->attr_count && s->condition_count < CONDITIONS_MAX - 2; i++) {
        condition *c = new_condition(s);
        if (!add_attr(s, &s->match->attrs[i], c))
            s->condition_count--;
        else if (c->rows == 0)
            return false;
    }
    return true;
}

static bool op_matches(const jg_match *match, jaeger_str service, jaeger_str name, uint32_t kind)
{
    jaeger_span_group group = {.service = service};
    jaeger_span span = {.name = name, .kind = kind, .group = &group};
    if (match->operation.len && !jg_str_eq(match->operation, name))
        return false;
    for (size_t i = 0; i < match->attr_count; i++)
        if (match->attrs[i].where == JG_MATCH_KIND && match->attrs[i].number != kind)
            return false;
    return !match->filter || jg_filter_may_match(match->filter, &span, JG_KNOWN_OPERATION);
}

static bool wants_ops(const jg_match *match)
{
    bool kinds = false;
    for (size_t i = 0; i < match->attr_count; i++)
        kinds = kinds || match->attrs[i].where == JG_MATCH_KIND;
    return match->service.len || match->operation.len || kinds || match->filter;
}

#define ANY_SERVICE UINT32_MAX
#define NO_SERVICE  (UINT32_MAX - 1)

/** The wanted service's number: most operations are another's, and need not be read. */
static uint32_t service_number(const search *s)
{
    jaeger_str name;
    if (!s->match->service.len)
        return ANY_SERVICE;
    for (uint32_t i = 0; jg_seg_string(s->view, JG_SEC_SERVICES, i, &name); i++)
        if (jg_str_eq(name, s->match->service))
            return i;
    return NO_SERVICE;
}

/** Service, operation and kind, also of a filter. @return false: no row can match */
static bool add_ops(search *s)
{
    const jg_match *match = s->match;
    if (!wants_ops(match))
        return true;
    const jg_bytes *refs = &s->view->sections[JG_SEC_OP_REFS];
    condition *c = new_condition(s);
    uint32_t count = jg_seg_string_count(s->view, JG_SEC_OPS), service, kind, fit = 0, i;
    uint32_t wanted = service_number(s);
    jaeger_str name, raw, service_name;
    for (i = 0; wanted != NO_SERVICE && i < count && (i + 1ull) * 4 <= refs->len; i++) {
        if (wanted != ANY_SERVICE && jg_seg_op_service(s->view, i) != wanted)
            continue;
        if (!jg_seg_op(s->view, i, &service, &name, &kind, &raw) ||
            !jg_seg_string(s->view, JG_SEC_SERVICES, service, &service_name)) {
            s->lists.damaged = true;
        } else if (op_matches(match, service_name, name, kind)) {
            add_ref(s, c, jg_u32_at(refs, i));
            fit++;
        }
    }
    if (fit == i) /* all of them: nothing to be learned from the lists */
        s->condition_count--;
    return c->rows > 0;
}

/** The status, if the filter must have one. @return false: no row can match */
static bool add_filter_status(search *s)
{
    static const uint32_t codes[] = {JAEGER_STATUS_UNSET, JAEGER_STATUS_OK, JAEGER_STATUS_ERROR};
    const jaeger_filter *filter = s->match->filter;
    bool may[JG_COUNT(codes)];
    if (!filter)
        return true;
    for (size_t i = 0; i < JG_COUNT(codes); i++)
        may[i] = jg_filter_may_match(filter, &(jaeger_span){.status_code = codes[i]}, JG_KNOWN_STATUS);
    if (may[0]) /* rows without a status have no list */
        return true;
    condition *c = new_condition(s);
    for (size_t i = 1; i < JG_COUNT(codes); i++)
        if (may[i])
            add_status_rows(s, c, codes[i]);
    return c->rows > 0;
}

/* ---- bitmaps
 * ------------------------------------------------------------------------------------------------ */

static void set_condition(search *s, uint64_t *bits, const condition *c)
{
    for (uint32_t i = 0; i < c->count && !s->lists.damaged; i++) {
        uint32_t ref;
        memcpy(&ref, s->reader->refs.data + ((size_t)c->first + i) * 4, 4);
        jg_list_set(&s->lists, ref, bits);
    }
}

static void sort_conditions(search *s)
{
    for (uint32_t i = 1; i < s->condition_count; i++) {
        condition c = s->conditions[i];
        uint32_t j = i;
        for (; j > 0 && s->conditions[j - 1].rows > c.rows; j--)
            s->conditions[j] = s->conditions[j - 1];
        s->conditions[j] = c;
    }
}

/** @return how many bits are set; of many, at least as many */
static uint64_t count_bits(const uint64_t *bits, size_t words)
{
    uint64_t used = 0, count = 0;
    for (size_t w = 0; w < words; w++)
        used += bits[w] != 0;
    if (used > FEW_ROWS)
        return used;
    for (size_t w = 0; w < words; w++)
        count += jg_bits_of(bits[w]);
    return count;
}

/** Keep what both have. @return as count_bits */
static uint64_t keep_common(uint64_t *bits, const uint64_t *more, size_t words)
{
    for (size_t w = 0; w < words; w++)
        bits[w] &= more[w];
    return count_bits(bits, words);
}

/** Join all conditions in reader->bits. @return as count_bits */
static uint64_t join(search *s, size_t words)
{
    uint64_t *bits = s->reader->bits, *more = s->reader->more_bits, left = s->view->header.span_count;
    sort_conditions(s);
    memset(bits, s->condition_count ? 0 : 0xff, words * 8);
    if (!s->condition_count)
        bits[words - 1] &= ~0ull >> ((words * 64 - left) & 63);
    if (s->condition_count) {
        set_condition(s, bits, &s->conditions[0]);
        left = count_bits(bits, words);
    }
    for (uint32_t i = 1; i < s->condition_count && left; i++) {
        if (left <= FEW_ROWS && s->conditions[i].rows > LONG_LIST)
            break;
        memset(more, 0, words * 8);
        set_condition(s, more, &s->conditions[i]);
        left = keep_common(bits, more, words);
    }
    return left;
}

static bool duration_may_match(const search *s, uint32_t row)
{
    uint16_t code;
    memcpy(&code, s->view->sections[JG_SEC_DURATIONS].ptr + (size_t)row * 2, 2);
    return code >= s->code_min && code <= s->code_max;
}

/** With a bound on the duration, take out the rows that are too short or too long. */
static uint64_t filter_durations(const search *s, size_t words)
{
    uint64_t *bits = s->reader->bits;
    for (size_t w = 0; w < words; w++) {
        for (uint64_t word = bits[w]; word; word &= word - 1) {
            uint32_t row = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(word));
            if (!duration_may_match(s, row))
                bits[w] &= ~(word & -word);
        }
    }
    return count_bits(bits, words);
}

/** With a filter, take out the rows that cannot meet it. */
static uint64_t filter_rows(search *s, size_t words)
{
    uint64_t *bits = s->reader->bits, *more = s->reader->more_bits;
    memset(more, 0, words * 8);
    if (!jg_filter_rows(&s->lists, s->match->filter, more, words))
        return count_bits(bits, words);
    return keep_common(bits, more, words);
}

static bool reserve_bits(jg_seg_reader *reader, size_t words)
{
    if (words <= reader->bits_cap)
        return true;
    jg_free(reader->bits);
    jg_free(reader->more_bits);
    reader->bits = jg_alloc(words * 8);
    reader->more_bits = jg_alloc(words * 8);
    reader->bits_cap = reader->bits && reader->more_bits ? words : 0;
    return reader->bits_cap != 0;
}

/* ---- candidates
 * --------------------------------------------------------------------------------------------- */

/** The trace that holds a row; at most `below`. */
static uint32_t trace_of_row(const jg_seg_view *view, uint32_t row, uint32_t below)
{
    const jg_seg_trace *traces = jg_seg_traces(view);
    uint32_t low = 0, high = below;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (traces[middle].row0 <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/** Rebuild a row of the decoded trace. */
static bool read_row(search *s, uint32_t i, jaeger_span *ret, jaeger_span_group *ret_group)
{
    const char *why;
    jg_seg_reader *reader = s->reader;
    jg_buf_clear(&reader->span);
    if (!jg_seg_origin(s->view, reader->rows[i].origin, ret_group) ||
        !jg_seg_write_span(reader, i, &reader->span) || !jg_buf_ok(&reader->span) ||
        !jg_span_index(reader->span.data, reader->span.len, ret, &why)) {
        s->lists.damaged = true;
        return false;
    }
    ret->group = ret_group;
    return true;
}

static bool test_row(search *s, uint32_t i)
{
    jaeger_span span;
    jaeger_span_group group;
    const jg_seg_row *row = &s->reader->rows[i];
    return jg_match_times(s->match, row->start, row->end) && read_row(s, i, &span, &group) &&
           jg_match_span(s->match, &span);
}

/** Test the rows of a trace that are set in the bitmap, latest first, until one matches. */
static jaeger_status test_trace(search *s, uint32_t number, uint32_t last_row, jg_hits *hits)
{
    const jg_seg_trace *trace = &jg_seg_traces(s->view)[number];
    const uint64_t *bits = s->reader->bits;
    bool decoded = false;
    for (uint32_t row = last_row + 1; row-- > trace->row0;) {
        if (!(bits[row / 64] >> (row & 63) & 1))
            continue;
        if (!decoded) {
            jaeger_status status = jg_seg_decode_trace(s->reader, s->view, number);
            if (status != JAEGER_OK)
                return status;
            decoded = true;
        }
        if (row - trace->row0 >= trace->row_count)
            return JAEGER_DATA_LOSS;
        uint64_t start = s->reader->rows[row - trace->row0].start;
        if (!jg_hits_wants(hits, start))
            return JAEGER_OK; /* rows before it are older still */
        if (test_row(s, row - trace->row0))
            return jg_hits_add(hits, trace->trace_id, start) ? JAEGER_OK : JAEGER_RESOURCE_EXHAUSTED;
        if (s->lists.damaged)
            return JAEGER_DATA_LOSS;
    }
    return JAEGER_OK;
}

/** Can this trace, or any before it, still enter? */
static bool may_go_on(const search *s, uint32_t number, const jg_hits *hits)
{
    uint64_t latest;
    memcpy(&latest, s->view->sections[JG_SEC_LATEST].ptr + (size_t)(number / JG_TRACES_PER_MAX) * 8, 8);
    return jg_hits_wants(hits, latest) && latest >= s->match->start_min_unix_ns;
}

static bool trace_may_match(const search *s, const jg_seg_trace *trace, const jg_hits *hits)
{
    return jg_hits_wants(hits, trace->max_start) && trace->max_start >= s->match->start_min_unix_ns &&
           trace->min_start <= s->match->start_max_unix_ns;
}

static jaeger_status walk(search *s, size_t words, jg_hits *hits, jaeger_call *call)
{
    const uint64_t *bits = s->reader->bits;
    uint32_t below = s->view->header.trace_count, seen = 0;
    for (size_t w = words; w-- > 0;) {
        uint64_t word = bits[w];
        while (word && below) {
            uint32_t row = (uint32_t)(w * 64 + 63 - (size_t)__builtin_clzll(word));
            uint32_t number = trace_of_row(s->view, row, below);
            const jg_seg_trace *trace = &jg_seg_traces(s->view)[number];
            if (trace->row0 > row)
                return JAEGER_DATA_LOSS;
            if (!may_go_on(s, number, hits))
                return JAEGER_OK;
            if (trace_may_match(s, trace, hits)) {
                jaeger_status status = test_trace(s, number, row, hits);
                if (status == JAEGER_OK && ++seen % CHECK_TRACES == 0)
                    status = jaeger_call_check(call);
                if (status != JAEGER_OK)
                    return status;
            }
            below = number;             /* rows of this trace are done */
            if (trace->row0 < w * 64) { /* and it began in an earlier word: go on there */
                w = trace->row0 / 64;
                word = bits[w] & ((1ull << (trace->row0 & 63)) - 1);
            } else {
                word &= (1ull << (trace->row0 & 63)) - 1;
            }
        }
    }
    return JAEGER_OK;
}

/** Set reader->bits. @param ret_rows as count_bits */
static jaeger_status find_rows(search *s, uint64_t *ret_rows, jaeger_call *call)
{
    jg_seg_reader *reader = s->reader;
    const jg_match *match = s->match;
    s->code_min = jg_duration_code(match->duration_min_ns);
    s->code_max = jg_duration_code(match->duration_max_ns);
    size_t words = ((size_t)s->view->header.span_count + 63) / 64;
    *ret_rows = 0;
    if (words == 0 || match->duration_min_ns > s->view->header.max_duration)
        return JAEGER_OK;
    jg_buf_clear(&reader->refs);
    bool possible = add_attrs(s) && add_ops(s) && add_filter_status(s);
    if (s->lists.damaged)
        return JAEGER_DATA_LOSS;
    if (s->lists.failed || !jg_buf_ok(&reader->refs) || !reserve_bits(reader, words))
        return jg_fail_oom(&call->error);
    if (possible)
        *ret_rows = join(s, words);
    if (*ret_rows && (s->code_min || s->code_max < UINT16_MAX))
        *ret_rows = filter_durations(s, words);
    if (*ret_rows > FEW_ROWS && match->filter)
        *ret_rows = filter_rows(s, words);
    if (s->lists.failed)
        return jg_fail_oom(&call->error);
    return s->lists.damaged ? JAEGER_DATA_LOSS : JAEGER_OK;
}

jaeger_status jg_seg_search(jg_seg_reader *reader, const jg_seg_view *view, const jg_match *match,
                            jg_hits *hits, jaeger_call *call)
{
    search s = {.reader = reader, .view = view, .match = match, .lists = {.view = view}};
    uint64_t rows;
    JG_TRY(find_rows(&s, &rows, call));
    if (rows == 0)
        return JAEGER_OK;
    jaeger_status status = walk(&s, ((size_t)view->header.span_count + 63) / 64, hits, call);
    return status == JAEGER_RESOURCE_EXHAUSTED ? jg_fail_oom(&call->error) : status;
}

jaeger_status jg_seg_candidates(jg_seg_reader *reader, const jg_seg_view *view, const jg_match *match,
                                uint64_t *ret_rows, jaeger_call *call)
{
    search s = {.reader = reader, .view = view, .match = match, .lists = {.view = view}};
    return find_rows(&s, ret_rows, call);
}

uint32_t jg_seg_bits_of_trace(const jg_seg_reader *reader, const jg_seg_trace *trace)
{
    uint32_t count = 0;
    uint64_t row = trace->row0, end = (uint64_t)trace->row0 + trace->row_count;
    while (row < end) {
        uint64_t in_word = JG_MIN(64 - row % 64, end - row);
        uint64_t mask = (in_word == 64 ? ~0ull : (1ull << in_word) - 1) << row % 64;
        count += jg_bits_of(reader->bits[row / 64] & mask);
        row += in_word;
    }
    return count;
}

jaeger_status jg_seg_examine(jg_seg_reader *reader, const jg_seg_view *view, uint32_t number,
                             const jg_match *match, bool *matched, uint64_t *errors)
{
    search s = {.reader = reader, .view = view, .match = match, .lists = {.view = view}};
    JG_TRY(jg_seg_decode_trace(reader, view, number));
    for (uint32_t i = 0; i < reader->trace->row_count && !s.lists.damaged && (errors || !*matched); i++) {
        jaeger_span span;
        jaeger_span_group group;
        if (!errors) {
            *matched = test_row(&s, i);
        } else if (read_row(&s, i, &span, &group)) {
            *errors += span.status_code == JAEGER_STATUS_ERROR;
            *matched = *matched || jg_match_span(match, &span);
        }
    }
    return s.lists.damaged ? JAEGER_DATA_LOSS : JAEGER_OK;
}
