"""Messages go out behind the answer: `veri_code` invokes `send_sms`, which Lambda tries again, and at last gives up."""

import json

from bed import STAGE
from parts import eventually

# What Lambda makes of one event whose function fails (EventInvokeConfig in the template: two retries).
ATTEMPTS = 3


def failed_events(bed):
    """Events in the queue of what was given up. They stay there."""
    queue = bed.aws("sqs")
    url = queue.get_queue_url(QueueName=f"badge-{STAGE}-failed-events")["QueueUrl"]
    received = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in received.get("Messages", [])]


def test_a_message_that_the_provider_refuses_is_sent_by_a_retry(bed):
    phone = bed.phone()
    bed.sink.refuse(f"+86{phone}", times=1)
    code = bed.code(phone)
    assert len(bed.sink.to(f"+86{phone}", bed.sink.refused)) == 1
    assert len(bed.sink.to(f"+86{phone}")) == 1, "a message was sent twice"
    assert bed.post("register", bed.applicant(phone, code))["code"] == 0


def test_a_message_that_is_always_refused_ends_in_the_queue_and_can_be_driven_again(bed):
    phone = bed.phone()
    bed.sink.refuse(f"+86{phone}", times=100)
    bed.ask(phone)
    failed = eventually("the failed event", 20, lambda: failed_events(bed))
    assert len(bed.sink.to(f"+86{phone}", bed.sink.refused)) == ATTEMPTS
    assert len(failed) == 1 and failed[0]["requestContext"]["functionArn"].endswith(bed.name("send_sms")), failed
    assert not bed.sink.to(f"+86{phone}")

    bed.sink.refuse(f"+86{phone}", times=0)
    assert "1 driven again" in bed.done("redrive")
    eventually("the message", 10, lambda: bed.sink.to(f"+86{phone}"))
    assert not failed_events(bed)


def test_each_alias_has_its_retries_and_the_queue(bed):
    client = bed.aws("lambda")
    for function, age_s in (("send_sms", 300), ("daily", 21600), ("cache_watch", 3600), ("deployed", 21600)):
        config = client.get_function_event_invoke_config(FunctionName=bed.name(function), Qualifier="live")
        queue = config["DestinationConfig"]["OnFailure"]["Destination"]
        assert queue.endswith(f":badge-{STAGE}-failed-events"), function
        assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (ATTEMPTS - 1, age_s), function
