# shellcheck shell=sh
# What the set-up scripts share. Sourced, never run; the working folder is the repository's root.

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# cargo build, with a line that says how far it is; also in a folder with another commit.
CARGO_PY=$PWD/infra/setup/cargo.py
cargo_build() { python3 "$CARGO_PY" build "$@"; }

# Starts the built stage on a free port, and ends it with the script. Sets ORIGIN to where it answers.
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
        kill -0 "$stage" 2>/dev/null || { cat "$stage_log" >&2; fail "the stage did not start"; }
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

# Whether Debian packages can be installed without asking: root, and a system that has apt-get.
can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

# apt_install PACKAGE...: quiet, and refreshes the package lists only when they lack a package.
apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null 2>&1 || return
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1
}

# Whether STAGE can be in an account of AWS: it has settings, and is not the local one.
need_stage() {
    [ -n "${STAGE-}" ] && [ "$STAGE" != local ] ||
        fail "which stage? there is nothing of \`local\` in AWS; type: make $1 STAGE=test"
    [ -f "conf/$STAGE.toml" ] || fail "the stage $STAGE has no settings; write conf/$STAGE.toml"
}

# Sets AWS to the command line of AWS, and gets it where there is none. Credentials are their own matter.
need_aws() {
    for AWS in .tools/aws/bin/aws "$(command -v aws || true)"; do
        [ -n "$AWS" ] && [ -x "$AWS" ] && return
    done
    say "The AWS command line is missing: installing awscli into .tools/aws (half a minute)"
    if ! { python3 -m venv .tools/aws &&
        .tools/aws/bin/pip install --quiet --disable-pip-version-check awscli==1.46.3; }; then
        fail "could not install awscli; put an \`aws\` on the PATH"
    fi
    AWS=.tools/aws/bin/aws
}

# Sets AWS, and REGION to what the settings of AWS's own tools say. Version 1 of the command line does not know AWS_REGION.
need_region() {
    need_aws
    REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$("$AWS" configure get region || true)}}
    [ -n "$REGION" ] || fail "in which region? type: export AWS_REGION=ap-southeast-1"
    export AWS_DEFAULT_REGION="$REGION" AWS_REGION="$REGION" AWS_PAGER=
}

# Sets ACCOUNT as well, to what the credentials say.
need_account() {
    need_region
    ACCOUNT=$("$AWS" sts get-caller-identity --query Account --output text) ||
        fail "AWS does not know who you are; the line above says why. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    say "Stage $STAGE: account $ACCOUNT, $REGION"
}

# One output of the stage's stack.
output() {
    "$AWS" cloudformation describe-stacks --stack-name "badge-$STAGE" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# Names of the stage's functions in AWS.
functions_of_stage() {
    "$AWS" cloudformation list-stack-resources --stack-name "badge-$STAGE" --output text \
        --query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Function'].[PhysicalResourceId]"
}

# alias_of FUNCTION ALIAS: the version that it is of; nothing if there is none.
alias_of() {
    "$AWS" lambda get-alias --function-name "$1" --name "$2" --query FunctionVersion --output text 2>/dev/null || true
}

# set_alias FUNCTION ALIAS VERSION
set_alias() {
    "$AWS" lambda update-alias --function-name "$1" --name "$2" --function-version "$3" >/dev/null 2>&1 ||
        "$AWS" lambda create-alias --function-name "$1" --name "$2" --function-version "$3" >/dev/null
}

# at_once WORDS FUNCTION: calls a function of this file with so many words of the input at a time, many calls side by side: one
# of the command line takes half a second and more.
at_once() {
    AWS=$AWS xargs -P 8 -n "$1" sh -c ". infra/setup/lib.sh; set -eu; [ \$# = 0 ] || $2 \"\$@\"" sh
}

# A function and its version that is live; nothing if none is.
tell_live() {
    live=$(alias_of "$1" live)
    [ -z "$live" ] || printf '%s %s\n' "$1" "$live"
}

# keep_before FUNCTION VERSION: where a rollback goes to.
keep_before() { set_alias "$1" before "$2"; }

# Exchanges what is live with what was before, and tells it; nothing if nothing was.
exchange() {
    live=$(alias_of "$1" live)
    before=$(alias_of "$1" before)
    case $before in "" | "$live") return 0 ;; esac
    set_alias "$1" live "$before"
    set_alias "$1" before "$live"
    printf '%s: %s -> %s\n' "$1" "$live" "$before"
}

# Every function of the stage with the version that is live, in lines.
live_versions() { functions_of_stage | at_once 1 tell_live | sort; }

# remember FILE: what was live before, as live_versions told it, is the alias `before`, which a rollback goes to. Where
# nothing has changed it stays what it was, or a second deployment would take the way back away.
remember() {
    [ -s "$1" ] || return 0
    live_versions >"$1.now"
    cmp -s "$1" "$1.now" || at_once 2 keep_before <"$1"
    rm -f "$1.now"
}

# Whether the stage works: the job that looks at every part, and one request through the front.
smoke() {
    NAME=deployed infra/setup/job.sh || return 1
    url="$(output Url)/iwc/badge/user/index"
    answer=$(curl --silent --show-error --max-time 10 "$url") || return 1
    case $answer in
    *'"code":10006,'*) say "$url: not logged in, as it should be" ;;
    *)
        say "$url answered: $answer"
        return 1
        ;;
    esac
}
