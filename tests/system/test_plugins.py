"""Bad plugins: what dies, loops or does not load takes nothing with it but itself."""
import json
import shutil

import pytest

from plugin_kit import HEAD, put_plugin
from world import BUILD, PLUGINS, SECRETS, TENANT, request

SOURCE = HEAD + r"""
static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	if (has(in->body, "unverifiable"))
		abort();
	return accept_all(c, in);
}
static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	kl_event *e = KL_NEW(c, kl_event);
	if (has(in->body, "poison"))
		abort();
	for (volatile int i = 0; has(in->body, "endless"); i++)
		;
	if (!e)
		return KL_BROKEN;
	e->type = "message.received";
	e->dedupe = kl_text(c, body, "id");
	e->subject = KL_CAT(c, KL_LIT("thing:"), kl_text(c, body, "id"));
	e->data = body;
	c->host->emit(c, e);
	return 0;
}
static const kl_next *step(kl_call *c, const kl_step *s)
{
	if (has(kl_text(c, s->input, "text"), "deadly"))
		abort();
	return kl_done(c, c->host->object(c));
}
static const kl_op ops[] = {{"act", KL_OP_ACTION, 0, 0, "may misbehave"}};
static const kl_route routes[] = {{"", 0, 0, "events"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.id = "test.klinke.fragile",
	.version = "1.0.0",
	.summary = "Dies when it is told to",
	.events = "message.received",
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.verify = verify,
	.normalize = normalize,
	.step = step,
};
KL_PLUGIN(&plugin)
"""


@pytest.fixture
def fragile(world):
    """The usual office, and beside it a connection whose plugin dies when it is told to."""
    put_plugin(world, "fragile", SOURCE)
    world.ini["host"]["plugins"] += f" {BUILD / 'tests' / 'abi'}"
    world.ini.add("connection fragile", tenant=TENANT, plugin="fragile", worker_timeout="300ms")
    world.ini.add("pipeline act", ("on", "message.received"), ("when", "data ->> 'text' is not null"),
                  ("step", "fragile.act text=(data ->> 'text')"))
    return world


def tell(world, **body):
    return world.hook("fragile", json.dumps(body).encode(), {"Content-Type": "application/json"})[0]


def up(world, plugin):
    return world.metrics().get(f'klinke_plugin_up{{plugin="{plugin}"}}')


def test_a_poisonous_webhook_is_parked_after_its_second_kill(fragile):
    fragile.start()
    assert tell(fragile, id="1", note="poison") == 200, "it was stored before anybody looked into it"
    parked = fragile.wait(lambda: [i for i in fragile.inbox() if i["state"] == "parked"], "it is parked")
    assert len(parked) == 1 and "died on it twice" in parked[0]["reason"]
    assert tell(fragile, id="2") == 200
    fragile.wait(lambda: len(fragile.inbox()) == 2 and not fragile.status()["webhooks_waiting"], "the next is read")
    assert [e["data"]["id"] for e in fragile.events("message.received")] == ["2"]
    fragile.ring()
    fragile.wait(lambda: fragile.settled(1, 1), "the others work as ever")
    assert fragile.host.poll() is None


def test_a_poisonous_webhook_does_not_take_its_neighbours_along(fragile):
    """Many at once, one of them deadly: exactly that one is parked."""
    fragile.start()
    for i in range(30):
        assert tell(fragile, id=str(i), note="poison" if i == 7 else "fine") == 200
    fragile.wait(lambda: len(fragile.inbox()) == 30 and not fragile.status()["webhooks_waiting"], "all are read")
    assert sorted(int(e["data"]["id"]) for e in fragile.events("message.received")) == [
        i for i in range(30) if i != 7]
    assert [i["state"] for i in fragile.inbox()].count("parked") == 1


def test_poison_is_still_known_when_there_was_no_worker_for_a_while(fragile):
    """Deaths in a row are answered with growing pauses: longer ones than a webhook waits for a worker."""
    fragile.ini["connection fragile"]["worker_timeout"] = "150ms"
    fragile.start()
    for i in range(2):
        assert fragile.wait(lambda n=i: tell(fragile, id=str(n), note="poison") == 200, "there is a worker")
        fragile.wait(lambda n=i + 1: [r["state"] for r in fragile.inbox()].count("parked") == n, "it is parked")
    assert all("died on it twice" in r["reason"] for r in fragile.inbox())


