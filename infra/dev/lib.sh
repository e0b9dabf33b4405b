# shellcheck shell=sh
# What the scripts of infra/dev and infra/deploy share. Sourced, never run; the working folder is the repository's root.

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# The workspace as it is shipped: no crate gets features that only the emulator or a test asks for. Words, so unquoted.
# shellcheck disable=SC2034
FUNCTIONS_ALONE="--workspace --exclude local --exclude support --exclude bench --exclude hello --exclude peer --exclude fuzz --exclude import"

# What functions are shipped as, but for this machine's processor.
# shellcheck disable=SC2034
STATIC_TARGET=$(uname -m)-unknown-linux-musl

# has_library TARGET: whether Rust can build for it.
has_library() { [ -d "$(rustc --print target-libdir --target "$1")" ]; }

need_library() { has_library "$1" || fail "Rust's library for $1 is missing; type: rustup target add $1"; }

# build_functions TARGET ARGUMENT...: builds functions as they are shipped, linked with musl, statically: a cold start loads and binds
# no library (decision 21). Rust links for ARM at a fixed address; zig can also do it without one. The variable replaces the flag by
# which cargo-lambda names the processor, so that stands here too, as cargo-lambda has it: Lambda's oldest for ARM is a Graviton2,
# which has a Neoverse N1.
build_functions() {
    target=$1
    shift
    need_library "$target"
    need_cargo_lambda
    case $target in aarch64-*) processor=neoverse-n1 ;; *) processor=haswell ;; esac
    variable=CARGO_TARGET_$(printf %s "$target" | tr a-z- A-Z_)_RUSTFLAGS
    # shellcheck disable=SC2086 # words
    env "$variable=-C link-arg=-pie -C target-cpu=$processor" \
        cargo lambda build --target "$target" --locked $FUNCTIONS_ALONE "$@"
}

# build_here FOLDER NAME...: functions as they are shipped, but for this machine's processor, into FOLDER. They are copied into new files,
# like the floor and the peer: one that was written over, or piece by piece, lies in the page cache in small pieces, and starts up to a
# tenth slower.
build_here() {
    into=$1
    shift
    # shellcheck disable=SC2046 # words
    build_functions "$STATIC_TARGET" --release $(printf -- '--bin %s ' "$@") --lambda-dir "$into/lambda"
    for name; do cp --remove-destination "$into/lambda/$name/bootstrap" "$into/$name"; done
}

has() { command -v "$1" >/dev/null 2>&1; }

# debian PACKAGE...: unpacks packages of Debian or Ubuntu into .tools/debian. Nothing is installed, so it needs no root; it
# fails where apt-get has no package lists.
debian() {
    has apt-get && has dpkg || return 1
    mkdir -p .tools
    packages=$(mktemp -d)
    code=0
    (cd "$packages" && apt-get download -qq "$@" >/dev/null 2>&1) || code=1
    for package in "$packages"/*.deb; do
        [ "$code" = 1 ] || dpkg -x "$package" .tools/debian || code=1
    done
    rm -rf "$packages"
    return "$code"
}

# venv FOLDER: a new virtual environment; `pip` is then the pip that fills it.
# shellcheck disable=SC2317
venv() {
    environment=$1
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_QUIET=1
    has python3 || fail "python3 is missing; on Debian or Ubuntu type: sudo apt-get install python3"
    # Debian splits ensurepip from Python (python3-venv), so a pip from outside may have to fill the environment.
    if python3 -m venv --clear "$environment" >/dev/null 2>&1; then
        pip() { "$environment/bin/python" -m pip "$@"; }
    elif ! python3 -m venv --clear --without-pip "$environment" >/dev/null 2>&1; then
        fail "python3 can make no virtual environment; on Debian or Ubuntu type: sudo apt-get install python3-venv"
    elif python3 -m pip --version >/dev/null 2>&1; then
        pip() { python3 -m pip --python "$environment/bin/python" "$@"; }
    elif debian python3-pip-whl; then
        pip() { PYTHONPATH=$(echo .tools/debian/usr/share/python-wheels/pip-*.whl) "$environment/bin/python" -m pip "$@"; }
    else
        fail "pip is missing; on Debian or Ubuntu type: sudo apt-get install python3-venv"
    fi
}

# Starts the built emulator on a free port, and stops it with the script. Sets ORIGIN to where it answers.
start_stage() {
    stage_log=$(mktemp)
    stage=
    trap end_stage EXIT
    trap 'exit 130' INT TERM
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    ORIGIN="http://127.0.0.1:$port"
    "$CARGO_TARGET_DIR/debug/local" --port "$port" --stage local >"$stage_log" 2>&1 &
    stage=$!
    until python3 -c "import urllib.request as u; u.urlopen('$ORIGIN/_stage/state', timeout=5)" 2>/dev/null; do
        kill -0 "$stage" 2>/dev/null || { cat "$stage_log" >&2; fail "the emulator did not start"; }
        sleep 0.1
    done
}

end_stage() {
    if [ -n "$stage" ]; then
        kill "$stage" 2>/dev/null || true
        wait "$stage" 2>/dev/null || true
    fi
    rm -f "$stage_log"
}

# Sets `tree` to a folder with the tree of a commit, for as long as the script runs.
tree_of() {
    tree=$(mktemp -d)
    trap 'git worktree remove --force "$tree"' EXIT
    git worktree add --quiet --detach "$tree" "$1"
}

# Puts cargo-lambda and zig on the PATH, and gets them where there are none. Clones share them: their path is that of the linker,
# and cargo builds every crate again for another linker.
need_cargo_lambda() {
    lambda_tools=${BADGE_TOOLS:?}/cargo-lambda-1.9.2-zig-0.17.1
    if [ ! -d "$lambda_tools" ]; then
        say "cargo-lambda is missing: installing it and zig into $lambda_tools (some minutes)"
        mkdir -p "$BADGE_TOOLS"
        venv "$lambda_tools.$$"
        pip install cargo-lambda==1.9.2 ziglang==0.17.1 || {
            rm -rf "$lambda_tools.$$"
            fail "could not install cargo-lambda and zig from PyPI"
        }
        # Another clone may have been first.
        if [ -d "$lambda_tools" ]; then rm -rf "$lambda_tools.$$"; else mv "$lambda_tools.$$" "$lambda_tools"; fi
    fi
    # A clone may have those of an older version, and two verbs may be here at once.
    if [ "$(readlink .tools/lambda)" != "$lambda_tools" ]; then
        mkdir -p .tools
        [ -L .tools/lambda ] || rm -rf .tools/lambda
        ln -sfn "$lambda_tools" .tools/lambda
    fi
    PATH="$lambda_tools/bin:$PATH"
}
