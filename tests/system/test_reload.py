"""A new configuration: good ones are taken for what comes, bad ones change nothing, and what has
begun goes on as it began, also over a restart."""
import json
import signal
import sys
import time
from pathlib import Path

import pytest

from hooks_kit import booking_body, call_body, calcom_headers, retell_headers
from world import CALLER, SECRETS, TENANT, request, wait

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))
from clock import Clock  # noqa: E402

DUE_S = 3600  # how long a waiting step waits: nobody is so slow that it is due before its time has come


def send_call(world, call_id, key=None):
    body = call_body(call_id)
    headers = retell_headers(body, key) if key else retell_headers(body)
    return world.hook("phone", body, headers)[0]


def note(world, text, name="note", **more):
    """A pipeline whose only trace is the template parameter of a message."""
    world.ini.add(f"pipeline {name}", ("on", "call.ended"),
                  ("step", f"whatsapp.send template=rueckruf to=\"{CALLER}\" params=(json_array('{text}'))"), *more.items())


def only_notes(world):
    world.ini.drop("pipeline")
    world.ini.drop("mapping")


def said(world):
    """The parameters of the messages that went out, oldest first."""
    return [parameter(m) for m in world.messages()]


def parameter(message):
    """The first text in it, wherever the sandbox keeps it."""
    found = []

    def look(value):
        if isinstance(value, dict):
            if value.get("type") == "text" and isinstance(value.get("text"), str):
                found.append(value["text"])
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)
        elif isinstance(value, str) and value.startswith("{"):
            look(json.loads(value))
    look(message)
    return found[0]


@pytest.fixture
def office(world):
    only_notes(world)  # calls are all that happens here
    return world


# ---- Taking over -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["verb", "api", "HUP"])
def test_a_good_configuration_is_taken(office, how):
    note(office, "eins")
    office.start()
    assert send_call(office, "before") == 204
    wait(lambda: said(office) == ["eins"], "by the first one")
    office.ini["pipeline note"]["step"] = office.ini["pipeline note"]["step"].replace("eins", "zwei")
    office.write_ini()
    if how == "HUP":
        office.host.send_signal(signal.SIGHUP)
        wait(lambda: "configuration reloaded" in office.log(), "the log tells")
    elif how == "api":
        assert office.api("POST", "/reload")["generation"] == 2
    else:
        assert json.loads(office.klinke("reload", "--json").stdout)["generation"] == 2
    assert office.status()["generation"] == 2
    assert send_call(office, "after") == 204
    wait(lambda: said(office) == ["eins", "zwei"], "by the second one")
    generations = {j["subject"]: j["generation"] for j in office.jobs()}
    assert generations == {"call:before": 1, "call:after": 2}


def test_the_same_again_is_the_same_generation(office):
    note(office, "eins")
    office.start_host()
    for _ in range(3):
        assert json.loads(office.klinke("reload", "--json").stdout)["generation"] == 1


@pytest.mark.parametrize("how", ["verb", "api", "HUP"])
def test_a_bad_configuration_changes_nothing(office, how):
    note(office, "eins")
    office.start()
    mark = len(office.log())
    office.ini["pipeline note"]["step"] = "whatsap.send"
    office.ini["connection phone"]["api_kye"] = "x"
    office.write_ini()
    lines = office.file.read_text().splitlines()
    if how == "HUP":
        office.host.send_signal(signal.SIGHUP)
        wait(lambda: "configuration not reloaded" in office.log()[mark:], "the log tells")
    elif how == "api":
        status, text, _ = request(office.port, "POST", "/api/v1/reload", b"",
                                  {"Authorization": "Bearer " + SECRETS["KLINKE_ADMIN_TOKEN"]})
        assert status == 400 and "old configuration stays" in json.loads(text)["detail"]
    else:
        done = office.klinke("reload", check=False)
        assert done.returncode == 78
        line = next(n for n, l in enumerate(lines, 1) if "api_kye" in l)
        assert f"{office.file}:{line}:1" in done.stderr and "2 faults" in done.stderr, done.stderr
    faults = [l for l in office.log()[mark:].splitlines() if "place=" in l and "level=error" in l]
    assert len(faults) == 2, "every fault, with its place"
    assert office.status()["generation"] == 1
    assert send_call(office, "after") == 204
    wait(lambda: said(office) == ["eins"], "the old one is at work")


def test_many_reloads_while_webhooks_come(office):
    """Nothing is refused, lost or done twice."""
    note(office, "t0")
    office.start()
    for n in range(12):
        assert send_call(office, f"busy-{n}") == 204
        office.ini["pipeline note"]["step"] = \
            f"whatsapp.send template=rueckruf to=\"{CALLER}\" params=(json_array('t{n + 1}'))"
        office.reload()
    wait(lambda: office.settled(0, 12), "all of them were done, once each")
    assert sorted(said(office)) == sorted(f"t{n}" for n in range(12))


# ---- What has begun -----------------------------------------------------------------------------------------

