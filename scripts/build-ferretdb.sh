#!/bin/sh
# Builds the MongoDB server of the tests: build-ferretdb.sh OUT. Where a mongod is installed nothing is
# built. Where it cannot be built it says why, and the tests that need it say that they were skipped.
set -eu
out=$1
cd "$(dirname "$0")/.."
case $out in /*) ;; *) out=$PWD/$out ;; esac

! command -v mongod >/dev/null 2>&1 || exit 0

without()
{
    echo "no MongoDB server for the tests: $1" >&2
    exit 0
}

go=$(sh scripts/find-go.sh) ||
    without 'no mongod, and no Go 1.21 or newer (golang-go, or https://go.dev/dl in /usr/local/go)'

mkdir -p "$(dirname "$out")"
[ -n "${HOME:-}" ] || export GOPATH="$(dirname "$out")/go" GOCACHE="$(dirname "$out")/go-cache"
echo '  GO  ferretdb'
cd tests/ferretdb
# A network that stalls must not stall us.
CGO_ENABLED=0 timeout 900 "$go" build -trimpath -buildvcs=false -tags ferretdb_no_postgresql \
    -ldflags='-s -w' -o "$out.new" . 2>"$out.log" || {
    tail -n 5 "$out.log" >&2
    without 'FerretDB could not be built'
}
mv "$out.new" "$out"
