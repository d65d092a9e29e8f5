# Shared by the scripts of this folder: sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What Debian and Ubuntu call what we need.
packages_build=(libmnl-dev libnftnl-dev libseccomp-dev libarchive-dev libpcap-dev libsystemd-dev pkg-config python3)
packages_run=(busybox-static redis-tools iproute2 nftables conntrack aardvark-dns)
packages_test=("${packages_run[@]}" iputils-ping socat tcpdump iperf3 jq bsdutils util-linux procps
    strace uidmap skopeo umoci bzip2 xz-utils zstd containernetworking-plugins iptables graphviz
    dnsmasq-base dhcpcd-base systemd)

# Colour is for terminals, and for those who want it (no-color.org).
bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
fi

say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Namespaces, mounts and cgroups need root: start again through sudo, with the same PATH so that Swift is found.
as_root() {
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo >/dev/null || fail "this needs root and there is no sudo: run it as root"
    exec sudo env "PATH=$PATH" "CI=${CI:-}" "$0" "$@"
}

need_swift() {
    command -v swift >/dev/null && return
    fail "no Swift in PATH: install Swift 6.2 or later from https://www.swift.org/install/linux/ and start again"
}

# Installs those of the packages that are missing.
need_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "missing: ${missing[*]} (the names are Debian's)"
    [ "$(id -u)" -eq 0 ] || fail "missing: install them with: sudo apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null </dev/null && return
    apt-get update -q >/dev/null </dev/null
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null </dev/null
}

# What root built in a person's clone still belongs to that person.
give_back() {
    [ -n "${SUDO_UID:-}" ] && [ -d "$root/.build" ] || return 0
    # SwiftPM keeps its locks in the folder for temporary files, under the path's name.
    chown -R "$SUDO_UID:$SUDO_GID" "$root/.build"
    chown -h "$SUDO_UID:$SUDO_GID" "${TMPDIR:-/tmp}/${root//\//_}_.build"*.lock 2>/dev/null || true
}

build_release() {
    swift build --package-path "$root" -c release --static-swift-stdlib
}

# copy_program ROOT FILE…: copies programs into an image's root, each with its loader and shared libraries.
copy_program() {
    local to=$1 program file
    shift
    for program in "$@"; do
        for file in "$program" $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*' || true); do
            mkdir -p "$to$(dirname "$file")"
            [ -e "$to$file" ] || cp -L "$file" "$to$file"
        done
    done
}
