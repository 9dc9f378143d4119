# pg_net is built and installed as C extensions are: make, make install.
#
#   PG_CONFIG         the pg_config of the Postgres to build for
#   DESTDIR           a prefix for everything that `make install` writes
#   CARGO_TARGET_DIR  where cargo builds; target/ unless set

# Recursive on purpose: looked up when a rule needs it, so that `make help` and the set-up work without Postgres.
PG_CONFIG ?= $(shell scripts/find-pg-config)
MAJOR = $(shell $(PG_CONFIG) --version 2>/dev/null | sed -E 's/^[^0-9]*([0-9]+).*/\1/')

TARGET := $(or $(CARGO_TARGET_DIR),target)
LIBRARY := $(TARGET)/release/libpg_net.so
SQL := $(sort $(wildcard sql/[0-9][0-9]-*.sql))
# The version that the parts in sql/ make. A later one is made of it by the scripts in sql/updates.
BASE := 1.0.0
INSTALL_SQL := $(TARGET)/pg_net--$(BASE).sql
LATER_SQL := $(patsubst sql/updates/%,$(TARGET)/pg_net--%,$(wildcard sql/updates/*.sql))
C_VERSIONS := 0.8.0 0.9.0 0.9.1 0.9.2 0.9.3 0.10.0 0.11.0 0.12.0 0.13.0 0.14.0 0.15.0 0.15.1 0.16.0 0.17.0 0.18.0 \
	0.19.0 0.19.1 0.19.2 0.19.3 0.19.4 0.19.5 0.19.6 0.19.7 0.20.0 0.20.1 0.20.2 0.20.3 0.20.4 0.20.5
UPDATE_SQL := $(C_VERSIONS:%=$(TARGET)/pg_net--%--$(BASE).sql)
SCRIPTS := $(INSTALL_SQL) $(UPDATE_SQL) $(LATER_SQL)

# Checks and build share profile and features, so that the bindings to Postgres are generated once for both.
CARGO_PG = PGRX_PG_CONFIG_PATH="$(PG_CONFIG)" cargo
PROFILE = --release --no-default-features --features pg_net/pg$(MAJOR)
MUTANTS = pg_net_mutants/mutants,pg_net_mutants/pg$(MAJOR)

.PHONY: all install install-sql install-mutants demo test lint bench bench-soak torture clean fuzz fuzz-planted sanitize help

all: $(SCRIPTS) pg-config-works
	$(CARGO_PG) build $(PROFILE) -p pg_net

# The hand-written parts in order. Those for a new database make the install script, those for one that has the C version
# the update script: the same one for each of its versions. The directory counts, too: a part may be gone.
$(INSTALL_SQL): $(filter-out %.from-c.sql,$(SQL)) sql
	@mkdir -p $(@D)
	@cat $(filter %.sql,$^) > $@

# A database that is updated keeps the C version's timeout of 5 s, so that no request that used to succeed times out.
$(UPDATE_SQL): $(filter-out %.new.sql,$(SQL)) sql
	@mkdir -p $(@D)
	@cat $(filter %.sql,$^) | sed 's/timeout_milliseconds int default 2000/timeout_milliseconds int default 5000/' > $@

$(LATER_SQL): $(TARGET)/pg_net--%.sql: sql/updates/%.sql
	@mkdir -p $(@D)
	@cp $< $@

# A script that was released is never edited.
.PHONY: check-released freeze
check-released: $(SCRIPTS)
	@scripts/released check $^

freeze: check-released
	@scripts/released add $(SCRIPTS)

.PHONY: pg-config-works
pg-config-works:
	@$(if $(MAJOR),:,echo "No usable pg_config: install postgresql-server-dev-15, or say make PG_CONFIG=/path/to/pg_config" >&2; exit 1)

install: all install-sql
	install -d "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)"
	install -m 755 $(LIBRARY) "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)/pg_net.so"

install-sql: $(SCRIPTS) pg-config-works
	install -d "$(DESTDIR)$$($(PG_CONFIG) --sharedir)/extension"
	install -m 644 pg_net/pg_net.control $(SCRIPTS) \
		"$(DESTDIR)$$($(PG_CONFIG) --sharedir)/extension/"

# The build with the faults that the tortures must find, in the place of the right one: only ever into a tree of its own.
install-mutants: pg-config-works
	@$(if $(DESTDIR),:,echo "install-mutants needs a DESTDIR" >&2; exit 1)
	$(CARGO_PG) build --release --no-default-features --features $(MUTANTS) -p pg_net_mutants
	install -m 755 $(TARGET)/release/libpg_net_mutants.so "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)/pg_net.so"

demo:
	@scripts/demo

# make test TEST=name runs the tests whose name contains it.
test:
	@scripts/test $(TEST)

lint: pg-config-works check-released
	cargo fmt --all --check
	$(CARGO_PG) clippy $(PROFILE),$(MUTANTS),engine/fuzzing --workspace --all-targets -- -D warnings
	scripts/check-majors $(filter-out $(MAJOR),13 14 15 16 17 18)
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

clean:
	cargo clean
	rm -f $(TARGET)/pg_net--*.sql

help:
	@echo "make           build the extension for PG_CONFIG"
	@echo "make install   install it (PG_CONFIG, DESTDIR)"
	@echo "make demo      see it work: a throwaway Postgres, a webhook trigger, a receiver"
	@echo "make test      check the code, then test against a real Postgres (TEST=name for a part)"
	@echo "make bench     measure it beside its yardsticks, in ten minutes (BENCH=name for a part); make bench-soak: another ten"
	@echo "make torture   faults at random moments for ten minutes, and an account of each request (SEED, SCALE, FAULT)"
	@echo "make fuzz      random input for what parses, ten minutes (SECONDS=n); make fuzz-planted: each target finds a bug"
	@echo "make sanitize  the tests with AddressSanitizer (TEST=name for a part)"
	@echo "make lint      formatting, clippy, the code for other majors of Postgres, and what the dependencies are"
	@echo "make freeze    note the SQL scripts of a release, which are never edited again"
	@echo "make clean     remove what was built"
