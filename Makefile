# Avout for C. `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
#
# One file, no recursion: all three variants (release, and with sanitizers asan and tsan) have their
# rules here and build side by side in build/VARIANT. Sources are found by place: src/ROOM/*.c is the
# library, src/cli the command, tests/*/*_test.c and *_test.sh are tests, fuzz/*_fuzz.c fuzz targets,
# examples/*.c and bench/*.c what their folders say. A new file needs no change here.

VERSION := 0.1.0
SOVERSION := 0

VARIANT ?= release
BUILD ?= build
OUT := $(BUILD)/$(VARIANT)
VARIANTS := release asan tsan

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
pkgconfigdir ?= $(libdir)/pkgconfig
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
INSTALL ?= install

MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)

CC ?= cc

# What the goals that promise it need is installed before anything is looked at: which plugins can be
# built depends on it.
NEEDS := $(firstword $(foreach goal,test bench,$(filter $(goal),$(MAKECMDGOALS))) \
           $(if $(filter demo,$(MAKECMDGOALS)),build))
DRY_RUN := $(findstring n,$(firstword -$(MAKEFLAGS)))
ifneq ($(if $(DRY_RUN),,$(NEEDS)),)
$(shell sh scripts/install-dependencies.sh $(NEEDS) >&2)
ifneq ($(.SHELLSTATUS),0)
$(error what is needed could not be installed)
endif
endif

