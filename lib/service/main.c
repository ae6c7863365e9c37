/* SPDX-License-Identifier: Apache-2.0
 * jaeger_main: a whole binary. The only code of the library that touches signals, standard streams, the
 * environment and the allocator's settings of the process.
 *
 * SIGTERM and SIGINT drain and exit 0; a second SIGINT kills. SIGHUP reads the configuration again: if it is
 * sound, the old service stops and a new one starts; if not, the old one goes on (the Collector would have
 * stopped it already).
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "registry.h"
#include "service/cli.h"
#include "service/search_tools.h"
#include "service/storage_cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX (8u << 20)
#define STOP_NS          (30 * JG_NS_PER_S) /* to drain; Kubernetes kills after 30 s as well */

static void say(int fd, jaeger_str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text = jg_str_skip(text, (size_t)n);
    }
}

/* A line on stderr that begins with date and time. */
static void say_dated(const char *text, size_t len)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm local;
    JG_AUTO_BUF jg_buf line = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    if (localtime_r(&now, &local) && strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S ", &local))
        jg_buf_str(&line, jg_str(stamp));
    jg_buf_append(&line, text, len);
    jg_buf_byte(&line, '\n');
    say(STDERR_FILENO, jg_buf_view(&line));
}

static void say_dated_z(const char *text)
{
    say_dated(text, strlen(text));
}

static int fail_text(jaeger_str text)
{
    JG_AUTO_BUF jg_buf line = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    jg_buf_lit(&line, "Error: ");
    jg_buf_str(&line, text);
    jg_buf_byte(&line, '\n');
    say(STDERR_FILENO, jg_buf_view(&line));
    say_dated(text.ptr, text.len);
    return 1;
}

static int fail(const jaeger_error *err)
{
    return fail_text(jg_str(err->message));
}

/* Build a service; on failure `text` holds all that is wrong. */
static jaeger_status build(const jaeger_service_options *options, bool check_only, jaeger_service **ret,
                           jg_buf *text)
{
    jaeger_error err = {0};
    JG_AUTO_REPORT jg_report report = JG_REPORT_INIT;
    jg_build_options how = {.check_only = check_only, .standard_streams = true};
    jaeger_status status = jg_service_build(options, &how, ret, &report, &err);
    if (status == JAEGER_OK)
        return status;
    if (report.count)
        (void)jg_service_fail(&report, check_only, text, &err);
    else
        jg_buf_str(text, jg_str(err.message));
    return status;
}

/* ---- run
 * ----------------------------------------------------------------------------------------------------------
 */

static void component_failed(void *user, const jaeger_error *error)
{
    (void)error; /* the service has logged it */
    uint64_t one = 1;
    ssize_t n = write(*(const int *)user, &one, sizeof one);
    (void)n; /* the counter cannot be full */
}

static const char *signal_text(uint32_t number)
{
    return number == SIGINT ? "interrupt" : number == SIGTERM ? "terminated" : "hangup";
}

/* Wait for a signal or a failure. @return its number; 0: a component has failed */
static uint32_t wait_for_event(int signal_fd, int failed_fd)
{
    struct pollfd fds[] = {{signal_fd, POLLIN, 0}, {failed_fd, POLLIN, 0}};
    for (;;) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents & POLLIN && read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
            return info.ssi_signo;
        if (fds[1].revents & POLLIN)
            return 0;
    }
}

/* Replace a running service. @return false: the new one could not start; nothing runs any more */
static bool reload(const jaeger_service_options *options, jaeger_service **service)
{
    jaeger_service *next = NULL;
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    if (build(options, false, &next, &text) != JAEGER_OK) {
        jaeger_log(jg_service_logger(*service), JAEGER_ERROR,
                   "the new configuration is not sound, the old one stays in force error=\"%.*s\"",
                   JAEGER_STR_ARGS(jg_buf_view(&text)));
        return true;
    }
    jaeger_log(jg_service_logger(*service), JAEGER_WARN, "Config updated, restart service");
    jaeger_service_stop(*service, STOP_NS);
    jaeger_service_free(*service);
    *service = next;
    if (jaeger_service_start(next, &err) == JAEGER_OK)
        return true;
    (void)fail(&err);
    return false;
}

static void let_interrupt_kill(void)
{
    sigset_t only;
    (void)sigemptyset(&only);
    (void)sigaddset(&only, SIGINT);
    (void)sigprocmask(SIG_UNBLOCK, &only, NULL);
}

static int serve(const jaeger_service_options *options, jaeger_service *service, int signal_fd, int failed_fd)
{
    for (;;) {
        uint32_t event = wait_for_event(signal_fd, failed_fd);
        if (event)
            jaeger_log(jg_service_logger(service), JAEGER_INFO, "Received signal from OS signal=%s",
                       signal_text(event));
        else
            jaeger_log(jg_service_logger(service), JAEGER_ERROR,
                       "Asynchronous error received, terminating process");
        if (event != SIGHUP)
            break;
        if (!reload(options, &service)) {
            jaeger_service_free(service);
            return 1;
        }
    }
    let_interrupt_kill();
    jaeger_service_stop(service, STOP_NS);
    jaeger_service_free(service);
    return 0;
}