def waits(world, text):
    """The message is sent in an hour; its text is that of the configuration it began with."""
    only_notes(world)
    due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + DUE_S))
    note(world, text)
    world.ini["pipeline note"].add("at", f"'{due}'")


@pytest.fixture
def clock(office):
    return Clock(office)


def begin(world):
    """One run that waits."""
    waits(world, "alt")
    world.start()
    send_call(world, "begun")
    wait(lambda: world.jobs("waiting"), "it waits")


def test_a_waiting_run_keeps_its_configuration(office, clock):
    begin(office)
    waits(office, "neu")
    office.reload()
    send_call(office, "later")
    wait(lambda: len(office.jobs("waiting")) == 2, "both wait")
    clock.travel(2 * DUE_S)
    wait(lambda: len(said(office)) == 2, "both are sent")
    assert set(said(office)) == {"alt", "neu"}
    done = wait(lambda: len(d := office.jobs("done")) == 2 and d, "both are done")
    assert {j["subject"]: j["generation"] for j in done} == {"call:begun": 1, "call:later": 2}


def test_what_a_person_runs_again_goes_by_the_mended_configuration(world):
    """First a mapping with a wrong event type, then a template that nobody has."""
    right = world.ini["pipeline confirm"]["step"], world.ini["mapping booking"]["event_type"]
    world.ini["mapping booking"]["event_type"] = "text, required : '999999'"
    world.ini["pipeline confirm"]["step"] = right[0].replace("termin_bestaetigung", "termin_bestaetigun")
    world.start()
    world.ring()
    for mend in (lambda: world.ini["mapping booking"].__setitem__("event_type", right[1]),
                 lambda: world.ini["pipeline confirm"].__setitem__("step", right[0])):
        job, = wait(lambda: world.jobs("parked"), "it waits for a person")
        mend()
        world.reload()
        world.klinke("dead", "retry", job["id"])
        done = wait(lambda: [j for j in world.jobs("done") if j["id"] == job["id"]], "it is done")
        assert done[0]["generation"] == world.status()["generation"]
    wait(lambda: world.settled(1, 1), "one booking, one message")


@pytest.mark.parametrize("end", ["kill", "term"])
def test_also_over_a_restart(office, clock, end):
    begin(office)
    assert office.stop_host() == 0 if end == "term" else not office.kill_host()
    waits(office, "neu")
    office.start_host()
    assert office.status()["generation"] == 2
    clock.travel(2 * DUE_S)
    wait(lambda: said(office) == ["alt"], "as it began")
    assert wait(lambda: office.jobs("done"), "and is done")[0]["generation"] == 1


def test_a_literal_secret_in_an_old_generation(office, clock):
    """It is not kept in the store; today's file has it."""
    office.ini["connection whatsapp"]["token"] = SECRETS["WHATSAPP_TOKEN"]
    begin(office)
    office.kill_host()
    for path in office.state.rglob("*"):
        assert not path.is_file() or SECRETS["WHATSAPP_TOKEN"].encode() not in path.read_bytes(), path
    office.ini["pipeline note"]["step"] = "phone.test"
    office.start_host()
    clock.travel(2 * DUE_S)
    wait(lambda: said(office) == ["alt"], "as it began")


def test_a_pipeline_that_is_gone(office, clock):
    """What began in it is finished; nothing new begins in it."""
    begin(office)
    office.kill_host()
    only_notes(office)
    office.start_host()
    send_call(office, "later")
    wait(lambda: office.events("call.ended", subject="call:later"), "the event is there")
    clock.travel(2 * DUE_S)
    wait(lambda: said(office) == ["alt"], "as it began")
    assert not [j for j in office.jobs() if j["subject"] == "call:later"]


def test_a_connection_that_is_gone(office, clock):
    """Its webhooks are 404. What waits for it is done by the configuration it began with."""
    begin(office)
    office.kill_host()
    only_notes(office)
    del office.ini["connection whatsapp"]
    office.start_host()
    assert office.hook("whatsapp", b"{}", {})[0] == 404
    clock.travel(2 * DUE_S)
    job, = wait(lambda: office.jobs("done", "parked", "dead"), "it comes to an end")
    assert (job["state"], said(office)) == ("done", ["alt"]), job


def test_a_connection_that_is_renamed_is_told(office):
    """Its vendor goes on calling the old address, of which nothing else would say a word."""
    office.start()
    office.ini.sections["connection telefon"] = office.ini["connection phone"]
    office.ini.drop("pipeline")
    del office.ini["connection phone"]
    office.reload()
    told, = [line for line in office.log().splitlines() if "connection is gone" in line]
    assert "level=warn" in told and "connection=lindenhof/phone" in told and "klinke gaps --fetch" in told
    office.reload()
    assert office.log().count("connection is gone") == 1


