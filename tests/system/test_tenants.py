"""Several offices on one host: nobody sees or causes what is another's, and an agency's event finds
its office by facts, or nobody's."""
import json
import time
from datetime import timezone

import pytest

from hooks_kit import AGENT, booking_body, call_body, calcom_headers, lasting_world, message_body, retell_headers, \
    whatsapp_headers
from world import wait

NORTH, SOUTH = "nord", "sued"
NUMBER = {NORTH: "+493011111111", SOUTH: "+498922222222"}
NUMBER_ID = {NORTH: "106000000000001", SOUTH: "106000000000002"}
AGENTS = {NORTH: "agent_north", SOUTH: "agent_south"}
EVENT_TYPE = {NORTH: "310455", SOUTH: "310456"}
KEY = {NORTH: "key_of_north", SOUTH: "key_of_south", "agency": "key_of_the_agency"}


def prepare(world):
    ini, sandbox = world.ini, f"127.0.0.1:{world.sandbox_port}"
    for kind in ("tenant", "connection", "mapping", "pipeline"):
        ini.drop(kind)
    for tenant in (NORTH, SOUTH):
        ini.add(f"tenant {tenant}", timezone="Europe/Berlin", numbers=f"{NUMBER[tenant]}, {NUMBER_ID[tenant]}",
                agents=AGENTS[tenant], event_types=EVENT_TYPE[tenant])
        # the sections have the same name; a blank more keeps them apart in the test's own dictionary
        blank = " " * (tenant == SOUTH)
        ini.add(f"connection phone{blank}", tenant=tenant, plugin="retell",
                api_key="${KEY_" + tenant.upper() + "}", base_url=f"http://{sandbox}/retell")
        world.secrets[f"KEY_{tenant.upper()}"] = KEY[tenant]
    world.secrets["KEY_AGENCY"] = KEY["agency"]
    ini.add("connection central", plugin="retell", api_key="${KEY_AGENCY}", base_url=f"http://{sandbox}/retell")
    ini.add("connection calendar", plugin="calcom_v2", api_key="${CALCOM_API_KEY}",
            webhook_secret="${CALCOM_WEBHOOK_SECRET}", base_url=f"http://{sandbox}/calcom/v2")
    ini.add("connection whatsapp", plugin="whatsapp", token="${WHATSAPP_TOKEN}", app_secret="${WHATSAPP_APP_SECRET}",
            verify_token="${WHATSAPP_VERIFY_TOKEN}", phone_number_id=NUMBER_ID[NORTH],
            base_url=f"http://{sandbox}/whatsapp")
    # fails for everybody; each office has its own run of it
    ini.add("pipeline look", ("on", "call.ended"), ("step", "calendar.find_booking"),
            ("in", "json_object('nonsense', 1)"))
    ini.add("pipeline only-south", ("tenant", SOUTH), ("on", "call.ended"), ("when", "0"),
            ("step", "calendar.find_booking"))
    ini.add("pipeline search", ("on", "call.started"), ("step", "calendar.find_booking"),
            ("in", "json_object('phone', data->>'from')"))
    world.start()


city = lasting_world(prepare)


def ring(city, owner, connection, call_id, **call):
    body = call_body(call_id, **call)
    status, _, _ = city.hook(connection, body, retell_headers(body, KEY[owner]), tenant=owner)
    return status


def ended(city, call_id):
    """The events of a call and their tenants, once its webhook was read."""
    wait(lambda: not city.status()["webhooks_waiting"], "all webhooks are read")
    return city.events("call.ended", subject=f"call:{call_id}")


# ---- Two offices with the same names ------------------------------------------------------------------------

def test_each_connection_has_its_own_key(city):
    for owner in (NORTH, SOUTH):
        for key in KEY:
            body = call_body(f"keys-{owner}-{key}")
            status = city.hook("phone", body, retell_headers(body, KEY[key]), tenant=owner)[0]
            assert status == (204 if key == owner else 401), (owner, key)


def test_the_same_call_id_at_two_offices(city):
    """Ids are the vendor's; they are unique per connection only."""
    for owner in (NORTH, SOUTH):
        assert ring(city, owner, "phone", "same-id") == 204
    events = wait(lambda: len(e := ended(city, "same-id")) == 2 and e, "two events")
    assert {(e["tenant"], e["source"]) for e in events} == {(NORTH, f"{NORTH}/phone"), (SOUTH, f"{SOUTH}/phone")}
    jobs = wait(lambda: len(j := [j for j in city.jobs("parked") if j.get("subject") == "call:same-id"]) == 2 and j,
                "two runs")
    assert {j["tenant"] for j in jobs} == {NORTH, SOUTH}
    for owner in (NORTH, SOUTH):
        story = json.loads(city.klinke("show", "same-id", "--tenant", owner, "--json").stdout)
        for part, rows in story.items():
            assert rows or part == "attempts", part
            assert {r["tenant"] for r in rows if part != "attempts"} <= {owner}
        assert {a["job"] for a in story["attempts"]} <= {j["id"] for j in story["jobs"]}


