# nerfit's build. `make` builds build/nerfit and build/libnerfit.{a,so}; `make check` builds and runs
# the C tests; SANITIZE=address,undefined (or thread) builds with sanitizers; BUILD= chooses the
# folder; DEBUG=1 keeps the asserts. See ./run for the commands that also install what is missing.
BUILD ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
CC ?= cc
# counts what breaks programs over nerfit.h: docs/release.md
SONAME := libnerfit.so.1
MACHINE := $(shell $(CC) -dumpmachine)
VERSION := $(shell sed -n 's/.*define NERFIT_VERSION "\(.*\)"/\1/p' include/nerfit.h)

# tools/mutants links the tests with a shared library, in which all is visible
VISIBILITY ?= hidden
TEST_LIBRARY ?= $(BUILD)/libnerfit.a

# Debian 12 calls msgpack-c's package msgpack
MSGPACK := $(shell pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack)
PACKAGES := jansson yaml-0.1 libutf8proc expat zlib $(MSGPACK)
# not linked: opened when needed (src/base/library.h)
OPENED := libcurl
# asserts (src/base/assert.h): make DEBUG=1 BUILD=build-debug
ifdef DEBUG
OPT ?= -Og
endif
OPT ?= -O2
WERROR := -Werror
WARN := -Wno-unknown-warning-option -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-format-truncation -Wstrict-prototypes -Wvla $(WERROR)
CFLAGS ?= -g
NF_CFLAGS := -std=gnu11 $(OPT) $(CFLAGS) $(WARN) -fPIC -fvisibility=$(VISIBILITY) -fopenmp -Iinclude -Isrc \
	$(shell pkg-config --cflags $(PACKAGES) $(OPENED)) -D_GNU_SOURCE
LIBS := $(shell pkg-config --libs $(PACKAGES)) -ldnnl -fopenmp -ldl -lm
ifneq ($(DEBUG)$(SANITIZE),)
NF_CFLAGS += -DNF_ASSERTS
endif
ifdef SANITIZE
NF_CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS += -fsanitize=$(SANITIZE)
ifeq ($(SANITIZE),thread)
# src/tensor/cpu/region.c
LDFLAGS += -Wl,--wrap=GOMP_parallel
endif
endif

SOURCES := $(filter-out src/tensor/cpu/kernels.c src/tensor/cpu/attention_terms.c src/tensor/ref/ref.c,$(wildcard src/*.c src/*/*.c src/*/*/*.c))
# the service is the program's, not the library's
SERVE_SOURCES := $(wildcard src/serve/*.c src/serve/*/*.c)
SERVE_OBJECTS := $(SERVE_SOURCES:%.c=$(BUILD)/%.o)
SOURCES := $(filter-out $(SERVE_SOURCES),$(SOURCES))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
CLI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard cli/*.c))
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
FUZZERS := $(patsubst fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard fuzz/fuzz_*.c))
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))

# The reference backend is one source for two types, the kernels one source for each instruction set.
OBJECTS += $(if $(wildcard src/tensor/ref/ref.c),$(BUILD)/ref_f32.o $(BUILD)/ref_f64.o)
ifneq ($(wildcard src/tensor/cpu/kernels.c),)
ifeq ($(firstword $(subst -, ,$(MACHINE))),x86_64)
OBJECTS += $(BUILD)/kernels_base.o $(BUILD)/kernels_avx2.o $(BUILD)/kernels_avx512.o
OBJECTS += $(BUILD)/attention_terms_base.o $(BUILD)/attention_terms_avx2.o $(BUILD)/attention_terms_avx512.o
else
OBJECTS += $(BUILD)/kernels_base.o $(BUILD)/attention_terms_base.o
endif
endif
# plain -ffast-math: glibc declares its vector functions only then; the kernels use no infinities
# -Wno-psabi: vectors of 64 bytes are passed between static functions only
KERNEL_FLAGS := -O3 -ffast-math -Wno-conversion -Wno-psabi

all: $(if $(CLI_OBJECTS),$(BUILD)/nerfit) $(BUILD)/libnerfit.a $(BUILD)/libnerfit.so $(BUILD)/nerfit.pc

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) -MMD -MP -c $< -o $@

# their assembler includes files
$(BUILD)/src/model/builtin.o: $(wildcard adapters/*/*)
$(BUILD)/src/serve/static.o: $(wildcard src/serve/static/* src/serve/static/*/*) src/base/entity_look.css
$(BUILD)/src/base/entity_look.o: src/base/entity_look.css

$(BUILD)/ref_f32.o $(BUILD)/ref_f64.o: $(BUILD)/ref_%.o: src/tensor/ref/ref.c Makefile
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) -Wno-conversion -DNF_REAL_$* -MMD -MP -c $< -o $@