def test_a_connection_that_goes_while_it_is_asked(office):
    """The answer is waited for and belongs to the request: nothing is unknown, and nothing is sent twice."""
    note(office, "eins")
    office.start()
    office.fault(vendor="whatsapp", path="*/messages", delay_ms=1000, count=1)
    send_call(office, "asked")
    wait(lambda: not office.faults_left(), "the vendor has the request")
    only_notes(office)
    del office.ini["connection whatsapp"]
    office.reload()
    assert office.hook("whatsapp", b"{}", {})[0] == 404
    job, = wait(lambda: office.jobs("done", "parked", "dead"), "it comes to an end")
    assert (job["state"], said(office)) == ("done", ["eins"]), job


def test_a_stored_webhook_of_a_connection_that_is_gone(office):
    """Stored before the end, read after the next start: it waits until its connection is back."""
    office.start_sandbox()
    office.start_host()
    body = b'{"event":"call_ended","call'
    assert office.hook("phone", body, retell_headers(body))[0] == 204
    row = wait(lambda: next((i for i in office.inbox() if i["state"] == "parked"), None), "it is parked")
    del office.ini["connection phone"]
    office.reload()
    office.klinke("replay", row["id"])
    wait(lambda: office.status()["webhooks_waiting"] == 1, "nobody can read it now")
    office.restart_host()
    assert office.status()["webhooks_waiting"] == 1, "it is not lost"
    office.ini.add("connection phone", tenant=TENANT, plugin="retell", api_key="${RETELL_API_KEY}",
                   base_url=f"http://127.0.0.1:{office.sandbox_port}/retell")
    office.reload()
    wait(lambda: office.status()["webhooks_parked"] == 1, "it is read again, and as bad as before")


def test_changed_secrets(office):
    """Two values while they change; the old one no longer after it is taken out."""
    note(office, "eins")
    office.secrets["KEY_NEW"] = "key_brand_new"
    office.start()
    assert send_call(office, "old-1") == 204 and send_call(office, "new-1", "key_brand_new") == 401
    office.ini["connection phone"].add("webhook_key", "${KEY_NEW}")
    office.ini["connection phone"].add("webhook_key", "${RETELL_API_KEY}")
    office.reload()
    assert send_call(office, "old-2") == 204 and send_call(office, "new-2", "key_brand_new") == 204
    del office.ini["connection phone"]["webhook_key"]
    office.ini["connection phone"]["webhook_key"] = "${KEY_NEW}"
    office.reload()
    assert send_call(office, "old-3") == 401 and send_call(office, "new-3", "key_brand_new") == 204
    assert "key_brand_new" not in office.log()


def test_a_secret_file_that_changed(office, tmp_path):
    """@FILE is read again with each reload; requests go out with the new one."""
    path = tmp_path / "token"
    path.write_text("EAAwrong\n")
    path.chmod(0o600)
    office.ini["connection whatsapp"]["token"] = f"@{path}"
    office.ini["connection whatsapp"]["retry_max_tries"] = "1"
    office.start()
    failed = office.klinke("call", f"{TENANT}/whatsapp.send", json.dumps({"to": CALLER, "text": "x"}), "--json", check=False)
    assert json.loads(failed.stdout)["fail"] == "bad auth", failed
    path.write_text(SECRETS["WHATSAPP_TOKEN"] + "\n")
    office.reload()
    template = {"to": CALLER, "template": "rueckruf", "params": ["x"]}
    assert office.call(f"{TENANT}/whatsapp.send", template)["message_id"]
    assert "EAAwrong" not in office.log()


def test_new_connections_and_tenants(office):
    office.start()
    body = booking_body("second-office")
    assert office.hook("diary", body, calcom_headers(body), tenant="zweit")[0] == 404
    office.ini.add("tenant zweit", timezone="Europe/Vienna")
    office.ini.add("connection diary", tenant="zweit", plugin="calcom_v1", api_key="${CALCOM_API_KEY}",
                   webhook_secret="${CALCOM_WEBHOOK_SECRET}", base_url=f"http://127.0.0.1:{office.sandbox_port}/calcom/v1")
    office.reload()
    assert office.hook("diary", body, calcom_headers(body), tenant="zweit")[0] == 200
    event, = wait(lambda: office.events("booking.created"), "the event")
    assert event["tenant"] == "zweit"


def test_a_plugin_that_does_not_load(office, tmp_path):
    """Disables its connection, not the host: its hooks are 503 with Retry-After, the others work."""
    broken = tmp_path / "plugins"
    broken.mkdir()
    (broken / "calcom_v1.so").write_bytes(b"not a library")
    office.ini["host"]["plugins"] = f"{broken} " + office.ini["host"]["plugins"]
    office.ini.add("connection diary", tenant=TENANT, plugin="calcom_v1", api_key="${CALCOM_API_KEY}",
                   base_url="http://127.0.0.1:1/v1")
    office.start_host()
    body = booking_body("not-now")
    status, _, headers = office.hook("diary", body, calcom_headers(body))
    assert status == 503 and int(headers["retry-after"]) > 0
    assert send_call(office, "works") == 204
    done = office.klinke("call", f"{TENANT}/diary.test", check=False)
    assert done.returncode == 75 and "disabled" in done.stderr
    assert "diary" in office.log() and "calcom_v1" in office.log()
