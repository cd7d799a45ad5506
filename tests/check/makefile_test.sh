# What the Makefile finds out of the machine: plugins whose packages are not there, or too old, are left out, and a
# quicker linker is taken where the compiler has it. It only says here what it would do.
. tests/support/tap.sh

planned() { make -n "BUILD=$scratch/build" "$@"; } # GOAL and settings
link=$scratch/build/release/tests/unit/container_test

# NAME VERSION: hides the one that is installed.
package()
{
    mkdir -p "$scratch/packages"
    printf 'Name: %s\nDescription: %s\nVersion: %s\n' "$1" "$1" "$2" >"$scratch/packages/$1.pc"
}
packages() { PKG_CONFIG_PATH=$scratch/packages planned all; }
without() { ! "$@"; }
left_out() { packages | grep -qF "left out: plugin %s\\n' $1"; }
built() { packages | grep -q 'LD  release libavout-redis'; }

package hiredis 1.0
package openssl 3.0.2
check a_plugin_is_built_with_its_packages built
package openssl 1.1.1
check a_plugin_is_left_out_where_a_package_is_too_old left_out "'redis, which needs hiredis openssl >= 3.0'"
check it_is_not_built without built

compiler() # COMMAND: what it does when it is asked for gold
{
    printf '#!/bin/sh\ncase "$*" in *-fuse-ld=gold*) %s;; esac\nexit 0\n' "$1" >"$scratch/cc"
    chmod +x "$scratch/cc"
}
takes_gold() { planned "$link" "CC=$scratch/cc" | grep -e '-fuse-ld=gold'; }
compiler 'exit 0'
check a_quicker_linker_is_taken takes_gold
compiler 'exit 1'
check no_linker_is_taken_that_the_compiler_has_not without takes_gold
finish
