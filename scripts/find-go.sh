#!/bin/sh
# Prints which Go can build the tests' MongoDB server; fails when there is none. From 1.21 on, Go fetches
# by itself the version that a module asks for.
set -eu
for go in go /usr/local/go/bin/go /usr/lib/go/bin/go; do
    version=$("$go" env GOVERSION 2>/dev/null) || continue
    minor=$(echo "$version" | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -ge 21 ]; then
        echo "$go"
        exit 0
    fi
done
exit 1
