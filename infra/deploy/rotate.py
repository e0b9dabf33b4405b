"""Rotates the keys of a stage, so that no token and no code in use is refused.

    rotate.py [--force] STAGE [SECRET...]     SECRET is a key of [secrets] in conf/STAGE.toml; by default all of them

A secret holds a ring of keys: the one that signs, the one before it and the one after it, which verify too. To rotate
is to turn the ring: `next` signs, the one that signed is `previous`, and a new key is `next`. Two things must have
happened before that, which are waited for by refusing to turn: every sandbox has read the key that is about to sign,
and what the key that is about to go has signed is no longer valid. --force does not look: it is for keys that have
leaked, and after three turns none of them is left.

The stage `local` is the running one (PORT); all others are in AWS, with the credentials and the region that AWS's own
tools would use. A key is never printed and never an argument of a process.
"""

import email.utils
import json
import os
import secrets
import string
import sys
import tomllib
import urllib.request
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from botocore.session import Session

# Warm sandboxes go on with what they have read for five minutes (TTL in shared/src/aws/secrets.rs); one more is for
# requests under way and clocks that differ.
HEARD_S = 6 * 60
KEY_CHARACTERS = 64


class Refusal(Exception):
    """Why a secret is left as it is."""


def client(stage):
    if stage != "local":
        # botocore knows AWS_DEFAULT_REGION and profiles alone.
        return Session().create_client("secretsmanager", os.environ.get("AWS_REGION") or None)
    origin = f"http://127.0.0.1:{os.environ.get('PORT') or 9600}"
    try:
        with urllib.request.urlopen(f"{origin}/_stage/state", timeout=10) as state:
            url = json.load(state)["aws_url"]
    except OSError:
        raise Refusal(f"no local stage is at {origin}: type `make run`, or name its port with PORT=") from None
    # The stage's double looks whether a call is signed, not by whom.
    return Session().create_client(
        "secretsmanager", "us-east-1", endpoint_url=url, aws_access_key_id="local", aws_secret_access_key="local"
    )


def valid_for_s(name, conf):
    """How long something is valid that the secret's key has signed."""
    return {"jwt": conf["token"]["ttl_secs"], "veri_code": conf["veri_code"]["ttl_secs"]}.get(name, 0)


def new_key(ring):
    keys = [ring, ring.get("next") or {}, ring.get("previous") or {}]
    numbers = [int(key["kid"][1:]) for key in keys if key.get("kid", "").removeprefix("k").isdigit()]
    alphabet = string.ascii_letters + string.digits
    return {
        "kid": f"k{max(numbers, default=0) + 1}",
        "key": "".join(secrets.choice(alphabet) for _ in range(KEY_CHARACTERS)),
    }


def only_key(key):
    return {name: key[name] for name in ("kid", "key")}


def turn(store, name, secret, conf, force):
    if name == "sms" and conf["sms"]["provider"] in ("aliyun", "tencent"):
        provider = conf["sms"]["provider"]
        raise Refusal(f"its key is of {provider}: make a new one there, and put it here (docs/operations.md)")
    found = store.get_secret_value(SecretId=secret)
    ring = json.loads(found["SecretString"])
    # Both by the store's own clock.
    now = email.utils.parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    age_s = (now - found["CreatedDate"]).total_seconds()
    wait_s = HEARD_S + (valid_for_s(name, conf) if ring.get("previous") else 0)
    if not ring.get("next"):
        turned = {**ring, "next": new_key(ring)}
        said = f"{turned['next']['kid']} will sign next, which sandboxes must hear of: rotate again in {HEARD_S} s"
    elif age_s < wait_s and not force:
        raise Refusal(f"changed {age_s:.0f} s ago, and what is in use would be refused: again in {wait_s - age_s:.0f} s")
    else:
        turned = {**only_key(ring["next"]), "previous": only_key(ring), "next": new_key(ring)}
        said = f"{turned['kid']} signs, {ring['kid']} still verifies, {turned['next']['kid']} is next"
    store.put_secret_value(SecretId=secret, SecretString=json.dumps(turned))
    return said


def main(arguments):
    force = "--force" in arguments
    names = [argument for argument in arguments if argument != "--force"]
    if not names or names[0].startswith("-"):
        sys.exit(__doc__)
    stage, *wanted = names
    file = Path(__file__).parents[2] / "conf" / f"{stage}.toml"
    if not file.is_file():
        sys.exit(f"error: there is no stage {stage}: no conf/{stage}.toml")
    conf = tomllib.loads(file.read_text())
    unknown = set(wanted) - set(conf["secrets"])
    if unknown:
        sys.exit(f"error: conf/{stage}.toml names no secret {', '.join(sorted(unknown))}")
    status = 0
    try:
        store = client(stage)
        for name in wanted or conf["secrets"]:
            secret = conf["secrets"][name]
            try:
                print(f"{secret}: {turn(store, name, secret, conf, force)}")
            except Refusal as refusal:
                print(f"{secret}: not rotated: {refusal}", file=sys.stderr)
                status = 1
    except NoRegionError:
        sys.exit("error: no region is set; type: export AWS_REGION=ap-southeast-1")
    except NoCredentialsError:
        sys.exit("error: AWS does not know who you are; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    except (BotoCoreError, ClientError, Refusal) as error:
        sys.exit(f"error: {error}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
