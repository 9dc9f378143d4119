# A server in a root file system, and what is asked of it. Sourced by what packaging/with-root runs, which has set $root and
# $scratch; $major is the server's, $subject what is tested.

. packaging/common.sh

# Notes that something holds.
pass() { printf '%-10s %s\n' "$subject" "$*" >>"$PGNET_SHOWN"; }

# Runs a command in the root file system. It has no input: what would ask there fails.
inside() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        "$@" </dev/null
}

as_postgres() { inside runuser -u postgres -- "$@"; }
sql() { as_postgres psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

expect() { # what, expected, got
    [ "$2" = "$3" ] || fail "$subject: $1 should be"$'\n'"$2"$'\n'"but is"$'\n'"$3"$'\n'"$(server_log)"
}

server_log() { tail -n 30 "$root"/var/log/postgresql/*.log 2>/dev/null || true; }

# Debian's way to have a server load a library, and to restart it.
preload() {
    quietly inside pg_conftool "$major" main set shared_preload_libraries pg_net
    restart
}
restart() { quietly inside pg_ctlcluster "$major" main restart; }
stop() { quietly inside pg_ctlcluster "$major" main stop; }

# Starts the receiver; $receiver is its URL.
start_receiver() {
    received=$scratch/received
    python3 packaging/tests/receiver.py "$received" &
    until [ -e "$received.port" ]; do sleep 0.05; done
    receiver=http://127.0.0.1:$(<"$received.port")
}

# A request is sent, and answered; $1 tells it from others.
request_is_answered() {
    local id
    id=$(sql -c "select net.http_post('$receiver/$1', '{\"hello\": \"world\"}')")
    expect "the answer to a request" "SUCCESS|200|POST /$1 {\"hello\": \"world\"}" \
        "$(sql -c "select status, (response).status_code, (response).body from net.await_response($id, '30 s')")"
    expect "what was received" "POST /$1 {\"hello\": \"world\"}" "$(grep " /$1 " "$received")"
}

# All files but what servers, logs and the package managers keep. A changed one has another line.
files() {
    (cd "$root" && find usr etc opt srv home root var -xdev \
        \( -path var/lib/postgresql -o -path var/log -o -path var/cache -o -path var/lib/apt -o -path root/.rpmdb \
        -o -path 'var/lib/dpkg/*-old' -o -path var/lib/dpkg/status -o -path var/lib/dpkg/lock\* \
        -o -path 'var/lib/dpkg/triggers' -o -path 'etc/postgresql/*/main' \) -prune \
        -o -type d -printf '%p\n' -o -printf '%p %s %T@\n' | LC_ALL=C sort)
}

# Fails unless the files are those that $1 lists.
nothing_left() {
    files >"$scratch/files-left"
    diff "$1" "$scratch/files-left" >&2 || fail "$subject: files are left, or changed"
}
