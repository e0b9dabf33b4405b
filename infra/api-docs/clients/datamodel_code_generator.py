"""Registers, signs in, lists users and signs out with the pydantic models that datamodel-code-generator makes, and httpx."""

import datetime
import os

import httpx
from badge_models import (
    Done,
    Gender,
    LoggedIn,
    LoginReply,
    LoginRequest,
    LogoutReply,
    NotLogin,
    ParamsInvalid,
    Reasons,
    Registered,
    RegisterReply,
    RegisterRequest,
    TooManyRequests,
    UserIndexReply,
    UserPage,
    VeriCodeReply,
    VeriCodeRequest,
    VeriCodeSent,
    VeriCodeWrong,
)
from pydantic import BaseModel

PHONE = "13800138000"
WRONG = "000000"
client = httpx.Client(base_url=os.environ["BADGE_URL"])


def post(path: str, body: BaseModel | None = None) -> bytes:
    return client.post(path, content=body.model_dump_json() if body else None).content


def register(birth_day: datetime.date, code: str) -> object:
    body = RegisterRequest(user_name="张三", gender=Gender.FEMALE, birth_day=birth_day, phone=PHONE, veri_code=code)
    return RegisterReply.model_validate_json(post("/user/register", body)).root


def veri_code() -> object:
    return VeriCodeReply.model_validate_json(post("/user/veri_code", VeriCodeRequest(phone=PHONE))).root


def login(code: str) -> object:
    return LoginReply.model_validate_json(post("/user/login", LoginRequest(phone=PHONE, veri_code=code))).root


def logout() -> object:
    return LogoutReply.model_validate_json(post("/user/logout")).root


def user_index(**headers: str) -> object:
    return UserIndexReply.model_validate_json(client.get("/user/index?limit=10", headers=headers).content).root


sent = veri_code()
assert isinstance(sent, VeriCodeSent), sent
limited = veri_code()
assert isinstance(limited, TooManyRequests) and limited.data.retry_after > 0, limited

refused = register(datetime.date(1800, 1, 1), WRONG)
assert isinstance(refused, ParamsInvalid) and isinstance(refused.data, Reasons), refused
assert refused.data.root.keys() == {"birth_day"}, refused
user = register(datetime.date(1990, 1, 2), input("Code: "))
assert isinstance(user, Registered), user

# To sign in takes a code of its own.
input(f"Wait for {sent.data.retry_after} s, then press Enter: ")
assert isinstance(veri_code(), VeriCodeSent)
wrong = login(WRONG)
assert isinstance(wrong, VeriCodeWrong), wrong
reply = login(input("Code: "))
assert isinstance(reply, LoggedIn), reply
assert reply.data.user_id == user.data.user_id, reply

# The client keeps the session's cookie.
session = dict(client.cookies)
for cookies, headers in (({}, {"Authorization": f"Bearer {reply.data.token}"}), (session, {})):
    client.cookies = httpx.Cookies(cookies)
    page = user_index(**headers)
    assert isinstance(page, UserPage) and page.next is None, page
    assert [(one.id, one.gender, one.birth_day) for one in page.data] == [(user.data.user_id, Gender.FEMALE, None)], page

assert isinstance(logout(), Done)
client.cookies = httpx.Cookies(session)
for after in (logout(), user_index()):
    assert isinstance(after, NotLogin) and after.code == 10006, after
