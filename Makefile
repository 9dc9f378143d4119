# pg_net is built and installed as C extensions are: make, make install.
#
#   PG_CONFIG         the pg_config of the Postgres to build for
#   DESTDIR           a prefix for everything that `make install` writes
#   CARGO_TARGET_DIR  where cargo builds; target/ unless set

# Recursive on purpose: looked up when a rule needs it, so that `make help` and the set-up work without Postgres.
PG_CONFIG ?= $(shell scripts/find-pg-config)
MAJOR = $(shell $(PG_CONFIG) --version 2>/dev/null | sed -E 's/^[^0-9]*([0-9]+).*/\1/')

TARGET := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -nE "s/^default_version *= *'(.*)'.*/\1/p" pg_net/pg_net.control 2>/dev/null)
LIBRARY := $(TARGET)/release/libpg_net.so
INSTALL_SQL := $(TARGET)/pg_net--$(VERSION).sql

# Checks and build share profile and features, so that the bindings to Postgres are generated once for both.
CARGO_PG = PGRX_PG_CONFIG_PATH="$(PG_CONFIG)" cargo
PROFILE = --release --no-default-features --features pg_net/pg$(MAJOR)

.PHONY: all install demo test lint clean help

all: $(INSTALL_SQL) pg-config-works
	$(CARGO_PG) build $(PROFILE) -p pg_net

# The install script is the hand-written parts in order.
$(INSTALL_SQL): $(sort $(wildcard sql/[0-9][0-9]-*.sql)) pg_net/pg_net.control
	@mkdir -p $(@D)
	cat $(filter %.sql,$^) > $@

.PHONY: pg-config-works
pg-config-works:
	@$(if $(MAJOR),:,echo "No usable pg_config: install postgresql-server-dev-15, or say make PG_CONFIG=/path/to/pg_config" >&2; exit 1)

install: all
	install -d "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)" "$(DESTDIR)$$($(PG_CONFIG) --sharedir)/extension"
	install -m 755 $(LIBRARY) "$(DESTDIR)$$($(PG_CONFIG) --pkglibdir)/pg_net.so"
	install -m 644 pg_net/pg_net.control $(INSTALL_SQL) $(wildcard sql/pg_net--*--*.sql) \
		"$(DESTDIR)$$($(PG_CONFIG) --sharedir)/extension/"

demo:
	@scripts/demo

# make test TEST=name runs the tests whose name contains it.
test:
	@scripts/test $(TEST)

lint: pg-config-works
	cargo fmt --all --check
	$(CARGO_PG) clippy $(PROFILE) --workspace --all-targets -- -D warnings

clean:
	cargo clean
	rm -f $(TARGET)/pg_net--*.sql

help:
	@echo "make           build the extension for PG_CONFIG"
	@echo "make install   install it (PG_CONFIG, DESTDIR)"
	@echo "make demo      see it work: a throwaway Postgres, a webhook trigger, a receiver"
	@echo "make test      check the code, then test against a real Postgres (TEST=name for a part)"
	@echo "make lint      formatting and clippy only"
	@echo "make clean     remove what was built"
