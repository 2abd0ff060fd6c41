# pam_nsbox: `make help` lists what can be made.

VERSION := $(shell cat VERSION)

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
MANDIR     ?= $(PREFIX)/share/man
COMPDIR    ?= $(PREFIX)/share/bash-completion/completions
LIBEXECDIR ?= $(PREFIX)/libexec/nsbox
SBINDIR    ?= $(PREFIX)/sbin
DESTDIR    ?=
B          ?= build

# The folder from which this system's libpam loads modules: where pam_permit.so lies.
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
PAMDIR    ?= $(firstword $(patsubst %/pam_permit.so,%,$(wildcard $(addsuffix /security/pam_permit.so, \
	/usr/lib/$(MULTIARCH) /lib/$(MULTIARCH) /usr/lib64 /lib64 /usr/lib /lib))) /usr/lib/security)

# PID 1 of every box is linked statically against musl: 12 KiB of private memory, against 44 with glibc.
INIT_CC ?= musl-gcc

WARNINGS  := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wvla
HARDENING := -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
CFLAGS    ?= -O2 -g
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(HARDENING) $(CFLAGS) $(EXTRA_CFLAGS) \
	-DNSBOX_VERSION='"$(VERSION)"' -DNSBOX_INIT='"$(LIBEXECDIR)/nsbox-init"' -DNSBOX_CONF='"$(SYSCONFDIR)/security/nsbox.conf"' \
	-DNSBOX_PAMDIR='"$(PAMDIR)"'
HARDENED_LINK := -Wl,-z,relro,-z,now,-z,noexecstack

# Whoever loads the module loads these too, so there are few: INI, capability names; before glibc 2.34 dlopen, too.
MODULE_LIBS := -lpam -liniparser -lcap -ldl
CTL_LIBS    := $(MODULE_LIBS) -lsmartcols -ljansson

ENGINE := $(wildcard pam_nsbox/box/*.c pam_nsbox/policy/*.c) pam_nsbox/namespaces.c
CTL    := $(wildcard pam_nsbox/nsboxctl/*.c)
HEADERS := $(wildcard pam_nsbox/*.h pam_nsbox/*/*.h)
object  = $(patsubst %.c,$(B)/obj/%.o,$(1))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all help clean install uninstall demo check soak tests-tools docs deb rpm matrix bench

all: $(B)/pam_nsbox.so $(B)/nsbox-init $(if $(CTL),$(B)/nsboxctl) $(B)/completion/nsboxctl docs ## build everything

demo: ## on a fresh machine: build, open real sessions, show inside beside outside; changes nothing in /etc
	packaging/install-dependencies build demo
	$(MAKE) --silent all
	packaging/demo

check: ## on a fresh machine: install what tests need, build, run them; counts them in the last line
soak: ## the same tests at full length, thousands of rounds: hours
soak: export SOAK = 1
check soak:
	packaging/install-dependencies build
	tests/install-dependencies
	$(MAKE) --silent all tests-tools
	NSBOX_TEST_POLICY=$(CURDIR)/tests/policy tests/run

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z -]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Objects are made anew when flags change, and when any header does: the whole takes seconds.
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(INIT_CC)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(INIT_CC)' > $@
FORCE:

$(B)/obj/%.o: %.c $(HEADERS) $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -c -o $@ $<

$(B)/libengine.a: $(call object,$(ENGINE))
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/pam_nsbox.so: $(call object,pam_nsbox/pam_nsbox.c) $(B)/libengine.a pam_nsbox/pam_nsbox.map
	$(CC) $(CFLAGS) $(EXTRA_CFLAGS) $(LDFLAGS) -shared -o $@ $(filter %.o %.a,$^) $(HARDENED_LINK) -Wl,-z,defs \
		-Wl,--version-script=pam_nsbox/pam_nsbox.map $(MODULE_LIBS)

$(B)/nsboxctl: $(call object,$(CTL)) $(B)/libengine.a
	$(CC) $(CFLAGS) $(EXTRA_CFLAGS) $(LDFLAGS) -pie -o $@ $^ $(HARDENED_LINK) $(CTL_LIBS)

$(B)/nsbox-init: pam_nsbox/init/nsbox-init.c pam_nsbox/init/lease.h $(B)/flags
	$(INIT_CC) -std=c17 $(WARNINGS) -Os -fno-stack-protector -static -Wl,-z,noseparate-code -Wl,-z,noexecstack \
		-Wl,--build-id=none -s $(INIT_CFLAGS) -o $@ $<

