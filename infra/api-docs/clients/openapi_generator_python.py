"""Registers, signs in, lists users and signs out through the package that OpenAPI Generator makes for `python`."""

import datetime
import os

from openapi_client import ApiClient, Configuration, UserApi
from openapi_client.models import (
    Done,
    Gender,
    LoggedIn,
    LoginReply,
    LoginRequest,
    NotLogin,
    ParamsInvalid,
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


def user_api(configuration: Configuration) -> UserApi:
    return UserApi(ApiClient(configuration))


anyone = user_api(Configuration(host=URL))
sent = anyone.veri_code(VeriCodeRequest(phone=PHONE)).actual_instance
assert isinstance(sent, VeriCodeSent), sent
limited = anyone.veri_code(VeriCodeRequest(phone=PHONE)).actual_instance
assert isinstance(limited, TooManyRequests) and limited.data.retry_after > 0, limited

refused = anyone.register(register_request(datetime.date(1800, 1, 1), WRONG)).actual_instance
assert isinstance(refused, ParamsInvalid) and isinstance(refused.data.actual_instance, dict), refused
assert refused.data.actual_instance.keys() == {"birth_day"}, refused
user = anyone.register(register_request(datetime.date(1990, 1, 2), input("Code: "))).actual_instance
assert isinstance(user, Registered), user

# To sign in takes a code of its own.
input(f"Wait for {sent.data.retry_after} s, then press Enter: ")
assert isinstance(anyone.veri_code(VeriCodeRequest(phone=PHONE)).actual_instance, VeriCodeSent)
wrong = anyone.login(LoginRequest(phone=PHONE, veri_code=WRONG)).actual_instance
assert isinstance(wrong, VeriCodeWrong), wrong
# `login_with_http_info` has the last of several cookies alone.
reply = anyone.login_without_preload_content(LoginRequest(phone=PHONE, veri_code=input("Code: ")))
login = LoginReply.from_json(reply.read().decode()).actual_instance
assert isinstance(login, LoggedIn), login
assert login.data.user_id == user.data.user_id, login

cookies = (cookie.partition(";")[0] for cookie in reply.headers.getlist("set-cookie"))
session = next(cookie.removeprefix("__sid__=") for cookie in cookies if cookie.startswith("__sid__="))
by_token = user_api(Configuration(host=URL, access_token=login.data.token))
by_session = user_api(Configuration(host=URL, api_key={"session_header": session}))
by_cookie = user_api(Configuration(host=URL, api_key={"session_cookie": session}))
for client in (by_token, by_session, by_cookie):
    page = client.user_index(limit=10).actual_instance
    assert isinstance(page, UserPage) and page.next is None, page
    assert [(one.id, one.gender, one.birth_day) for one in page.data] == [(user.data.user_id, Gender.FEMALE, None)], page

assert isinstance(by_session.logout().actual_instance, Done)
for after in (by_session.logout().actual_instance, by_session.user_index().actual_instance):
    assert isinstance(after, NotLogin) and after.code == 10006, after
