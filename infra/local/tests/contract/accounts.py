"""Signs users up and in at a local stage, so that its closed routes are asked with credentials that hold."""

import json
import socket
import time
import urllib.parse
import urllib.request


class Stage:
    def __init__(self, origin):
        self.origin = origin

    def control(self, path, **content):
        body = json.dumps(content).encode() if content else None
        request = urllib.request.Request(f"{self.origin}/_stage/{path}", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def ask(self, route, **parameters):
        """Returns the data of a reply with code 0, and the session id that came with it."""
        url = f"{self.origin}/local/iwc/badge/user/{route}"
        with urllib.request.urlopen(url, json.dumps(parameters).encode(), timeout=10) as reply:
            envelope = json.load(reply)
            cookie = reply.headers.get("set-cookie", "")
        if envelope["code"] != 0:
            raise RuntimeError(f"{route} gave {envelope}")
        return envelope["data"], cookie.partition(";")[0].removeprefix("__sid__=")

    def codes(self, phone):
        """The codes that the phone got, newest first. Notices have none, and may arrive behind one."""
        messages = self.control("sms?phone=" + urllib.parse.quote(phone))
        return [message["code"] for message in messages if message["code"]]

    def code_for(self, phone):
        """Asks for a code, and returns it from the SMS, which is sent after the reply."""
        before = len(self.codes(phone))
        self.ask("veri_code", phone=phone)
        give_up = time.monotonic() + 10
        while len(codes := self.codes(phone)) == before:
            if time.monotonic() > give_up:
                raise RuntimeError("no SMS came")
            time.sleep(0.01)
        return codes[0]

    def forget_limits(self):
        """Empties the cache, so that a phone that just got a code gets another without a minute's wait."""
        cache = urllib.parse.urlsplit(self.control("state")["cache_url"])
        with socket.create_connection((cache.hostname, cache.port), timeout=10) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if not connection.recv(16).startswith(b"+OK"):
                raise RuntimeError("the cache was not emptied")

    def sign_in(self, phones, admin):
        """Registers everybody, and returns a session id and a token for each phone, those of the admin last."""
        everybody = [*phones, admin]
        for phone in everybody:
            person = {"user_name": "契约", "gender": 2, "birth_day": "1999-12-31", "phone": phone}
            self.ask("register", **person, veri_code=self.code_for(phone))
        self.control("users/role", phone=admin, role="admin")
        self.forget_limits()
        logins = [self.ask("login", phone=phone, veri_code=self.code_for(phone)) for phone in everybody]
        return [(session, data["token"]) for data, session in logins]
