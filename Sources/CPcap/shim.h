#pragma once

// As in CLinux: two modules that see glibc's headers differently cannot be imported together.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

// linux/bpf.h has another structure of this name, and C knows both only by their layout.
#define bpf_insn swn_pcap_bpf_insn
#include <pcap/pcap.h>
#undef bpf_insn
