/* SPDX-License-Identifier: Apache-2.0
 * See series.h: into which bucket a value goes. Spec: opentelemetry-specification metrics/data-model.md
 * (ExponentialHistogram: upper bounds are inclusive).
 */
#include "connectors/span_metrics/series.h"
#include <math.h>

static void add_explicit(jg_sm_buckets *b, const jg_sm_shape *shape, double value, uint64_t n)
{
    size_t low = 0, high = shape->bound_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (shape->bounds[mid] >= value)
            high = mid;
        else
            low = mid + 1;
    }
    b->counts[low] += n;
}

int32_t jg_sm_exponential_index(double value, int32_t scale)
{
    int exponent;
    double fraction = frexp(value, &exponent);
    if (fraction == 0.5) /* a power of two is the inclusive bound of the bucket below */
        return scale > 0 ? (int32_t)(((int64_t)exponent - 1) * ((int64_t)1 << scale) - 1)
                         : (exponent - 2) >> -scale;
    if (scale <= 0)
        return (exponent - 1) >> -scale;
    return (int32_t)ceil(log2(fraction) * ldexp(1, scale) + (double)exponent * ldexp(1, scale)) - 1;
}

/* Neighbours become one, `shift` times. */
static void downscale(jg_sm_buckets *b, int32_t shift)
{
    int32_t offset = b->offset >> shift;
    for (uint32_t i = 0; i < b->size; i++) {
        uint32_t to = (uint32_t)(((b->offset + (int32_t)i) >> shift) - offset);
        uint64_t count = b->counts[i];
        b->counts[i] = 0;
        b->counts[to] += count;
    }
    b->size = b->size ? (uint32_t)(((b->offset + (int32_t)b->size - 1) >> shift) - offset) + 1 : 0;
    b->offset = offset;
    b->scale -= shift;
}

static void add_exponential(jg_sm_buckets *b, uint32_t max_size, double value, uint64_t n)
{
    if (!(value > 0)) {
        b->zero_count += n;
        return;
    }
    int32_t index = jg_sm_exponential_index(value, b->scale);
    if (b->size == 0)
        b->offset = index;
    int64_t low = JG_MIN(b->offset, index), high = JG_MAX(b->offset + (int64_t)b->size - 1, index);
    int32_t shift = 0;
    for (; high - low >= max_size; low >>= 1, high >>= 1)
        shift++;
    if (shift) {
        downscale(b, shift);
        index >>= shift;
    }
    if (low < b->offset) {
        uint32_t more = (uint32_t)(b->offset - low);
        memmove(b->counts + more, b->counts, b->size * sizeof *b->counts);
        memset(b->counts, 0, more * sizeof *b->counts);
        b->offset = (int32_t)low;
        b->size += more;
    }
    uint32_t at = (uint32_t)(index - b->offset);
    b->size = JG_MAX(b->size, at + 1);
    b->counts[at] += n;
}

void jg_sm_buckets_add(jg_sm_buckets *b, const jg_sm_shape *shape, double value, uint64_t n)
{
    if (shape->max_size)
        add_exponential(b, shape->max_size, value, n);
    else
        add_explicit(b, shape, value, n);
}
