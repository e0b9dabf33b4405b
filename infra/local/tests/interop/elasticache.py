"""Makes the password that ElastiCache takes from an IAM user, with botocore, as AWS's own example does.

    elasticache.py USER CACHE KIND REGION SECONDS ACCESS_KEY SECRET_KEY [SESSION_TOKEN]

KIND is `serverlesscache` or `replicationgroup`; SECONDS since 1970 are the time that signs. Source: Amazon ElastiCache
User Guide, "Authenticating with IAM".
"""

import datetime
import sys
from urllib.parse import urlencode

import botocore.auth
from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner


def password(user, cache, kind, region, seconds, *keys):
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).replace(tzinfo=None)
    botocore.auth.get_current_datetime = lambda: moment
    query = {"Action": "connect", "User": user}
    if kind == "serverlesscache":
        query["ResourceType"] = "ServerlessCache"
    request = {
        "method": "GET",
        "url": f"http://{cache}/?{urlencode(query)}",
        "body": {},
        "headers": {},
        "context": {},
    }
    # The signer has a weak reference to it only.
    emitter = HierarchicalEmitter()
    signer = RequestSigner(ServiceId("elasticache"), region, "elasticache", "v4", Credentials(*keys), emitter)
    url = signer.generate_presigned_url(request, operation_name="connect", expires_in=900, region_name=region)
    return url.removeprefix("http://")


if __name__ == "__main__":
    if not 8 <= len(sys.argv) <= 9:
        sys.exit(__doc__)
    print(password(*sys.argv[1:]))
