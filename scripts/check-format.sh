#!/bin/sh
# Tells which files clang-format (version 14, Debian 12's) would change; --fix changes them.
set -eu
cd "$(dirname "$0")/.."
tool=${CLANG_FORMAT:-clang-format}
files=$(find include src tests fuzz bench examples plugins -name '*.[ch]' 2>/dev/null | sort)
case "${1:-}" in
# shellcheck disable=SC2086
--fix) exec "$tool" -i $files ;;
# shellcheck disable=SC2086
*) exec "$tool" --dry-run -Werror $files ;;
esac
