/* SPDX-License-Identifier: Apache-2.0
 * Strategies files and replies. The first byte chooses the reader; what is read must survive being written
 * and read again.
 */
#include "core/arena.h"
#include "sampling/strategies_file.h"
#include "sampling/strategy.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Protobuf carries all of a strategy: written, read and written again it must be the same. */
static void round_trip(const jaeger_strategy *strategy, jaeger_arena *arena)
{
    JG_AUTO_BUF jg_buf first = JG_BUF_INIT(64u << 20);
    JG_AUTO_BUF jg_buf second = JG_BUF_INIT(64u << 20);
    JG_AUTO_BUF jg_buf json = JG_BUF_INIT(64u << 20);
    jaeger_strategy again;
    jg_strategy_write_pb(&first, strategy);
    jg_strategy_write_json(&json, strategy);
    if (!jg_buf_ok(&first) || !jg_buf_ok(&json))
        return;
    if (jg_strategy_read_json(jg_buf_view(&json), arena, &again, NULL) == JAEGER_INVALID_ARGUMENT)
        abort();
    if (jg_strategy_read_pb(jg_buf_view(&first), arena, &again, NULL) != JAEGER_OK)
        abort();
    jg_strategy_write_pb(&second, &again);
    if (first.len != second.len || (first.len && memcmp(first.data, second.data, first.len) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 20)
        return 0;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(256u << 20);
    jaeger_str text = {(const char *)data + 1, size - 1};
    jg_strategies_options options = {.default_rate = 0.1, .name = "fuzz"};
    jg_strategy_set *set;
    jaeger_strategy strategy;
    jaeger_str service;
    switch (data[0] % 4) {
    case 0:
        if (jg_strategies_read(text, &options, &set, NULL) == JAEGER_OK) {
            jg_map_entry entry;
            size_t at = 0;
            for (int n = 0; n < 20 && jg_map_next(&set->services, &at, &entry); n++)
                round_trip(entry.value, arena);
            round_trip(&set->fallback, arena);
            jg_strategy_set_unref(set);
        }
        break;
    case 1:
        if (jg_strategy_read_json(text, arena, &strategy, NULL) == JAEGER_OK)
            round_trip(&strategy, arena);
        break;
    case 2:
        if (jg_strategy_read_pb(text, arena, &strategy, NULL) == JAEGER_OK)
            round_trip(&strategy, arena);
        break;
    default:
        (void)jg_strategy_read_request(text, &service);
    }
    return 0;
}
