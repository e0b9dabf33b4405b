"""The AWS command line, loaded once: a call of it is then a fork of this process, and not a second of imports.

    aws_server.py SOCKET       serves; run by the Python that has awscli in it
    bin/aws                    a client, with the arguments, the environment and the streams of its caller

What runs is awscli as it is, each call in a process of its own.
"""

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

from parts import ROOT, START_S, eventually

# What the verbs call. Any other service loads its model in the call.
SERVICES = ("cloudformation", "dynamodb", "lambda", "logs", "s3", "secretsmanager", "sqs", "sts")
CLIENT = """#!{python} -SE
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    call = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    streams = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    server.sendmsg([len(call).to_bytes(8, "big")], [streams])
    server.sendall(call)
    code = server.recv(1)
sys.exit(code[0] if code else 255)
"""


def python_of(aws):
    """The interpreter of a command line that is written in Python; nothing for version 2, which brings its own."""
    first = Path(aws).read_bytes()[:200].split(b"\n")[0]
    return first[2:].decode().strip() if first.startswith(b"#!") and b"python" in first else None


@contextmanager
def running(folder):
    """A command `bin/aws` in the folder, and the server of it; that of this machine where it cannot be loaded once."""
    (folder / "bin").mkdir()
    aws, client, path = find(), folder / "bin/aws", folder / "socket"
    python = python_of(aws)
    if python is None:
        client.symlink_to(aws)
        yield
        return
    client.write_text(CLIENT.format(python=sys.executable, path=str(path)))
    client.chmod(0o755)
    server = subprocess.Popen([python, __file__, path], stdin=subprocess.DEVNULL)
    try:
        eventually("the AWS command line", START_S, lambda: path.exists() or server.poll() is not None)
        assert server.poll() is None, "the server of the AWS command line ended"
        yield
    finally:
        server.terminate()
        server.wait()


def find():
    """The command line, as infra/deploy/lib.sh finds it, or the one that a wrapper before it (pyenv's) would run."""
    folders = [str(ROOT / ".tools/aws/bin"), *os.environ["PATH"].split(os.pathsep), f"{sys.base_prefix}/bin"]
    found = [path for folder in folders if (path := shutil.which("aws", path=folder))]
    return next((path for path in found if python_of(path)), found[0])


def run(driver, arguments, environment, folder, streams):
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    # Set by the import of awscli: where its own data is.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data)
    os.chdir(folder)
    sys.argv = ["aws", *arguments]
    return driver().main(arguments)


def serve(path):
    import botocore.loaders
    from awscli.clidriver import create_clidriver
    from botocore.session import get_session

    loaded = functools.cache(botocore.loaders.JSONFileLoader().load_file)
    botocore.loaders.JSONFileLoader.load_file = lambda _, path: loaded(path)
    create_clidriver()
    for service in SERVICES:
        get_session().create_client(service, region_name="eu-central-2", aws_access_key_id="a", aws_secret_access_key="b")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen(64)
        # Clients take it for ready once it is there.
        os.rename(f"{path}.new", path)
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(create_clidriver, client)
            client.close()


def answer(driver, client):
    size, streams, _, _ = socket.recv_fds(client, 8, 3)
    left, call = int.from_bytes(size, "big"), b""
    while len(call) < left:
        call += client.recv(left - len(call))
    code = 255
    try:
        code = run(driver, *json.loads(call), streams)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        client.send(bytes([(code or 0) & 0xFF]))
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