/* Signals are blocked before the first thread starts, so that only signal_fd sees them. */
static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run(const jg_cli *cli)
{
    jaeger_error err = {0};
    jaeger_service *service = NULL;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    jaeger_service_options options = jg_cli_options(cli);
    int failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), signal_fd = open_signals(), code = 1;
    if (failed_fd < 0 || signal_fd < 0)
        return fail_text(JAEGER_STR("cannot watch signals"));
    options.failed = component_failed;
    options.user = &failed_fd;
    if (!cli->uri_count && cli->yaml) {
        say_dated_z("No '--config' flags given, using the configuration that is built in.");
        say_dated_z("Another one can be given with --config; 'print-config' shows this one.");
    }
    if (build(&options, false, &service, &text) != JAEGER_OK) {
        code = fail_text(jg_buf_view(&text));
    } else if (jaeger_service_start(service, &err) != JAEGER_OK) {
        code = fail(&err);
        jaeger_service_free(service);
    } else {
        code = serve(&options, service, signal_fd, failed_fd);
    }
    (void)close(signal_fd);
    (void)close(failed_fd);
    return code;
}

/* ---- other commands
 * ----------------------------------------------------------------------------------------------- */

static int validate(const jg_cli *cli)
{
    jaeger_service *service = NULL;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    if (!cli->uri_count)
        return fail_text(JAEGER_STR("at least one config flag must be provided"));
    jaeger_service_options options = jg_cli_options(cli);
    if (build(&options, true, &service, &text) != JAEGER_OK)
        return fail_text(jg_buf_view(&text));
    jaeger_service_free(service);
    return 0;
}

static int print_config(const jg_cli *cli)
{
    jaeger_error err = {0};
    jaeger_service *service = NULL;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    jaeger_service_options options = jg_cli_options(cli);
    if (build(&options, true, &service, &text) != JAEGER_OK)
        return fail_text(jg_buf_view(&text));
    jaeger_status status = jg_command_print_config(cli, jg_service_sections(service), &text, &err);
    jaeger_service_free(service);
    if (status != JAEGER_OK)
        return fail(&err);
    say(STDOUT_FILENO, jg_buf_view(&text));
    return 0;
}

static int write_docs(const jg_cli *cli, const jg_types *types)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(OUTPUT_BYTES_MAX), path = JG_BUF_INIT(4096);
    jaeger_error err;
    if (cli->format && strcmp(cli->format, "md") != 0)
        return fail_text(JAEGER_STR("docs: the only format is md"));
    jg_docs_write(types, jg_registry_drivers, &text);
    if (!cli->dir) {
        say(STDOUT_FILENO, jg_buf_view(&text));
        return 0;
    }
    jg_buf_printf(&path, "%s/components.md", cli->dir);
    jg_buf_byte(&path, 0);
    int fd =
        jg_buf_ok(&path) ? open((const char *)path.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (fd < 0) {
        (void)jg_fail(&err, JAEGER_NOT_FOUND, "cannot write %s/components.md: %s", cli->dir, strerror(errno));
        return fail(&err);
    }
    say(fd, jg_buf_view(&text));
    (void)close(fd);
    return 0;
}

static int answer(jaeger_status status, const jg_buf *out, const jaeger_error *err)
{
    if (status != JAEGER_OK)
        return fail(err);
    say(STDOUT_FILENO, jg_buf_view(out));
    return 0;
}

static int dispatch(const jg_cli *cli)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    jaeger_error err = {0};
    jaeger_service_options options = jg_cli_options(cli);
    jg_types types = jg_service_types(&options);
    const char *command = cli->help ? "help" : cli->version ? "version" : cli->command ? cli->command : "run";
    if (strcmp(command, "run") == 0)
        return run(cli);
    if (strcmp(command, "validate") == 0)
        return validate(cli);
    if (strcmp(command, "print-config") == 0 || strcmp(command, "print-initial-config") == 0)
        return print_config(cli);
    if (strcmp(command, "docs") == 0)
        return write_docs(cli, &types);
    if (strcmp(command, "featuregate") == 0)
        return answer(jg_command_featuregate(cli, &out, &err), &out, &err);
    if (strcmp(command, "components") == 0)
        jg_command_components(&types, jg_registry_drivers, cli->program, &out);
    else if (strcmp(command, "version") == 0)
        jg_command_version(&out);
    else if (strcmp(command, "help") == 0)
        jg_command_help(cli, &out);
    else
        (void)jg_fail(&err, JAEGER_INVALID_ARGUMENT, "unknown command \"%s\" for \"%s\"", command,
                      cli->program);
    return answer(err.status, &out, &err);
}

/* Large blocks stay with the process: requests of some megabytes come and go all the time. The heap grows in
 * large steps, as it does so while other threads wait for it; what is not touched costs nothing. */
static void set_allocator(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    (void)mallopt(M_TOP_PAD, 8 << 20);
    /* Few arenas: each keeps what was freed in it, and requests are freed by other threads than made them.
     * Small blocks come from per-thread caches anyway. */
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    (void)mallopt(M_ARENA_MAX, cores > 2 ? (int)cores / 2 : 1);
}

int jaeger_main(int argc, char **argv, const char *program, const char *yaml)
{
    jaeger_error err = {0};
    jg_cli cli = {.program = program, .yaml = yaml};
    set_allocator();
    if (argc > 1 && strcmp(argv[1], "storage") == 0)
        return jg_storage_command(argc - 1, argv + 1);
    if (argc > 1 && jg_search_tools_have(argv[1]))
        return jg_search_tools_run(argc - 1, argv + 1);
    say_dated_z("application version: git-commit=, git-version=v" JAEGER_VERSION ", build-date=");
    if (jg_cli_parse(&cli, argc, argv, &err) != JAEGER_OK)
        return fail(&err);
    return dispatch(&cli);
}
