"""Messages go out behind the answer: `veri_code` invokes `send_sms`, which Lambda tries again, and at last gives up."""

import json

from stage import STAGE
from parts import eventually

# What Lambda makes of one event whose function fails (EventInvokeConfig in the template: two retries).
ATTEMPTS = 3


def failed_events(stage):
    """Events in the queue of what was given up. They stay there."""
    queue = stage.aws("sqs")
    url = queue.get_queue_url(QueueName=f"badge-{STAGE}-failed-events")["QueueUrl"]
    received = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in received.get("Messages", [])]


def test_a_message_that_the_provider_refuses_is_sent_by_a_retry(stage):
    phone = stage.phone()
    stage.sink.refuse(f"+86{phone}", times=1)
    code = stage.code(phone)
    assert len(stage.sink.to(f"+86{phone}", stage.sink.refused)) == 1
    assert len(stage.sink.to(f"+86{phone}")) == 1, "a message was sent twice"
    assert stage.post("register", stage.applicant(phone, code))["code"] == 0


def test_a_message_that_is_always_refused_ends_in_the_queue_and_can_be_redriven(stage):
    phone = stage.phone()
    stage.sink.refuse(f"+86{phone}", times=100)
    stage.ask(phone)
    failed = eventually("the failed event", 20, lambda: failed_events(stage))
    assert len(stage.sink.to(f"+86{phone}", stage.sink.refused)) == ATTEMPTS
    assert len(failed) == 1 and failed[0]["requestContext"]["functionArn"].endswith(stage.name("send_sms")), failed
    assert not stage.sink.to(f"+86{phone}")

    stage.sink.refuse(f"+86{phone}", times=0)
    assert "1 redriven" in stage.done("redrive")
    eventually("the message", 10, lambda: stage.sink.to(f"+86{phone}"))
    assert not failed_events(stage)


def test_each_alias_has_its_retries_and_the_queue(stage):
    client = stage.aws("lambda")
    for function, age_s in (("send_sms", 300), ("daily", 21600), ("cache_watch", 3600), ("deployed", 21600)):
        config = client.get_function_event_invoke_config(FunctionName=stage.name(function), Qualifier="live")
        queue = config["DestinationConfig"]["OnFailure"]["Destination"]
        assert queue.endswith(f":badge-{STAGE}-failed-events"), function
        assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (ATTEMPTS - 1, age_s), function
