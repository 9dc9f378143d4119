# pg_net is built and installed as C extensions are: make, make install.
#
#   MAJOR             the major version of the Postgres to build for, or to test on
#   PG_CONFIG         its pg_config, if not the one that is found
#   DESTDIR           a prefix for everything that `make install` writes
#   CARGO_TARGET_DIR  where cargo builds; target/ unless set

# Looked up when a rule needs it, so that `make help` and the set-up work without Postgres, and then once.
PG_CONFIG ?= $(eval PG_CONFIG := $(shell scripts/find-pg-config $(MAJOR)))$(PG_CONFIG)
PG_MAJOR = $(shell $(PG_CONFIG) --version 2>/dev/null | sed -E 's/^[^0-9]*([0-9]+).*/\1/')

TARGET := $(or $(CARGO_TARGET_DIR),target)
LIBRARY := $(TARGET)/release/libpg_net.so
SQL := $(sort $(wildcard sql/[0-9][0-9]-*.sql))
# The version that the parts in sql/ make. A later one is made of it by the scripts in sql/updates.
BASE := 1.0.0
INSTALL_SQL := $(TARGET)/pg_net--$(BASE).sql
LATER_SQL := $(patsubst sql/updates/%,$(TARGET)/pg_net--%,$(wildcard sql/updates/*.sql))
# The one that is installed. It stands in Cargo.toml alone, as the first `version`.
NEWEST := $(shell sed -n 's/^version = "\(.*\)"/\1/p; /^version/q' Cargo.toml)
CONTROL := $(TARGET)/pg_net.control

# What the C version is or may be called in a database: what was released, short forms, and what is likely to come. Postgres
# finds scripts by these names alone, so each of them has two, which hold nothing but a comment:
#
#   0.20.4 -> 0.x     The update. From there on it is one script for all of them, 0.x -> 1.0.0, which looks at the objects.
#   1.0.0 -> 0.20.4   CREATE EXTENSION ... VERSION '0.20.4' finds no script to install that and takes this way: ours, under
#                     that name. It starts from the newest version, so that no older one of ours is installed.
#
# Postgres takes the shortest way, and there is no other: the update never passes through a version of the C extension. Not
# more names than that: pg_extension_update_paths() takes the fourth power of their number, half a second with these.
digits := 0 1 2 3 4 5 6 7 8 9
RELEASED := 0.1 0.2 0.3 0.4 0.5 0.5.1 0.6 0.6.1 0.7 0.7.1 0.7.2 0.7.3 0.8.0 0.9.0 0.9.1 0.9.2 0.9.3 0.10.0 0.11.0 0.12.0 \
	0.13.0 0.14.0 0.15.0 0.15.1 0.16.0 0.17.0 0.18.0 $(patsubst %,0.19.%,0 1 2 3 4 5 6 7) $(patsubst %,0.20.%,0 1 2 3 4 5)
SHORT := $(patsubst %,0.%.0,1 2 3 4 5 6 7) $(patsubst %,0.%,8 9 $(patsubst %,1%,$(digits)) $(patsubst %,2%,0 1 2 3 4 5))
TO_COME := $(patsubst %,0.20.%,6 7 8 9 $(patsubst %,1%,$(digits)) 20) \
	$(foreach minor,21 22 23 24 25,$(patsubst %,0.$(minor).%,$(digits)))
C_VERSIONS := $(RELEASED) $(SHORT) $(TO_COME)
UPDATE_SQL := $(TARGET)/pg_net--0.x--$(BASE).sql
FROM_C_SQL := $(C_VERSIONS:%=$(TARGET)/pg_net--%--0.x.sql)
AS_C_SQL := $(C_VERSIONS:%=$(TARGET)/pg_net--$(NEWEST)--%.sql)
# Those that are never edited once they are released. The others say nothing.
FROZEN := $(INSTALL_SQL) $(UPDATE_SQL) $(LATER_SQL)
SCRIPTS := $(FROZEN) $(FROM_C_SQL) $(AS_C_SQL)

# Checks and build share profile and features, so that the bindings to Postgres are generated once for both.
CARGO_PG = PGRX_PG_CONFIG_PATH="$(PG_CONFIG)" cargo
PROFILE = --release --no-default-features --features pg_net/pg$(PG_MAJOR)
MUTANTS = pg_net_mutants/mutants,pg_net_mutants/pg$(PG_MAJOR)

.PHONY: all install install-sql install-mutants demo test lint bench bench-soak torture clean docs fuzz fuzz-planted sanitize help

all: $(SCRIPTS) pg-config-works
	$(CARGO_PG) build $(PROFILE) -p pg_net

# The hand-written parts in order. Those for a new database make the install script, those for one that has the C version
# the update script. The directory counts, too: a part may be gone.
$(INSTALL_SQL): $(filter-out %.from-c.sql,$(SQL)) sql
	@mkdir -p $(@D)
	@cat $(filter %.sql,$^) > $@

# A database that has ours already, under a number of the C version's, comes this way, too: what both scripts share is run
# only where there is something to do, which 10-schema.from-c.sql finds out. What is there already is passed by or replaced.
# A database that is updated keeps the C version's timeout of 5 s, so that no request that used to succeed times out.
$(UPDATE_SQL): $(filter-out %.new.sql,$(SQL)) sql
	@mkdir -p $(@D)
	@for part in $(filter %.sql,$^); do \
		case $$part in \
		*.from-c.sql) cat $$part ;; \
		*) \
			printf "\ndo %s\nbegin\n" '$$step$$'; \
			printf "if pg_catalog.current_setting('pg_net_update.from') = 'c' then execute %s\n" '$$part$$'; \
			sed -e 's/timeout_milliseconds int default 2000/timeout_milliseconds int default 5000/' \
				-e 's/^create function/create or replace function/' \
				-e 's/^create index /create index if not exists /' $$part; \
			printf "%s;\nend if;\nend\n%s;\n" '$$part$$' '$$step$$' ;; \
		esac; \
	done > $@

$(FROM_C_SQL): Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '\echo Use "ALTER EXTENSION pg_net UPDATE" to load this file. \quit' \
		'-- Nothing to do: pg_net--0.x--$(BASE).sql is the update from every version of the C extension.' > $@

$(AS_C_SQL): Makefile Cargo.toml
	@mkdir -p $(@D)
	@printf '%s\n' '\echo Use "CREATE EXTENSION pg_net VERSION ..." to load this file. \quit' \
		'-- Nothing to do: what is asked for by this number is pg_net $(NEWEST). net.version() tells.' > $@

$(LATER_SQL): $(TARGET)/pg_net--%.sql: sql/updates/%.sql
	@mkdir -p $(@D)
	@cp $< $@

$(CONTROL): pg_net/pg_net.control.in Cargo.toml
	@mkdir -p $(@D)
	@sed 's/@VERSION@/$(NEWEST)/' $< > $@

# A script that was released is never edited.
.PHONY: check-released freeze
check-released: $(FROZEN)
	@scripts/released check $^

freeze: check-released
	@scripts/released add $(FROZEN)

.PHONY: pg-config-works
pg-config-works:
	@$(if $(PG_MAJOR),:,echo "No usable pg_config: install postgresql-server-dev-15, or say make PG_CONFIG=/path/to/pg_config" >&2; exit 1)

install: all install-sql
	install -d "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)"
	install -m 755 $(LIBRARY) "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)/pg_net.so"

install-sql: $(SCRIPTS) $(CONTROL) pg-config-works
	install -d "$(DESTDIR)$$($(PG_CONFIG) --sharedir)/extension"
	@echo "install -m 644 pg_net.control, $(words $(SCRIPTS)) scripts: $(notdir $(FROZEN)) ..."
	@install -m 644 $(CONTROL) $(SCRIPTS) \
		"$(DESTDIR)$$($(PG_CONFIG) --sharedir)/extension/"

# The build with the faults that the tortures must find, in the place of the right one: only ever into a tree of its own.
install-mutants: pg-config-works
	@$(if $(DESTDIR),:,echo "install-mutants needs a DESTDIR" >&2; exit 1)
	$(CARGO_PG) build --release --no-default-features --features $(MUTANTS) -p pg_net_mutants
	install -m 755 $(TARGET)/release/libpg_net_mutants.so "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)/pg_net.so"

demo:
	@scripts/demo

# make test TEST=name runs the tests whose name contains it; make test MAJOR=17, or MAJOR=all, the integration tests on other
# major versions of Postgres.
test:
	@scripts/$(if $(MAJOR),test-majors $(MAJOR) --,test) $(TEST)

lint: pg-config-works check-released
	scripts/check-imports
	scripts/check-sizes
	scripts/check-unsafe
	scripts/check-terms
	scripts/check-settings
	cargo fmt --all --check
	$(CARGO_PG) clippy $(PROFILE),$(MUTANTS),engine/fuzzing --workspace --all-targets -- -D warnings
	scripts/check-majors $(filter-out $(PG_MAJOR),13 14 15 16 17 18)
	cargo deny check bans licenses sources
	cargo deny --manifest-path fuzz/Cargo.toml --config deny.toml check --allow unused-wrapper bans sources

# make bench BENCH=name runs one part; bench/README.md tells them.
bench:
	@scripts/bench $(BENCH)

bench-soak:
	@scripts/bench soak

# make torture FAULT=name runs the faults whose name contains it; SEED and SCALE can be given.
torture:
	@SEED="$(SEED)" SCALE="$(SCALE)" scripts/torture $(if $(FAULT),"$(FAULT)")

# make fuzz SECONDS=60 for another time; make fuzz-planted shows that each target finds a bug.
fuzz:
	@scripts/fuzz $(or $(SECONDS),600)

fuzz-planted:
	@scripts/fuzz planted

# make sanitize TEST=name for a part.
sanitize:
	@scripts/sanitize $(TEST)

# A site of docs/.
docs:
	@scripts/docs

# Packages, for MAJOR or 15; packaging/ has how they are made. PACKAGES="deb rpm" tests a part.
.PHONY: deb rpm dist image packages-test
deb rpm image:
	@packaging/make-$@ $(or $(MAJOR),15)

dist:
	@packaging/make-dist

packages-test:
	@packaging/tests/run $(PACKAGES)

clean:
	cargo clean
	rm -f $(TARGET)/pg_net--*.sql $(CONTROL)

help:
	@echo "make           build the extension for PG_CONFIG"
	@echo "make install   install it (PG_CONFIG, DESTDIR)"
	@echo "make demo      see it work: a throwaway Postgres, a webhook trigger, a receiver"
	@echo "make test      check the code, then test against a real Postgres (TEST=name for a part)"
	@echo "make test MAJOR=17   the integration tests on another major version of Postgres (MAJOR=all: on each, with a table)"
	@echo "make bench     measure it beside its yardsticks, in ten minutes (BENCH=name for a part); make bench-soak: another ten"
	@echo "make torture   faults at random moments for ten minutes, and an account of each request (SEED, SCALE, FAULT)"
	@echo "make fuzz      random input for what parses, ten minutes (SECONDS=n); make fuzz-planted: each target finds a bug"
	@echo "make sanitize  the tests with AddressSanitizer (TEST=name for a part)"
	@echo "make lint      imports, sizes, formatting, clippy, the code for other majors of Postgres, and the dependencies"
	@echo "make docs      a site of the documentation, in target/docs"
	@echo "make deb       a Debian package for a Postgres (MAJOR=15: Debian 12, MAJOR=17: Debian 13); make rpm, make image likewise"
	@echo "make dist      the archive for PGXN"
	@echo "make packages-test  builds all packages, and tests each in a clean root file system (PACKAGES=deb for a part)"
	@echo "make freeze    note the SQL scripts of a release, which are never edited again"
	@echo "make clean     remove what was built"
