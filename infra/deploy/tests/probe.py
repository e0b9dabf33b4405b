"""A function that makes calls to AWS with the rights that it has, and tells the code of each one's error, or nothing."""

import os

import boto3
from botocore.exceptions import ClientError


def handler(calls, _context):
    clients = {}
    errors = {}
    for name, service, operation, arguments in calls:
        if service not in clients:
            clients[service] = boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT"])
        try:
            getattr(clients[service], operation)(**arguments)
            errors[name] = None
        except ClientError as error:
            errors[name] = error.response["Error"]["Code"]
    return errors
