/* SPDX-License-Identifier: Apache-2.0
 * See nfa.h. The program is a list of instructions; a test keeps the set of those that could be next, in two
 * sparse sets on the stack, and goes through the text once.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/nfa_impl.h"

#define STEPS_MAX                                                                                            \
    20000 /* nodes visited, those of repetitions again: (){9} in (){9} writes nothing for ever */

typedef enum code_op { CODE_SET, CODE_ASSERT, CODE_SPLIT, CODE_JUMP, CODE_MATCH } code_op;

typedef struct code {
    uint8_t op;
    uint8_t what;  /* ASSERT */
    uint16_t x, y; /* where to go: SPLIT both, JUMP x */
    uint32_t range_count;
    const jg_rune_range *ranges;
} code;

struct jg_nfa {
    bool whole;
    bool first[256]; /* may a match begin with this byte? */
    uint16_t count;
    code code[];
};

/* ---- writing the program ---- */

typedef struct writer {
    code *code;
    size_t count, steps;
    bool full;
} writer;

static size_t emit(writer *w, code c)
{
    if (w->count >= JG_NFA_CODE_MAX) {
        w->full = true;
        return 0;
    }
    w->code[w->count] = c;
    return w->count++;
}

static void write_node(writer *w, const jg_nfa_node *n);

static void write_alternatives(writer *w, const jg_nfa_node *n)
{
    size_t jumps = SIZE_MAX; /* the jumps to the end, chained through x until it is known */
    for (const jg_nfa_node *c = n->first; c && !w->full; c = c->next) {
        if (!c->next) {
            write_node(w, c);
            break;
        }
        size_t split = emit(w, (code){.op = CODE_SPLIT});
        w->code[split].x = (uint16_t)w->count;
        write_node(w, c);
        jumps = emit(w, (code){.op = CODE_JUMP, .x = (uint16_t)JG_MIN(jumps, UINT16_MAX)});
        w->code[split].y = (uint16_t)w->count;
    }
    while (jumps < UINT16_MAX && !w->full) {
        size_t before = w->code[jumps].x;
        w->code[jumps].x = (uint16_t)w->count;
        jumps = before;
    }
}

static void write_repeat(writer *w, const jg_nfa_node *n)
{
    for (int32_t i = 0; i < n->min && !w->full; i++)
        write_node(w, n->first);
    if (n->max < 0) {
        size_t split = emit(w, (code){.op = CODE_SPLIT});
        w->code[split].x = (uint16_t)w->count;
        write_node(w, n->first);
        (void)emit(w, (code){.op = CODE_JUMP, .x = (uint16_t)split});
        w->code[split].y = (uint16_t)w->count;
        return;
    }
    for (int32_t i = n->min; i < n->max && !w->full; i++) { /* (x(x(x)?)?)? with the ends one after another */
        size_t split = emit(w, (code){.op = CODE_SPLIT});
        w->code[split].x = (uint16_t)w->count;
        write_node(w, n->first);
        w->code[split].y = (uint16_t)w->count;
    }
}

static void write_node(writer *w, const jg_nfa_node *n)
{
    if (++w->steps > STEPS_MAX)
        w->full = true;
    if (w->full)
        return;
    switch (n->op) {
    case JG_NFA_EMPTY:
        return;
    case JG_NFA_SET:
        (void)emit(w, (code){.op = CODE_SET, .ranges = n->ranges, .range_count = n->range_count});
        return;
    case JG_NFA_ASSERT:
        (void)emit(w, (code){.op = CODE_ASSERT, .what = (uint8_t)n->what});
        return;
    case JG_NFA_CAT:
        for (const jg_nfa_node *c = n->first; c && !w->full; c = c->next)
            write_node(w, c);
        return;
    case JG_NFA_ALT:
        write_alternatives(w, n);
        return;
    case JG_NFA_REPEAT:
        write_repeat(w, n);
        return;
    }
}

/* ---- running it ---- */

typedef struct states {
    uint16_t count;
    uint16_t dense[JG_NFA_CODE_MAX], sparse[JG_NFA_CODE_MAX];
} states;

static bool has(const states *s, uint16_t pc)
{
    uint16_t at = s->sparse[pc];
    return at < s->count && s->dense[at] == pc;
}

static void put(states *s, uint16_t pc)
{
    s->sparse[pc] = s->count;
    s->dense[s->count++] = pc;
}

typedef struct place {
    const uint8_t *begin, *at, *end;
} place;

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool holds(const place *p, uint8_t what)
{
    bool before = p->at > p->begin && is_word(p->at[-1]), after = p->at < p->end && is_word(*p->at);
    switch ((jg_nfa_assert)what) {
    case JG_NFA_TEXT_BEGIN:
        return p->at == p->begin;
    case JG_NFA_TEXT_END:
        return p->at == p->end;
    case JG_NFA_LINE_BEGIN:
        return p->at == p->begin || p->at[-1] == '\n';
    case JG_NFA_LINE_END:
        return p->at == p->end || *p->at == '\n';
    case JG_NFA_WORD_EDGE:
        return before != after;
    case JG_NFA_NO_WORD_EDGE:
        return before == after;
    }
    return false;
}

/** Add a state and all that follows from it without reading; each enters once, so this ends. `stack` has
 * room for every state. @return true: a match is among them */
