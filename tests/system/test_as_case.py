"""What happened as a case file: klinke show --as-case and klinke plugin record, for every bundled provider
plugin. The files are run once more by klinke-case, as their plugin's tests would."""
import json
import subprocess
from datetime import timezone

import pytest
from hooks_kit import lasting_world
from test_http_plugin import CHANNEL, SECRETS as HTTP_SECRETS, done, house as declared, slack_headers  # noqa: F401
from test_http_plugin import paid, stripe_headers, vendors, written  # noqa: F401
from world import BUILD, CALLER, SECRETS, TENANT

CASE = BUILD / "host" / "plugin" / "klinke-case"
SLOTS = {"event_type": "310455", "from": "2026-11-26T00:00:00Z", "to": "2026-11-28T00:00:00Z",
         "timezone": "Europe/Berlin"}
PERSONS = ("Berger", "Petersen", "berger", "petersen", CALLER[-8:], "lindenhof.example")


def prepare(world):
    world.ini.add("connection diary", tenant=TENANT, plugin="calcom_v1", api_key="${CALCOM_API_KEY}",
                  webhook_secret="${CALCOM_WEBHOOK_SECRET}", retry_base="50ms",
                  base_url=f"http://127.0.0.1:{world.sandbox_port}/calcom/v1")
    world.start()
    world.ring()
    world.wait(lambda: world.settled(1, 1), "booked and confirmed")


office = lasting_world(prepare)


def run(plugin, file, how=()):
    return subprocess.run([str(CASE), *how, str(BUILD / "plugins" / plugin / f"{plugin}.so"), str(file)], text=True,
                          capture_output=True, timeout=60)


def passing(plugin, file):
    """The cases of a file, after klinke-case ran them here and in the sandbox."""
    for how in ([], ["--worker"]):
        told = run(plugin, file, how)
        assert told.returncode == 0, told.stdout + told.stderr
    text = file.read_text()
    cases = json.loads(text)
    assert f"# {len(cases)} passed, 0 failed" in told.stdout
    for secret in (*SECRETS.values(), *HTTP_SECRETS.values(), "127.0.0.1"):
        assert secret not in text
    assert '"***"' not in text
    return cases


def nobody(cases):
    text = json.dumps(cases, ensure_ascii=False)
    for person in PERSONS:
        assert person not in text, person
    return cases


def show(world, id_, path, *options, check=True):
    return world.klinke("show", id_, "--as-case", "-o", path, *options, check=check)


def record(world, target, value, path, **how):
    return world.klinke("plugin", "record", f"{TENANT}/{target}", json.dumps(value), "-o", path, **how)


# ---- webhooks -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("connection, plugin", [("phone", "retell"), ("calendar", "calcom_v2"),
                                                ("whatsapp", "whatsapp")])
def test_a_webhook_becomes_two_cases_with_a_signature_of_their_own(office, tmp_path, connection, plugin):
    for hook in office.inbox_of(connection):
        file = tmp_path / f"{hook['id']}.json"
        assert "2 cases of" in show(office, hook["id"], file).stderr
        genuine, read = passing(plugin, file)
        assert genuine["expect"]["kind"] == "accept" and genuine["expect"]["proofs"] == 1
        types = {e["type"] for e in office.events() if e.get("inbox") == hook["id"]}
        assert {e["type"] for e in read["expect"]["events"]} == types
        assert len(genuine["verify"]["headers"]) <= 2  # those that prove, not those of the way it came
        forged = json.loads(json.dumps(genuine))
        forged["verify"]["body"]["json"]["forged"] = True
        file.write_text(json.dumps([forged]))
        told = run(plugin, file)
        assert told.returncode == 1 and "reject_mac" in told.stdout


