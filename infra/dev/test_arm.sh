#!/bin/sh
# Builds the functions as they are shipped, for ARM, and runs tests of the API on those binaries: as they are on a machine
# with such a processor, else by qemu as a Neoverse N1, the oldest that Lambda has. In CI those functions alone that the tests
# call, without link-time optimisation. Where Rust's library for ARM is missing nothing is tested, and this says so.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

TARGET=aarch64-unknown-linux-musl
# Every endpoint by every front and in depth, the task behind the messages, and two jobs.
TESTS="front:: fallback:: login:: register:: user_index:: job::a_day_has_its_figures job::a_deployment_is_checked job::a_message_is_sent_once"
FUNCTIONS="fallback veri_code register login logout user_index send_sms daily deployed"

if ! has_library "$TARGET"; then
    say "test-arm: skipped, nothing was tested: Rust's library for $TARGET is missing; get it with: rustup target add $TARGET"
    exit
fi

# Sets EMULATOR to what runs a program for ARM here; nothing where it runs by itself. The binaries are static, so that no library
# for ARM is needed.
find_emulator() {
    for program in qemu-aarch64-static qemu-aarch64 .tools/debian/usr/bin/qemu-aarch64-static .tools/debian/usr/bin/qemu-aarch64; do
        "$program" --version >/dev/null 2>&1 || continue
        EMULATOR="$(realpath "$(command -v "$program")") -cpu neoverse-n1"
        return
    done
    return 1
}

need_emulator() {
    EMULATOR=
    case $(uname -sm) in
    "Linux aarch64") return ;;
    Linux*) ;;
    *) fail "the binaries are for Linux; run this there" ;;
    esac
    if find_emulator; then return; fi
    say "qemu for ARM is missing: unpacking it into .tools/debian"
    # Newer releases have the static programs in the other package.
    debian qemu-user-static || true
    find_emulator || debian qemu-user || true
    find_emulator || fail "qemu for ARM is missing; on Debian or Ubuntu type: sudo apt-get install qemu-user-static"
}

need_emulator
if [ -n "${CI-}" ]; then
    built=$PWD/target/proof
    # shellcheck disable=SC2086 # words
    PROOF=1 infra/deploy/build.sh $FUNCTIONS
else
    built=$PWD/target/lambda
    infra/deploy/build.sh
fi

# The emulator starts a function by the name of its folder, and ends it by the id of its process.
programs=$PWD/target/arm
rm -rf "$programs"
mkdir -p "$programs"
# Programs for a Neoverse N1 count references by single instructions; others call a hundred helpers that look first whether the
# processor has them. Source: Arm's "A64 Instruction Set", LDADD of 32 and 64 bits.
python3 - "$built"/*/bootstrap <<'PYTHON'
import array, sys
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        code = file.read()
    words = array.array("I", code[: len(code) // 4 * 4])
    if sum(word & 0xBF20FC00 == 0xB8200000 for word in words) < 500:
        sys.exit(f"error: {path} is not built for the processors of Lambda")
PYTHON
for binary in "$built"/*/bootstrap; do
    # Source: `elf(5)`, e_type: 3 is a program that may stand at any address.
    [ "$(od -An -tu2 -j16 -N2 "$binary")" -eq 3 ] || fail "$binary is linked for a fixed address, which an attacker would know"
    program=$programs/$(basename "$(dirname "$binary")")
    printf '#!/bin/sh\nexec %s "%s"\n' "$EMULATOR" "$binary" >"$program"
    chmod +x "$program"
done
# The emulator wants every function. In CI those that no test here calls are this machine's own.
for folder in functions/*/*; do
    name=${folder##*/}
    [ -e "$programs/$name" ] || ln -s "$CARGO_TARGET_DIR/debug/$name" "$programs/$name"
done

# One at a time: what is emulated is slow, and the service's own timeouts hold in these tests too.
# shellcheck disable=SC2086 # words
TEST_BIN_DIR="$programs" cargo test ${CI:+--locked} --workspace --test api -- --test-threads 1 $TESTS
