"""ministack, with one thing mended that no change of the template could: it keeps the retries and the queue of failed events
of an alias (EventInvokeConfig), and when an event of the alias fails it looks at none. And it can refuse to move an alias, as
Lambda does that is asked too often: of each function that the file `throttled` names."""

import os
from pathlib import Path

from ministack.app import app
from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

__all__ = ["app"]  # what hypercorn serves

THROTTLED = Path(os.environ["TMPDIR"]) / "throttled"

of_the_function = lambda_svc.invoke_async_with_retry


def of_the_alias(version, event):
    name, qualifier = lambda_svc._resolve_name_and_qualifier(version["config"]["FunctionArn"])
    configs = lambda_svc._functions[name].get("event_invoke_configs", {})
    of_the_function({**version, "event_invoke_config": configs.get(qualifier or "")}, event)


lambda_svc.invoke_async_with_retry = of_the_alias


update_alias = lambda_svc._update_alias


def update_alias_or_not(function, alias, data):
    if THROTTLED.exists() and function in THROTTLED.read_text().split():
        return error_response_json("TooManyRequestsException", "Rate exceeded", 429)
    return update_alias(function, alias, data)


lambda_svc._update_alias = update_alias_or_not
