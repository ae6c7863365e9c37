/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sysmem.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void write_file(const char *root, const char *path, const char *text)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        (void)mkdir(whole, 0700);
    }
    FILE *file = fopen(whole, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void sysmem_is_the_smallest_limit(void **state)
{
    (void)state;
    char root[] = "/tmp/jg_cgroup_XXXXXX", command[64];
    assert_non_null(mkdtemp(root));
    uint64_t machine = jg_sysmem_bytes_under(root);
    assert_true(machine > 0 && machine < UINT64_MAX);
    write_file(root, "sys/fs/cgroup/memory.max", "max\n");
    assert_int_equal(jg_sysmem_bytes_under(root), machine);
    write_file(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(jg_sysmem_bytes_under(root), machine);
    write_file(root, "proc/self/cgroup", "1:name=systemd:/\n0::/a/b\n");
    write_file(root, "sys/fs/cgroup/a/b/memory.max", "1048576\n");
    assert_int_equal(jg_sysmem_bytes_under(root), 1048576);
    write_file(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
    assert_int_equal(jg_sysmem_bytes_under(root), 4096);
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void sysmem_knows_this_process(void **state)
{
    (void)state;
    assert_true(jg_sysmem_resident_bytes() > 100000);
    assert_true(jg_sysmem_resident_bytes() < jg_sysmem_bytes());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sysmem_is_the_smallest_limit),
        cmocka_unit_test(sysmem_knows_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