$(B)/completion/nsboxctl: packaging/completion/nsboxctl $(B)/flags
	@mkdir -p $(@D)
	sed 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' $< > $@

# --- documentation ---

# The keys in nsbox.conf(5) are the rows of policy/keys.c, printed by a small program, so that they cannot differ.
MAN := $(patsubst pam_nsbox/man/%.in,$(B)/man/%,$(wildcard pam_nsbox/man/*.in))

docs: $(MAN) ## build the manual pages

$(B)/man/key-table: $(call object,pam_nsbox/man/key-table.c) $(B)/libengine.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(EXTRA_CFLAGS) $(LDFLAGS) -o $@ $^ $(MODULE_LIBS)

$(B)/man/keys: $(B)/man/key-table
	$< > $@

$(B)/man/%: pam_nsbox/man/%.in $(B)/man/keys VERSION $(B)/flags
	sed -e '/^@KEYS@$$/{r $(B)/man/keys' -e 'd}' -e 's|@VERSION@|$(VERSION)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
		-e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' $< > $@

docs/%.svg: docs/%.dot
	dot -Tsvg -o $@ $<

# --- packages ---

matrix: ## every application on Debian 11, 12, 13 and unstable, in containers and virtual machines
	tests/matrix/run

deb: ## build the Debian package, in build/
	packaging/install-dependencies build deb
	packaging/build-deb $(B)

rpm: ## build the RPM package, in build/
	packaging/install-dependencies build rpm
	packaging/build-rpm $(B)

# --- tests ---

# Each source in tests/tools is one program, as is each tests/unit/test_*.c. fake_nss.c stands in for the C library's
# look-ups where a test asks for it.
TEST_TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/%,$(wildcard tests/tools/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))

TEST_MODULES := $(patsubst tests/tools/modules/%.c,$(B)/tests/%.so,$(wildcard tests/tools/modules/*.c))

tests-tools: $(B)/tests/faults $(TEST_TOOLS) $(TEST_MODULES) $(UNIT_TESTS) ## build the programs that tests need

$(TEST_TOOLS): $(B)/tests/%: tests/tools/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -pthread $(LDFLAGS) -o $@ $< -lpam

$(TEST_MODULES): $(B)/tests/%.so: tests/tools/modules/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -fPIC -shared -o $@ $< $(HARDENED_LINK) -lpam

$(B)/tests/faults: tests/faults/faults.c tests/faults/errnos.h $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< -lpam

$(UNIT_TESTS): $(B)/tests/unit/%: tests/unit/%.c $(wildcard tests/unit/fake_nss.*) $(B)/libengine.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ipam_nsbox -pthread $(LDFLAGS) -o $@ $< \
		$(if $(shell grep -l fake_nss.h $<),$(wildcard tests/unit/fake_nss.c)) $(B)/libengine.a -lcmocka $(MODULE_LIBS)

# --- instrumented builds ---

# The tests of a build that is for them alone, which are those that run its programs, in machines of their own.
INSTRUMENTED_TESTS := $(filter-out tests/matrix/% tests/fresh/% %/hardening.t,$(wildcard tests/*/*.t))
instrumented_tests  = $(UNIT_TESTS:$(B)/%=$(1)/%) $(INSTRUMENTED_TESTS)

# --- sanitizers ---

# The tests again, with module, nsboxctl, unit tests and the tests' own programs under AddressSanitizer and
# UndefinedBehaviorSanitizer. SANITIZE_TESTS names some of them.
SANITIZE_TESTS ?=
SANITIZE_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -U_FORTIFY_SOURCE

# These measure memory, of which AddressSanitizer keeps what is freed.
SANITIZE_NOT   := tests/login/50-soak.t tests/login/51-load.t
SANITIZE_SHORT := $(patsubst %,tests/%.t,attacks/callers attacks/hostile faults/exhausted login/05-sshd login/06-su \
	login/07-login login/12-root login/20-shared login/21-linger login/25-check login/30-network login/40-try \
	login/46-story login/48-user-namespaces)

.PHONY: sanitize sanitize-short sanitize-build
sanitize-build: all $(B)/sanitize/sanitizers.so
	$(CC) -Wall -Wextra -O2 -fPIC -c -o $(B)/sanitize/sanitizers.o tests/lib/sanitizers.c
	$(MAKE) --silent B=$(B)/sanitize EXTRA_CFLAGS='$(SANITIZE_FLAGS)' LDFLAGS=$(CURDIR)/$(B)/sanitize/sanitizers.o \
		all tests-tools

