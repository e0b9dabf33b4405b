"""Delivers changes of users again that a function of their stream could not write: `make redrive` calls it for a deployed stage.

    redrive_changes.py AWS STAGE

Lambda's message in the queue says where in the stream the records are (AWS Lambda Developer Guide, "Retain discarded records
for a DynamoDB event source"). The stream keeps them for 24 hours. They are read, the function is invoked with them and
waited for, and the message is deleted once it has written all of them; twice is as good as once.
"""

import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# Of a shard, so that a message of any number of records ends.
PAGES = 1_000


def aws(*arguments):
    answer = subprocess.run([AWS, *arguments, "--output", "json"], check=True, capture_output=True, text=True).stdout
    return json.loads(answer) if answer.strip() else {}


def seconds(time):
    """The CLI writes times as ISO 8601, or as numbers, as it is configured."""
    return time if isinstance(time, (int, float)) else datetime.datetime.fromisoformat(time).timestamp()


def records_of(batch):
    """The records that a message names; fewer when the stream has them no more."""
    place = ["--stream-arn", batch["streamArn"], "--shard-id", batch["shardId"]]
    start = ["--shard-iterator-type", "AT_SEQUENCE_NUMBER", "--sequence-number", batch["startSequenceNumber"]]
    iterator = aws("dynamodbstreams", "get-shard-iterator", *place, *start)["ShardIterator"]
    found, last = [], int(batch["endSequenceNumber"])
    for _ in range(PAGES):
        page = aws("dynamodbstreams", "get-records", "--shard-iterator", iterator)
        for record in page["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return found
            record["dynamodb"]["ApproximateCreationDateTime"] = seconds(record["dynamodb"]["ApproximateCreationDateTime"])
            found.append(record | {"eventSourceARN": batch["streamArn"]})
        iterator = page.get("NextShardIterator")
        if not iterator or (found and int(found[-1]["dynamodb"]["SequenceNumber"]) == last):
            return found
    return found


def is_written(function, records):
    with tempfile.TemporaryDirectory() as folder:
        event, answer = Path(folder) / "event", Path(folder) / "answer"
        event.write_text(json.dumps({"Records": records}))
        said = aws("lambda", "invoke", "--function-name", function, "--payload", f"fileb://{event}", str(answer))
        return "FunctionError" not in said and not json.loads(answer.read_text())["batchItemFailures"]


def main(stage):
    name = f"badge-{stage}-failed-changes"
    url = aws("sqs", "get-queue-url", "--queue-name", name)["QueueUrl"]
    driven, lost = 0, 0
    while messages := aws("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "2").get("Messages"):
        message = json.loads(messages[0]["Body"])
        batch = message["DDBStreamBatchInfo"]
        try:
            records = records_of(batch)
        except subprocess.CalledProcessError as refusal:
            if "TrimmedDataAccess" not in refusal.stderr and "ResourceNotFound" not in refusal.stderr:
                raise
            records = []
        if not records or len(records) < batch["batchSize"]:
            lost += 1
            print(f"error: the stream has records of {batch['startSequenceNumber']} no more; the message stays", file=sys.stderr)
            continue
        function = message["requestContext"]["functionArn"]
        if not is_written(function, records):
            sys.exit(f"error: {function} could not write it now either; the message stays, and the log says why")
        aws("sqs", "delete-message", "--queue-url", url, "--receipt-handle", messages[0]["ReceiptHandle"])
        driven += len(records)
    print(f"{driven} changes written")
    sys.exit(lost > 0)


if __name__ == "__main__":
    AWS = sys.argv[1]
    main(sys.argv[2])
