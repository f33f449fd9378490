"""Who may look and decide: passwords, sessions, lock-out, proxies, and what a foreign page can make a browser do."""
import base64
import hashlib
import itertools
import json
import re
import subprocess
from urllib.parse import urlencode

import pytest

from hooks_kit import lasting_world
from world import KLINKE, SECRETS, TENANT, log_in, request, wait

TOKEN = SECRETS["KLINKE_ADMIN_TOKEN"]
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD, OLD_PASSWORD = "Klappenschrank, 50 Teilnehmer", "Hakenumschalter & Kurbel"
OFFICE = "token-of-the-office"
PROXY = {"X-Forwarded-For": "203.0.113.9"}


def line_of(password):
    done = subprocess.run([KLINKE, "password"], input=password + "\n", text=True, capture_output=True, check=True)
    key, line = done.stdout.strip().split(" = ")
    assert key == "admin_password" and password not in done.stdout + done.stderr
    return line


def cheap_line_of(password):
    """As klinke password would make it, with the least work that is taken."""
    hashed = hashlib.scrypt(password.encode(), salt=bytes(16), n=1 << 14, r=8, p=1, dklen=32, maxmem=64 << 20)
    return "$scrypt$ln=14,r=8,p=1$" + "$".join(base64.b64encode(b).decode().rstrip("=") for b in (bytes(16), hashed))


def prepare(world):
    world.ini.drop("pipeline")
    world.ini["host"].add("admin_password", cheap_line_of(PASSWORD))
    world.ini["host"].add("admin_password", cheap_line_of(OLD_PASSWORD))
    world.ini["host"].add("proxies", "127.0.0.0/8")
    world.ini[f"tenant {TENANT}"].add("token", "${OFFICE}")
    world.secrets["OFFICE"] = OFFICE
    world.start_host()


house = lasting_world(prepare)


def login(world, secret, headers=None, body=None):
    body = urlencode({"secret": secret}) if body is None else body
    status, text, fields = request(world.port, "POST", "/login", body, headers or {})
    return status, text.decode(), fields


def from_(address):
    """As our proxy would tell it. Each test has an address of its own, since failures count."""
    return {"X-Forwarded-For": address}


def sees(world, cookie, path="/api/v1/status"):
    return request(world.port, "GET", path, None, cookie)[0]


# ---- Logging in ---------------------------------------------------------------------------------

@pytest.mark.parametrize("secret", [PASSWORD, OLD_PASSWORD, TOKEN])
def test_password_and_token_open_a_session(house, secret):
    status, _, fields = login(house, secret, from_("198.51.100.1"))
    assert status == 303 and fields["location"] == "/" and fields["cache-control"] == "no-store"
    value, *attributes = fields["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes), "no Secure: it came in clear"
    assert re.fullmatch(r"klinke_session=[0-9a-f]{64}", value), "and none of the secret in it"
    assert sees(house, {"Cookie": "a=b; " + value}) == 200


def test_a_form_asks_for_it(house):
    status, text, fields = request(house.port, "GET", "/login")
    assert status == 200 and b"<form method=post action=/login>" in text and b"type=password" in text
    assert "form-action 'self'" in fields["content-security-policy"]
    status, text, fields = request(house.port, "GET", "/", None, {"Accept": "text/html,*/*"})
    assert status == 401 and b"<form" in text and fields["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("body", ["", "secret=", "secret", "secret=x&secret=y", "password=" + PASSWORD, "secret=%", "secret=%ff",
                                  json.dumps({"secret": TOKEN}), "secret=" + "x" * 5000, "&" * 3000], ids=range(10))
def test_what_opens_nothing(house, body):
    status, text, fields = login(house, "", from_(f"2001:db8:0:{len(body)}::1"), body)
    assert status == 403 and "opens nothing" in text and "set-cookie" not in fields


def test_logout(house):
    own = f"http://127.0.0.1:{house.port}"
    cookie, other = log_in(house.port, TOKEN), log_in(house.port, TOKEN)
    assert request(house.port, "POST", "/logout", "", cookie)[0] == 403, "nothing says where it is from"
    assert request(house.port, "POST", "/logout", "", {**cookie, "Origin": "https://evil.example"})[0] == 403
    assert request(house.port, "GET", "/logout", None, cookie)[0] == 405
    assert sees(house, cookie) == 200
    status, _, fields = request(house.port, "POST", "/logout", "", {**cookie, "Origin": own})
    assert status == 303 and "Max-Age=0" in fields["set-cookie"]
    assert (sees(house, cookie), sees(house, other)) == (401, 200)


def test_a_line_of_klinke_password(world):
    world.ini.drop("pipeline")
    world.ini["host"].add("admin_password", line_of(PASSWORD))
    del world.ini["host"]["admin_token"]
    world.start_host()
    assert sees(world, log_in(world.port, PASSWORD)) == 200


def test_a_session_ends_with_its_credential(world):
    world.ini.drop("pipeline")
    new, old = cheap_line_of(PASSWORD), cheap_line_of(OLD_PASSWORD)
    world.ini["host"].add("admin_password", new)
    world.ini["host"].add("admin_password", old)
    world.start_host()
    by_new, by_old, by_token = (log_in(world.port, s) for s in (PASSWORD, OLD_PASSWORD, TOKEN))
    del world.ini["host"]["admin_password"]
    world.ini["host"].add("admin_password", new)
    world.reload()
    assert (sees(world, by_new), sees(world, by_old), sees(world, by_token)) == (200, 401, 200)
    assert login(world, OLD_PASSWORD)[0] == 403
    world.restart_host()
    assert sees(world, by_new) == 401, "sessions are in memory only"


# ---- Guessing -----------------------------------------------------------------------------------

