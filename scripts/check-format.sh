#!/bin/sh
# Names the lines clang-format (version 14, Debian 12's) would change; --fix changes them.
set -eu
cd "$(dirname "$0")/.."
tool=${CLANG_FORMAT:-clang-format}
files=$(find include src tests fuzz bench examples plugins -name '*.[ch]' 2>/dev/null | sort)
if [ "${1:-}" = --fix ]; then
    # shellcheck disable=SC2086
    exec "$tool" -i $files
fi
# shellcheck disable=SC2086
if ! complaints=$("$tool" --dry-run -Werror $files 2>&1); then
    echo "$complaints" | sed -nE 's/^([^ :]+:[0-9]+):[0-9]+: error:.*/\1/p' | uniq
    echo 'not as clang-format has it; make format'
    exit 1
fi