sanitize: ## the tests with everything under AddressSanitizer and UndefinedBehaviorSanitizer
	packaging/install-dependencies build
	tests/install-dependencies
	tests/install-dependencies sanitize
	$(MAKE) --silent sanitize-build
	NSBOX_TEST_BUILD=$(B)/sanitize NSBOX_TEST_POLICY=$(CURDIR)/tests/policy tests/run \
		$(or $(SANITIZE_TESTS),$(filter-out $(SANITIZE_NOT),$(call instrumented_tests,$(B)/sanitize)))

sanitize-short: ## a part of these tests, in two or three minutes
	$(MAKE) --no-print-directory sanitize SANITIZE_TESTS='$(UNIT_TESTS:$(B)/%=$(B)/sanitize/%) $(SANITIZE_SHORT)'

$(B)/sanitize/sanitizers.so: tests/lib/sanitizers.c
	@mkdir -p $(@D)
	$(CC) -Wall -Wextra -O2 -fPIC -shared -o $@ $< -Wl,-soname,nsbox-sanitizers.so

# --- coverage ---

# The tests again, on a build that counts. What the holder does before it is nsbox-init is counted in the memory of its
# caller, whom it shares it with; nsbox-init is linked with the system's C library here, and writes its counts when it ends
# by itself. Counts are added to files, which are there beforehand so that no user owns one. A line of the engine that is
# not reached needs a reason in tests/coverage-reasons. COVERAGE_TESTS names some of the tests.
COVERAGE_TESTS ?=
# Those that kill anything at any moment go first: who is killed while he adds his counts to a file leaves an empty one.
COVERAGE_FIRST := tests/faults/% tests/login/22-% tests/login/23-%
COVERED = $(or $(COVERAGE_TESTS),$(call instrumented_tests,$(B)/coverage))
COVERAGE_FLAGS := --coverage -fprofile-update=atomic -fprofile-abs-path
COVERAGE_LINK  := -Wl,--wrap=vfprintf,--wrap=_exit $(CURDIR)/$(B)/coverage/counts.o

.PHONY: coverage coverage-build coverage-run coverage-report
coverage: ## lines and branches that the tests reach; a line of the engine that they do not needs a reason
	packaging/install-dependencies build
	tests/install-dependencies
	tests/install-dependencies coverage
	rm -rf $(B)/coverage
	$(MAKE) --silent coverage-build
	$(MAKE) --silent coverage-run COVERAGE_TESTS='$(filter $(COVERAGE_FIRST),$(COVERED))'
	$(MAKE) --silent coverage-run COVERAGE_TESTS='$(filter-out $(COVERAGE_FIRST),$(COVERED))'
	$(MAKE) --silent coverage-report

coverage-run:
	$(if $(COVERAGE_TESTS),NSBOX_TEST_BUILD=$(B)/coverage NSBOX_TEST_POLICY=$(CURDIR)/tests/policy \
		tests/run $(COVERAGE_TESTS))

coverage-build: all
	@mkdir -p $(B)/coverage
	$(CC) -Wall -Wextra -O2 -fPIC -c -o $(B)/coverage/counts.o tests/lib/coverage.c
	$(MAKE) --silent B=$(B)/coverage EXTRA_CFLAGS='$(COVERAGE_FLAGS)' LDFLAGS='$(COVERAGE_LINK)' INIT_CC='$(CC)' \
		INIT_CFLAGS='$(COVERAGE_FLAGS) $(COVERAGE_LINK)' \
		all tests-tools
	find $(B)/coverage -name '*.gcno' | sed 's/gcno$$/gcda/' | while read -r counts; do : >"$$counts"; chmod 666 "$$counts"; done

coverage-report:
	gcovr --root $(CURDIR) --filter pam_nsbox/ --exclude-unreachable-branches --exclude-throw-branches \
		--object-directory $(B)/coverage --gcov-ignore-parse-errors --txt $(B)/coverage/lines.txt \
		--json $(B)/coverage/counts.json --html-details $(B)/coverage/index.html
	gcovr --root $(CURDIR) --branches --add-tracefile $(B)/coverage/counts.json --txt $(B)/coverage/branches.txt
	cat $(B)/coverage/lines.txt
	$(if $(COVERAGE_TESTS),,tests/lib/coverage-reasons $(B)/coverage/counts.json tests/coverage-reasons)