def test_poison_is_still_known_after_a_restart(fragile):
    """Killed between the two deaths of a worker: the count is not begun anew for ever."""
    fragile.start()
    assert tell(fragile, id="1", note="poison") == 200
    for _ in range(4):
        fragile.restart_host()
    fragile.wait(lambda: [i for i in fragile.inbox() if i["state"] == "parked"], "it is parked in the end")
    assert fragile.host.poll() is None


def test_a_mended_plugin_reads_what_was_parked(fragile):
    fragile.start()
    assert tell(fragile, id="1", note="poison") == 200
    parked = fragile.wait(lambda: [i for i in fragile.inbox() if i["state"] == "parked"], "it is parked")[0]
    put_plugin(fragile, "fragile", SOURCE.replace('"poison"', '"p0ison"'))
    fragile.reload()
    fragile.klinke("replay", parked["id"])
    fragile.wait(lambda: fragile.events("message.received"), "it is read now")
    assert [i["state"] for i in fragile.inbox()] == ["done"]


def test_a_job_that_kills_its_worker_is_parked(fragile):
    fragile.start()
    assert tell(fragile, id="1", text="deadly") == 200
    job, = fragile.wait(lambda: fragile.jobs("parked"), "it is parked")
    assert job["fail"] == "plugin" and "SIGABRT" in job["reason"]
    assert tell(fragile, id="2", text="fine") == 200
    fragile.wait(lambda: fragile.jobs("done"), "the next one is done")
    fragile.klinke("dead", "retry", job["id"])
    fragile.wait(lambda: fragile.job(job["id"])["state"] == "parked"
                 and fragile.job(job["id"])["updated"] != job["updated"], "tried again, and parked again")


def test_an_endless_plugin_is_stopped(fragile):
    fragile.start()
    assert tell(fragile, id="1", note="endless") == 200
    parked = fragile.wait(lambda: [i for i in fragile.inbox() if i["state"] == "parked"], "it is parked")
    assert len(parked) == 1
    fragile.ring()
    fragile.wait(lambda: fragile.settled(1, 1), "the others work as ever")


def test_who_dies_while_verifying_stores_nothing(fragile):
    """No proof of origin, no receipt: the vendor sends it again, or gives up."""
    fragile.start()
    status, _, headers = fragile.hook("fragile", b'{"id":"unverifiable"}', {"Content-Type": "application/json"})
    assert status == 503 and "retry-after" in headers
    assert not fragile.inbox()
    fragile.wait(lambda: tell(fragile, id="1") == 200, "the next worker works")


@pytest.mark.parametrize("plugin, why", [
    ("bad_no_entry", "klinke_plugin_v1"),
    ("bad_undefined", "nobody_has_this"),
    ("bad_constructor_crash", "SIGSEGV"),
    ("bad_small", ""),
])
def test_a_plugin_that_does_not_load_disables_itself_only(fragile, plugin, why):
    fragile.ini["connection fragile"]["plugin"] = plugin
    del fragile.ini["connection fragile"]["worker_timeout"]
    del fragile.ini["pipeline act"]
    fragile.start()
    status, body, headers = fragile.hook("fragile", b"{}", {"Content-Type": "application/json"})
    assert status == 503 and "retry-after" in headers and b"plugin" in body
    assert plugin in fragile.log() and why in fragile.log()
    assert not fragile.inbox()
    fragile.ring()
    fragile.wait(lambda: fragile.settled(1, 1), "the rest works")


@pytest.mark.parametrize("mode", ["crash", "loop"])
def test_one_that_cannot_be_asked_about_its_options_keeps_nobody_down(world, mode):
    """Nor does a machine that is too busy at its start: 78 would be for ever. But klinke check says it."""
    world.ini["host"]["plugins"] += f" {BUILD / 'tests' / 'abi'}"
    world.ini.add("connection rogue", tenant=TENANT, plugin="rogue", where="check", mode=mode, every=1)
    assert "rogue: its plugin could not be asked about it" in world.klinke("check").stderr
    world.start()
    assert "rogue: its plugin could not be asked about it" in world.log()
    world.ring()
    world.wait(lambda: world.settled(1, 1), "the rest works")