$(BUILD)/kernels_base.o $(BUILD)/attention_terms_base.o: $(BUILD)/%_base.o: src/tensor/cpu/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) $(KERNEL_FLAGS) -DNF_ISA=base -MMD -MP -c $< -o $@
$(BUILD)/kernels_avx2.o $(BUILD)/attention_terms_avx2.o: $(BUILD)/%_avx2.o: src/tensor/cpu/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) $(KERNEL_FLAGS) -march=x86-64-v3 -DNF_ISA=avx2 -MMD -MP -c $< -o $@
$(BUILD)/kernels_avx512.o $(BUILD)/attention_terms_avx512.o: $(BUILD)/%_avx512.o: src/tensor/cpu/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) $(KERNEL_FLAGS) -march=x86-64-v4 -mprefer-vector-width=512 -DNF_ISA=avx512 -MMD -MP -c $< -o $@

ifeq ($(firstword $(subst -, ,$(MACHINE))),x86_64)
$(BUILD)/src/tensor/cpu/dropped.o $(BUILD)/src/tensor/cpu/gradient.o: NF_CFLAGS += -O3 -march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512
endif

$(SERVE_OBJECTS): NF_CFLAGS += $(shell pkg-config --cflags libmicrohttpd)

$(BUILD)/libnerfit.a: $(OBJECTS)
	rm -f $@ && ar rcs $@ $^
$(BUILD)/libnerfit.so: $(OBJECTS)
	$(CC) -shared -Wl,-soname,$(SONAME) $(LDFLAGS) $^ -o $@ $(LIBS)
	ln -sf libnerfit.so $(BUILD)/$(SONAME)
$(BUILD)/nerfit: $(CLI_OBJECTS) $(SERVE_OBJECTS) $(BUILD)/libnerfit.a
	$(CC) $(LDFLAGS) $^ -o $@ $(LIBS)
$(BUILD)/nerfit.pc: Makefile include/nerfit.h
	@mkdir -p $(@D)
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' \
	  'Name: nerfit' 'Description: Few-shot named entity recognition' 'Version: $(VERSION)' \
	  'Requires.private: $(PACKAGES)' 'Libs: -L$${libdir} -lnerfit' 'Libs.private: -ldnnl -fopenmp -ldl -lm' \
	  'Cflags: -I$${includedir}' > $@

$(BUILD)/tests/%: tests/%.c $(TEST_LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) -Wno-conversion -Wno-missing-field-initializers -Itests $(LDFLAGS) $(TEST_LDFLAGS) -MMD -MP $< $(TEST_LIBRARY) -o $@ -lcmocka $(LIBS)
# tests/oom.h: these make any one allocation fail
comma := ,
$(filter $(BUILD)/tests/test_oom%,$(TESTS)): private TEST_LDFLAGS := $(foreach f,malloc calloc realloc aligned_alloc \
	strdup free,-Wl$(comma)--wrap=$(f))
# tests/io_faults.h: these make any one call fail
$(filter $(BUILD)/tests/test_io%,$(TESTS)): private TEST_LDFLAGS := $(foreach f,open fopen fdopen fwrite fflush fsync \
	rename renameat2 mkdir unlink rmdir,-Wl$(comma)--wrap=$(f))
$(BUILD)/examples/%: examples/%.c $(BUILD)/libnerfit.a
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) $(LDFLAGS) -MMD -MP $< $(BUILD)/libnerfit.a -o $@ $(LIBS) -lpthread
$(BUILD)/bench/%: bench/%.c $(BUILD)/libnerfit.a
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) $(LDFLAGS) -MMD -MP $< $(BUILD)/libnerfit.a -o $@ $(LIBS) -lpthread
# libFuzzer needs clang: make fuzzers CC=clang BUILD=build-fuzz SANITIZE=address,undefined,fuzzer-no-link
$(BUILD)/fuzz/%: fuzz/%.c $(BUILD)/libnerfit.a
	@mkdir -p $(@D)
	$(CC) $(NF_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -MMD -MP $< $(filter %.o,$^) $(BUILD)/libnerfit.a -o $@ $(LIBS)
# of the service: what a project's files are read with
$(BUILD)/fuzz/fuzz_journal: $(foreach f,project events changes marks journal,$(BUILD)/src/serve/project/$f.o)

tests: $(TESTS)
examples: $(EXAMPLES)
benches: $(BENCHES)
fuzzers: $(FUZZERS)
check: $(TESTS)
	@failed=0; for t in $(TESTS); do echo "== $$t"; $$t || failed=1; done; exit $$failed

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(BUILD)/nerfit $(DESTDIR)$(PREFIX)/bin/
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	$(BUILD)/nerfit help --man > $(DESTDIR)$(PREFIX)/share/man/man1/nerfit.1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(BUILD)/nerfit completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/nerfit
	$(BUILD)/nerfit completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_nerfit
	$(BUILD)/nerfit completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/nerfit.fish
	install -m 644 include/nerfit.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(BUILD)/libnerfit.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(BUILD)/libnerfit.so $(DESTDIR)$(LIBDIR)/libnerfit.so.$(VERSION)
	ln -sf libnerfit.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libnerfit.so
	sed 's|^prefix=.*|prefix=$(PREFIX)|; s|^libdir=.*|libdir=$(LIBDIR)|' $(BUILD)/nerfit.pc > $(DESTDIR)$(LIBDIR)/pkgconfig/nerfit.pc

clean:
	rm -rf $(BUILD)
.PHONY: all tests examples benches fuzzers check install clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
