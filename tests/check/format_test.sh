# The sources look as .clang-format says.
. tests/support/tap.sh

if command -v clang-format >/dev/null; then
    check sources_are_formatted sh scripts/check-format.sh
else
    skip sources_are_formatted 'no clang-format'
fi

finish