# A plugin is a folder with a public header. The packages of pkg-config it needs stand in its file
# `requires`, as in `Requires:` of pkg-config's own; without them it is left out, which `make all` says.
KNOWN_PLUGINS := $(notdir $(patsubst %/include,%,$(sort $(wildcard plugins/*/include))))
requires = $(if $(wildcard plugins/$(1)/requires),$(shell cat plugins/$(1)/requires))
has = $(if $(strip $(call requires,$(1))),$(shell pkg-config --exists '$(call requires,$(1))' && echo yes),yes)
PLUGINS := $(foreach plugin,$(KNOWN_PLUGINS),$(if $(call has,$(plugin)),$(plugin)))
LEFT_OUT := $(filter-out $(PLUGINS),$(KNOWN_PLUGINS))
# Headers of others are not held to our warnings.
$(foreach plugin,$(PLUGINS),$(if $(strip $(call requires,$(plugin))),\
    $(eval CFLAGS_of_$(plugin) := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags '$(call requires,$(plugin))'))) \
    $(eval LIBS_of_$(plugin) := $(shell pkg-config --libs '$(call requires,$(plugin))'))))
PLUGIN_CFLAGS_ALL := $(foreach plugin,$(PLUGINS),$(CFLAGS_of_$(plugin)))
PLUGIN_LIBS := $(foreach plugin,$(PLUGINS),$(LIBS_of_$(plugin)))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wvla -Werror
CPPFLAGS += -Iinclude -Isrc $(PLUGINS:%=-Iplugins/%/include) -Iplugins -D_GNU_SOURCE -DTHREADED -DAVOUT_VERSION=$(VERSION)
CFLAGS_release := -O2 -g
# -g1: what a report needs to name function and line. Variables for a debugger: VARIANT=asan CFLAGS=-g.
# Without the check for null: the address of a thread-local variable, which the linker computes without
# setting the flags that the check then looks at, is taken for one. A null access ends the test anyway.
CFLAGS_asan := -O1 -g1 -DAVOUT_DEBUG -fsanitize=address,undefined -fno-sanitize=null -fno-sanitize-recover=all \
               -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g1 -DAVOUT_DEBUG -fsanitize=thread
ifeq ($(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
CFLAGS_tsan += -Wno-tsan
endif
# The tests themselves: what they do is done by the library, and translating them is a third of a
# build. The warnings that need some optimisation come from the release variant.
TEST_CFLAGS_release := -O1
TEST_CFLAGS_asan := -O0
TEST_CFLAGS_tsan := -O0
COMMON_CFLAGS = -std=c17 -fPIC -fvisibility=hidden -pthread $(WARNINGS) $(CFLAGS)
# What only the command needs.
CLI_LIBS := -lm -lncursesw -ledit
LIBS := -lzookeeper_mt -llmdb -lgmp -lm -pthread

# ---- what there is --------------------------------------------------------------------------------

LIB_SOURCES := $(sort $(wildcard src/base/*.c src/value/*.c src/edn/*.c src/store/*.c \
                 src/store/*/*.c src/state/*.c src/stm/*.c src/lock/*.c src/client/*.c src/lang/*.c))
PLUGIN_COMMON := $(sort $(wildcard plugins/common/*.c))
PLUGIN_SOURCES := $(sort $(wildcard $(PLUGINS:%=plugins/%/*.c) plugins/container-test/*.c)) $(PLUGIN_COMMON)
CLI_SOURCES := $(sort $(wildcard src/cli/*.c))
BENCH_SOURCES := $(sort $(wildcard bench/*.c))
EXAMPLE_SOURCES := $(sort $(wildcard examples/*.c))
DEMO_SOURCES := $(sort $(wildcard examples/demo/*.c))
FUZZ_SOURCES := $(sort $(wildcard fuzz/*_fuzz.c))
SUPPORT_SOURCES := $(sort $(wildcard tests/support/*.c))
TEST_SOURCES := $(sort $(wildcard tests/*/*_test.c))
SHELL_TESTS := $(sort $(wildcard tests/*/*_test.sh))
RUNNER_SOURCES := tests/run/run.c tests/run/program.c tests/run/tap.c
SERVICE_SOURCE := $(if $(wildcard tests/support/zookeeper.c),tests/run/zookeeper.c)
HEADERS := $(sort $(wildcard include/*.h include/*/*.h include/*/*/*.h))
# SOURCE:PLACE below datadir, where the shells look.
COMPLETIONS := avout.bash:bash-completion/completions/avout _avout:zsh/site-functions/_avout \
               avout.fish:fish/vendor_completions.d/avout.fish
MAN_PAGES := $(sort $(wildcard man/*.[1-7]))

# What a variant tests: everything; everything not tagged slow; what uses threads (names pthread_ or
# is tagged threads) and is not tagged slow or single. `make test ONLY=part-of-a-name` takes those.
tagged = $(if $(strip $(2)),$(shell grep -lE 'Test-tags:.*\<($(1))\>' $(2)))
ONLY ?=
chosen = $(if $(ONLY),$(foreach file,$(1),$(if $(findstring $(ONLY),$(file)),$(file))),$(1))
C_TESTS := $(TEST_SOURCES) $(FUZZ_SOURCES)
SLOW := $(call tagged,slow,$(C_TESTS))
SINGLE := $(call tagged,single,$(TEST_SOURCES))
CONCURRENT := $(if $(TEST_SOURCES),$(shell grep -lE 'pthread_|Test-tags:.*\<threads\>' $(TEST_SOURCES)))
TESTS_release := $(call chosen,$(C_TESTS))
TESTS_asan := $(call chosen,$(filter-out $(SLOW),$(C_TESTS)))
TESTS_tsan := $(call chosen,$(filter-out $(SLOW) $(SINGLE),$(CONCURRENT)))

# ---- goals ----------------------------------------------------------------------------------------

.PHONY: all lib shared tests demo test check bench install uninstall clean format format-check tidy \
        fuzz help FORCE
.DEFAULT_GOAL := all
FORCE:
.DELETE_ON_ERROR:
.SECONDARY:

SHARED := $(OUT)/lib/libavout.so.$(VERSION)
COMMAND := $(if $(wildcard src/cli/main.c),$(OUT)/bin/avout)
DEMO := $(OUT)/bin/avout-demo
BENCH := $(if $(BENCH_SOURCES),$(OUT)/bin/avout-bench)
EXAMPLES := $(EXAMPLE_SOURCES:%.c=$(OUT)/%) $(DEMO)
RUNNER := $(BUILD)/run-tests
SERVICE := $(if $(SERVICE_SOURCE),$(BUILD)/zookeeper-server)

PLUGIN_LIBRARIES := $(PLUGINS:%=$(OUT)/lib/libavout-%.so.$(VERSION))
CONTAINER_TEST := $(OUT)/bin/avout-container-test

all: lib shared $(COMMAND) $(PLUGIN_LIBRARIES) $(CONTAINER_TEST)
	$(if $(LEFT_OUT),@printf '  --  left out: plugin %s\n' \
	    $(foreach plugin,$(LEFT_OUT),'$(plugin), which needs $(call requires,$(plugin))'),@:)
lib: $(OUT)/libavout.a
shared: $(SHARED)
tests: $(TESTS_$(VARIANT):%.c=$(OUT)/%)

help:
	@echo 'make                 the library (static and shared) and the command, in $(OUT)'
	@echo 'make demo            installs what is missing, builds, shows transactions at work'
	@echo '                     STORE=zk://HOST:PORT: on a running ZooKeeper'
	@echo 'make test            installs what is missing, runs all tests, also with sanitizers'
	@echo '                     ONLY=PART: those whose path contains PART'
	@echo 'make check           unit tests and checks of the sources only: seconds'
	@echo 'make bench           measures, against the raw engines, side by side; ARGS=--json'
	@echo 'make fuzz            fuzzes with clang for SECONDS=60 a target'
	@echo 'make install         prefix=$(prefix) libdir= includedir= DESTDIR='
	@echo 'make uninstall       takes the same away again'
	@echo 'make format tidy     clang-format over all files; clang-tidy'
	@echo 'make clean           removes $(BUILD)'
	@echo 'VARIANT=asan or VARIANT=tsan with any of them: the build with sanitizers'

# ---- how things are made --------------------------------------------------------------------------

# Holds a text that others depend on (the compiler's flags, the list of objects): written only when it
# has changed.
define keep
@mkdir -p $(@D)
@echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@
endef

define variant_rules
$(BUILD)/$(1)/flags: FORCE
	$$(call keep,$$(CC) $$(CPPFLAGS) $$(CFLAGS_$(1)) $$(TEST_CFLAGS_$(1)) $$(COMMON_CFLAGS) $$(LDFLAGS))
$(BUILD)/$(1)/objects: FORCE
	$$(call keep,$(LIB_SOURCES))

$(BUILD)/$(1)/%.o: %.c $(BUILD)/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  CC  $(1) $$<"
	@$$(CC) $$(CPPFLAGS) -Itests $$(PLUGIN_CFLAGS) $$(CFLAGS_$(1)) $$(OPTIMISATION) $$(COMMON_CFLAGS) -MMD -MP -c $$< -o $$@

$(BUILD)/$(1)/libavout.a: $(LIB_SOURCES:%.c=$(BUILD)/$(1)/%.o) $(BUILD)/$(1)/objects
	@rm -f $$@
	@$$(AR) rcs $$@ $$(filter %.o,$$^)

$(BUILD)/$(1)/lib/libavout.so.$(VERSION): $(LIB_SOURCES:%.c=$(BUILD)/$(1)/%.o) src/avout.map \
                                          $(BUILD)/$(1)/objects
	@mkdir -p $$(@D)
	@echo "  LD  $(1) $$(@F)"
	@$$(CC) $$(CFLAGS_$(1)) $$(CFLAGS) -shared -Wl,-soname,libavout.so.$(SOVERSION) \
	    -Wl,--version-script=src/avout.map $(if $(filter release,$(1)),-Wl$(,)-z$(,)defs) \
	    -Wl,-z,relro,-z,now,-z,nodelete $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(LIBS)
	@ln -sf $$(@F) $$(@D)/libavout.so.$(SOVERSION)
	@ln -sf libavout.so.$(SOVERSION) $$(@D)/libavout.so

# Each plugin is a shared object of its own; tests and the benchmark have all of them inside.
$(BUILD)/$(1)/tests/%.o $(BUILD)/$(1)/bench/%.o: PLUGIN_CFLAGS := $(PLUGIN_CFLAGS_ALL)
$(BUILD)/$(1)/tests/%.o: OPTIMISATION := $(TEST_CFLAGS_$(1))
$(BUILD)/$(1)/libavout-plugins.a: $(patsubst %.c,$(BUILD)/$(1)/%.o,$(filter-out %/main.c,$(PLUGIN_SOURCES)))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
$(BUILD)/$(1)/bin/avout-container-test: \
        $(patsubst %.c,$(BUILD)/$(1)/%.o,$(filter plugins/container-test/%,$(PLUGIN_SOURCES))) \
        $(BUILD)/$(1)/lib/libavout.so.$(VERSION)
	@mkdir -p $$(@D)
	@echo "  LD  $(1) $$(@F)"
	@$$(CC) $$(CFLAGS_$(1)) $$(CFLAGS) -pthread $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) \
	    -L$(BUILD)/$(1)/lib -lavout '-Wl,-rpath,$$$$ORIGIN/../lib' -ldl

$(BUILD)/$(1)/tests/%: $(BUILD)/$(1)/tests/%.o $(SUPPORT_SOURCES:%.c=$(BUILD)/$(1)/%.o) \
                       $(BUILD)/$(1)/libavout-plugins.a $(BUILD)/$(1)/libavout.a
	$$(call link,$(1),$(PLUGIN_LIBS))
$(BUILD)/$(1)/fuzz/%_fuzz: $(BUILD)/$(1)/fuzz/%_fuzz.o $(BUILD)/$(1)/tests/run/replay.o \
                           $(BUILD)/$(1)/libavout.a
	$$(call link,$(1))
$(BUILD)/$(1)/examples/%: $(BUILD)/$(1)/examples/%.o $(BUILD)/$(1)/libavout.a
	$$(call link,$(1))
$(BUILD)/$(1)/bin/avout-demo: $(DEMO_SOURCES:%.c=$(BUILD)/$(1)/%.o) $(BUILD)/$(1)/libavout.a
	$$(call link,$(1))
$(BUILD)/$(1)/bin/avout-bench: $(BENCH_SOURCES:%.c=$(BUILD)/$(1)/%.o) \
                               $(BUILD)/$(1)/libavout-plugins.a $(BUILD)/$(1)/libavout.a
	$$(call link,$(1),$(PLUGIN_LIBS))

# With the shared library: a plugin that the command loads must meet the library it was linked with.
$(BUILD)/$(1)/bin/avout: $(CLI_SOURCES:%.c=$(BUILD)/$(1)/%.o) $(BUILD)/$(1)/lib/libavout.so.$(VERSION)
	@mkdir -p $$(@D)
	@echo "  LD  $(1) $$(@F)"
	@$$(CC) $$(CFLAGS_$(1)) $$(CFLAGS) -pthread $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) \
	    -L$(BUILD)/$(1)/lib -lavout '-Wl,-rpath,$$$$ORIGIN/../lib' $$(CLI_LIBS)
endef
, := ,
# Some 400 programs are linked: gold takes half the time, where the compiler has one for what it compiles for.
QUICK_LINKER := $(shell program=$$(mktemp) && echo 'int main(void) { return 0; }' | \
    $(CC) $(CFLAGS) $(LDFLAGS) -fuse-ld=gold -x c -o "$$program" - >/dev/null 2>&1 && echo -fuse-ld=gold; \
    rm -f "$$program")
define link
@mkdir -p $(@D)
@echo "  LD  $(1) $(@:$(BUILD)/$(1)/%=%)"
@$(CC) $(CFLAGS_$(1)) $(CFLAGS) -pthread $(QUICK_LINKER) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(2) $(LIBS)
endef
$(foreach variant,$(VARIANTS),$(eval $(call variant_rules,$(variant))))

# VARIANT, PLUGIN
define plugin_rules
$(BUILD)/$(1)/plugins/$(2)/%.o: PLUGIN_CFLAGS := $(CFLAGS_of_$(2))
$(BUILD)/$(1)/lib/libavout-$(2).so.$(VERSION): \
        $(patsubst %.c,$(BUILD)/$(1)/%.o,$(filter plugins/$(2)/%,$(PLUGIN_SOURCES)) $(PLUGIN_COMMON)) \
        $(BUILD)/$(1)/lib/libavout.so.$(VERSION) src/avout.map
	@echo "  LD  $(1) $$(@F)"
	@$$(CC) $$(CFLAGS_$(1)) $$(CFLAGS) -shared -Wl,-soname,libavout-$(2).so.$(SOVERSION) \
	    -Wl,--version-script=src/avout.map $(if $(filter release,$(1)),-Wl$(,)-z$(,)defs) \
	    -Wl,-z,relro,-z,now $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -L$(BUILD)/$(1)/lib -lavout $(LIBS_of_$(2)) -pthread
	@ln -sf $$(@F) $$(@D)/libavout-$(2).so.$(SOVERSION)
	@ln -sf libavout-$(2).so.$(SOVERSION) $$(@D)/libavout-$(2).so
endef
$(foreach variant,$(VARIANTS),$(foreach plugin,$(PLUGINS),$(eval $(call plugin_rules,$(variant),$(plugin)))))

# ---- servers that are built ------------------------------------------------------------------------

# The MongoDB server of the tests and the benchmark, where there is no mongod. Where it cannot be built
# they are skipped.
FERRETDB := $(BUILD)/ferretdb/ferretdb
$(FERRETDB): scripts/build-ferretdb.sh $(wildcard tests/ferretdb/*)
	@sh scripts/build-ferretdb.sh $@

# ---- demo, bench ----------------------------------------------------------------------------------

STORE ?=
demo: $(DEMO)
	@$(if $(STORE),AVOUT_STORE='$(STORE)') $(DEMO)

ARGS ?=
bench: $(BENCH) $(if $(BENCH),$(FERRETDB))
	$(if $(BENCH),@$(BENCH) $(ARGS),@echo 'there is no benchmark yet' >&2; exit 1)

# ---- tests ----------------------------------------------------------------------------------------

$(RUNNER): $(RUNNER_SOURCES:%.c=$(BUILD)/release/%.o)
	@echo "  LD  $(@F)"
	@$(CC) -o $@ $^

# The one ZooKeeper server for all test programs that do not need one of their own.
$(SERVICE): $(SERVICE_SOURCE:%.c=$(BUILD)/release/%.o) \
            $(SUPPORT_SOURCES:%.c=$(BUILD)/release/%.o) $(BUILD)/release/libavout-plugins.a \
            $(BUILD)/release/libavout.a
	$(call link,release,$(PLUGIN_LIBS))

# Without it servers start slower, and that is all.
ARCHIVE := $(BUILD)/zookeeper.jsa
$(ARCHIVE): $(SERVICE)
	@AVOUT_TEST_ZOOKEEPER_ARCHIVE='$(abspath $@)' $(SERVICE) --here archive || :

SHELL_RUN := $(call chosen,$(SHELL_TESTS))
RUN := $(foreach variant,$(VARIANTS),$(TESTS_$(variant):%=$(variant):%)) $(SHELL_RUN:%=release:%)
PROGRAMS := $(foreach variant,$(VARIANTS),$(TESTS_$(variant):%.c=$(BUILD)/$(variant)/%))
# Tests also use what else was built of their variant: the command, and in release, where the shell
# tests run, the libraries, the examples and the benchmark.
VARIANTS_RUN := $(foreach variant,$(VARIANTS),$(if $(TESTS_$(variant)),$(variant)))
PRODUCTS := $(patsubst $(OUT)/%,$(BUILD)/release/%,$(OUT)/libavout.a $(SHARED) $(EXAMPLES) $(BENCH) \
              $(PLUGIN_LIBRARIES) $(CONTAINER_TEST)) \
            $(foreach variant,release $(VARIANTS_RUN),$(COMMAND:$(OUT)/%=$(BUILD)/$(variant)/%))
RUN_FLAGS ?=

NEEDS_SERVER := $(if $(RUN),$(shell grep -lE 'test_zk_shared_url|AVOUT_TEST_ZOOKEEPER' \
                  $(sort $(foreach test,$(RUN),$(lastword $(subst :, ,$(test)))))))
START_SERVER := $(if $(NEEDS_SERVER),$(if $(SERVICE),-e AVOUT_TEST_ZOOKEEPER='$(SERVICE) --here serve'))

NEEDS_MONGODB := $(if $(RUN),$(shell grep -l 'test_mongo_start' \
                   $(sort $(foreach test,$(RUN),$(lastword $(subst :, ,$(test)))))))

test: $(RUNNER) $(SERVICE) $(PROGRAMS) $(PRODUCTS) $(if $(NEEDS_MONGODB),$(FERRETDB)) $(if $(START_SERVER),$(ARCHIVE))
	@$(if $(START_SERVER),AVOUT_TEST_ZOOKEEPER_ARCHIVE='$(abspath $(ARCHIVE))') $(RUNNER) -b $(BUILD) $(START_SERVER) $(RUN_FLAGS) $(RUN)

# The shell tests of tests/cli want servers and seconds; the others check the sources.
CHECKED := $(call chosen,$(filter tests/unit/%,$(TEST_SOURCES)))
SHELL_CHECKED := $(filter tests/check/% tests/header/% tests/run/%,$(SHELL_RUN))
check: $(RUNNER) $(CHECKED:%.c=$(OUT)/%) $(PRODUCTS)
	@$(RUNNER) -b $(BUILD) $(RUN_FLAGS) $(CHECKED:%=$(VARIANT):%) $(SHELL_CHECKED:%=release:%)

# ---- fuzzing --------------------------------------------------------------------------------------

FUZZERS := $(FUZZ_SOURCES:fuzz/%.c=$(BUILD)/fuzz/%)
SECONDS ?= 60
$(BUILD)/fuzz/%: fuzz/%.c $(LIB_SOURCES) $(HEADERS)
	@mkdir -p $(@D)
	@echo "  LD  fuzz $(@F)"
	@clang -std=c17 -O1 -g $(CPPFLAGS) -DAVOUT_DEBUG -pthread \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    -o $@ $< $(LIB_SOURCES) $(LIBS)
# New inputs are kept in the build folder; those worth keeping are moved to fuzz/corpus by hand.
fuzz: $(FUZZERS)
	@for fuzzer in $(FUZZERS); do \
	    name=$$(basename $$fuzzer _fuzz); \
	    mkdir -p $(BUILD)/fuzz/found/$$name fuzz/corpus/$$name; \
	    $$fuzzer -max_total_time=$(SECONDS) -artifact_prefix=$(BUILD)/fuzz/ \
	        $(BUILD)/fuzz/found/$$name fuzz/corpus/$$name || exit 1; \
	done

# ---- installing -----------------------------------------------------------------------------------

$(OUT)/avout.pc: avout.pc.in Makefile FORCE
	@mkdir -p $(@D)
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	    -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e 's|@libs@|$(LIBS)|' \
	    avout.pc.in > $@

$(OUT)/avout-%.pc: avout-plugin.pc.in Makefile FORCE
	@mkdir -p $(@D)
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@exec_prefix@|$(exec_prefix)|' -e 's|@libdir@|$(libdir)|' \
	    -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' -e 's|@plugin@|$*|' -e 's|@requires@|$(call requires,$*)|' \
	    avout-plugin.pc.in > $@

install: all $(OUT)/avout.pc $(PLUGINS:%=$(OUT)/avout-%.pc)
	@$(INSTALL) -d $(DESTDIR)$(libdir) $(DESTDIR)$(pkgconfigdir) $(if $(COMMAND),$(DESTDIR)$(bindir))
	@for header in $(HEADERS:include/%=%); do \
	    $(INSTALL) -D -m 644 include/$$header $(DESTDIR)$(includedir)/$$header || exit 1; \
	done
	@$(INSTALL) -m 644 $(OUT)/libavout.a $(DESTDIR)$(libdir)/libavout.a
	@$(INSTALL) -m 755 $(SHARED) $(DESTDIR)$(libdir)/$(notdir $(SHARED))
	@ln -sf $(notdir $(SHARED)) $(DESTDIR)$(libdir)/libavout.so.$(SOVERSION)
	@ln -sf libavout.so.$(SOVERSION) $(DESTDIR)$(libdir)/libavout.so
	@$(INSTALL) -m 644 $(OUT)/avout.pc $(DESTDIR)$(pkgconfigdir)/avout.pc
	$(if $(COMMAND),@$(INSTALL) -m 755 $(COMMAND) $(DESTDIR)$(bindir)/avout)
	@$(INSTALL) -m 755 $(CONTAINER_TEST) $(DESTDIR)$(bindir)/avout-container-test
	@for plugin in $(PLUGINS); do \
	    library=libavout-$$plugin.so; \
	    $(INSTALL) -m 755 $(OUT)/lib/$$library.$(VERSION) $(DESTDIR)$(libdir)/$$library.$(VERSION) && \
	    ln -sf $$library.$(VERSION) $(DESTDIR)$(libdir)/$$library.$(SOVERSION) && \
	    ln -sf $$library.$(SOVERSION) $(DESTDIR)$(libdir)/$$library && \
	    $(INSTALL) -m 644 plugins/$$plugin/include/avout/*.h $(DESTDIR)$(includedir)/avout/ && \
	    $(INSTALL) -m 644 $(OUT)/avout-$$plugin.pc $(DESTDIR)$(pkgconfigdir)/avout-$$plugin.pc || exit 1; \
	done
	@for page in $(MAN_PAGES); do \
	    $(INSTALL) -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit 1; \
	done
	$(if $(COMMAND),@for file in $(COMPLETIONS); do \
	    $(INSTALL) -D -m 644 completions/$${file%:*} $(DESTDIR)$(datadir)/$${file#*:} || exit 1; \
	done)
	$(if $(DESTDIR),,@ldconfig 2>/dev/null || true)
	@echo "installed in $(DESTDIR)$(prefix)"

uninstall:
	@cd $(DESTDIR)$(includedir) && rm -f $(HEADERS:include/%=%) $(KNOWN_PLUGINS:%=avout/%.h)
	@for plugin in $(KNOWN_PLUGINS); do rm -f $(DESTDIR)$(libdir)/libavout-$$plugin.so* \
	    $(DESTDIR)$(pkgconfigdir)/avout-$$plugin.pc; done
	@rm -f $(DESTDIR)$(bindir)/avout-container-test
	@rmdir $(DESTDIR)$(includedir)/avout/sys $(DESTDIR)$(includedir)/avout 2>/dev/null || true
	@rm -f $(DESTDIR)$(libdir)/libavout.a $(DESTDIR)$(libdir)/libavout.so* \
	    $(DESTDIR)$(pkgconfigdir)/avout.pc $(DESTDIR)$(bindir)/avout
	$(if $(DESTDIR),,@ldconfig 2>/dev/null || true)
	@for page in $(MAN_PAGES); do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done
	@for file in $(COMPLETIONS); do rm -f $(DESTDIR)$(datadir)/$${file#*:}; done

clean:
	rm -rf $(BUILD)

# ---- the look of the sources ----------------------------------------------------------------------

format:
	@sh scripts/check-format.sh --fix
format-check:
	@sh scripts/check-format.sh
tidy:
	@clang-tidy --quiet $(LIB_SOURCES) $(CLI_SOURCES) -- -std=c17 $(CPPFLAGS) -DAVOUT_DEBUG

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
