/* SPDX-License-Identifier: Apache-2.0
 * Runs a fuzz target over every file of the directories given, so that the corpus is a plain test where there
 * is no libFuzzer. Each input is also cut at up to 512 lengths and has single bits turned.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* exact size: a sanitizer sees any read beyond */
    if (!copy)
        abort();
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    if (!file)
        abort();
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    run(bytes, size);
    for (size_t len = 0; len < size; len += size / 512 + 1)
        run(bytes, len);
    for (size_t i = 0; i < 1024 && size; i++) {
        size_t at = i * 2654435761u % size;
        bytes[at] ^= (uint8_t)(1 << i % 8);
        run(bytes, size);
        bytes[at] ^= (uint8_t)(1 << i % 8);
    }
}

int main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            run_file(path);
            files++;
        }
        if (dir)
            (void)closedir(dir);
    }
    printf("%zu inputs\n", files);
    return files ? 0 : 1;
}