def test_persons_get_other_names_the_same_everywhere(office, tmp_path):
    analyzed = office.events("call.analyzed")[0]
    _, read = passing("retell", tmp_path / "a.json") if show(office, analyzed["inbox"], tmp_path / "a.json") else ()
    nobody(read["expect"])
    given = read["normalize"]["body"]["json"]["call"]
    data = read["expect"]["events"][0]["data"]
    assert data["from"] == given["from_number"] != CALLER
    assert data["fields"]["name"] == given["call_analysis"]["custom_analysis_data"]["_name"] != "Jana Berger"
    show(office, analyzed["inbox"], tmp_path / "b.json", "--real-persons")
    assert passing("retell", tmp_path / "b.json")[1]["expect"]["events"][0]["data"]["from"] == CALLER


# ---- jobs ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pipeline, plugin, op", [("book", "calcom_v2", "book"), ("confirm", "whatsapp", "send")])
def test_a_step_of_a_pipeline_becomes_a_case(office, tmp_path, pipeline, plugin, op):
    job = office.jobs("done", pipeline=f"agency/{pipeline}")[-1]
    show(office, job["id"], tmp_path)
    cases = nobody(passing(plugin, tmp_path / f"{plugin}.json"))
    assert [c["step"]["op"] for c in cases] == [op]
    assert cases[0]["step"]["key"] == job["key"]
    assert [t["expect"]["repeat"] for t in cases[0]["step"]["exchange"]] == ["never"]
    cases[0]["step"]["exchange"][0]["expect"]["json"]["more"] = 1
    (tmp_path / "wrong.json").write_text(json.dumps(cases))
    assert run(plugin, tmp_path / "wrong.json").returncode == 1


def test_a_whole_story_is_a_file_for_each_plugin(office, tmp_path):
    call = office.events("call.analyzed")[0]["subject"]
    told = office.klinke("show", call, "--as-case", check=False)
    assert told.returncode == 2 and "directory" in told.stderr and not told.stdout
    show(office, call, tmp_path)
    assert {p.stem for p in tmp_path.iterdir()} >= {"retell", "calcom_v2"}
    for file in tmp_path.iterdir():
        cases = nobody(passing(file.stem, file))
        assert len({c["name"] for c in cases}) == len(cases)


def test_nothing_is_written_over_and_stdout_is_the_file(office, tmp_path):
    job = office.jobs("done", pipeline="agency/book")[-1]["id"]
    (tmp_path / "mine.json").write_text("mine")
    told = office.klinke("show", job, "--as-case", "-o", tmp_path / "mine.json", check=False)
    assert told.returncode == 1 and "mine.json" in told.stderr and (tmp_path / "mine.json").read_text() == "mine"
    (tmp_path / "printed.json").write_text(office.klinke("show", job, "--as-case").stdout)
    passing("calcom_v2", tmp_path / "printed.json")


def test_a_lost_answer_is_a_case_with_its_look_up(office, tmp_path):
    office.fault(event="BOOKING_CREATED", lose=True)  # only the look-up can tell
    office.fault(vendor="calcom_v2", method="POST", path="/calcom/v2/bookings", close_after=True)
    start = f"{office.slot().astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    told = record(office, "calendar.book", {"event_type": "310455", "start": start, "name": "Jana Berger",
                                            "phone": CALLER, "timezone": "Europe/Berlin", "language": "de",
                                            "fields": {"versicherung": "gesetzlich"}}, tmp_path / "b.json")
    assert "1 case of calcom_v2, passing" in told.stderr
    case, = nobody(passing("calcom_v2", tmp_path / "b.json"))
    assert case["step"]["exchange"][0]["answer"] == {"outcome": "unknown"}
    assert len(case["step"]["exchange"]) > 1 and case["expect"]["then"] == "done"


# ---- klinke plugin record -----------------------------------------------------------------------------

