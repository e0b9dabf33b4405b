"""Packs what was built into target/lambda: a zip for each function, with conf/ beside its binary. The folder gets conf/ too, so
that `sam deploy` and `sam sync` find all of a function there.

    pack.py            all of them; refuses a binary that Amazon Linux 2023 could not start, and a zip that is too large
    pack.py FUNCTION   that one, marked as pushed: Lambda makes no second version of the same bytes, so what is pushed
                       must not be what the next deployment brings
    pack.py --here ... the same for this machine, which refuses neither, and is quick rather than small
    pack.py --remark   adds such a mark to packages that are there
    pack.py --mark ... all of them marked, after a deployment that failed: Lambda has kept the versions that it made
    pack.py --settings FOLDER
                       only conf/ of a package, into that folder

Settings are packed as JSON, which functions read with a tenth of the instructions of TOML. The same binary and settings give the same bytes whenever they are packed, so that a deployment of nothing new changes
nothing.
"""

import json
import re
import shutil
import sys
import time
import tomllib
import zipfile
from pathlib import Path

BUILT = Path("target/lambda")

# Amazon Linux 2023 User Guide, "Comparing AL2 and AL2023": glibc 2.34.
GLIBC = (2, 34)

MAX_ZIP_BYTES = 4 * 1024 * 1024


def newest_glibc(binary):
    """The newest version of a symbol that the binary asks glibc for. They stand in it as text."""
    versions = re.findall(rb"\bGLIBC_(\d+)\.(\d+)", binary)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def add(archive, name, data, mode):
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data, compresslevel=archive.compresslevel)


def settings(folder):
    """Writes the settings of each stage into conf/ of a package. Each key has its line, by which functions name what is wrong."""
    (folder / "conf").mkdir(parents=True, exist_ok=True)
    for written in sorted(Path("conf").glob("*.toml")):
        text = json.dumps(tomllib.loads(written.read_text()), ensure_ascii=False, indent=1)
        (folder / "conf" / f"{written.stem}.json").write_text(text + "\n")


def pack(folder, is_pushed, is_here):
    binary = (folder / "bootstrap").read_bytes()
    glibc = newest_glibc(binary)
    if glibc > GLIBC and not is_here:
        sys.exit(f"error: {folder.name} needs glibc {glibc[0]}.{glibc[1]}, and Lambda has 2.34; was it built by `make build`?")
    shutil.rmtree(folder / "conf", ignore_errors=True)
    settings(folder)
    path = BUILT / f"{folder.name}.zip"
    with zipfile.ZipFile(path, "w", compresslevel=1 if is_here else 9) as archive:
        add(archive, "bootstrap", binary, 0o755)
        for conf in sorted((folder / "conf").iterdir()):
            add(archive, f"conf/{conf.name}", conf.read_bytes(), 0o644)
        if is_pushed:
            add(archive, "pushed", str(time.time_ns()), 0o644)
    size = path.stat().st_size
    libraries = f"glibc {glibc[0]}.{glibc[1]}" if glibc > (0, 0) else "linked statically"
    print(f"{folder.name:<12} {size / 1024 / 1024:5.2f} MB zipped, {libraries}")
    if size > MAX_ZIP_BYTES and not is_here:
        sys.exit(f"error: {path} has more than 4 MB")


def remark():
    """Marks packages whose binaries are not at hand."""
    for path in sorted(BUILT.glob("*.zip")):
        with zipfile.ZipFile(path) as old:
            files = [(one.filename, old.read(one), one.external_attr >> 16) for one in old.infolist()]
        with zipfile.ZipFile(path, "w", compresslevel=9) as new:
            for name, data, mode in files:
                if name != "pushed":
                    add(new, name, data, mode)
            add(new, "pushed", str(time.time_ns()), 0o644)


def main(arguments):
    if arguments[:1] == ["--settings"]:
        settings(Path(arguments[1]))
        return
    if "--remark" in arguments:
        remark()
        return
    is_here = "--here" in arguments
    is_marked = "--mark" in arguments
    only = next((argument for argument in arguments if not argument.startswith("--")), None)
    folders = sorted(one.parent for one in BUILT.glob("*/bootstrap") if only in (None, one.parent.name))
    if not folders:
        sys.exit(f"error: nothing was built in {BUILT}" + (f" for {only}" if only else "") + "; type: make build")
    for folder in folders:
        pack(folder, is_marked or only is not None, is_here)


main(sys.argv[1:])
