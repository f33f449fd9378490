"""A webhook's secret is changed without one webhook lost: both count while both stand in the INI, and none after it
left. Signatures that are bad in other ways: test_input.py; windows of time to the millisecond: the plugins' verify cases."""
import time

import pytest

from hooks_kit import booking_body, call_body, calcom_headers, digest, lasting_world, message_body, retell_headers, whatsapp_headers
from world import BUILD, TENANT, wait

OLD, NEW, NEVER = "secret-of-yesterday-01", "secret-of-tomorrow-02", "secret-of-somebody-03"


def http_headers(body, secret, at=None):
    stamp = str(int(time.time() if at is None else at))
    return {"X-Signed": f"t={stamp},v1={digest(secret, stamp.encode(), b'.', body)}"}


# connection: its secret, a body, how it is signed
KINDS = {
    "phone": ("webhook_key", lambda n: call_body(f"rotate-{n}"), lambda b, s: retell_headers(b, s)),
    "calendar": ("webhook_secret", lambda n: booking_body(f"rotate-{n}"), lambda b, s: calcom_headers(b, s)),
    "calendar1": ("webhook_secret", lambda n: booking_body(f"rotate-one-{n}"), lambda b, s: calcom_headers(b, s)),
    "whatsapp": ("app_secret", lambda n: message_body(f"wamid.rotate-{n}"), lambda b, s: whatsapp_headers(b, s)),
    "shop": ("webhook_secret", lambda n: b'{"id":"evt_%d"}' % n, http_headers),
}


def prepare(world):
    sandbox = f"http://127.0.0.1:{world.sandbox_port}"
    world.ini.drop("pipeline")
    world.secrets.update(OLD=OLD, NEW=NEW)
    world.ini["host"]["plugins"] += f" {BUILD / 'plugins' / 'http'}"
    world.ini.add("connection calendar1", tenant=TENANT, plugin="calcom_v1", api_key="${CALCOM_API_KEY}",
                  base_url=f"{sandbox}/calcom/v1")
    world.ini.add("connection shop", ("tenant", TENANT), ("plugin", "http"), ("base_url", sandbox), ("hook.verify", "hmac-sha256"),
                  ("hook.header", "X-Signed"), ("hook.format", "t={$time},v1={$signature}"), ("hook.signed", "{$time}.{$body}"),
                  ("hook.dedupe", "{/id}"), ("hook.subject", "{/id}"), ("hook.data", '{"id": "{/id}"}'), ("event.shop.other", "*"))
    secrets(world, "${OLD}")
    world.start_host()


house = lasting_world(prepare)


def secrets(world, *values):
    """What is set, in this order; the new one is the first."""
    for name, (option, _, _) in KINDS.items():
        section = world.ini[f"connection {name}"]
        if any(key == option for key, _ in section.pairs):
            del section[option]
        for value in values:
            section.add(option, value)


count = 0


def answers(world, name):
    """The status for a webhook signed with each of the three."""
    global count
    found = []
    for secret in (OLD, NEW, NEVER):
        count += 1
        _, make, sign = KINDS[name]
        body = make(count)
        found.append(world.hook(name, body, sign(body, secret))[0] // 100)
    return found


def test_rotation(house):
    for values, expected in ((["${OLD}"], [2, 4, 4]), (["${NEW}", "${OLD}"], [2, 2, 4]), (["${NEW}"], [4, 2, 4])):
        secrets(house, *values)
        house.reload()
        assert {name: answers(house, name) for name in KINDS} == {name: expected for name in KINDS}, values


def test_three_at_once_are_refused(house):
    secrets(house, "${NEW}", "${OLD}", "${NEW}")
    house.write_ini()
    done = house.klinke("check", check=False)
    assert done.returncode == 78 and done.stderr.count("twice at most") == len(KINDS)
    secrets(house, "${NEW}", "${OLD}")
    house.write_ini()


@pytest.mark.parametrize("name,sign", [
    ("phone", lambda b, s: retell_headers(b, NEW, int((time.time() + s) * 1000))),
    ("shop", lambda b, s: http_headers(b, NEW, time.time() + s))])
@pytest.mark.parametrize("seconds,accepted", [(-240, True), (240, True), (-360, False), (360, False), (-86400 * 400, False)])
def test_a_signature_has_its_time(house, name, sign, seconds, accepted):
    """Where the vendor signs a time: five minutes to either side. Cal.com and WhatsApp sign none."""
    secrets(house, "${NEW}", "${OLD}")
    house.reload()
    global count
    count += 1
    body = KINDS[name][1](count)
    assert house.hook(name, body, sign(body, seconds))[0] // 100 == (2 if accepted else 4)


def test_a_time_that_is_not_the_signed_one(house):
    body = KINDS["shop"][1](0)
    headers = http_headers(body, NEW, time.time() - 86400)
    headers["X-Signed"] = headers["X-Signed"].replace(headers["X-Signed"][2:12], str(int(time.time())))
    assert house.hook("shop", body, headers)[0] == 401
    body = call_body("other-time")
    stamp = str(int(time.time() * 1000))
    headers = retell_headers(body, NEW, int(time.time() * 1000) - 86400_000)
    headers["X-Retell-Signature"] = f"v={stamp}," + headers["X-Retell-Signature"].split(",")[1]
    assert house.hook("phone", body, headers)[0] == 401


def test_a_repeat_within_the_window_is_no_second_event(house):
    body = call_body("repeated-4711")
    headers = retell_headers(body, NEW)
    assert [house.hook("phone", body, headers)[0] for _ in range(3)] == [204] * 3
    wait(lambda: not house.status()["webhooks_waiting"], "all is read")
    assert len(house.events("call.ended", subject="call:repeated-4711")) == 1
