# The manual pages: nothing that mandoc warns of.
. tests/support/tap.sh

clean() { mandoc -T lint -W warning "$1"; }
for page in man/*.[1-7]; do
    check "$(basename "$page")" clean "$page"
done
finish
