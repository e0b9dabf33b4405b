#!/bin/sh
# Builds the functions as they are shipped, for ARM, and runs tests of the API on those binaries: as they are on a machine
# with such a processor, else by qemu as a Neoverse N1, the oldest that Lambda has. Where Rust's library for ARM is missing
# nothing is tested, and this says so.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh
: "${CARGO_TARGET_DIR:?}"

TARGET=aarch64-unknown-linux-gnu
# Where Debian and Ubuntu put glibc for ARM.
LIBRARIES=/usr/aarch64-linux-gnu
# Every endpoint by every front and in depth, the task behind the messages, and two jobs.
TESTS="front:: fallback:: login:: register:: user_index:: job::a_day_has_its_figures job::a_deployment_is_checked job::a_message_is_sent_once"

if [ ! -d "$(rustc --print target-libdir --target "$TARGET")" ]; then
    say "test-arm: skipped, nothing was tested: Rust's library for $TARGET is missing; get it with: rustup target add $TARGET"
    exit
fi

# Sets EMULATOR to what runs a program for ARM here; nothing where it runs by itself.
need_emulator() {
    EMULATOR=
    case $(uname -sm) in
    "Linux aarch64") return ;;
    Linux*) ;;
    *) fail "the binaries are for Linux; run this there" ;;
    esac
    for name in qemu-aarch64-static qemu-aarch64; do
        command -v "$name" >/dev/null 2>&1 && [ -e "$LIBRARIES/lib/ld-linux-aarch64.so.1" ] &&
            EMULATOR="$(command -v "$name") -cpu neoverse-n1 -L $LIBRARIES" && return
    done
    [ "${1-}" != again ] && can_apt && say "qemu for ARM is missing: installing it, with glibc" &&
        apt_install qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross && need_emulator again && return
    fail "qemu for ARM or glibc for it is missing; on Debian or Ubuntu type: sudo apt-get install qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross"
}

need_emulator
infra/setup/target.sh
infra/setup/build.sh

# The stage starts a function by the name of its folder, and ends it by the id of its process.
programs=$PWD/target/arm
rm -rf "$programs"
mkdir -p "$programs"
for built in "$PWD"/target/lambda/*/bootstrap; do
    program=$programs/$(basename "$(dirname "$built")")
    printf '#!/bin/sh\nexec %s "%s"\n' "$EMULATOR" "$built" >"$program"
    chmod +x "$program"
done

# One at a time: what is emulated is slow, and the service's own timeouts hold in these tests too.
# shellcheck disable=SC2086 # words
TEST_BIN_DIR="$programs" cargo test ${CI:+--locked} --workspace --test api -- --test-threads 1 $TESTS
