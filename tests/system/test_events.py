"""Every event that a bundled plugin or the host emits is what sdk/events says of its type.

The plugins' events come out of their case files (klinke-case --events), the host's own out of a real
host. A type without a schema fails, and so does a schema of something that nobody emits.
"""
import copy
import json
import re
import subprocess
import urllib.parse

import jsonschema
import pytest

import desk_kit
from world import BUILD, CALLER, KLINKE, TENANT, TOP

SCHEMAS = TOP / "sdk" / "events"
PLUGINS = ("retell", "calcom_v1", "calcom_v2", "whatsapp")
PERSON = re.compile(r"\+[0-9]{1,15}|[^@\s]+@[^@\s]+")


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def schema_of(type_):
    return load(SCHEMAS / f"{type_}.json")


def parts_from_here(uri):
    """A $ref leads to a file below sdk/events, never into the net."""
    parsed = urllib.parse.urlparse(uri)
    assert parsed.scheme == "file", f"$ref to {uri}"
    with open(urllib.parse.unquote(parsed.path), encoding="utf-8") as file:
        return json.load(file)


def faults(type_, data, path=None):
    """What is wrong with an event's data, a line each."""
    path = path or SCHEMAS / f"{type_}.json"
    schema = load(path)
    resolver = jsonschema.RefResolver(path.as_uri(), schema, handlers={"file": parts_from_here})
    check = jsonschema.Draft202012Validator(schema, resolver=resolver)
    return [f"{type_}: {'.'.join(map(str, e.absolute_path))}: {e.message}" for e in check.iter_errors(data)]


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def declared(plugin):
    """kl_plugin.events"""
    info = json.loads(run(KLINKE, "plugin", "info", BUILD / "plugins" / plugin / f"{plugin}.so", "--json"))
    return set(info["events"].split())


def declared_by_host():
    """config_host_events, and what the desk makes"""
    source = (TOP / "host" / "config" / "connection.c").read_text(encoding="utf-8")
    words = re.search(r"config_host_events\[\] = \{(.*?)NULL\}", source, re.S).group(1)
    desk = re.search(r'\.events = "([^"]+)"', (TOP / "host" / "desk" / "desk.c").read_text(encoding="utf-8")).group(1)
    return set(re.findall(r'"([a-z]+\.[a-z]+)"', words)) | set(desk.split())


@pytest.fixture(scope="module")
def produced():
    """Every event of every case, with its plugin and the case's name."""
    found = []
    for plugin in PLUGINS:
        cases = sorted((TOP / "plugins" / plugin / "cases").glob("*.json"))
        text = run(BUILD / "host" / "plugin" / "klinke-case", "--events",
                   BUILD / "plugins" / plugin / f"{plugin}.so", *cases)
        found += [json.loads(line) for line in text.splitlines()]
    return found


def test_every_type_has_a_schema_and_every_schema_a_type():
    types = declared_by_host().union(*(declared(p) for p in PLUGINS))
    assert len(types) > 30, "the declarations were not found"
    assert {p.stem for p in SCHEMAS.glob("*.json")} == types


def test_every_schema_is_one():
    for path in [*SCHEMAS.glob("*.json"), *SCHEMAS.glob("parts/*.json")]:
        schema = load(path)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema", path
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_schema_names_its_type_and_says_what_it_means():
    for path in SCHEMAS.glob("*.json"):
        schema = load(path)
        assert schema["title"] == path.stem and len(schema["description"]) > 15


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_declared_type_happens_in_a_case(produced, plugin):
    assert declared(plugin) - {e["type"] for e in produced if e["plugin"] == plugin} == set()


def test_every_event_of_every_case_is_what_its_schema_says(produced):
    wrong = [f"{e['plugin']}, {e['case']}: {fault}" for e in produced for fault in faults(e["type"], e["data"])]
    assert len(produced) > 300
    assert not wrong, "\n".join(wrong[:40])


def test_every_person_is_a_number_or_an_address(produced):
    persons = [e["person"] for e in produced if e.get("person")]
    assert len(persons) > 100
    assert [p for p in persons if not PERSON.fullmatch(p)] == []


# ---- A schema that accepts everything would prove nothing ---------------------------------------------