def test_a_tenant_in_the_call_does_not_move_it(city):
    """North's own connection is north's, whatever number and agent the body names."""
    assert ring(city, NORTH, "phone", "not-moved", to_number=NUMBER[SOUTH], agent_id=AGENTS[SOUTH]) == 204
    event, = wait(lambda: ended(city, "not-moved"), "the event")
    assert event["tenant"] == NORTH


@pytest.fixture(scope="module")
def filled(city):
    for owner in (NORTH, SOUTH):
        ring(city, owner, "phone", f"filled-{owner}", from_number="+4915100000001" if owner == NORTH else "+4915100000002")
    wait(lambda: {j["tenant"] for j in city.jobs("parked")} == {NORTH, SOUTH}, "both have a parked job")
    return city


@pytest.mark.parametrize("verb", ["events", "jobs", "calls", "dead"])
def test_lists_of_one_tenant(filled, verb):
    north, south = (filled.rows(verb, "--tenant", t) for t in (NORTH, SOUTH))
    assert north and south
    assert {r["tenant"] for r in north} == {NORTH} and {r["tenant"] for r in south} == {SOUTH}
    text = filled.klinke(verb, "--tenant", NORTH, "--limit", "1000").stdout
    assert SOUTH not in text and "+4915100000002" not in text and "filled-sued" not in text
    assert not filled.rows(verb, "--tenant", "nobody")
    api = filled.api("GET", f"/{verb}?tenant={NORTH}&limit=1000")["rows"]
    assert {r["tenant"] for r in api} == {NORTH}


def test_show_never_leaks(filled):
    """By any id of the other one's: as if it did not exist."""
    job = next(j for j in filled.jobs("parked") if j["tenant"] == SOUTH)
    event = next(e for e in filled.events() if e["id"] == job["event"])
    for id_ in (job["id"], job["id"][-12:], event["id"], event["inbox"], event["correlation"], "filled-sued"):
        done = filled.klinke("show", id_, "--tenant", NORTH, check=False)
        assert done.returncode == 1 and not done.stdout and "+49151" not in done.stderr, (id_, done)
        assert filled.klinke("show", id_, "--tenant", SOUTH).stdout
    before = filled.job(job["id"])
    for verb in (["dead", "retry"], ["dead", "drop"], ["replay"], ["dead", "show"]):
        done = filled.klinke(*verb, job["id"], "--tenant", NORTH, check=False)
        assert done.returncode == 1 and "nothing" in done.stderr, (verb, done)
    assert filled.job(job["id"]) == before


def test_a_pipeline_of_one_tenant_is_not_started_by_the_other(filled):
    assert not [j for j in filled.jobs() if j.get("pipeline") == f"{SOUTH}/only-south"]


def test_operations_are_the_operators(filled):
    """The CLI's --tenant is a filter of rows; call, status and reload are not about rows."""
    for verb in ("call", "status", "reload"):
        done = filled.klinke(verb, "--tenant", NORTH, check=False)
        assert done.returncode == 2 and "no option --tenant" in done.stderr


# ---- An agency's connections ---------------------------------------------------------------------------------

@pytest.mark.parametrize("name,call,tenant", [
    ("number", {"to_number": NUMBER[NORTH], "agent_id": "agent_unknown"}, NORTH),
    ("agent", {"to_number": "+4940999", "agent_id": AGENTS[SOUTH]}, SOUTH),
    ("number-before-agent", {"to_number": NUMBER[NORTH], "agent_id": AGENTS[SOUTH]}, NORTH),
    ("who-calls-is-no-office", {"from_number": NUMBER[SOUTH], "to_number": NUMBER[NORTH]}, NORTH),
    ("outbound", {"direction": "outbound", "from_number": NUMBER[NORTH], "to_number": NUMBER[SOUTH]}, NORTH),
])
def test_agency_call_finds_its_office(city, name, call, tenant):
    call_id = f"agency-{name}"
    assert ring(city, "agency", "central", call_id, **call) == 204
    event, = wait(lambda: ended(city, call_id), "the event")
    assert event["tenant"] == tenant and event["source"] == "agency/central"
    row = next(i for i in city.inbox() if i["id"] == event["inbox"])
    assert row["tenant"] == tenant, "the raw bytes are theirs now, too"


