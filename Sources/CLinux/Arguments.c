#include "CLinux.h"

static char *none[1];
static char **arguments = none;

/// glibc hands every function of .init_array what `main` gets.
__attribute__((constructor)) static void keep(int count, char **words) {
    (void)count;
    arguments = words;
}

char **swn_arguments(void) { return arguments; }

void swn_set_title(const char *title) {
    // The kernel lays them out one behind the other (`copy_strings`, fs/exec.c), and shows what is there by now.
    char *end = arguments[0];
    for (char **word = arguments; *word && *word == end; word++) end += strlen(*word) + 1;
    if (end == arguments[0]) return;
    size_t room = (size_t)(end - arguments[0]);
    size_t length = strnlen(title, room - 1);
    memset(arguments[0], 0, room);
    memcpy(arguments[0], title, length);
}
