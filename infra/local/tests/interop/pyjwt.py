"""Makes and reads tokens as the service that this one replaces did, with PyJWT 1.7.1 or 2.x.

    pyjwt.py encode KEY CLAIMS [HEADER]   prints a token; the default header is that of the old `create_token`
    pyjwt.py decode KEY TOKEN             prints the claims as JSON, or `error: <exception class>`
    pyjwt.py version                      prints which PyJWT this is

CLAIMS and HEADER are JSON objects. Claims without `exp` get the old service's: 20 minutes from now; with an
`exp` of null they stay without one. PYTHONPATH chooses the PyJWT.
"""

import json
import sys
import time

import jwt

OLD_HEADER = {"typ": "JWT", "alg": "HS256", "type": "jwt"}
OLD_LIFETIME_S = 20 * 60


def encode(key, claims, header=None):
    header = OLD_HEADER if header is None else header
    if "exp" not in claims:
        claims["exp"] = int(time.time()) + OLD_LIFETIME_S
    elif claims["exp"] is None:
        del claims["exp"]
    algorithm = header.get("alg", "HS256")
    token = jwt.encode(claims, None if algorithm == "none" else key, algorithm=algorithm, headers=header)
    # 1.x gives bytes, 2.x text.
    return token.decode("ascii") if isinstance(token, bytes) else token


def decode(key, token):
    try:
        # The old code left the list of algorithms out, which 2.x refuses to do.
        return json.dumps(jwt.decode(token, key, algorithms=["HS256"]), sort_keys=True)
    except jwt.exceptions.PyJWTError as error:
        return "error: " + type(error).__name__


def main(args):
    if args == ["version"]:
        print(jwt.__version__)
    elif args[:1] == ["encode"] and len(args) in (3, 4):
        print(encode(args[1], json.loads(args[2]), *map(json.loads, args[3:])))
    elif args[:1] == ["decode"] and len(args) == 3:
        print(decode(args[1], args[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
