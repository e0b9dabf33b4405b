# shellcheck shell=sh
# What the set-up scripts share. Sourced, never run; the working folder is the repository's root.

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# Whether Debian packages can be installed without asking: root, and a system that has apt-get.
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

# apt_install PACKAGE...: quiet, and refreshes the package lists only when they lack a package.
apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null 2>&1 || return
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1
}

# Sets AWS to the command line of AWS. Credentials are its own matter: it says what it lacks.
need_aws() {
    for AWS in .tools/aws/bin/aws "$(command -v aws || true)"; do
        [ -n "$AWS" ] && [ -x "$AWS" ] && return
    done
    fail "the AWS command line is missing; type: python3 -m venv .tools/aws && .tools/aws/bin/pip install awscli"
}
