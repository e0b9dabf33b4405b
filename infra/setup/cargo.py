"""cargo, without a line for each of other people's crates: while those are got and built, one line says how far that is.

    cargo.py build --workspace --bins

What else cargo says passes as it is, and its exit status too.
"""

import os
import re
import subprocess
import sys

# A crate of a registry; one of the workspace has its folder behind it.
CRATE = re.compile(r"^\s*(?P<verb>Downloaded|Compiling|Checking) (?P<name>\S+) v\S+$")
CHATTER = re.compile(r"^\s*(Updating \S+ index|Downloading crates \.\.\.|Executable .*)$")
COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Without a terminal, so many crates make a line.
STRIDE = 50


class Progress:
    """Crates that have been got and built, of how many."""

    def __init__(self, arguments):
        self.tests = bool({"test", "clippy"} & set(arguments))
        self.is_live = sys.stderr.isatty()
        self.counts = {}
        self.total = None

    def add(self, verb, name):
        verb = "got" if verb == "Downloaded" else "built"
        self.counts[verb] = count = self.counts.get(verb, 0) + 1
        if verb == "built" and self.total is None:
            self.total = crates(self.tests)
        # What is built already is not built again, so a count may end early.
        of = f" of {self.total}" if verb == "built" and self.total >= count else ""
        text = f"  {count}{of} crates {verb}"
        if self.is_live:
            sys.stderr.write(f"\r\x1b[K{text}: {name}")
        elif count % STRIDE == 0:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def clear(self):
        if self.is_live:
            sys.stderr.write("\r\x1b[K")


def crates(tests):
    """How many crates of registries the workspace has on this machine; 0 if cargo does not say."""
    edges = "normal,build,dev" if tests else "normal,build"
    tree = ["cargo", "tree", "--quiet", "--workspace", "--prefix=none", "--format={p}", f"--edges={edges}"]
    said = subprocess.run(tree, capture_output=True, text=True)
    lines = (line.removesuffix(" (*)").removesuffix(" (proc-macro)") for line in said.stdout.splitlines())
    return len({line for line in lines if line and "(" not in line})


def main(arguments):
    environment = dict(os.environ)
    if sys.stderr.isatty() and "NO_COLOR" not in environment:
        environment.setdefault("CARGO_TERM_COLOR", "always")
    cargo = subprocess.Popen(["cargo", *arguments], stderr=subprocess.PIPE, env=environment, text=True)
    progress = Progress(arguments)
    try:
        for line in cargo.stderr:
            plain = COLOR.sub("", line.rstrip("\n"))
            if crate := CRATE.match(plain):
                progress.add(crate["verb"], crate["name"])
            elif not CHATTER.match(plain):
                progress.clear()
                sys.stderr.write(line)
                sys.stderr.flush()
        progress.clear()
        return cargo.wait()
    except KeyboardInterrupt:
        # cargo has heard it too.
        progress.clear()
        cargo.wait()
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