def test_who_guesses_is_locked_out_and_nobody_else(house):
    before = log_in(house.port, TOKEN)
    seen = []

    def locked():
        """Guesses on until the pause is long enough for the rest of this test."""
        status, _, fields = login(house, "guess", from_("198.51.100.66"))
        seen.append(status)
        return status == 429 and int(fields["retry-after"]) >= 3
    wait(locked, "the pauses grow")
    assert seen[:5] == [403] * 5 and set(seen) == {403, 429}
    for secret in ("guess", PASSWORD, TOKEN):
        status, text, fields = login(house, secret, from_("198.51.100.66"))
        assert status == 429 and 1 <= int(fields["retry-after"]) <= 300 and "set-cookie" not in fields, secret
    assert login(house, PASSWORD, from_("198.51.100.67"))[0] == 303
    for headers in ({**before, **from_("198.51.100.66")}, {**BEARER, **from_("198.51.100.66")}):
        assert sees(house, headers) == 200, "who has logged in, or has a token, is not locked out by others"
    assert 'login refused: too many wrong ones from there' in house.log() and "198.51.100.66" in house.log()


def test_before_a_proxy_nobody_names_his_own_address(world):
    """The header counts from the proxies of the INI only, and of it what they wrote: the end."""
    world.ini.drop("pipeline")
    world.ini["host"].add("proxies", "10.9.8.7")
    world.start_host()
    addresses = itertools.count(1)
    wait(lambda: login(world, "guess", {"X-Forwarded-For": f"203.0.{next(addresses) % 250}.1"})[0] == 429,
         "no proxy of ours: all are one address")


@pytest.mark.parametrize("told", ["198.51.100.70", "203.0.113.1, 198.51.100.70", "203.0.113.2,198.51.100.70, 127.0.0.9",
                                  "garbage, 198.51.100.70", "198.51.100.70:4711", "127.0.0.1 ,198.51.100.70 , 127.0.0.1"])
def test_the_address_behind_the_proxy(house, told):
    """All of these are one address, in whatever a client put before it."""
    wait(lambda: login(house, "guess", {"X-Forwarded-For": told})[0] == 429, "its tries are used up")


def test_secure_behind_a_proxy_with_tls(house):
    fields = login(house, TOKEN, {**PROXY, "X-Forwarded-Proto": "https"})[2]
    assert "; Secure" in fields["set-cookie"]


def test_passwords_and_tokens_are_in_no_log(house):
    login(house, "a-wrong-guess-4711", from_("198.51.100.80"))
    log_in(house.port, PASSWORD)
    log = house.log()
    for secret in (PASSWORD, OLD_PASSWORD, TOKEN, OFFICE, "a-wrong-guess-4711", "$scrypt$"):
        assert secret not in log


# ---- Foreign pages ------------------------------------------------------------------------------

FOREIGN = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
           {"Origin": "null"}]


@pytest.mark.parametrize("headers", FOREIGN)
def test_no_login_from_a_foreign_page(house, headers):
    status, text, fields = login(house, TOKEN, {**headers, **from_("198.51.100.90")})
    assert status == 403 and "set-cookie" not in fields


@pytest.mark.parametrize("headers", [{}] + FOREIGN)
def test_no_change_from_a_foreign_page(house, headers):
    """Each verb that changes something, as the host lists them; with a cookie that is right."""
    cookie = log_in(house.port, TOKEN)
    verbs = [v["verb"] for v in house.api("GET", "/routes")["verbs"] if v["changes"]]
    assert {"retry", "drop", "replay", "call", "reload"} <= set(verbs)
    for verb in verbs:
        status, text, _ = request(house.port, "POST", f"/api/v1/{verb}", '{"id":"x"}', {**cookie, **headers})
        assert status == 401, verb
        assert request(house.port, "GET", f"/api/v1/{verb}?id=x", None, cookie)[0] == 405, verb


def test_safe_headers_of_login(house):
    for method, path, headers in (("GET", "/login", {}), ("POST", "/login", from_("198.51.100.91")), ("POST", "/logout", {})):
        fields = request(house.port, method, path, "" if method == "POST" else None, headers)[2]
        assert fields["x-content-type-options"] == "nosniff" and fields["x-frame-options"] == "DENY"
        assert fields["referrer-policy"] == "same-origin" and fields["cache-control"] == "no-store"
        assert fields["cross-origin-opener-policy"] == fields["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in fields["content-security-policy"]


# ---- What is open without being asked -----------------------------------------------------------

def test_this_machine_only_unless_said_otherwise(world):
    del world.ini["host"]["listen"]
    world.write_ini()
    shown = world.klinke("help", "config", "host").stdout
    assert re.search(r"listen.*127\.0\.0\.1:8080", shown, re.S)
    world.ini["host"]["listen"] = f"0.0.0.0:{world.port}"
    del world.ini["host"]["admin_token"]
    world.write_ini()
    done = world.klinke("check", check=False)
    assert done.returncode == 78 and "admin_token" in done.stderr


@pytest.mark.parametrize("said,why", [("short", "10 characters"), ("", "10 characters"), ("x" * 2000, "1024"), ("tab\tin the password", "control")], ids=range(4))
def test_passwords_that_are_none(said, why):
    done = subprocess.run([KLINKE, "password"], input=said + "\n", text=True, capture_output=True)
    assert done.returncode == 1 and why in done.stderr and not done.stdout


def test_a_password_is_no_argument():
    done = subprocess.run([KLINKE, "password", PASSWORD], input="", text=True, capture_output=True)
    assert done.returncode == 2 and PASSWORD not in done.stderr + done.stdout
    assert subprocess.run([KLINKE, "password"], input="", text=True, capture_output=True).returncode == 2
