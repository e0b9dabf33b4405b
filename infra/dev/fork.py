"""Renames the service: its stack, functions, tables, secrets, metrics and messages, and the prefix of its routes.

    fork.py fork NAME PREFIX     in a clone of the original; commits the change
    fork.py upgrade COMMIT       in a fork: applies what the original has changed since, up to that commit

The names stand in many files, so a plain merge of the original would conflict on lines that carry them, and bring in new
lines with the old names. An upgrade renames the original before and after its changes, and applies the difference.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

NAMES = Path("infra/dev/names.toml")
# History and law speak of the original. So does this folder's own text about forks.
LEFT_ALONE = re.compile(
    r"CHANGELOG\.md|LICENSE|UPGRADING\.md|docs/decisions/.*|docs/upstream\.md|docs/.*\.png|infra/api-docs/clients/package-lock\.json"
)
# conf/*.toml: the name is in front of each message, and Amazon SNS takes a sender's name of 11 letters and digits.
NAME = r"[a-z][a-z0-9]{1,10}"
PREFIX = r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*"


def fail(text):
    sys.exit(f"error: {text}")


def git(*arguments, at="."):
    done = subprocess.run(["git", "-C", str(at), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"git {' '.join(arguments[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def rename(folder, old, new):
    """Every whole word in the tracked files of a folder, in one pass, so that no new name is renamed again."""
    # `x-badge-…` names our extensions of OpenAPI, which tools of the original read too.
    pattern = re.compile(rf"(?P<prefix>(?<![\w-]){re.escape(old['prefix'])}(?![\w-]))|(?<![\w])(?<!x-){old['service']}(?!\w)")
    for name in git("ls-files", "-z", at=folder).split("\0"):
        path = folder / name
        if not name or LEFT_ALONE.fullmatch(name) or path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode()
        changed = pattern.sub(lambda found: new["prefix"] if found["prefix"] else new["service"], text)
        if name == str(NAMES):
            changed = re.sub(r'^upstream = ".*"', f'upstream = "{new["upstream"]}"', changed, flags=re.M)
        if changed != text:
            path.write_bytes(changed.encode())
    # Another length of a name is another layout of a line.
    subprocess.run(["cargo", "fmt", "--all"], cwd=folder, check=True)
    digests(folder)


def digests(folder):
    """A digest in the translation is that of an English text, which may have a name in it."""
    check = [sys.executable, "infra/api-docs/build.py", "--check"]
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True)
    path = folder / "docs/openapi.zh.yaml"
    for target, digest in re.findall(r"^(?:error: )?(.*): the English has changed;.* (\w{8})$", done.stdout + done.stderr, re.M):
        text = path.read_text()
        path.write_text(re.sub(rf'(- target: {re.escape(target)}\n    x-badge-english: )"\w+"', rf'\1"{digest}"', text))


def is_clean():
    if git("status", "--porcelain"):
        fail("there are changes that are not committed; commit them first, or type: git stash")


def in_use(name):
    examples = [":!Makefile", ":!*.md", f":!{NAMES.parent}"]
    found = subprocess.run(["git", "grep", "-lw", name, "--", ".", *examples], capture_output=True, text=True)
    return found.stdout.split()


def fork(name, prefix):
    old = tomllib.loads(NAMES.read_text())
    example = "make fork NAME=acme PREFIX=acme/user"
    if not re.fullmatch(NAME, name):
        fail(f"NAME is 2 to 11 lowercase letters and digits, and begins with a letter: {name!r} is not; type: {example}")
    if not re.fullmatch(PREFIX, prefix):
        fail(f"PREFIX is a path without a slash at its ends, in lowercase letters: {prefix!r} is not; type: {example}")
    # A word that is used for something else could not be distinguished from the name again.
    if used := in_use(name):
        fail(f"{name} is a word of {used[0]} already; take another name")
    is_clean()
    new = {"service": name, "prefix": prefix, "upstream": old["upstream"] or git("rev-parse", "HEAD")}
    rename(Path("."), old, new)
    git("add", "--all")
    git("commit", "--quiet", "--message", f"Rename {old['service']} to {name}, at /{prefix}")
    print(f"{name} is committed. Stacks are {name}-<stage>, routes begin with /{{stage}}/{prefix}.")
    print("Next: fill in conf/test.toml, write your name into README.md and SECURITY.md, and type: make check")
    print("Later versions of the original: git fetch upstream && make upgrade FROM=upstream/main")


def renamed(commit, ours, parents):
    """A commit with the original's tree of that commit, under our names."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            rename(tree, tomllib.loads((tree / NAMES).read_text()), ours | {"upstream": commit})
            git("add", "--all", at=tree)
            made = git("write-tree", at=tree)
        finally:
            git("worktree", "remove", "--force", str(tree))
    message = f"Upgrade to {commit[:12]} of the original"
    return git("commit-tree", made, *(f"-p{one}" for one in parents), "-m", message)


def upgrade(commit):
    ours = tomllib.loads(NAMES.read_text())
    if not ours["upstream"]:
        fail("this is the original, not a fork; to make one type: make fork NAME=acme PREFIX=acme/user")
    if not commit:
        fail("FROM is missing; type: git fetch upstream && make upgrade FROM=upstream/main")
    is_clean()
    commit = git("rev-parse", "--verify", f"{commit}^{{commit}}")
    if commit == ours["upstream"]:
        print(f"This fork has {commit[:12]} already")
        return
    before = renamed(ours["upstream"], ours, [])
    after = renamed(commit, ours, [before])
    # The difference of the two, as a merge of three trees; conflicts are left as those of any cherry-pick.
    if subprocess.run(["git", "cherry-pick", after]).returncode != 0:
        fail("some changes conflict with yours; resolve them, then type: git cherry-pick --continue")
    print("Next: make check")


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    {"fork": fork, "upgrade": upgrade}[verb](*arguments)
