"""Registers, signs in, lists users and signs out through the package that openapi-python-client makes."""

import datetime
import os

from badge_client import AuthenticatedClient, Client
from badge_client.api.user import login, logout, register, user_index, veri_code
from badge_client.models import (
    Done,
    Gender,
    LoggedIn,
    LoginRequest,
    NotLogin,
    ParamsInvalid,
    Reasons,
    Registered,
    RegisterRequest,
    TooManyRequests,
    UserPage,
    VeriCodeRequest,
    VeriCodeSent,
    VeriCodeWrong,
)

URL = os.environ["BADGE_URL"]
PHONE = "13800138000"
WRONG = "000000"


def register_request(birth_day: datetime.date, code: str) -> RegisterRequest:
    return RegisterRequest(user_name="张三", gender=Gender.FEMALE, birth_day=birth_day, phone=PHONE, veri_code=code)


anyone = Client(base_url=URL)
sent = veri_code.sync(client=anyone, body=VeriCodeRequest(phone=PHONE))
assert isinstance(sent, VeriCodeSent), sent
limited = veri_code.sync(client=anyone, body=VeriCodeRequest(phone=PHONE))
assert isinstance(limited, TooManyRequests) and limited.data.retry_after > 0, limited

refused = register.sync(client=anyone, body=register_request(datetime.date(1800, 1, 1), WRONG))
assert isinstance(refused, ParamsInvalid) and isinstance(refused.data, Reasons), refused
assert refused.data.additional_properties.keys() == {"birth_day"}, refused
user = register.sync(client=anyone, body=register_request(datetime.date(1990, 1, 2), input("Code: ")))
assert isinstance(user, Registered), user

# To sign in takes a code of its own.
input(f"Wait for {sent.data.retry_after} s, then press Enter: ")
assert isinstance(veri_code.sync(client=anyone, body=VeriCodeRequest(phone=PHONE)), VeriCodeSent)
wrong = login.sync(client=anyone, body=LoginRequest(phone=PHONE, veri_code=WRONG))
assert isinstance(wrong, VeriCodeWrong), wrong
reply = login.sync_detailed(client=anyone, body=LoginRequest(phone=PHONE, veri_code=input("Code: ")))
assert isinstance(reply.parsed, LoggedIn), reply
assert reply.parsed.data.user_id == user.data.user_id, reply

by_token = AuthenticatedClient(base_url=URL, token=reply.parsed.data.token)
session = reply.headers["set-cookie"].partition(";")[0].removeprefix("__sid__=")
by_session = AuthenticatedClient(base_url=URL, token=session, prefix="")
for client in (by_token, by_session):
    page = user_index.sync(client=client, limit=10)
    assert isinstance(page, UserPage) and page.next_ is None, page
    assert [(one.id, one.gender, one.birth_day) for one in page.data] == [(user.data.user_id, Gender.FEMALE, None)], page

assert isinstance(logout.sync(client=by_session), Done)
for after in (logout.sync(client=by_session), user_index.sync(client=by_session)):
    assert isinstance(after, NotLogin) and after.code == 10006, after
