#!/bin/sh
# Installs what a command of the Makefile needs and this machine lacks: Debian packages (as root) and, from the
# hash-locked requirements, Python packages into .venv. Does nothing, quickly, when nothing is missing.
#
#   scripts/prepare.sh run|demo|test|lint|bench
set -eu
cd "$(dirname "$0")/.."

LAB_PACKAGES="user-mode-linux kmod e2fsprogs openssh-server openssh-client iproute2 iputils-ping iputils-arping
    nftables busybox sudo systemd"
# On a processor with AMX the lab's kernels need a small library, built on the machine (lab/wide_registers.c).
! grep -q amx_tile /proc/cpuinfo || LAB_PACKAGES="$LAB_PACKAGES gcc libc6-dev"
BROWSER_PACKAGES="chromium fonts-dejavu-core"
# Its programs only: tests start a server of their own, see install_packages.
DATABASE_PACKAGES="postgresql"

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

is_root() {
    [ "$(id -u)" = 0 ]
}

# Debian packages of a list that are not installed here.
missing_of() {
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# A virtual environment needs the ensurepip module, which Debian keeps in a package of its own.
missing_for_python() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv '
}

# openssh-server would start a server on this machine and on each boot. The lab runs sshd inside its own servers
# only, so a service that this script brings is neither started nor enabled.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    had_ssh=$(missing_of openssh-server)
    had_postgresql=$(missing_of postgresql)
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    printf 'Installing with apt: %s\n' "$*"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    if [ -n "$had_ssh" ] && command -v systemctl >/dev/null; then
        systemctl disable --quiet ssh.service ssh.socket 2>/dev/null || :
    fi
    if [ -n "$had_postgresql" ] && command -v systemctl >/dev/null; then
        systemctl disable --quiet postgresql.service 2>/dev/null || :
    fi
)

# What must be there, or the command stops with one sentence.
require_packages() {
    missing=$*
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "This machine has no apt; please install the equivalents of: $missing"
    is_root || fail "Root is needed once, to install: apt-get install $missing"
    # shellcheck disable=SC2086  # a list of package names
    install_packages $missing || fail "apt could not install: $missing(its messages are above)."
}

# What tests can do without: they are skipped, and say so.
want_packages() {
    missing=$*
    [ -n "$missing" ] || return 0
    if is_root && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2086  # a list of package names
        install_packages $missing || printf 'apt could not install: %s(tests that need them are skipped).\n' "$missing" >&2
    else
        printf 'Tests that need these Debian packages are skipped: %s\n' "$missing" >&2
    fi
}

make_environment() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or newer is needed; $(python3 --version 2>&1 || echo 'python3 is missing')."
    lock=requirements/$1.txt
    stamp=.venv/.installed-$1-$(python3 -c 'import sys; print(sys.version.split()[0])')-$(sha256sum "$lock" | cut -c1-16)
    [ ! -e "$stamp" ] || return 0
    # The list for development holds that for running.
    if [ "$1" = run ]; then
        sum=$(sha256sum requirements/dev.txt | cut -c1-16)
        for other in .venv/.installed-dev-*-"$sum"; do
            [ ! -e "$other" ] || return 0
        done
    fi
    printf 'Installing Python packages into .venv\n'
    # --clear: an environment of another Python, or one half made, is of no use.
    .venv/bin/python -c 'import pip' 2>/dev/null || python3 -m venv --clear .venv
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
    rm -f .venv/.installed-"$1"-*
    : >"$stamp"
}

# What the panel is measured against has an environment of its own: it must not choose the panel's versions.
make_bench_environment() {
    stamp=.venv-bench/.installed-$(sha256sum requirements/bench.txt | cut -c1-16)
    [ ! -e "$stamp" ] || return 0
    printf 'Installing Ansible into .venv-bench\n'
    python3 -m venv --clear .venv-bench
    .venv-bench/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/bench.txt
    : >"$stamp"
}

# shellcheck disable=SC2086,SC2046  # lists of package names
case ${1:-} in
run)
    require_packages $(missing_for_python)
    make_environment run
    ;;
demo)
    is_root || fail "The lab needs root, because it makes network namespaces and boots servers; run this as root."
    require_packages $(missing_for_python) $(missing_of $LAB_PACKAGES)
    command -v linux.uml >/dev/null || fail "The lab needs User-Mode Linux, and this machine has no linux.uml."
    make_environment run
    ;;
test)
    require_packages $(missing_for_python)
    want_packages $(missing_of $LAB_PACKAGES $BROWSER_PACKAGES $DATABASE_PACKAGES)
    make_environment dev
    ;;
lint)
    require_packages $(missing_for_python)
    make_environment dev
    ;;
bench)
    is_root || fail "The benchmark makes network namespaces and control groups; run this as root."
    require_packages $(missing_for_python) $(missing_of openssh-server openssh-client iproute2 iputils-ping)
    want_packages $(missing_of postgresql)
    make_environment run
    make_bench_environment
    ;;
*)
    fail "usage: scripts/prepare.sh run|demo|test|lint|bench"
    ;;
esac
