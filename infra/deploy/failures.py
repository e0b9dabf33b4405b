"""The events of a stack that failed, of its newest operation, in the order in which they happened.

    aws cloudformation describe-stack-events … --output json | failures.py
"""

import json
import sys

# With which an operation begins; events come newest first.
BEGINNINGS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"}
CANCELLED = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")


def failures(events):
    """Lines of what failed: name, type, state, reason."""
    found = []
    for event in events:
        is_stack = event.get("PhysicalResourceId") == event.get("StackId")
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and not reason.startswith(CANCELLED) and not is_stack:
            kind = event.get("ResourceType", "")
            found.append(f"{event['LogicalResourceId']} ({kind}) {event['ResourceStatus']}: {reason or 'no reason given'}")
        if is_stack and event["ResourceStatus"] in BEGINNINGS:
            break
    return list(reversed(found))


if __name__ == "__main__":
    for line in failures(json.load(sys.stdin)["StackEvents"]):
        print(line)