def test_jobs_wait_for_a_plugin_that_does_not_load_and_go_on_when_it_does(fragile):
    fragile.start()
    assert tell(fragile, id="1", text="fine") == 200
    fragile.wait(lambda: fragile.jobs("done"), "it works")
    fragile.kill_host()
    fragile.ini["pipeline act"]["at"] = "event ->> 'time' + 1s"
    fragile.start_host()
    assert tell(fragile, id="2", text="fine") == 200
    fragile.wait(lambda: fragile.jobs("waiting"), "one waits for its time")
    fragile.kill_host()
    good = (fragile.directory / "plugins" / "fragile.so").read_bytes()
    (fragile.directory / "plugins" / "fragile.so").write_bytes(b"no library at all")
    fragile.start_host()
    assert tell(fragile, id="3", text="fine") == 503
    late = fragile.wait(lambda: fragile.jobs("ready", fail="plugin"), "its job waits")[0]
    (fragile.directory / "plugins" / "fragile.so").write_bytes(good)
    fragile.reload()
    fragile.wait(lambda: fragile.job(late["id"])["state"] == "done", "it goes on at once", 10)
    assert tell(fragile, id="4", text="fine") == 200


def told(world, *arguments):
    return json.loads(world.klinke("plugin", *arguments, "--json").stdout)


def test_did_anything_go_wrong_is_told_by_list_and_info(fragile):
    """Deaths since the start, the last one's time and reason, and what came of it: in words, as JSON, on the page."""
    plugins = fragile.directory / "plugins"
    shutil.copy(BUILD / "tests" / "abi" / "bad_constructor_crash.so", plugins)
    fragile.ini["host"]["plugins"] = " ".join([*map(str, PLUGINS), str(plugins)])
    del fragile.ini["connection whatsapp"]
    fragile.ini.drop("pipeline")
    fragile.ini["connection calendar"]["plugin"] = "bad_constructor_crash"
    for key in ("api_key", "webhook_secret", "base_url"):
        del fragile.ini["connection calendar"][key]
    fragile.start()
    fragile.wait(lambda: told(fragile, "info", "fragile")["state"] == "ready", "it is loaded")
    before = told(fragile, "info", "fragile")
    assert before["deaths"] == 0 and "last_death" not in before and "last_reason" not in before
    assert tell(fragile, id="1", note="poison") == 200
    fragile.wait(lambda: told(fragile, "info", "fragile")["deaths"] == 2, "both tries are counted")
    after = fragile.wait(lambda: [o for o in [told(fragile, "info", "fragile")] if o["state"] == "ready"], "restarted")[0]
    assert after["last_reason"] == "its worker was killed by SIGABRT in normalize()"
    deaths = [line for line in fragile.log().splitlines() if "plugin=fragile" in line and "SIGABRT" in line]
    assert deaths and all("level=warn" in line for line in deaths), deaths
    assert after["last_death"] > fragile.inbox()[0]["received"]
    rows = {row["name"]: row for row in told(fragile, "list")}
    assert rows["fragile"]["deaths"] == 2 and rows["fragile"]["last_reason"] == after["last_reason"]
    assert rows["retell"]["deaths"] == 0 and rows["whatsapp"]["state"] == "not used"
    broken = rows["bad_constructor_crash"]
    assert broken["state"] == "disabled" and broken["deaths"] == 1 and "SIGSEGV" in broken["problem"]
    for words in (["list"], ["info", "fragile"]):
        text = fragile.klinke("plugin", *words).stdout
        assert f"2 deaths since the host began, the last at {after['last_death']}: {after['last_reason']}; another was started" in text
    assert f"disabled: {broken['problem']}" in fragile.klinke("plugin", "list").stdout
    page = request(fragile.port, "GET", "/", headers={"Authorization": f"Bearer {SECRETS['KLINKE_ADMIN_TOKEN']}"})[1].decode()
    assert "Plugins in trouble" in page and after["last_reason"] in page and ">retell<" not in page
    fragile.stop_host()
    assert "deaths" not in told(fragile, "info", "fragile")
    assert "no host answers here" in fragile.klinke("plugin", "info", "fragile").stdout
