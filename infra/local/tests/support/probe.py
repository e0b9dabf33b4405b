"""A runtime client in plain Python: does what its event says, so that a test can observe the emulator."""

import http.client
import json
import os
import socket
import sys
import time

API = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
ROOT = "/2018-06-01/runtime"
PRELUDE = "application/vnd.awslambda.http-integration-response"


def call(method, path, body=None, headers={}):
    API.request(method, ROOT + path, body, headers)
    response = API.getresponse()
    return response.status, dict(response.headers), response.read()


def reply(body, **more):
    answer = {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body), **more}
    return json.dumps(answer)


def wait_for(is_there):
    """Waits without a bound: the emulator kills a function that takes too long."""
    while not is_there():
        time.sleep(0.002)


def redis(command):
    """Sends one inline command; the first line of the reply."""
    host, port = os.environ["CACHE_URL"].removeprefix("redis://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(command.encode() + b"\r\n")
        return connection.makefile().readline().strip()


def tracer():
    """The process that has a debugger on this one, else 0."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("TracerPid:"))


def stream(request_id, parts, trailers=()):
    """Sends a chunked response by hand, because `http.client` cannot send trailers."""
    head = [
        f"POST {ROOT}/invocation/{request_id}/response HTTP/1.1",
        f"Host: {os.environ['AWS_LAMBDA_RUNTIME_API']}",
        f"Content-Type: {PRELUDE}",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Transfer-Encoding: chunked",
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    ]
    text = "\r\n".join(head).encode() + b"\r\n\r\n"
    for part in parts:
        text += f"{len(part):x}\r\n".encode() + part + b"\r\n"
    text += b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers) + b"\r\n"
    API.sock.sendall(text)
    response = http.client.HTTPResponse(API.sock)
    response.begin()
    response.read()


def run(request_id, headers, command, event):
    respond = lambda body: call("POST", f"/invocation/{request_id}/response", body)
    do = command.get("do", "echo")
    if do == "echo":
        seen = {"code": 7, "pid": os.getpid(), "event": event, "headers": headers, "env": dict(os.environ)}
        seen["tracer"] = tracer()
        respond(reply(seen, cookies=["a=1; Path=/", "b=2"]))
    elif do == "answer":
        respond(command["payload"])
    elif do == "error":
        document = json.dumps({"errorType": "Probe", "errorMessage": "asked to"})
        call("POST", f"/invocation/{request_id}/error", document)
    elif do == "print":
        for line in command["lines"]:
            print(line, file=sys.stderr if line.startswith("!") else sys.stdout, flush=True)
        respond(reply("printed"))
    elif do == "exit":
        print("about to exit", flush=True)
        os._exit(3)
    elif do == "hang":
        print("hanging", flush=True)
        time.sleep(600)
    elif do == "skip":
        return
    elif do == "wrong_id":
        status, _, body = call("POST", "/invocation/00000000-0000-0000-0000-000000000000/response", "{}")
        respond(reply({"status": status, "error": json.loads(body)}))
    elif do == "stream":
        prelude = json.dumps({"statusCode": 201, "headers": {"x-streamed": "yes"}}).encode()
        stream(request_id, [prelude, b"\0" * 8, b"hello, ", b"world"])
    elif do == "stream_error":
        trailers = [("Lambda-Runtime-Function-Error-Type", "Probe"), ("Lambda-Runtime-Function-Error-Body", "e30=")]
        stream(request_id, [b"{}", b"\0" * 8, b"half"], trailers)
    elif do == "meet":
        # Answers once as many processes as asked for are here at the same time.
        folder = command["folder"]
        open(os.path.join(folder, str(os.getpid())), "w").close()
        wait_for(lambda: len(os.listdir(folder)) >= command["guests"])
        respond(reply({"pid": os.getpid()}))
    elif do == "wait_for":
        open(command["started"], "w").close()
        wait_for(lambda: os.path.exists(command["file"]))
        respond(reply({"pid": os.getpid()}))
    elif do == "note":
        # Records its event, and the value of a cache key at this moment.
        note = {**command, "request_id": request_id}
        if "key" in command:
            note["held"] = redis(f"EXISTS {command['key']}")
        with open(command["file"], "a") as file:
            file.write(json.dumps(note) + "\n")
        respond('{"code": 0}')
    elif do == "fail_unless":
        if os.path.exists(command["file"]):
            respond("{}")
        else:
            document = json.dumps({"errorType": "Probe", "errorMessage": "there is no file"})
            call("POST", f"/invocation/{request_id}/error", document)
    elif do == "fail_times":
        with open(command["file"], "a+") as file:
            file.write(request_id + "\n")
            file.seek(0)
            attempts = len(file.readlines())
        if attempts <= command["times"]:
            call("POST", f"/invocation/{request_id}/error", "{}")
        else:
            respond("{}")
    else:
        raise ValueError(do)


def main():
    print("ready", flush=True)
    if os.environ.get("INIT") == "error":
        call("POST", "/init/error", json.dumps({"errorType": "Probe.Init", "errorMessage": "asked to"}))
        time.sleep(600)
    while True:
        _, headers, body = call("GET", "/invocation/next")
        event = json.loads(body)
        command = json.loads(event.get("body") or "{}") if "requestContext" in event else event
        run(headers["lambda-runtime-aws-request-id"], headers, command, event)


main()
