// What the Swift runtime does at the start of a static program, done with fewer system calls.
//
// Two parts of the runtime's C++ half run before `main`: one reads /proc/self/maps to find the program's arguments on
// the stack (stdlib/public/CommandLineSupport/CommandLine.cpp), the other looks for `swift-backtrace` in eight folders
// around the program (stdlib/public/runtime/Backtrace.cpp). They are members of libswiftCore.a, so that a program which
// defines what others want of them does not get them: 16 system calls, and 100 kB of what they use of the C library.
// A crash is reported in one line, as before where `swift-backtrace` is not installed. All are weak: a runtime that is put
// together in another way brings its own.

#include "CStaticStart.h"

// Tests, and debug builds, have the shared runtime, whose parts are never left out.
#ifdef STATIC_PROGRAM
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static char *no_arguments[1];
static char **arguments = no_arguments;
static int argument_count;

/// glibc hands every function of .init_array what `main` gets.
__attribute__((constructor)) static void begin(int count, char **words) {
    argument_count = count;
    arguments = words;
    // A program that ends in a moment asks the kernel for its heap at once and gives nothing back in between.
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

__attribute__((weak)) char **_swift_stdlib_getUnsafeArgvArgc(int *count) {
    *count = argument_count;
    return arguments;
}

__attribute__((weak)) void _swift_stdlib_overrideUnsafeArgvArgc(char **words, int count) {
    arguments = words;
    argument_count = count;
}

/// The seeds of hashing: the runtime would first ask whether there is such a call (stdlib/public/stubs/Random.cpp).
__attribute__((weak)) void swift_stdlib_random(void *bytes, size_t count) {
    static char rest[64];
    static size_t left;
    while (count > 0) {
        if (left == 0) {
            ssize_t answer = getrandom(rest, sizeof rest, 0);
            if (answer < 0 && errno != EINTR) abort();
            if (answer > 0) left = (size_t)answer;
            continue;
        }
        size_t part = count < left ? count : left;
        left -= part;
        memcpy(bytes, rest + left, part);
        memset(rest + left, 0, part);
        bytes = (char *)bytes + part;
        count -= part;
    }
}

/// All off. The runtime's structure has 88 bytes; of it only the first is read where nothing is installed.
__attribute__((weak)) const long _swift_backtraceSettings[32] = {0};

__attribute__((weak)) bool _swift_backtrace_isThunkFunction(const char *name) {
    (void)name;
    return false;
}
#endif
