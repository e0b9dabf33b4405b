"""Signs up, signs in, lists users and signs out: python account.py (needs httpx)."""

# region client
import os
import uuid

import httpx

client = httpx.Client(
    base_url=os.environ.get("BADGE_URL", "http://127.0.0.1:9600/local/iwc/badge"),
    headers={"Accept-Language": "en"},
    timeout=5,
)
phone = "13800138000"


def call(method, path, **request):
    """Returns the envelope of the reply. HTTP is always 200, so look at the code."""
    envelope = client.request(method, path, **request).json()
    if envelope.get("code") != 0:
        raise RuntimeError(envelope)
    return envelope
# endregion


# region veri_code
# The same key, sent twice, is one message.
key = {"Idempotency-Key": str(uuid.uuid4())}
sent = call("POST", "/user/veri_code", json={"phone": phone}, headers=key)["data"]
print(f"The code is good for {sent['expires_in']} s.")
# endregion

# region register
user = call("POST", "/user/register", json={
    "user_name": "张三",
    "gender": 1,
    "birth_day": "1990-01-02",
    "phone": phone,
    "veri_code": input("Code: "),
})["data"]
print(user["user_id"])
# endregion

# To sign in takes a code of its own.
input(f"Wait for {sent['retry_after']} s, then press Enter: ")
call("POST", "/user/veri_code", json={"phone": phone})

# region login
login = call("POST", "/user/login", json={"phone": phone, "veri_code": input("Code: ")})["data"]
print(login["token"])  # The client keeps the session's cookie.
# endregion

# region user_index
# The token will do in the place of the cookie.
token = {"Authorization": f"Bearer {login['token']}"}
cursor = ""
while cursor is not None:
    page = call("GET", "/user/index", params={"limit": 100, "cursor": cursor}, headers=token)
    for one in page["data"]:
        print(one["id"], one["user_name"], one["phone"])
    cursor = page["next"]
# endregion

# region user_me
me = call("GET", "/user/me")["data"]
print(me["role"])
# endregion

# region user_update
# None clears an optional field.
call("POST", "/user/update", json={"user_name": "李四", "city": None})
# endregion

# region user_token
print(call("POST", "/user/token")["data"]["expires_in"])
# endregion

# region user_sessions
for one in call("GET", "/user/sessions")["data"]:
    print(one["opened_at"], one["client"], one["network"])
# endregion

# region end_sessions
call("POST", "/user/end_sessions", json={"others": True})
# endregion

# region user_export
print(call("GET", "/user/export")["data"])
# endregion

if me["role"] == "admin":
    # region admin_user
    print(call("GET", "/admin/user", params={"phone": phone})["data"]["state"])
    # endregion

    # region admin_update
    call("POST", "/admin/update", json={"phone": "13900139000", "reset_tries": True})
    # endregion

    # region admin_audit
    for event in call("GET", "/admin/audit", params={"id": user["user_id"], "limit": 20})["data"]:
        print(event["at"], event.get("changed_by"), event["fields"])
    # endregion

# region change_phone
def change_phone(phone, veri_code, old_veri_code):
    """Both phones receive a code by veri_code."""
    codes = {"veri_code": veri_code, "old_veri_code": old_veri_code}
    return call("POST", "/user/change_phone", json={"phone": phone, **codes})
# endregion

# region delete_account
def delete_account(veri_code):
    """A login with "restore": True restores it until then."""
    return call("POST", "/user/delete", json={"veri_code": veri_code})["data"]["restore_until"]
# endregion

# region logout
call("POST", "/user/logout")
# endregion
