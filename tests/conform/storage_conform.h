/* SPDX-License-Identifier: Apache-2.0
 * One conformance suite for all storage drivers. A driver's test is one line:
 *
 *     JG_STORAGE_CONFORM("memory", "max_traces: 100000")
 *
 * The YAML is the driver's configuration; "@TMP@" in it becomes a fresh directory, removed after each test.
 * What a driver may leave out is written in its test: JG_STORAGE_CONFORM_SKIP("x", yaml, JG_SKIP_SAMPLING).
 */
#ifndef JG_STORAGE_CONFORM_H
#define JG_STORAGE_CONFORM_H

enum {
    JG_SKIP_REOPEN = 1,          /* does not keep data over a restart */
    JG_SKIP_TENANTS = 2,         /* has one tenant only */
    JG_SKIP_SAMPLING = 4,        /* no sampling store */
    JG_SKIP_DEPENDENCIES = 8,    /* only reads what a batch job wrote */
    JG_SKIP_FAULTS = 16,         /* its client library aborts when out of memory */
    JG_SKIP_ONE_SPAN = 32,       /* conditions may hold on different spans of a trace */
    JG_SKIP_OPERATION_KIND = 64, /* operations carry no kind */
    JG_SKIP_SUMMARIES = 128,     /* the query service makes them */
    JG_SKIP_OTLP = 256,   /* keeps Jaeger's older model: microseconds, no attributes of scopes and links, no
                             counts   of dropped ones; values of a search are patterns */
    JG_SHARED_STORE = 512 /* the data is elsewhere and stays: purged before each test */
};

int jg_storage_conform(const char *driver, const char *yaml, unsigned skips);

#define JG_STORAGE_CONFORM_SKIP(driver, yaml, skips)                                                         \
    int main(void)                                                                                           \
    {                                                                                                        \
        return jg_storage_conform((driver), (yaml), (skips));                                                \
    }
#define JG_STORAGE_CONFORM(driver, yaml) JG_STORAGE_CONFORM_SKIP(driver, yaml, 0)

#endif