# --- lint ---

# One target an analyser: `make lint-shell` is a part of it, `make -j lint` runs them beside each other. The fuzzing
# targets are clang's, as libFuzzer is. nsbox-init brings its own _GNU_SOURCE; what a driver of a test throws away at its
# end is no leak.
LINT_C       := $(sort $(wildcard pam_nsbox/*.c pam_nsbox/*/*.c tests/*/*.c tests/tools/modules/*.c))
LINT_GCC     := $(filter-out tests/fuzz/%,$(LINT_C))
LINT_PRODUCT := $(filter pam_nsbox/%,$(LINT_C))
LINT_H       := $(sort $(HEADERS) $(wildcard tests/*/*.h))
LINT_SHELL    = $(shell find .ci packaging tests -type f -not -path '*/seeds/*' -print0 | \
	xargs -0 awk 'FNR == 1 && /^\#!.*sh|^\# shellcheck shell=/ { print FILENAME } FNR > 1 { nextfile }' | sort)
LINT_FLAGS    = $(filter-out -D_FORTIFY_SOURCE=2,$(ALL_CFLAGS)) -Ipam_nsbox
LINTS        := gcc clang analyzer tidy cppcheck scan shell format

.PHONY: lint $(addprefix lint-,$(LINTS))
lint: ## compilers' warnings as errors, and every analyser, without findings
	packaging/install-dependencies build
	tests/install-dependencies lint
	$(MAKE) --no-print-directory $(addprefix lint-,$(LINTS))

lint-gcc:
	gcc $(LINT_FLAGS) -Werror -fsyntax-only $(filter-out %/nsbox-init.c,$(LINT_GCC))
	gcc $(LINT_FLAGS) -U_GNU_SOURCE -Werror -fsyntax-only $(filter %/nsbox-init.c,$(LINT_GCC))

lint-clang:
	clang $(LINT_FLAGS) -Werror -fsyntax-only $(filter-out %/nsbox-init.c,$(LINT_C))
	clang $(LINT_FLAGS) -U_GNU_SOURCE -Werror -fsyntax-only $(filter %/nsbox-init.c,$(LINT_C))

# gcc's loses sight of an address that goes into an array or through memcpy, and calls it a leak: leaks are found by
# LeakSanitizer and valgrind, under which the tests run.
lint-analyzer: $(LINT_PRODUCT:%=lint-analyzer/%)

lint-analyzer/%:
	gcc $(filter-out -D_GNU_SOURCE,$(LINT_FLAGS)) $(if $(filter %/nsbox-init.c,$*),,-D_GNU_SOURCE) -Werror -fanalyzer \
		-Wno-analyzer-malloc-leak -c -o /dev/null $*

# One file at a time: clang-tidy 14 forgets what va_start() is when it has seen a file before.
lint-tidy: $(LINT_PRODUCT:%=lint-tidy/%)

lint-tidy/%:
	clang-tidy --quiet $* -- $(LINT_FLAGS) $(if $(filter %/nsbox-init.c,$*),-U_GNU_SOURCE)

lint-cppcheck:
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability,performance --inline-suppr \
		--suppress=missingIncludeSystem $(filter -D%,$(ALL_CFLAGS)) \
		--library=tests/lib/cppcheck.cfg -D__x86_64__ $(filter-out tests/fuzz/%,$(LINT_C))

lint-scan:
	scan-build --status-bugs -disable-checker unix.Malloc -o $(B)/scan $(MAKE) --silent B=$(B)/scanned INIT_CC='$$(CC)' $(B)/scanned/pam_nsbox.so \
		$(B)/scanned/nsboxctl $(B)/scanned/nsbox-init

lint-shell:
	shellcheck -x -P SCRIPTDIR -S warning $(LINT_SHELL) packaging/completion/nsboxctl

lint-format:
	clang-format-14 --dry-run -Werror $(LINT_C) $(LINT_H)

# --- fuzzing ---

# libFuzzer's targets, each with its seeds; what it found earlier is kept in build/fuzz. FUZZ_TIME is seconds a target,
# or FUZZ_RUNS a number of executions.
FUZZ_TARGETS := config match specifiers mounts lease nsboxctl
FUZZ_TIME    ?= 60
FUZZ_RUNS    ?= -1
FUZZ_CC      ?= clang
FUZZ_FLAGS   := -std=gnu17 -D_GNU_SOURCE -g -O2 -Ipam_nsbox -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-Wno-macro-redefined -Wno-array-bounds -DNSBOX_VERSION='"$(VERSION)"' -DNSBOX_INIT='"$(LIBEXECDIR)/nsbox-init"' \
	-DNSBOX_CONF='"$(SYSCONFDIR)/security/nsbox.conf"' -DNSBOX_PAMDIR='"$(PAMDIR)"'

