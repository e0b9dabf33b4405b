"""Releases of a stage: which version of each function is live, of which commit, by whom, when.

    releases.py lock WHAT                  takes the stage's lock, or says who has it
    releases.py unlock
    releases.py record WHAT VERSIONS       writes a release down before it is live, and prints its id
    releases.py mark ID STATE              `live`, or `failed`
    releases.py current                    the id of the release that is live; nothing if there is none
    releases.py before                     the id of the release that `make rollback` sets
    releases.py versions ID                its functions and versions, in lines
    releases.py adopt VERSIONS             writes down what is live if no release says so: somebody moved an alias by hand
    releases.py list

VERSIONS is a file with a function and its version in each line. All of it stands in objects of the stage's code bucket, below
`releases/<stage>/`: S3 alone outlives the stack, and writes under a condition (S3 User Guide, "Conditional writes"). The
environment names AWS (the command line), BUCKET, ACCOUNT and STAGE.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

# Longer than a first deployment takes, whose cache needs some ten minutes. After an interruption the next one waits at most this
# long.
LOCK_S = 45 * 60
KEPT = 50


class Refusal(Exception):
    """Why nothing is done; printed without a trace."""


def aws(*arguments, check=True):
    """What the command line prints; with `check` off, None where it fails."""
    run = subprocess.run([os.environ["AWS"], *arguments], capture_output=True, text=True, check=False)
    if run.returncode and check:
        raise Refusal(run.stderr.strip() or f"{arguments[0]} {arguments[1]} failed")
    return None if run.returncode else run.stdout


def of_bucket(operation, *arguments):
    """A call on the bucket, which must be of this account: names of buckets are everybody's."""
    owner = ("--expected-bucket-owner", os.environ["ACCOUNT"])
    return ("s3api", operation, "--bucket", os.environ["BUCKET"], *owner, *arguments)


def key(name):
    return f"releases/{os.environ['STAGE']}/{name}"


def read(name):
    """The object as JSON, with its tag; nothing if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "object")
        found = aws(*of_bucket("get-object", "--key", key(name), path, "--output", "json"), check=False)
        if found is None:
            return None, None
        with open(path) as file:
            return json.load(file), json.loads(found)["ETag"]


def write(name, value, *condition, check=True):
    """Whether the object was written."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(value, file, indent=1)
        file.flush()
        put = of_bucket("put-object", "--key", key(name), "--body", file.name, "--content-type", "application/json")
        return aws(*put, *condition, check=check) is not None


def who():
    return json.loads(aws("sts", "get-caller-identity", "--output", "json"))["Arn"]


def commit():
    """The commit that is checked out, with `+` behind it if files differ; `unknown` outside of a clone."""
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return "unknown"
    changed = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=False).stdout.strip()
    return head.stdout.strip() + ("+" if changed else "")


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def lock(what):
    mine = {"what": what, "by": who(), "from": moment(time.time()), "until": time.time() + LOCK_S}
    if write("lock", mine, "--if-none-match", "*", check=False):
        return
    held, tag = read("lock")
    if held is None:
        # Given back in between, or the bucket cannot be written; the second try says which.
        write("lock", mine, "--if-none-match", "*")
    elif held["until"] > time.time():
        raise Refusal(
            f"{held['by']} has been at `make {held['what']}` of this stage since {held['from']}; "
            f"the lock ends by itself at {moment(held['until'])}"
        )
    elif not write("lock", mine, "--if-match", tag, check=False):
        raise Refusal("somebody else has just taken the lock of this stage, which had expired")


def unlock():
    aws(*of_bucket("delete-object", "--key", key("lock")), check=False)


def every():
    """All releases that are kept, newest first."""
    listed = aws(*of_bucket("list-objects-v2", "--prefix", key("release-"), "--output", "json"))
    names = sorted((one["Key"] for one in (json.loads(listed or "{}").get("Contents") or [])), reverse=True)
    found = (read(name.removeprefix(key("")))[0] for name in names[:KEPT])
    return [one for one in found if one]


def of_file(path):
    with open(path) as file:
        return dict(line.split() for line in file if line.strip())


def current():
    value, _ = read("current")
    return value["id"] if value else None


def record(what, versions, state="begun"):
    # Sorts by time; the lock keeps two of one millisecond apart.
    now = time.time_ns() // 1_000_000
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now // 1000))}-{now % 1000:03}"
    release = {
        "id": name,
        "what": what,
        "state": state,
        "commit": commit(),
        "by": who(),
        "at": moment(time.time()),
        "before": current(),
        "versions": versions,
    }
    write(f"release-{name}", release, "--if-none-match", "*")
    return name


def release(name):
    found, _ = read(f"release-{name}")
    if not found:
        raise Refusal(f"there is no release {name}; type: make releases STAGE={os.environ['STAGE']}")
    return found


def mark(name, state):
    write(f"release-{name}", {**release(name), "state": state})
    if state == "live":
        write("current", {"id": name})


def before():
    """The release that was live before the newest one that went live. It is the same however often it is asked for."""
    newest = next((one for one in every() if one["state"] == "live" and one["before"]), None)
    if not newest:
        raise Refusal("there is no release before; nothing was changed")
    return newest["before"]


def adopt(versions):
    """Writes down what is live unless the current release says the same. Prints what differs."""
    name = current()
    known = release(name)["versions"] if name else None
    if known == versions or not versions:
        return
    for function in sorted(versions if known else ()):
        if known.get(function) != versions[function]:
            print(f"{function}: {versions[function]} is live, not {known.get(function)}", file=sys.stderr)
    mark(record("found", versions, "live"), "live")


def table():
    lines = []
    now = current()
    for one in every():
        sign = "*" if one["id"] == now else " "
        lines.append(f"{sign} {one['id']}  {one['state']:<6}  {one['what']:<14}  {one['commit']:<13}  {one['by']}")
    return "\n".join(lines) or "no release yet"


def main(verb, *arguments):
    if verb == "lock":
        lock(*arguments)
    elif verb == "unlock":
        unlock()
    elif verb == "record":
        what, path = arguments
        print(record(what, of_file(path)))
    elif verb == "mark":
        mark(*arguments)
    elif verb == "current":
        print(current() or "")
    elif verb == "before":
        print(before())
    elif verb == "versions":
        for function, version in sorted(release(*arguments)["versions"].items()):
            print(function, version)
    elif verb == "adopt":
        adopt(of_file(*arguments))
    elif verb == "list":
        print(table())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:] or ["help"])
    except Refusal as refusal:
        sys.exit(f"error: {refusal}")
