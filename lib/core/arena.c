/* SPDX-License-Identifier: Apache-2.0
 * Arena of blocks that double from 4 KiB to 1 MiB. A larger request gets a block of its own size.
 */
#include "core/arena.h"

#include "core/alloc.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_FIRST 4096u
#define BLOCK_LAST  (1u << 20)
#define ALIGN       16u

typedef struct block {
    struct block *before;
    size_t cap, used; /* of data[] */
    _Alignas(ALIGN) uint8_t data[];
} block;

struct jaeger_arena {
    block *top;
    size_t bytes, bytes_max, block_next;
};

jaeger_arena *jaeger_arena_new(size_t bytes_max)
{
    jaeger_arena *arena = jg_calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->bytes_max = bytes_max;
    arena->block_next = BLOCK_FIRST;
    return arena;
}

static void free_blocks(jaeger_arena *arena, block *keep)
{
    while (arena->top != keep) {
        block *b = arena->top;
        arena->top = b->before;
        arena->bytes -= b->cap;
        jg_free(b);
    }
}

void jaeger_arena_free(jaeger_arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena, NULL);
    jg_free(arena);
}

void jaeger_arena_reset(jaeger_arena *arena)
{
    block *first = arena->top;
    while (first && first->before)
        first = first->before;
    free_blocks(arena, first);
    arena->block_next = BLOCK_FIRST;
    if (first)
        first->used = 0;
}

static block *push_block(jaeger_arena *arena, size_t bytes)
{
    size_t cap = JG_MAX(arena->block_next, bytes);
    if (arena->bytes_max && (cap > arena->bytes_max || arena->bytes > arena->bytes_max - cap)) {
        cap = bytes; /* near the ceiling: exactly what is asked for */
        if (cap > arena->bytes_max || arena->bytes > arena->bytes_max - cap)
            return NULL;
    }
    if (cap > SIZE_MAX - sizeof(block))
        return NULL;
    block *b = jg_alloc(sizeof *b + cap);
    if (!b)
        return NULL;
    b->before = arena->top;
    b->cap = cap;
    b->used = 0;
    arena->top = b;
    arena->bytes += cap;
    arena->block_next = JG_MIN(arena->block_next * 2, BLOCK_LAST);
    return b;
}

void *jaeger_arena_alloc(jaeger_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    block *b = arena->top;
    if (!b || rounded > b->cap - b->used) {
        b = push_block(arena, rounded);
        if (!b)
            return NULL;
    }
    void *ptr = b->data + b->used;
    b->used += rounded;
    return ptr;
}

void *jg_arena_zalloc(jaeger_arena *arena, size_t bytes)
{
    void *ptr = jaeger_arena_alloc(arena, bytes);
    if (ptr)
        memset(ptr, 0, bytes);
    return ptr;
}

jaeger_str jaeger_arena_str(jaeger_arena *arena, jaeger_str s)
{
    char *copy = jaeger_arena_alloc(arena, s.len + 1);
    if (!copy)
        return (jaeger_str){0};
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = 0;
    return (jaeger_str){copy, s.len};
}

const char *jg_str_z(jaeger_arena *arena, jaeger_str s)
{
    return jaeger_arena_str(arena, s).ptr;
}

jaeger_str jg_arena_printf(jaeger_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : jaeger_arena_alloc(arena, (size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text ? (jaeger_str){text, (size_t)len} : (jaeger_str){0};
}

void *jg_arena_grow(jaeger_arena *arena, void *items, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return items;
    size_t want = *cap ? *cap * 2 : 8;
    if (want > SIZE_MAX / 4 / item_bytes)
        return NULL;
    void *grown = jaeger_arena_alloc(arena, want * item_bytes);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, items, count * item_bytes);
    *cap = want;
    return grown;
}

size_t jg_arena_bytes(const jaeger_arena *arena)
{
    return arena->bytes;
}