# What is linked with a target; tests/fuzz/users.h stands for policy/directory.c.
FUZZ_ENGINE  := $(filter-out pam_nsbox/policy/directory.c,$(ENGINE))
fuzzed        = $(if $(filter lease,$(1)),,$(if $(filter config nsboxctl,$(1)),$(FUZZ_ENGINE),$(ENGINE))) \
	$(if $(filter nsboxctl,$(1)),$(filter-out %/main.c,$(CTL)) $(CTL_LIBS),$(MODULE_LIBS))

$(addprefix $(B)/fuzz/,$(FUZZ_TARGETS)): $(B)/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(ENGINE) $(CTL) $(HEADERS) \
		pam_nsbox/init/nsbox-init.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) $(if $(filter config,$*),-fno-sanitize-coverage=trace-cmp) -o $@ $< $(call fuzzed,$*)

fuzz-%: $(B)/fuzz/%
	@mkdir -p $(B)/fuzz/$*-corpus
	$< -max_total_time=$(FUZZ_TIME) -runs=$(FUZZ_RUNS) -timeout=10 -print_final_stats=1 -verbosity=0 \
		-artifact_prefix=$(B)/fuzz/$*- $(B)/fuzz/$*-corpus tests/fuzz/seeds/$* $(if $(filter config,$*),tests/policy/conf)

.PHONY: fuzz
fuzz: ## fuzz every reader, FUZZ_TIME seconds each
	packaging/install-dependencies build
	tests/install-dependencies fuzz
	$(MAKE) --no-print-directory $(addprefix fuzz-,$(FUZZ_TARGETS))

# --- installation ---

install: all ## install under PREFIX, SYSCONFDIR and PAMDIR (DESTDIR for packages)
	install -D -m 0644 $(B)/pam_nsbox.so $(DESTDIR)$(PAMDIR)/pam_nsbox.so
	install -D -m 0755 $(B)/nsbox-init $(DESTDIR)$(LIBEXECDIR)/nsbox-init
	$(if $(CTL),install -D -m 0755 $(B)/nsboxctl $(DESTDIR)$(SBINDIR)/nsboxctl)
	install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/security/nsbox.conf.d
	test -e $(DESTDIR)$(SYSCONFDIR)/security/nsbox.conf || \
		install -D -m 0644 conf/nsbox.conf $(DESTDIR)$(SYSCONFDIR)/security/nsbox.conf
	for page in $(notdir $(MAN)); do \
		install -D -m 0644 $(B)/man/$$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page || exit 1; done
	install -D -m 0644 $(B)/completion/nsboxctl $(DESTDIR)$(COMPDIR)/nsboxctl

uninstall: ## remove what install put there, but not the configuration
	rm -f $(DESTDIR)$(PAMDIR)/pam_nsbox.so $(DESTDIR)$(LIBEXECDIR)/nsbox-init $(DESTDIR)$(SBINDIR)/nsboxctl
	for page in $(notdir $(MAN)); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page; done
	rm -f $(DESTDIR)$(COMPDIR)/nsboxctl
	-rmdir $(DESTDIR)$(LIBEXECDIR) 2>/dev/null

# The module that is measured looks for its own nsbox-init, not for one that is installed.
BENCH_FLAGS ?=
bench: $(B)/bench/opener $(B)/bench/floor-init ## measure against the floor and the peers, into tests/bench/results
	@$(MAKE) --no-print-directory B=$(B)/bench LIBEXECDIR=$(abspath $(B)/bench) all $(B)/bench/tests/valgrind.so
	tests/bench/run $(BENCH_FLAGS) $(B)/bench

$(B)/bench/opener: tests/bench/opener.c tests/bench/floor.c tests/bench/floor.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) -lpam

$(B)/bench/floor-init: tests/bench/floor-init.c
	@mkdir -p $(@D)
	$(CC) -Os -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib -static \
		-Wl,-z,noseparate-code -Wl,-z,noexecstack -Wl,--build-id=none -s -o $@ $<

clean: ## remove what was built
	rm -rf $(B)
