/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/str.h"
#include "query/ui_config.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/jg_ui_XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/** Read `text` as a file of this name. */
static jaeger_status read_as(const char *name, const char *text, jg_ui_config *ret, jaeger_error *err)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    jaeger_status status = jg_ui_config_read(path, ret, err);
    (void)unlink(path);
    return status;
}

static void ui_config_json_is_written_anew(void **state)
{
    (void)state;
    jg_ui_config config;
    assert_ok(read_as("ui.json",
                      " {\"z\": [1.0, null, true, \"</script>\\u2028\"], \"a\": {\"y\": 2, \"b\": 1e30}, "
                      "\"a\": {\"c\": {}}}\n",
                      &config, NULL));
    assert_false(config.is_script);
    assert_str(((jaeger_str){config.text, config.len}),
               "{\"a\":{\"c\":{}},\"z\":[1,null,true,\"\\u003c/script\\u003e\\u2028\"]}");
    jg_free(config.text);
}

static void ui_config_refuses_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *want;
    } rows[] = {
        {"ui.json", "{\"a\":}", "cannot parse UI config file"},
        {"ui.json", "[]", "not a JSON object"},
        {"ui.json", "", "cannot parse UI config file"},
        {"ui.js", "function other() {}", "must define function UIConfig()"},
        {"ui.js", "functionUIConfig() {}", "must define function UIConfig()"},
        {"ui.yaml", "a: b", "expecting .js or .json file"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_ui_config config;
        jaeger_error err = {0};
        assert_int_equal(read_as(rows[i].name, rows[i].text, &config, &err), JAEGER_INVALID_ARGUMENT);
        if (!strstr(err.message, rows[i].want))
            fail_msg("%s: %s", rows[i].text, err.message);
    }
    jg_ui_config config;
    jaeger_error err = {0};
    assert_int_equal(jg_ui_config_read("/nowhere/ui.json", &config, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "cannot read UI config file /nowhere/ui.json"));
}

#define PAGE                                                                                                 \
    "<script>\n  // JAEGER_CONFIG_JS is here\n  // the line after\n  const JAEGER_CONFIG  =  "               \
    "DEFAULT_CONFIG;\n"                                                                                      \
    "  JAEGER_VERSION = DEFAULT_VERSION; JAEGER_STORAGE_CAPABILITIES=DEFAULT_STORAGE_CAPABILITIES;\n"        \
    "  JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;\n</script>"
#define VERSION "{\"gitCommit\":\"\",\"gitVersion\":\"\",\"buildDate\":\"\"}"

static void ui_page_places_are_filled(void **state)
{
    (void)state;
    static const struct {
        jg_ui_config config;
        const char *want;
    } rows[] = {
        {{0},
         "<script>\n  // JAEGER_CONFIG_JS is here\n  // the line after\n  const JAEGER_CONFIG  =  "
         "DEFAULT_CONFIG;\n"
         "  JAEGER_VERSION = " VERSION "; JAEGER_STORAGE_CAPABILITIES = {C};\n"
         "  JAEGER_BACKEND_CAPABILITIES = {C};\n</script>"},
        {{.text = "{\"a\":1}", .len = 7},
         "<script>\n  // JAEGER_CONFIG_JS is here\n  // the line after\n  const JAEGER_CONFIG = {\"a\":1};\n"
         "  JAEGER_VERSION = " VERSION "; JAEGER_STORAGE_CAPABILITIES = {C};\n"
         "  JAEGER_BACKEND_CAPABILITIES = {C};\n</script>"},
        {{.is_script = true, .text = "function UIConfig(){}", .len = 21},
         "<script>\nfunction UIConfig(){}\n  const JAEGER_CONFIG  =  DEFAULT_CONFIG;\n"
         "  JAEGER_VERSION = " VERSION "; JAEGER_STORAGE_CAPABILITIES = {C};\n"
         "  JAEGER_BACKEND_CAPABILITIES = {C};\n</script>"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_buf out = JG_BUF_INIT(4096);
        jg_ui_fill_page(&out, JAEGER_STR(PAGE), &rows[i].config, JAEGER_STR("{C}"));
        assert_str(jg_buf_view(&out), rows[i].want);
        jg_buf_done(&out);
    }
}

static void ui_config_scripts_are_taken_as_they_are(void **state)
{
    (void)state;
    jg_ui_config config;
    assert_ok(read_as("ui.JS", "\n  function  UIConfig ( ) {\n  return {};\n}\n\n", &config, NULL));
    assert_true(config.is_script);
    assert_str(((jaeger_str){config.text, config.len}), "function  UIConfig ( ) {\n  return {};\n}");
    jg_free(config.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ui_config_json_is_written_anew),
        cmocka_unit_test(ui_config_refuses_what_is_none),
        cmocka_unit_test(ui_config_scripts_are_taken_as_they_are),
        cmocka_unit_test(ui_page_places_are_filled),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