@pytest.mark.parametrize("tenant", [NORTH, SOUTH])
def test_agency_booking_finds_its_office(city, tenant):
    body = booking_body(f"agency-{tenant}", event_type=int(EVENT_TYPE[tenant]))
    assert city.hook("calendar", body, calcom_headers(body), tenant="agency")[0] == 200
    event, = wait(lambda: city.events("booking.created", subject=f"booking:agency-{tenant}"), "the event")
    assert event["tenant"] == tenant


def test_agency_message_finds_its_office(city):
    """By the number it came to, not by who writes: an office may write to another."""
    body = message_body("wamid.agency-1", number=NUMBER[SOUTH][1:], phone_number_id=NUMBER_ID[NORTH])
    assert city.hook("whatsapp", body, whatsapp_headers(body), tenant="agency")[0] == 200
    event, = wait(lambda: [e for e in city.events("message.received") if e["data"]["message_id"] == "wamid.agency-1"],
                  "the event")
    assert event["tenant"] == NORTH


def test_agency_status_belongs_to_the_sender(city):
    status = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": {
        "messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER_ID[NORTH]},
        "statuses": [{"id": "wamid.to-south", "status": "delivered", "timestamp": "1795000000",
                      "recipient_id": NUMBER[SOUTH][1:]}]}}]}]}
    body = json.dumps(status).encode()
    assert city.hook("whatsapp", body, whatsapp_headers(body), tenant="agency")[0] == 200
    event, = wait(lambda: [e for e in city.events("message.delivered") if e["data"]["message_id"] == "wamid.to-south"],
                  "the event")
    assert event["tenant"] == NORTH


def test_one_webhook_for_two_offices(city):
    """Each gets its event; the raw bytes, which hold both, are shown to neither."""
    north = json.loads(message_body("wamid.mixed-north", text="Gruss aus Nord", phone_number_id=NUMBER_ID[NORTH]))
    south = json.loads(message_body("wamid.mixed-south", text="Gruss aus Sued", phone_number_id=NUMBER_ID[SOUTH]))
    north["entry"] += south["entry"]
    body = json.dumps(north).encode()
    assert city.hook("whatsapp", body, whatsapp_headers(body), tenant="agency")[0] == 200
    events = wait(lambda: len(e := [e for e in city.events("message.received") if "wamid.mixed" in json.dumps(e)]) == 2
                  and e, "two events")
    assert {e["tenant"]: e["data"]["text"] for e in events} == {NORTH: "Gruss aus Nord", SOUTH: "Gruss aus Sued"}
    for event in events:
        other = "Sued" if event["tenant"] == NORTH else "Nord"
        told = city.klinke("show", event["id"], "--tenant", event["tenant"], "--full", "--json").stdout
        assert f"Gruss aus {other}" not in told and json.loads(told)["inbox"] == []
        assert f"Gruss aus {other}" in city.klinke("show", event["id"], "--full", "--json").stdout


def test_nobodys_call_is_parked(city):
    """Never given to the first one; kept with its reason; read again once somebody has the number."""
    assert ring(city, "agency", "central", "nobodys", to_number="+494077777777", agent_id="agent_nobody") == 204
    row = wait(lambda: next((r for r in city.rows("dead") if r["kind"] == "webhook" and "agency/central" in r["what"]),
                            None), "it is parked")
    assert "no tenant" in row["reason"] and "numbers" in row["reason"] and "agents" in row["reason"]
    assert "tenant" not in row
    assert not ended(city, "nobodys")
    for tenant in (NORTH, SOUTH):
        assert row["id"] not in {r["id"] for r in city.rows("dead", "--tenant", tenant)}
        assert city.klinke("show", row["id"], "--tenant", tenant, check=False).returncode == 1
    city.ini[f"tenant {SOUTH}"]["numbers"] += ", +494077777777"
    city.reload()
    city.klinke("replay", row["id"])
    event, = wait(lambda: ended(city, "nobodys"), "now it is somebody's")
    assert event["tenant"] == SOUTH
    assert row["id"] not in {r["id"] for r in city.rows("dead")}


def test_default_agent_is_nobodys(city):
    """The sandbox's own agent belongs to no tenant here: a call that names nothing known is nobody's."""
    assert ring(city, "agency", "central", "nothing-known", to_number="anonymous", agent_id=AGENT) == 204
    wait(lambda: [i for i in city.inbox() if i["state"] == "parked" and i["connection"] == "agency/central"],
         "it is parked")
    assert not ended(city, "nothing-known")


