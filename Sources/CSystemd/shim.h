#pragma once

// As in CLinux: two modules that see glibc's headers differently cannot be imported together.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <systemd/sd-bus.h>
