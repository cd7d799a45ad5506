# Avout for C. `make demo` and `make test` are all a newcomer needs; CONTRIBUTING says the rest.
# VARIANT is release (default), asan or tsan: each builds into its own folder.
VARIANT ?= release
BUILD ?= build
OUT := $(BUILD)/$(VARIANT)
CC ?= cc

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wvla -Werror
CPPFLAGS += -Iinclude -Isrc -D_GNU_SOURCE -DTHREADED
CFLAGS_release := -O2 -g
CFLAGS_asan := -O1 -g -DAVOUT_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -DAVOUT_DEBUG -fsanitize=thread -Wno-tsan
ALL_CFLAGS = -std=c17 -fPIC -fvisibility=hidden -pthread $(WARNINGS) $(CFLAGS_$(VARIANT)) $(CFLAGS)
LIBS := -lzookeeper_mt -llmdb -lgmp -lm -pthread

LIB_SOURCES := $(sort $(wildcard src/base/*.c src/value/*.c src/edn/*.c src/store/*.c src/store/*/*.c \
                 src/state/*.c src/stm/*.c src/lock/*.c src/client/*.c))
CLI_SOURCES := $(sort $(wildcard src/cli/*.c))
TEST_SOURCES := $(sort $(wildcard tests/*/*_test.c))
SUPPORT_SOURCES := $(sort $(wildcard tests/support/*.c))

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(OUT)/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(OUT)/%.o)
SUPPORT_OBJECTS := $(SUPPORT_SOURCES:%.c=$(OUT)/%.o)
TESTS := $(TEST_SOURCES:%.c=$(OUT)/%)

.PHONY: all lib tests clean
all: lib
lib: $(OUT)/libavout.a
tests: $(TESTS)

$(OUT)/libavout.a: $(LIB_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(TESTS): $(OUT)/%: $(OUT)/%.o $(SUPPORT_OBJECTS) $(OUT)/libavout.a
	@echo "  LD  $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) $(OUT)/libavout.a $(LIBS)

clean:
	rm -rf $(BUILD)

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
