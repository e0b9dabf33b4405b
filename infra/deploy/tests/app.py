"""ministack, with one thing mended that no change of the template could: it keeps the retries and the queue of failed events
of an alias (EventInvokeConfig), and when an event of the alias fails it looks at none."""

from ministack.app import app
from ministack.services import lambda_svc

__all__ = ["app"]  # what hypercorn serves

of_the_function = lambda_svc.invoke_async_with_retry


def of_the_alias(version, event):
    name, qualifier = lambda_svc._resolve_name_and_qualifier(version["config"]["FunctionArn"])
    configs = lambda_svc._functions[name].get("event_invoke_configs", {})
    of_the_function({**version, "event_invoke_config": configs.get(qualifier or "")}, event)


lambda_svc.invoke_async_with_retry = of_the_alias
