"""What one office can find out about another: nothing, by any way in. The ways are the host's own lists (routes,
verbs, commands, operations), so that a new one is tried as soon as it is there; one that this file has no opinion
about fails a test.

Each is asked twice: about something of the other office's, and about something of the same form that nowhere is.
Both answers must be the same, byte for byte. The store's side, the same statements for both, is
unit/test_isolation.c."""
import json
import re
from urllib.parse import quote

import pytest

from hooks_kit import calcom_headers, booking_body, call_body, lasting_world, message_body, retell_headers, whatsapp_headers
from test_live import Viewer
from world import SECRETS, TOP, log_in, request, wait

NORTH, SOUTH = "nord", "sued"
TOKEN = {NORTH: "token-of-the-north", SOUTH: "token-of-the-south"}
KEY = {NORTH: SECRETS["RETELL_API_KEY"], SOUTH: "key_of_the_south"}
# The north's are those that the vendors' stand-ins know; the south's none of them does.
KEYS = {NORTH: ("${RETELL_API_KEY}", "${CALCOM_API_KEY}", "${WHATSAPP_TOKEN}"), SOUTH: ("${KEY_SOUTH}",) * 3}
NUMBER = {NORTH: "+493011111111", SOUTH: "+498922222222"}
CALLER = {NORTH: "+4915111110001", SOUTH: "+4915122220002"}
NAME = {NORTH: "Norbert Nordmann", SOUTH: "Susanne Suedhoff"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
OPERATOR = {"Authorization": f"Bearer {SECRETS['KLINKE_ADMIN_TOKEN']}"}


def prepare(world):
    ini, sandbox = world.ini, f"127.0.0.1:{world.sandbox_port}"
    for kind in ("tenant", "connection", "mapping", "pipeline"):
        ini.drop(kind)
    for tenant in (NORTH, SOUTH):
        blank = " " * (tenant == SOUTH)
        world.secrets.update({"KEY_SOUTH": KEY[SOUTH], f"TOKEN_{tenant}": TOKEN[tenant]})
        phone, calendar, whatsapp = KEYS[tenant]
        ini.add(f"tenant {tenant}", name=f"Praxis {tenant}", timezone="Europe/Berlin", numbers=NUMBER[tenant],
                token=f"${{TOKEN_{tenant}}}")
        ini.add(f"desk {tenant}", refresh="0")
        ini.add(f"service termin{blank}", tenant=tenant, title=f"Termin {tenant}", duration="30m", event_type="310455")
        for name, plugin, keys in (
                ("phone", "retell", {"api_key": phone}),
                ("calendar", "calcom_v2", {"api_key": calendar, "webhook_secret": "${CALCOM_WEBHOOK_SECRET}"}),
                ("whatsapp", "whatsapp", {"token": whatsapp, "app_secret": "${WHATSAPP_APP_SECRET}",
                                          "verify_token": "${WHATSAPP_VERIFY_TOKEN}", "phone_number_id": "106000000000001"})):
            path = {"retell": "retell", "calcom_v2": "calcom/v2", "whatsapp": "whatsapp"}[plugin]
            ini.add(f"connection {name}{blank}", tenant=tenant, plugin=plugin, base_url=f"http://{sandbox}/{path}", **keys)
    ini.add("pipeline look", ("on", "call.ended"), ("step", "calendar.find_booking"), ("in", "json_object('nonsense', 1)"))
    world.start()
    for tenant in (NORTH, SOUTH):
        call = call_body(f"call_{tenant}", from_number=CALLER[tenant], to_number=NUMBER[tenant],
                         transcript=f"Agent: Praxis {tenant}\nUser: {NAME[tenant]} hier")
        live = call_body(f"running_{tenant}", "call_started", from_number=CALLER[tenant], call_status="ongoing",
                         end_timestamp=None)
        message = message_body(f"wamid.{tenant}", text=f"Gruss von {NAME[tenant]}", name=NAME[tenant], number=CALLER[tenant][1:])
        booking = booking_body(f"uid_{tenant}", attendees=[{"name": NAME[tenant], "email": f"{tenant}@example.com",
                                                            "timeZone": "Europe/Berlin", "phoneNumber": CALLER[tenant]}])
        broken = b'{"event":"call_ended","call":"' + NAME[tenant].encode()
        for body, name, sign in ((call, "phone", None), (live, "phone", None), (message, "whatsapp", whatsapp_headers),
                                 (booking, "calendar", calcom_headers), (broken, "phone", None)):
            signed = sign(body) if sign else retell_headers(body, KEY[tenant])
            assert world.hook(name, body, signed, tenant=tenant)[0] in (200, 204), (tenant, name)
    wait(lambda: not world.status()["webhooks_waiting"] and len(world.jobs("parked")) == 2, "all is read")


city = lasting_world(prepare)


# ---- What is the south's, and what would be like it -----------------------------------------------------------

def texts_of(value):
    if isinstance(value, dict):
        return {t for v in value.values() for t in texts_of(v)}
    if isinstance(value, list):
        return {t for v in value for t in texts_of(v)}
    return {value} if isinstance(value, str) else set()


# What is no office's: given, too, but nothing to compare it with.
ORDINARY = {"1h": "since", "0s": "until", "call.ended": "type", "parked": "state", "5": "limit", "{}": "input", "why": "reason",
            "yes": "exact", "true": "resend", "1": "dry-run", "false": "fetch", "on": "record", "2026-01-02": "day"}


def decoy_of(text):
    """Like it in every way, but not there. Of ids the end differs: their beginning is the time."""
    if UUID.fullmatch(text):
        return text[:-8] + f"{int(text[-8:], 16) ^ 0x5a5a5a5a:08x}"
    swap = str.maketrans("0123456789", "1234567890")
    if text.startswith("+49"):  # still a number, with the same end
        return text[:6] + text[6:-2].translate(swap) + text[-2:]
    return text.replace("Susanne Suedhoff", "Sabrina Seltsam").replace(SOUTH, "fern").translate(swap)


@pytest.fixture(scope="module")
def south(city):
    """Values by the name of the argument they would be given as; and every text that may not be seen."""
    rows = {verb: city.api("GET", f"/{verb}?tenant={SOUTH}&limit=1000")["rows"]
            for verb in ("events", "jobs", "inbox", "calls", "appointments", "dead", "running")}
    assert all(rows[verb] for verb in rows), {v: len(r) for v, r in rows.items()}
    job, event, hook = rows["jobs"][0], rows["events"][0], rows["inbox"][0]
    stories = [city.api("GET", f"/show?id={r['id']}") for r in rows["jobs"] + rows["events"] + rows["inbox"]]
    values = {
        "id": [job["id"], job["id"][:13], job["id"][-12:], event["id"], event["id"][-12:], hook["id"], event["correlation"], job["subject"], "call_sued", "running_sued", "uid_sued", "wamid.sued"],
        "tenant": [SOUTH], "connection": [f"{SOUTH}/phone"], "subject": [job["subject"], "call:call_sued", "booking:uid_sued"],
        "correlation": [event["correlation"]], "pipeline": [job["pipeline"], f"{SOUTH}/look"],
        "before": [job["id"], event["id"], hook["id"]], "target": [f"{SOUTH}/phone.call", f"{SOUTH}/desk.services"],
        "after": [event["id"]], "person": [CALLER[SOUTH], "sued@example.com"], **{name: [value] for value, name in ORDINARY.items()}}
    own = "".join(json.dumps(city.api("GET", f"/{verb}?tenant={NORTH}&limit=1000"), ensure_ascii=False) for verb in rows)
    own += "".join(json.dumps(city.api("GET", f"/show?id={r['id']}"), ensure_ascii=False)
                   for verb in ("jobs", "events", "inbox") for r in city.api("GET", f"/{verb}?tenant={NORTH}")["rows"])
    everything = texts_of(rows) | set().union(*(texts_of(s) for s in stories))
    secret = {t for t in everything if len(t) > 7 and json.dumps(t, ensure_ascii=False)[1:-1] not in own
              and not re.fullmatch(r"\d{4}-\d\d-\d\dT\S+|\d{10}", t)}
    assert {"call_sued", "uid_sued", CALLER[SOUTH], NAME[SOUTH], job["id"]} <= secret | {NAME[SOUTH]}
    return values, secret | {NAME[SOUTH], CALLER[SOUTH], CALLER[SOUTH][1:]}


def neutral(text, value):
    """Without what was asked for, in whatever form it comes back."""
    if value in ORDINARY:
        return text
    for form in {value, quote(value, safe=""), value.replace("&", "&amp;")}:
        text = text.replace(form, "WHAT")
    return text


def ask(world, method, path, who, body=None):
    status, text, fields = request(world.port, method, path, body, who)
    for name in ("date", "content-length", "retry-after"):
        fields.pop(name, None)
    return status, text.decode(errors="replace"), fields


def credentials(world):
    own = {"Origin": f"http://127.0.0.1:{world.port}"}
    return {"token": {"Authorization": f"Bearer {TOKEN[NORTH]}"}, "session": {**log_in(world.port, TOKEN[NORTH]), **own}}


def same(world, south, ask_about, value, what):
    """ask_about(value) tells nothing that ask_about(decoy) does not."""
    decoy = value if value in ORDINARY else decoy_of(value)
    there, nowhere = ask_about(value), ask_about(decoy)
    assert neutral(json.dumps(there), value) == neutral(json.dumps(nowhere), decoy), what
    text = neutral(json.dumps(there[:2], ensure_ascii=False), value)
    for secret in south[1]:
        assert secret not in text, (what, secret)
    return there


# ---- HTTP --------------------------------------------------------------------------------------------------------

def test_every_argument_of_the_verbs_is_known_here(city, south):
    """Else a new one would not be tried."""
    source = "".join(path.read_text() for path in sorted((TOP / "host" / "http").glob("*.c")))
    read = set(re.findall(r'(?:json_get(?:_text)?\(q->request, |read_time\(q, )"([a-z_-]+)"', source))
    assert read - {"verb", "timeout_ms"} <= set(south[0]), "say in south() what would be a foreign value of it"
    assert len(read) > 10


@pytest.mark.parametrize("by", ["token", "session"])
def test_every_verb(city, south, by):
    who = credentials(city)[by]
    verbs = city.api("GET", "/routes")["verbs"]
    assert len(verbs) >= 14
    before = (city.jobs(), city.inbox())
    for verb in verbs:
        for argument, values in south[0].items():
            for value in values:
                name, changes = verb["verb"], verb["changes"]

                def about(v):
                    if changes:
                        return ask(city, "POST", f"/api/v1/{name}", who, json.dumps({argument: v}))
                    return ask(city, "GET", f"/api/v1/{name}?{argument}={quote(v, safe='')}", who)
                there = same(city, south, about, value, (name, argument, value))
                if verb["for"] == "operator":
                    assert there[0] == 403, name
                elif argument == "tenant" or (argument == "id" and name in ("show", "retry", "drop", "replay")):
                    assert there[0] == 404, (name, argument, value, there)
    assert (city.jobs(), city.inbox()) == before, "and nothing was changed"


def test_two_arguments_together(city, south):
    """A foreign id with the own name, and the own rows narrowed by what is foreign."""
    who = credentials(city)["token"]
    for verb in [v for v in city.api("GET", "/routes")["verbs"] if v["for"] == "offices" and not v["changes"]]:
        for argument in ("id", "connection", "subject", "correlation", "pipeline"):
            for value in south[0][argument]:
                there = same(city, south, lambda v: ask(city, "GET", f"/api/v1/{verb['verb']}?tenant={NORTH}&{argument}="
                             + quote(v, safe=""), who), value, (verb["verb"], argument, value))
                if there[0] == 200 and argument != "id":
                    rows = json.loads(there[1])["rows"]
                    assert verb["verb"] in ("calls", "appointments", "running", "dead", "inbox", "jobs", "events",
                                            "receipt")
                    assert {r["tenant"] for r in rows} <= {NORTH}


@pytest.mark.parametrize("by", ["token", "session"])
def test_every_route(city, south, by):
    """Each path, with each foreign value behind it and as its query."""
    who = credentials(city)[by]
    routes = city.api("GET", "/routes")["routes"]
    assert {"/", "/show/", "/live", "/live.js", "/metrics", "/api/v1/", "/api/v1/live", "/hooks/", "/login"} <= \
        {r["path"] for r in routes}
    for route in routes:
        path = route["path"]
        if path in ("/hooks/", "/api/v1/"):  # by its own proof, see below; by verbs, see above
            continue
        if route["for"] == "operator":
            assert ask(city, "GET", path, who)[0] == 403 and ask(city, "POST", path, who, "")[0] in (403, 405), path
            continue
        for argument, values in south[0].items():
            for value in values:
                if route["prefix"]:
                    there = same(city, south, lambda v: ask(city, "GET", path + quote(v, safe=":"), who), value, (path, value))
                    assert there[0] == (400 if "/" in value else 404), (path, value, there)
                if path == "/api/v1/live" and argument != "tenant":
                    continue  # a stream does not end; below
                same(city, south, lambda v: ask(city, "GET", f"{path}?{argument}={quote(v, safe='')}", who), value,
                     (path, argument, value))
    status, text, _ = ask(city, "GET", "/", who)
    assert status == 200 and NORTH in text and not [s for s in south[1] if s in text] and SOUTH not in text
    status, text, _ = ask(city, "GET", "/live", who)
    assert status == 200 and "running_nord" in text and "sued" not in text


def test_the_stream(city, south):
    """From a foreign place it begins like from none; what happens elsewhere is not told."""
    event = south[0]["after"][0]
    told = []
    for after in (event, decoy_of(event)):
        with Viewer(city, query=f"?after={after}", headers=credentials(city)["token"]) as viewer:
            viewer.wait_open()
            for tenant in (SOUTH, NORTH):
                body = call_body(f"stream_{tenant}_{len(told)}", from_number=CALLER[tenant])
                assert city.hook("phone", body, retell_headers(body, KEY[tenant]), tenant=tenant)[0] == 204
            assert viewer.wait_calls(1) == [f"stream_{NORTH}_{len(told)}"]
            assert SOUTH not in viewer.body.decode()
            told.append([e["event"] for e in viewer.events()])
    assert told[0] == told[1] == ["reset", "call.ended"]


# ---- The command line -------------------------------------------------------------------------------------------

# Whose each verb is: of the rows (--tenant keeps to one office), or of the operator of the host alone.
OPERATORS = {"run", "check", "call", "status", "reload", "plugin", "password", "version", "help", "backup", "restore", "migrate",
             "salvage", "doctor"}
# What the others are asked about besides their options: words before it, and what it is.
ABOUT = {"show": ([[]], "id"), "replay": ([[]], "id"), "dead": ([["show"], ["retry"], ["drop"]], "id"),
         "export": ([[]], "person"), "forget": ([[]], "person"),
         "events": ([], ""), "jobs": ([], ""), "calls": ([], ""), "receipt": ([], ""), "gaps": ([], "")}


def commands(world):
    listed = json.loads(world.klinke("help", "--json").stdout)
    return {c["verb"]: c["options"].split() for c in listed}


def test_every_command_is_of_rows_or_of_the_operator(city):
    for verb, options in commands(city).items():
        assert ("tenant=" in options) != (verb in OPERATORS), \
            f"klinke {verb}: name it in OPERATORS, or give it --tenant and try it below"


def test_every_command(city, south):
    before = city.jobs()
    tried = set()
    for verb, options in commands(city).items():
        if "tenant=" not in options or verb in ("gaps", "forget", "export"):  # see test_gaps.py, test_privacy.py
            continue
        tried.add(verb)

        def run(*arguments):
            done = city.klinke(verb, *arguments, "--tenant", NORTH, check=False)
            return done.returncode, done.stdout, done.stderr
        for option in options:
            for value in south[0].get(option.rstrip("="), []) if option != "tenant=" else []:
                same(city, south, lambda v: run(f"--{option}{v}" if option.endswith("=") else f"--{option}"), value,
                     (verb, option, value))
        subverbs, argument = ABOUT[verb]
        for words in subverbs:
            for value in south[0][argument][::3 if argument == "id" else 1]:  # all of them: test_every_verb
                code, out, _ = same(city, south, lambda v: run(*words, v), value, (verb, words, value))
                assert code == 1 and (not out or argument == "person"), (verb, words, value, out)
    assert {"events", "jobs", "calls", "dead", "show", "replay"} <= tried
    assert city.jobs() == before
    assert NAME[SOUTH] in city.klinke("export", CALLER[SOUTH], "--tenant", SOUTH).stdout, "nobody was forgotten"


# ---- Operations ---------------------------------------------------------------------------------------------------

def inputs(south):
    uid, call, message = "uid_sued", "call_sued", "wamid.sued"
    who = {"name": NAME[SOUTH], "phone": CALLER[SOUTH], "email": "sued@example.com"}
    return [{**who, "uid": uid, "booking_uid": uid, "call_id": call, "message_id": message, "id": south[0]["id"][0],
             "service": "Termin sued", "branch": SOUTH, "tenant": SOUTH, "connection": f"{SOUTH}/phone", "to": CALLER[SOUTH],
             "start": "2027-03-01T10:00:00+01:00", "requested_date": "2027-03-01", "requested_time": "10:00",
             "text": "x", "template": "x", "number": CALLER[SOUTH], "calendar": f"{SOUTH}/calendar"}]


def test_every_operation(city, south):
    """Of the north, with what is the south's: asked with the north's key only, and answered as about a stranger."""
    operations = [o for o in city.api("GET", "/routes")["operations"] if o.startswith(f"{NORTH}/")]
    assert {f"{NORTH}/desk.book", f"{NORTH}/calendar.cancel", f"{NORTH}/phone.call", f"{NORTH}/whatsapp.send"} <= set(operations)
    theirs = city.rows("appointments", "--tenant", SOUTH) if "appointments" in commands(city) else \
        city.api("GET", f"/appointments?tenant={SOUTH}")["rows"]
    before = len(city.requests())
    for operation in operations:
        for given in inputs(south):
            decoys = []
            for n in range(2):
                decoys.append(json.loads(json.dumps(given).replace("sued", f"fer{n}").replace(CALLER[SOUTH], f"+49151333{n}0002")))
                decoys[n].update(name=f"Sabrina Seltsam {n}", id=decoy_of(given["id"]))
            answers = []
            for value in (decoys[0], given, decoys[1]):  # the first time may be unlike any other: a poll's mark
                status, text, _ = request(city.port, "POST", "/api/v1/call", json.dumps({"target": operation, "input": value}),
                                          OPERATOR, timeout=30)
                answers.append((status, shape(text.decode(), value)))
            assert answers[1] == answers[2], operation
            assert not [s for s in (south[1] - set(texts_of(given))) if s in answers[1][1]], operation
    asked = city.requests()[before:]
    assert asked and 401 not in {r["status"] for r in asked}, "the south's keys are refused by the vendors"
    now = city.api("GET", f"/appointments?tenant={SOUTH}")["rows"]
    assert now == theirs, "and nothing of theirs was changed"


def shape(text, given):
    """An answer without what was given and without ids and times of its own."""
    for value in sorted((v for v in given.values() if isinstance(v, str)), key=len, reverse=True):
        text = text.replace(json.dumps(value, ensure_ascii=False)[1:-1], "WHAT").replace(value, "WHAT")
    text = re.sub(r"[0-9a-f-]{36}|[0-9a-f]{24,}", "ID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z?|\"?[a-z_]*(?:_us|_ms)\"?:\s*\d+", "TIME", text)


def test_an_operation_of_another_office_is_one_that_is_not_there(city, south):
    """For an office the verb is closed; here as the operator's --tenant would see it, by rows."""
    who = credentials(city)["token"]
    for operation in city.api("GET", "/routes")["operations"]:
        status, text, _ = ask(city, "POST", "/api/v1/call", who, json.dumps({"target": operation, "input": {}}))
        assert status == 403 and SOUTH not in text, operation


# ---- Webhooks' addresses -----------------------------------------------------------------------------------------

def test_guessing_at_the_address_of_webhooks_tells_pairs_only(city):
    """Names are no secret, but half a guess is worth nothing: which of the two was wrong is not told, no plugin is asked
    and nothing stored. A good guess is told by 401, whatever the proof lacks."""
    def knock(tenant, connection, headers=None, method="POST"):
        status, text, fields = city.hook(connection, b"{}", headers, method, tenant=tenant)
        return status, text, {k: v for k, v in fields.items() if k.lower() != "date"}

    def calls():
        return {k: v for k, v in city.metrics().items() if k.startswith("klinke_plugin_calls_total")}
    before, stored, asked = city.metrics(), city.inbox(), calls()
    for method in ("POST", "GET"):
        answers = [knock(tenant, connection, headers, method)
                   for tenant, connection in (("nowhere", "phone"), (SOUTH, "nothing"), ("nowhere", "nothing"), (SOUTH, "phon"),
                                              (SOUTH, "phonee"), (SOUTH + "s", "phone"), (SOUTH.upper(), "phone"))
                   for headers in ({}, retell_headers(b"{}", KEY[SOUTH]), {"Authorization": f"Bearer {TOKEN[NORTH]}"})]
        assert answers[0][0] == 404 and all(a == answers[0] for a in answers), set(map(str, answers))
    assert calls() == asked
    wrong = [knock(SOUTH, "phone", h) for h in ({}, retell_headers(b"{}", KEY[NORTH]), {"X-Retell-Signature": "v=1,d=00"},
                                                credentials(city)["token"])]
    assert wrong[0][0] == 401 and all(a == wrong[0] for a in wrong), set(map(str, wrong))
    assert city.inbox() == stored
    assert city.metrics()["klinke_webhooks_rejected_total"] == before["klinke_webhooks_rejected_total"] + len(wrong)


# ---- Last, since it stores things: webhooks ------------------------------------------------------------------------

def test_webhooks_are_proved_by_their_own_office(city, south):
    for name, sign in (("phone", lambda b: retell_headers(b, KEY[NORTH])),):
        body = call_body("call_sued", from_number=CALLER[SOUTH])
        assert city.hook(name, body, {**sign(body), **credentials(city)["token"]}, tenant=SOUTH)[0] == 401
    body = call_body("call_sued", from_number=CALLER[SOUTH], transcript="told to the north")
    assert city.hook("phone", body, retell_headers(body, KEY[NORTH]), tenant=NORTH)[0] == 204
    wait(lambda: not city.status()["webhooks_waiting"], "it is read")
    assert not [e for e in city.rows("events", "--tenant", SOUTH) if "told to the north" in json.dumps(e)]
    assert city.rows("calls", "--tenant", SOUTH) == [c for c in city.rows("calls") if c["tenant"] == SOUTH]