@pytest.mark.parametrize("target, value, plugin, then", [
    ("phone.test", {}, "retell", "done"),
    ("phone.calls", {}, "retell", "done"),
    ("calendar.event_types", {}, "calcom_v2", "done"),
    ("calendar.slots", SLOTS, "calcom_v2", "done"),
    ("calendar.cancel", {"uid": "nowhere"}, "calcom_v2", "fail"),
    ("diary.test", {}, "calcom_v1", "done"),
    ("diary.event_types", {}, "calcom_v1", "done"),
    ("diary.slots", SLOTS, "calcom_v1", "done"),
    ("whatsapp.test", {}, "whatsapp", "done"),
    ("whatsapp.send", {"to": CALLER, "template": "no_such_one", "params": []}, "whatsapp", "fail"),
])
def test_an_operation_is_recorded_and_passes(office, tmp_path, target, value, plugin, then):
    file = tmp_path / "case.json"
    told = record(office, target, value, file)
    assert f"1 case of {plugin}, passing" in told.stderr
    case, = nobody(passing(plugin, file))
    assert case["step"]["op"] == target.split(".")[1] and case["expect"]["then"] == then
    assert case["step"]["exchange"]


@pytest.mark.parametrize("target, plugin", [("calendar.poll_bookings", "calcom_v2"),
                                            ("diary.poll_bookings", "calcom_v1"), ("phone.poll_calls", "retell")])
def test_a_poll_is_recorded_with_what_it_began_with(office, tmp_path, target, plugin):
    record(office, target, {}, tmp_path / "first.json")
    record(office, target, {}, tmp_path / "second.json")
    first, = passing(plugin, tmp_path / "first.json")
    second, = nobody(passing(plugin, tmp_path / "second.json"))
    began, ended = second["step"]["checkpoint"], first["expect"]["checkpoint"]
    assert {**began, "at": 0} == {**ended, "at": 0}  # calcom_v1 notes the moment of the answer as "at"


def test_without_a_host_it_does_it_itself(office, tmp_path):
    assert office.stop_host() == 0
    record(office, "calendar.test", {}, tmp_path / "case.json")
    passing("calcom_v2", tmp_path / "case.json")
    office.start_host()


@pytest.mark.parametrize("arguments, code, words", [
    (["plugin", "record"], 2, "TENANT/CONNECTION.OPERATION"),
    (["plugin", "record", "a", "{}", "more"], 2, "TENANT/CONNECTION.OPERATION"),
    (["plugin", "record", f"{TENANT}/calendar.test", "[]"], 2, "JSON object"),
    (["plugin", "record", f"{TENANT}/calendar.nothing"], 1, "nothing"),
    (["plugin", "record", f"{TENANT}/desk.services"], 1, "nothing of it"),
    (["show", "00000000-0000-7000-8000-000000000000", "--as-case"], 1, "00000000"),
    (["show", "x", "-o", "y"], 2, "--as-case"),
])
def test_usage(office, arguments, code, words):
    told = office.klinke(*arguments, check=False)
    assert told.returncode == code and words in told.stderr, (told.returncode, told.stderr)


# ---- what is declared in INI --------------------------------------------------------------------------

def test_declared_connections_too(declared, vendors, tmp_path):  # noqa: F811
    body = written("Ev1")
    assert declared.hook("slack", body, slack_headers(body))[0] == 200
    done(declared, "answer")
    body = json.dumps(paid("evt_1", "checkout.session.expired", "unpaid")).encode()
    assert declared.hook("stripe", body, stripe_headers(body))[0] == 200
    done(declared, "again")
    vendors.events = [paid(f"evt_{i}") for i in range(5)]
    for poll in declared.jobs("done", op="events"):
        assert "plugin record" in show(declared, poll["id"], tmp_path / "never.json", check=False).stderr
    for id_ in [*(i["id"] for i in declared.inbox()), *(j["id"] for j in declared.jobs("done") if j.get("op") != "events")]:
        show(declared, id_, tmp_path / f"{id_}.json")
        cases = passing("http", tmp_path / f"{id_}.json")
        assert "jana@" not in json.dumps(cases)
    told = record(declared, "slack.send", {"to": CHANNEL, "text": "Hallo"}, tmp_path / "send.json")
    assert "1 case of http, passing" in told.stderr
    for n in (1, 2):
        record(declared, "stripe.events", {}, tmp_path / f"poll{n}.json")
    assert len(passing("http", tmp_path / "poll2.json")[0]["step"]["exchange"]) == 3  # pages
