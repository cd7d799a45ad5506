# scripts/install-dependencies.sh asks apt for what is missing, for nothing when nothing is, and says
# what to do where it cannot. apt-get, sudo and id are stand-ins here that write down their arguments.
. tests/support/tap.sh

tools=$scratch/tools
mkdir "$tools"

# A PATH with these programs only, as far as the machine has them.
provide()
{
    for tool in "$@"; do
        path=$(command -v "$tool") && ln -s "$path" "$tools/$tool"
    done
}
stand_in() # NAME TEXT
{
    rm -f "$tools/$1"
    printf '#!/bin/sh\n%s\n' "$2" >"$tools/$1"
    chmod +x "$tools/$1"
}
provide sh env cc gcc g++ as ld nm sed dirname pkg-config java clojure clang-format go mongod tmux jq bash zsh fish mandoc openssl setpriv ls redis-server
stand_in apt-get "echo \"\$@\" >>$scratch/asked"
stand_in id 'echo 0'

dependencies()
{
    : >"$scratch/asked"
    PATH=$tools /bin/sh scripts/install-dependencies.sh "$1" 2>&1
}
silent() { [ -z "$(dependencies "$1")" ] && [ ! -s "$scratch/asked" ]; }
asked() { dependencies test && cat "$scratch/asked" && grep -q "install.* $1\$" "$scratch/asked"; }

check silent_when_nothing_is_missing_to_build silent build
check silent_when_nothing_is_missing_to_test silent test
check silent_when_nothing_is_missing_to_measure silent bench

rm "$tools/clojure"
check building_needs_less silent build
check asks_for_what_is_missing asked clojure
check asks_for_nothing_else sh -c "! grep -q libgmp-dev $scratch/asked"
rm "$tools/java"
check asks_for_all_that_is_missing asked 'default-jre-headless clojure'

stand_in cc 'exit 1'
check asks_for_libraries_that_do_not_compile sh -c ". /dev/null; PATH=$tools /bin/sh scripts/install-dependencies.sh build &&
    grep -q 'libgmp-dev liblmdb-dev libzookeeper-mt-dev' $scratch/asked"
rm "$tools/cc"
provide cc

stand_in id 'echo 1000'
refuse says_so_without_root 'run this as root, or: apt-get install default-jre-headless clojure' \
    dependencies test
stand_in sudo "echo sudo >>$scratch/asked; exec \"\$@\""
check uses_sudo asked clojure
check sudo_was_used grep -q '^sudo$' "$scratch/asked"

stand_in apt-get "echo \"\$@\" >>$scratch/asked; [ \"\$2\" = update ] || [ -e $scratch/lists ] || exit 100; [ \"\$2\" = update ] && : >$scratch/lists; exit 0"
check fetches_lists_that_are_absent asked clojure
check lists_were_fetched grep -q '^-qq update' "$scratch/asked"
stand_in apt-get 'exit 100'
refuse a_failing_apt_is_an_error 'could not install: default-jre-headless clojure' dependencies test
rm "$tools/apt-get"
refuse without_apt 'there is no apt-get here' dependencies test

finish
