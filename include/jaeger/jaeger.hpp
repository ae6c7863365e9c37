/* SPDX-License-Identifier: Apache-2.0
 * C++17 wrapper of the tracer: a span ends when it goes out of scope. Header only; link with libjaeger.
 */
#ifndef JAEGER_JAEGER_HPP
#define JAEGER_JAEGER_HPP

#include <jaeger/jaeger.h>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace jaeger {

inline jaeger_str str(std::string_view text) noexcept
{
    return jaeger_str{text.data() ? text.data() : "", text.size()};
}

/** A failure of the library: its text, and the status the program may act on. */
class error : public std::runtime_error {
public:
    explicit error(const jaeger_error &e) : std::runtime_error(e.message), status(e.status) {}
    jaeger_status status;
};

/** A running span; ends with its scope, or by end(). Movable, not copyable. One that is not sampled does nothing. */
class span {
public:
    span() noexcept = default;
    explicit span(jaeger_live_span *live) noexcept : live_(live) {}
    span(span &&other) noexcept : live_(std::exchange(other.live_, nullptr)) {}
    span &operator=(span &&other) noexcept
    {
        if (this != &other) {
            end();
            live_ = std::exchange(other.live_, nullptr);
        }
        return *this;
    }
    span(const span &) = delete;
    span &operator=(const span &) = delete;
    ~span() { end(); }

    span &set(std::string_view key, std::string_view value) noexcept
    {
        jaeger_span_set_str(live_, str(key), str(value));
        return *this;
    }
    span &set(std::string_view key, const char *value) noexcept { return set(key, std::string_view(value)); }
    span &set(std::string_view key, bool value) noexcept
    {
        jaeger_span_set_bool(live_, str(key), value);
        return *this;
    }
    span &set(std::string_view key, double value) noexcept
    {
        jaeger_span_set_double(live_, str(key), value);
        return *this;
    }
    span &set(std::string_view key, int64_t value) noexcept
    {
        jaeger_span_set_int(live_, str(key), value);
        return *this;
    }
    span &set(std::string_view key, int value) noexcept { return set(key, int64_t{value}); }
    span &event(std::string_view name) noexcept
    {
        jaeger_span_add_event(live_, str(name), nullptr, 0);
        return *this;
    }
    span &link(const jaeger_context &to) noexcept
    {
        jaeger_span_add_link(live_, &to);
        return *this;
    }
    span &fail(std::string_view message) noexcept
    {
        jaeger_span_set_status(live_, JAEGER_STATUS_ERROR, str(message));
        return *this;
    }
    void end() noexcept { jaeger_span_end(std::exchange(live_, nullptr)); }
    jaeger_context context() const noexcept
    {
        jaeger_context context;
        jaeger_live_span_context(live_, &context);
        return context;
    }
    explicit operator bool() const noexcept { return live_ != nullptr; }

private:
    jaeger_live_span *live_ = nullptr;
};

/** Owns a tracer. Its destructor hands over what ended. */
class tracer {
public:
    explicit tracer(jaeger_tracer_options options)
    {
        jaeger_error e{};
        options.size = sizeof options;
        if (jaeger_tracer_new(&options, &tracer_, &e) != JAEGER_OK)
            throw error(e);
    }
    tracer(tracer &&other) noexcept : tracer_(std::exchange(other.tracer_, nullptr)) {}
    tracer &operator=(tracer &&) = delete;
    ~tracer() { jaeger_tracer_free(tracer_); }

    span start(std::string_view name, uint32_t kind = JAEGER_KIND_INTERNAL)
    {
        return span(jaeger_span_begin(tracer_, nullptr, str(name), kind));
    }
    span start(std::string_view name, const jaeger_context &parent, uint32_t kind = JAEGER_KIND_INTERNAL)
    {
        return span(jaeger_span_begin(tracer_, &parent, str(name), kind));
    }
    jaeger_tracer *get() const noexcept { return tracer_; }

private:
    jaeger_tracer *tracer_ = nullptr;
};

} // namespace jaeger

#endif
