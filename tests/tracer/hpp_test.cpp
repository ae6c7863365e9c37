// SPDX-License-Identifier: Apache-2.0
// The C++ wrapper: spans end with their scope, children know their parent.
#include <cstdio>
#include <cstring>
#include <jaeger/jaeger.hpp>

static size_t spans;
static bool child_has_parent;

static jaeger_status take(void *, jaeger_batch *batch, jaeger_call *)
{
    const jaeger_span *items = jaeger_batch_spans(batch);
    spans += jaeger_batch_span_count(batch);
    child_has_parent = spans == 2 && std::memcmp(items[0].parent_span_id, items[1].span_id, 8) == 0;
    jaeger_batch_unref(batch);
    return JAEGER_OK;
}

int main()
{
    {
        jaeger_tracer_options options{};
        options.service = jaeger::str("cpp");
        options.out = {take, nullptr, nullptr};
        jaeger::tracer tracer(options);
        jaeger::span root = tracer.start("root", JAEGER_KIND_SERVER);
        root.set("a", "b").set("n", 1).set("ok", true).set("d", 0.5).event("hit");
        {
            jaeger::span child = tracer.start("child", root.context());
            child.fail("no");
        }
    }
    try {
        jaeger::tracer none{jaeger_tracer_options{}};
        return 2;
    } catch (const jaeger::error &e) {
        if (e.status != JAEGER_INVALID_ARGUMENT)
            return 3;
    }
    std::printf("%zu spans\n", spans);
    return spans == 2 && child_has_parent ? 0 : 1;
}
