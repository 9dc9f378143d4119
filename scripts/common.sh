# What the scripts share. Sourced, from the top of the tree, by bash with -euo pipefail.

umask 022

# Where rustup puts cargo; a fresh shell may not have it on its PATH yet.
[ ! -d "${HOME:-/nonexistent}/.cargo/bin" ] || PATH="$PATH:$HOME/.cargo/bin"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# Makes $scratch, readable by all (servers run as another user than root), and removes it at the end, however that comes.
make_scratch() {
    scratch=$(mktemp -d "/tmp/$1.XXXXXX")
    chmod 755 "$scratch"
    trap 'remove_scratch' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# Installs the build into a private Postgres tree below $scratch, and the one with the mutants into another.
install_trees() {
    scripts/pgroot "$scratch/pgroot"
    make --no-print-directory install DESTDIR="$scratch/pgroot"
    cp -a --reflink=auto "$scratch/pgroot" "$scratch/mutants"
    make --no-print-directory install-mutants DESTDIR="$scratch/mutants"
    export PGNET_TEST_ROOT=$scratch/pgroot PGNET_MUTANTS_ROOT=$scratch/mutants PGNET_TEST_TMP=$scratch
}

remove_scratch() {
    trap '' INT TERM HUP
    end_servers
    rm -rf "$scratch"
}

# Ends the servers that still run: those whose pid file and working directory are below $scratch.
end_servers() {
    local file pid polite
    while read -r file; do
        pid=$(head -n 1 "$file" 2>/dev/null) || continue
        [[ $(readlink "/proc/$pid/cwd" 2>/dev/null)/ == "$scratch"/* ]] || continue
        # Postgres waits for its clients on TERM.
        case $file in */postmaster.pid) polite=INT ;; *) polite=TERM ;; esac
        kill -$polite "$pid" 2>/dev/null || continue
        gone "$pid" 20 || kill -QUIT "$pid" 2>/dev/null || true
        gone "$pid" 50 || kill -KILL "$pid" 2>/dev/null || true
    done < <(find "$scratch" \( -name postmaster.pid -o -name daemon.pid -o -name receiver.pid \) -size +0 2>/dev/null)
}

# Whether process $1 ends within $2 tenths of a second. One that ended but was not waited for has no working directory.
gone() {
    local tenths
    for ((tenths = 0; tenths < $2; tenths++)); do
        readlink "/proc/$1/cwd" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    return 1
}

# Postgres refuses to run as root: there its commands step down to the account it came with.
if [ "$(id -u)" = 0 ]; then
    if id postgres >/dev/null 2>&1; then server_account=postgres; else server_account=nobody; fi
    as_server() { setpriv --reuid "$server_account" --regid "$(id -g "$server_account")" --clear-groups "$@"; }
    give_to_server() { chown -R "$server_account" "$@"; }
else
    as_server() { "$@"; }
    give_to_server() { :; }
fi
