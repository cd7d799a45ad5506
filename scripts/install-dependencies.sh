#!/bin/sh
# Installs what is missing to build (`build`), to build and test (`test`) or to build and measure
# (`bench`), from Debian's packages.
# Silent, and no question to apt, when everything is there.
set -eu

what=${1:-build}
missing=

need() # PACKAGE COMMAND...: the package is missing where the command fails
{
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

compiles() # LANGUAGE TEXT
{
    printf '%s\n' "$2" | ${CC:-cc} -x "$1" -E -
}

need gcc command -v "${CC:-cc}"
need libc6-dev compiles c '#include <pthread.h>'
need libgmp-dev compiles c '#include <gmp.h>'
need liblmdb-dev compiles c '#include <lmdb.h>'
need libzookeeper-mt-dev compiles c '#include <zookeeper/zookeeper.h>'
need libncurses-dev compiles c '#include <ncurses.h>'
need libedit-dev compiles c '#include <histedit.h>'
if [ "$what" = test ]; then
    need g++ command -v g++
    need binutils command -v nm
    need clang-format command -v clang-format
    need tmux command -v tmux
    need jq command -v jq
    need bash command -v bash
    need zsh command -v zsh
    need fish command -v fish
    need mandoc command -v mandoc
fi
if [ "$what" = test ] || [ "$what" = bench ]; then
    need pkg-config command -v pkg-config
    need default-jre-headless command -v java
    need zookeeper test -r /usr/share/java/zookeeper.jar
    need clojure command -v clojure
    need libmongoc-dev pkg-config --exists libmongoc-1.0
    need libpq-dev pkg-config --exists libpq
    need libhiredis-dev pkg-config --exists hiredis
    need libssl-dev pkg-config --exists openssl
    need redis-server command -v redis-server
    need locales test -r /usr/share/i18n/locales/da_DK
    need postgresql sh -c 'ls /usr/lib/postgresql/*/bin/postgres'
    need util-linux command -v setpriv
    need libcurl4-openssl-dev pkg-config --exists libcurl
    need nginx test -x /usr/sbin/nginx
    need libnginx-mod-http-dav-ext test -r /usr/lib/nginx/modules/ngx_http_dav_ext_module.so
    need openssl command -v openssl
    # For the tests' MongoDB server, where there is no mongod.
    need golang-go sh -c 'command -v mongod || sh "$0"' "$(dirname "$0")/find-go.sh"
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "avout: missing:$missing (Debian's names); there is no apt-get here, install them by hand" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null 2>&1; then
    root=sudo
else
    echo "avout: missing:$missing; run this as root, or: apt-get install$missing" >&2
    exit 1
fi

echo "installing:$missing"
install()
{
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing
}
# The package lists of a fresh machine are absent or old: then they are fetched first.
install >/dev/null 2>&1 || { $root apt-get -qq update && install >/dev/null; } || {
    echo "avout: could not install:$missing" >&2
    exit 1
}