WRONG = [  # an event's type, a member, what must not be there
    ("booking.created", "start", "2027-03-30T09:00:00+02:00"),
    ("booking.created", "start", 1806390000000),
    ("booking.created", "status", "cancelled"),
    ("booking.created", "length_min", "30"),
    ("booking.created", "attendee", {"name": "Jana", "age": 40}),
    ("booking.noshow", "noshow", [{"email": "a@b.example"}]),
    ("call.analyzed", "rank", 2),
    ("call.analyzed", "from", "0171 3920042"),
    ("call.analyzed", "cost", {"amount": 12.5, "currency": "USD"}),
    ("call.analyzed", "cost", {"amount": 12, "currency": "dollars"}),
    ("call.analyzed", "started_ms", 0),
    ("call.ended", "class", "hung up"),
    ("call.ended", "alarm", False),
    ("call.function", "args", "{}"),
    ("call.inbound", "from_raw", "anonymous"),  # beside a number
    ("call.transferred", "phase", "over"),
    ("message.failed", "rank", 3),
    ("message.received", "from", "491713920042"),
    ("template.changed", "field", ""),
]


@pytest.mark.parametrize("type_,member,value", WRONG)
def test_a_wrong_member_is_refused(produced, type_, member, value):
    good = next(e["data"] for e in produced if e["type"] == type_ and (member != "from_raw" or "from" in e["data"]))
    assert not faults(type_, good)
    assert faults(type_, {**good, member: value})


def test_what_is_missing_or_undescribed_is_refused(produced):
    for type_ in sorted({e["type"] for e in produced}):
        good = next(e["data"] for e in produced if e["type"] == type_)
        for member in schema_of(type_).get("required", []):
            less = copy.deepcopy(good)
            del less[member]
            assert faults(type_, less), f"{type_} without {member} passes"
        assert faults(type_, {**good, "never_heard_of": 1}), f"{type_} takes any member"


# ---- The host's own events, and everything else that a real host keeps ---------------------------------

def data_of(world, event):
    return next(e["data"] for e in world.show(event["id"])["events"] if e["id"] == event["id"])


def test_the_hosts_own_events(world):
    began = {"job.dead": (f"{TENANT}/calendar", "test"), "job.parked": (f"{TENANT}/whatsapp", "send")}
    world.start()
    world.fault(vendor="calcom_v2", path="/calcom/v2/me*", status=500, count=0)
    world.call_unheard(f"{TENANT}/calendar.test")
    world.call_unheard(f"{TENANT}/whatsapp.send", {"to": CALLER})
    for type_ in sorted(began):
        event = world.wait(lambda t=type_: world.events(t), f"{type_} is told")[0]
        data = data_of(world, event)
        assert not faults(type_, data), data
        assert faults(type_, {**data, "job": 1}), "a known-bad event passes"
        assert (data["connection"], data["op"]) == began[type_] and "event_type" not in data


def test_the_desks_own_events(world):
    desk_kit.answering(world)
    world.ini["pipeline book-appointment"]["within"] = "700ms"
    world.start()
    desk_kit.warm(world)
    call = desk_kit.Call(world)
    call.ask("request_callback", name="Jana Berger", reason="Schmerzen", preferred_time="morgen früh")
    world.fault(vendor="calcom_v2", method="POST", path="*/v2/bookings", delay_ms=1000, status=400,
                body={"status": "error", "error": {"message": "no_available_users_found_error"}})
    assert not call.ask("book_appointment", name="Jana Berger", **desk_kit.spoken(world.slot())).get("booked")
    for type_ in ("booking.failed", "callback.requested"):
        event = world.wait(lambda t=type_: world.events(t), f"{type_} is told")[0]
        data = data_of(world, event)
        assert not faults(type_, data), data
        assert faults(type_, {**data, "name": 1}), "a known-bad event passes"


def test_every_event_of_a_whole_story(world):
    """Call, booking, message and its statuses, as stored; and what stands around data."""
    world.ini.add("pipeline probe", ("on", "call.analyzed"), ("step", f"whatsapp.send to={CALLER} text=(event)"))
    world.start()
    world.ring()
    world.wait(lambda: world.events("message.delivered"), "the message arrives")
    events = world.events()
    assert {"call.started", "call.ended", "call.analyzed", "booking.created", "message.sent"} <= {e["type"] for e in events}
    for event in events:
        assert not faults(event["type"], data_of(world, event)), event["type"]
    probe = world.wait(lambda: world.jobs("done", "parked", pipeline="agency/probe"), "the probe has run")[0]
    inputs = [a["input"] for a in world.show(probe["id"])["attempts"] if "text" in (a.get("input") or {})]
    envelope = json.loads(inputs[0]["text"]["body"])  # as it was sent
    path = SCHEMAS / "parts" / "envelope.json"
    assert not faults("envelope", envelope, path) and envelope["tenant"] == TENANT
    assert envelope["type"] == "call.analyzed" and set(envelope) <= set(load(path)["properties"])
    assert faults("envelope", {**envelope, "time": "yesterday"}, path)