def test_operation_on_an_agency_connection(city):
    """Run by the operator; its rows are nobody's office's."""
    answer = city.call("agency/calendar.test", check=False)
    assert answer["state"] == "done", answer
    for tenant in (NORTH, SOUTH):
        assert answer["job"] not in {j["id"] for j in city.rows("jobs", "--tenant", tenant)}
        assert city.klinke("show", answer["job"], "--tenant", tenant, check=False).returncode == 1
    assert city.job(answer["job"])["tenant"] == "agency"
    city.ini["connection central"]["api_key"] = "${RETELL_API_KEY}"
    city.reload()
    job = city.call_unheard("agency/central.call", {"call_id": "none"})
    wait(lambda: job in {r["id"] for r in city.rows("dead", "--tenant", "agency")}, "it is for a person")
    alarm, = wait(lambda: [e for e in city.events() if e.get("job") == job], "an event tells of it")
    assert alarm["type"] in ("job.dead", "job.parked") and alarm["tenant"] == "agency"


def test_polls_of_an_agency_connection(city):
    """They run, and are the agency's."""
    city.ini["connection central"]["api_key"] = "${RETELL_API_KEY}"
    city.ini["connection central"]["poll_calls"] = "1s"
    city.reload()
    wait(lambda: [j for j in city.jobs("done") if j.get("op") == "poll_calls"], "the first poll sets the mark")
    assert {j["tenant"] for j in city.jobs() if j.get("op") == "poll_calls"} == {"agency"}


def test_what_an_agencys_calendar_tells_of_others_is_not_kept(city, tmp_path):
    """One number's bookings are found in a list of everybody's: of that the run keeps, and is told, its own."""
    caller, stranger = "+4915111110001", "susanne@suedhoff.example"
    people = {"elsewhere": (SOUTH, "Nora im Sueden", "nora@sueden.example", caller),
              "own": (NORTH, "Nora Nordmann", "nora@nordmann.example", caller),
              "stranger": (NORTH, "Susanne Suedhoff", stranger, "+4915122220002")}
    uid = {}
    for who, (owner, name, email, phone) in people.items():
        uid[who] = city.control("/calcom/bookings", {
            "eventTypeId": int(EVENT_TYPE[owner]), "name": name, "email": email, "phoneNumber": phone,
            "start": f"{city.slot().astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"})["uid"]
    city.ini["connection central"]["api_key"] = "${KEY_AGENCY}"
    city.reload()
    body = call_body("searching", "call_started", from_number=caller, to_number=NUMBER[NORTH], call_status="ongoing")
    assert city.hook("central", body, retell_headers(body, KEY["agency"]), tenant="agency")[0] == 204
    job, = wait(lambda: city.jobs("done", pipeline="agency/search"), "the search is done")
    told = city.klinke("show", job["id"], "--json").stdout
    assert uid["own"] in told and "not kept" in told
    exported = city.klinke("export", caller, "--json").stdout
    assert uid["own"] in exported
    for text in (told, exported):
        for who in ("elsewhere", "stranger"):
            for fact in (uid[who], *people[who][1:3]):
                assert fact not in text, fact
    case = city.klinke("show", job["id"], "--as-case", "-o", tmp_path / "case.json", check=False)
    assert "plugin record" in case.stderr, case


def test_a_number_of_two_offices_is_refused(city):
    before = city.status()["generation"]
    kept = city.ini[f"tenant {SOUTH}"]["numbers"]
    city.ini[f"tenant {SOUTH}"]["numbers"] = kept + ", " + NUMBER[NORTH]
    city.write_ini()
    done = city.klinke("reload", check=False)
    assert done.returncode == 78 and f"leads to [tenant {NORTH}] already" in done.stderr
    assert city.status()["generation"] == before
    city.ini[f"tenant {SOUTH}"]["numbers"] = kept
    city.write_ini()


def test_a_polled_call_of_nobody_is_kept_and_starts_nothing(world):
    """A poll does not tell it again: what fits no office is the agency's, for a person to see."""
    for kind in ("tenant", "connection", "mapping", "pipeline"):
        world.ini.drop(kind)
    world.ini.add("tenant nord", timezone="Europe/Berlin", numbers=NUMBER[NORTH])
    world.ini.add("connection central", plugin="retell", api_key="${RETELL_API_KEY}", poll_calls="1s",
                  base_url=f"http://127.0.0.1:{world.sandbox_port}/retell")
    world.start()
    world.wait(lambda: world.jobs("done", op="poll_calls"), "the first poll is done")
    world.fault(event="call_*", lose=True, count=0)
    begun = int(time.time() * 1000) - 400_000  # a poll leaves fresh calls to their webhooks
    call = world.ring(to_number="+491700000000", call={"start_timestamp": begun, "end_timestamp": begun + 60_000})
    events = world.wait(lambda: world.events("call.analyzed", subject=f"call:{call}"), "the poll tells it")
    assert [e["tenant"] for e in events] == ["agency"]
    assert not [j for j in world.jobs() if j.get("pipeline")]
    assert "fits no tenant" in world.log()
