# What the scripts of this folder share. Sourced, from the top of the tree, by bash with -euo pipefail.

. scripts/common.sh

version=$(sed -n 's/^version = "\(.*\)"/\1/p; /^version/q' Cargo.toml)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# Where packages are written to.
packages=${PGNET_PACKAGES:-$target/packages}
# Root file systems and vendored crates are kept here from one run to the next.
cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/pg_net

# Everything in a package carries the time of the commit that it is made of.
commit_time() { git log -1 --format=%ct; }

# The Debian release that has Postgres $1.
suite_of() {
    case $1 in
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo forky ;;
    *) fail "a release of Debian has one Postgres: Debian 12 has 15, Debian 13 has 17, Debian's testing has 18; none has $1" ;;
    esac
}

# Installs, on Debian, the programs that make packages.
need_programs() {
    local missing=() pair
    [ "$(id -u)" = 0 ] || fail "run this as root: packages are built and tested in root file systems of their own"
    for pair; do
        command -v "${pair%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} != 0 ] || return 0
    say "Installing Debian packages: ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" >&2
}

# Installs tools of cargo's from crates.io: name@version.
need_cargo_tools() {
    local tool
    for tool; do
        command -v "${tool%@*}" >/dev/null || {
            say "Installing ${tool/@/ } from crates.io"
            cargo install --quiet --locked "$tool" >&2
        }
    done
}

# Runs a command quietly. Prints what it said if it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 80 "$log" >&2
        rm -f "$log"
        fail "this failed: $*"
    fi
    rm -f "$log"
}
