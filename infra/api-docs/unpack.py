"""Takes one file out of a package of npm, if the package is the one that is meant.

    unpack.py PACKAGE INTEGRITY FILE FOLDER
"""

import base64
import hashlib
import shutil
import sys
import tarfile
from pathlib import Path


def main(package, integrity, file, folder):
    algorithm, _, wanted = integrity.partition("-")
    digest = hashlib.new(algorithm, Path(package).read_bytes()).digest()
    if base64.b64encode(digest).decode() != wanted:
        sys.exit(f"error: {package} is not what was agreed to: its {algorithm} is {base64.b64encode(digest).decode()}")
    with tarfile.open(package) as archive, open(Path(folder) / Path(file).name, "wb") as target:
        shutil.copyfileobj(archive.extractfile(file), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