static bool follow(const jg_nfa *nfa, states *s, uint16_t pc, const place *p, uint16_t *stack)
{
    size_t depth = 0;
    bool matched = false;
    if (has(s, pc))
        return false;
    put(s, pc);
    stack[depth++] = pc;
    while (depth) {
        const code *c = &nfa->code[pc = stack[--depth]];
        uint16_t next[2];
        int n = 0;
        if (c->op == CODE_MATCH)
            matched = !nfa->whole || p->at == p->end || matched;
        else if (c->op == CODE_JUMP)
            next[n++] = c->x;
        else if (c->op == CODE_SPLIT)
            next[n++] = c->x, next[n++] = c->y;
        else if (c->op == CODE_ASSERT && holds(p, c->what))
            next[n++] = (uint16_t)(pc + 1);
        while (n-- > 0) {
            if (has(s, next[n]))
                continue;
            put(s, next[n]);
            stack[depth++] = next[n];
        }
    }
    return matched;
}

static bool in_set(const code *c, uint32_t rune)
{
    uint32_t low = 0, high = c->range_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (rune > c->ranges[middle].high)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->range_count && rune >= c->ranges[low].low;
}

static size_t decode(const place *p, uint32_t *ret)
{
    size_t n = *p->at < 0x80 ? 1 : jg_utf8_step(p->at, (size_t)(p->end - p->at));
    if (n <= 1) {
        *ret = n ? *p->at : 0xfffd;
        return 1;
    }
    uint32_t rune = *p->at & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        rune = rune << 6 | (p->at[i] & 0x3f);
    *ret = rune;
    return n;
}

bool jg_nfa_match(const jg_nfa *nfa, jaeger_str text)
{
    states a, b, *now = &a, *next = &b;
    uint16_t stack[JG_NFA_CODE_MAX];
    const uint8_t *begin = (const uint8_t *)(text.ptr ? text.ptr : "");
    place p = {begin, begin, begin + text.len};
    memset(a.sparse, 0, nfa->count * sizeof *a.sparse); /* read before it is written, by design of the set */
    memset(b.sparse, 0, nfa->count * sizeof *b.sparse);
    now->count = 0;
    for (;;) {
        if (now->count == 0 && !nfa->whole)
            while (p.at < p.end && !nfa->first[*p.at])
                p.at++;
        if ((!nfa->whole || p.at == p.begin) && follow(nfa, now, 0, &p, stack))
            return true;
        if (p.at >= p.end || (nfa->whole && now->count == 0))
            return false;
        uint32_t rune;
        place after = p;
        after.at += decode(&p, &rune);
        next->count = 0;
        for (uint16_t i = 0; i < now->count; i++) {
            uint16_t pc = now->dense[i];
            if (nfa->code[pc].op == CODE_SET && in_set(&nfa->code[pc], rune) &&
                follow(nfa, next, (uint16_t)(pc + 1), &after, stack))
                return true;
        }
        states *old = now;
        now = next;
        next = old;
        p = after;
    }
}

/* ---- compiling ---- */

/** What bytes can begin a match: all, if it may be empty. Asserts are taken as true. */
static void find_first(jg_nfa *nfa)
{
    bool seen[JG_NFA_CODE_MAX] = {false};
    uint16_t stack[JG_NFA_CODE_MAX + 2] = {0};
    size_t depth = 1;
    seen[0] = true;
    while (depth) {
        uint16_t pc = stack[--depth], next[2];
        const code *c = &nfa->code[pc];
        int n = 0;
        if (c->op == CODE_MATCH)
            memset(nfa->first, true, sizeof nfa->first);
        for (uint32_t i = 0; c->op == CODE_SET && i < c->range_count; i++) {
            for (uint32_t r = c->ranges[i].low; r <= c->ranges[i].high && r < 0x80; r++)
                nfa->first[r] = true;
            if (c->ranges[i].high >= 0x80)
                memset(nfa->first + 0x80, true, 0x80);
        }
        if (c->op == CODE_JUMP || c->op == CODE_SPLIT)
            next[n++] = c->x;
        if (c->op == CODE_SPLIT)
            next[n++] = c->y;
        if (c->op == CODE_ASSERT)
            next[n++] = (uint16_t)(pc + 1);
        while (n-- > 0) {
            if (!seen[next[n]])
                stack[depth++] = next[n];
            seen[next[n]] = true;
        }
    }
}

jaeger_status jg_nfa_compile(jaeger_str pattern, bool whole, jaeger_arena *arena, const jg_nfa **ret,
                             size_t *ret_at, jaeger_error *err)
{
    jg_nfa_node *root;
    JG_TRY(jg_nfa_parse(pattern, arena, &root, ret_at, err));
    jg_nfa *nfa = jg_arena_zalloc(arena, sizeof *nfa + (JG_NFA_CODE_MAX + 1) * sizeof(code));
    if (!nfa)
        return jg_fail_oom(err);
    writer w = {.code = nfa->code};
    write_node(&w, root);
    (void)emit(&w, (code){.op = CODE_MATCH});
    if (w.full)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid regular expression: too large");
    nfa->whole = whole;
    nfa->count = (uint16_t)w.count;
    find_first(nfa);
    *ret = nfa;
    return JAEGER_OK;
}
