"""Corners of the contract between host and plugin that no bundled plugin reaches: a plugin and a vendor
of our own, made for one question each."""
import http.server
import json
import subprocess
import threading

import pytest
from world import KLINKE, PLUGINS, TENANT, TOP, request

SOURCE = r"""
#include <klinke/sugar.h>

#ifndef STATE_VERSION
#define STATE_VERSION 1
#endif

static const kl_next *ask(kl_call *c, const char *method, const char *url, uint32_t repeat)
{
	kl_request *r = KL_NEW(c, kl_request);

	if (!r)
		return 0;
	r->repeat = repeat;
	r->method = method;
	r->url = kl_s(url);
	r->label = url;
	return kl_send(c, r, c->host->of_text(c, kl_s("kept")));
}

static const kl_next *wait(kl_call *c, int64_t ms)
{
	kl_next *n = KL_NEW(c, kl_next);

	if (!n)
		return 0;
	n->then = KL_WAIT;
	n->wait_ms = ms;
	n->state = c->host->of_text(c, kl_s("kept"));
	return n;
}

static const kl_next *told(kl_call *c, const kl_step *s)
{
	kl_val *o = c->host->object(c);

	kl_set_i64(c, o, "why", s->why);
	kl_set_text(c, o, "key", s->key);
	kl_set_i64(c, o, "version", s->state_version);
	kl_set(c, o, "state", s->state);
	return kl_done(c, o);
}

/* Something is made, and a while later one looks whether it is ready. */
static const kl_next *make_and_wait(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return ask(c, "POST", "/make", KL_NEVER);
	if (s->why != KL_RESPONSE)
		return told(c, s);
	c->host->row(c, c->host->of_i64(c, s->response->status));
	return wait(c, kl_true(c, s->input, "long") ? 2500 : 50);
}

/* Its look-up always says that nothing is there. */
static const kl_next *never_there(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return ask(c, "POST", "/make", KL_NEVER);
	return s->why == KL_LOOKUP ? kl_then(c, KL_ABSENT, 0) : told(c, s);
}

/* Its look-up judges by what the lost request was answered, and by nothing else. */
static const kl_next *judge(kl_call *c, const kl_step *s)
{
	if (s->why == KL_START)
		return ask(c, "POST", "/make", KL_NEVER);
	return s->why == KL_LOOKUP ? kl_failed(c, KL_BAD_INPUT, 0, "cannot look") : told(c, s);
}

static const kl_next *step(kl_call *c, const kl_step *s)
{
	if (kl_eq(kl_s(s->op), "refused"))
		return kl_failed(c, KL_BAD_AUTH, 0, "the key is refused");
	if (kl_eq(kl_s(s->op), "make"))
		return s->why == KL_START ? ask(c, "POST", "/make", KL_SAFE) : told(c, s);
	if (kl_eq(kl_s(s->op), "sleep"))
		return s->why == KL_START ? wait(c, 60000) : told(c, s);
	if (kl_eq(kl_s(s->op), "make_and_wait"))
		return make_and_wait(c, s);
	if (kl_eq(kl_s(s->op), "never_there"))
		return never_there(c, s);
	if (kl_eq(kl_s(s->op), "judge"))
		return judge(c, s);
	return told(c, s);
}

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_answer *a = KL_NEW(c, kl_answer);

	if (a)
		a->kind = KL_ACCEPT;
	return in->body.len ? a : 0;
}

static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	const kl_val *list = c->host->find(body, "events");

	for (uint32_t i = 0; i < c->host->count(list); i++) {
		const kl_val *one = c->host->at(list, i, 0);
		kl_event *e = KL_NEW(c, kl_event);
		if (!e)
			return KL_BROKEN;
		e->type = "thing.happened";
		e->dedupe = kl_text(c, one, "id");
		e->data = one;
		c->host->emit(c, e);
	}
	if (kl_has(c, body, "start")) {
		kl_start *s = KL_NEW(c, kl_start);
		if (!s)
			return KL_BROKEN;
		s->op = "tell";
		s->input = c->host->find(body, "start");
		c->host->start(c, s);
	}
	return 0;
}

static const kl_option options[] = {{"base_url", KL_OPT_URL, 0, 0, 0, "where"}};
static const kl_op ops[] = {
	{"make_and_wait", KL_OP_ACTION, 0, 0, "makes, waits"},
	{"never_there", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "is never there"},
	{"judge", KL_OP_ACTION | KL_OP_LOOKUP, 0, 0, "judges"},
	{"refused", KL_OP_ACTION, 0, 0, "is refused"},
	{"make", KL_OP_ACTION, 0, 0, "makes, any number of times"},
	{"sleep", KL_OP_ACTION, 0, 0, "sleeps a minute"},
	{"tell", KL_OP_ACTION, 0, 0, "tells"},
};
static const kl_route routes[] = {{"", 0, 0, "events"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.state_version = STATE_VERSION,
	.id = "test.klinke.odd",
	.version = "1.0.0",
	.summary = "Reaches corners",
	.events = "thing.happened",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.verify = verify,
	.normalize = normalize,
	.step = step,
};
KL_PLUGIN(&plugin)
"""


class Vendor:
    """Answers every POST with the next of statuses (200 when used up); None: 200 once closing is set."""

    def __init__(self):
        self.posts, self.statuses = [], []
        self.closing = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.posts.append(self.path)
                status = outer.statuses.pop(0) if outer.statuses else 200
                if status is None:
                    outer.closing.wait(60)
                    status = 200
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *arguments: None  # the host was killed meanwhile
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def vendor():
    made = Vendor()
    yield made
    made.close()


def build(directory, *flags):
    """odd.so, anew."""
    directory.mkdir(exist_ok=True)
    (directory / "odd.c").write_text(SOURCE)
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", *flags, "-I", str(TOP / "sdk" / "include"),
               "-o", "new.so", "odd.c"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (directory / "new.so").replace(directory / "odd.so")


@pytest.fixture
def odd(world, vendor, tmp_path):
    """A host with the connection odd and nothing else; not started."""
    build(tmp_path / "plugins")
    for kind in ("pipeline", "mapping", "connection"):
        world.ini.drop(kind)
    world.ini["host"]["plugins"] = " ".join([*map(str, PLUGINS), str(tmp_path / "plugins")])
    world.ini["host"]["allow_private"] = f"127.0.0.1:{vendor.port}"
    world.ini.add("connection odd", tenant=TENANT, plugin="odd", base_url=f"http://127.0.0.1:{vendor.port}",
                  retry_base="50ms", retry_cap="100ms", timeout="1s")
    return world


def on_thing(world, call):
    world.ini.add("pipeline on-thing", ("on", "thing.happened"), ("step", call))


def happen(world, *ids, connection="odd", tenant=TENANT, **more):
    body = json.dumps({"events": [{"id": i} for i in ids], **more})
    status, answer, _ = world.hook(connection, body, tenant=tenant)
    assert status == 200, answer


def asleep(world, vendor):
    """Waits until the only job has made its thing and waits for its timer."""
    world.wait(lambda: vendor.posts and world.jobs("ready") and world.metrics()["klinke_jobs_running"] == 0,
               "it waits")


def steps(world, job):
    return [a["outcome"] for a in world.show(job["id"])["attempts"] if a["kind"] == "step"]


# ---- What may have happened ------------------------------------------------------------------------

def test_a_wait_after_an_answer_ends_with_the_timer(odd, vendor):
    """KL_WAIT after an answered NEVER request: nothing is in question, so nothing is looked up."""
    odd.start_host()
    result = odd.call(f"{TENANT}/odd.make_and_wait")
    assert result["why"] == 3 and result["state"] == "kept"
    assert result["rows"] == [200], "rows of before the wait are in the result"
    assert vendor.posts == ["/make"]


def test_the_wait_survives_kill_9(odd, vendor):
    on_thing(odd, "odd.make_and_wait long=(json('true'))")
    odd.start_host()
    happen(odd, "a")
    asleep(odd, vendor)
    odd.restart_host()
    job, = odd.wait(lambda: odd.jobs("done"), "it is done")
    assert vendor.posts == ["/make"] and steps(odd, job) == ["done"]


def test_absence_counts_as_a_try(odd, vendor):
    """A vendor that fails each time, and where it is never found, is not asked for ever."""
    odd.ini["connection odd"]["retry_max_tries"] = "2"
    vendor.statuses = [500] * 50
    on_thing(odd, "odd.never_there")
    odd.start_host()
    happen(odd, "a")
    job, = odd.wait(lambda: odd.jobs("dead"), "it is given up")
    assert vendor.posts == ["/make"] * 2 and job["fail"] == "broken"
    assert steps(odd, job) == ["absent"] * 4


def test_after_a_crash_nothing_is_proved(odd, vendor):
    """KL_FAIL to KL_LOOKUP says something about the response; without one it says nothing."""
    vendor.statuses = [None]
    on_thing(odd, "odd.judge")
    odd.start_host()
    happen(odd, "a")
    odd.wait(lambda: vendor.posts, "it is on its way")
    odd.restart_host()
    job, = odd.wait(lambda: odd.jobs("parked"), "a person must look")
    assert job["fail"] == "unknown" and job["outcome_unknown"]
    odd.klinke("dead", "retry", job["id"])
    odd.wait(lambda: len(steps(odd, job)) == 2, "it looks again")
    odd.wait(lambda: odd.jobs("parked"), "and parks again")
    assert vendor.posts == ["/make"]


def test_a_state_says_who_wrote_it(odd, vendor, tmp_path):
    """A plugin that is updated while its job waits learns that the state is of its predecessor."""
    on_thing(odd, "odd.make_and_wait long=(json('true'))")
    odd.start_host()
    happen(odd, "a")
    asleep(odd, vendor)
    odd.kill_host()
    build(tmp_path / "plugins", "-DSTATE_VERSION=2")
    odd.start_host()
    job, = odd.wait(lambda: odd.jobs("done"), "it is done")
    output = [a["output"] for a in odd.show(job["id"])["attempts"] if a["kind"] == "step"][-1]
    output = json.loads(output) if isinstance(output, str) else output
    assert output["version"] == 1 and output["state"] == "kept"


def test_every_step_has_a_key_of_its_own(odd):
    """Also the fortieth: a vendor drops a key that it knows."""
    many = [pair for i in range(40) for pair in (("step", "odd.tell"), ("as", f"step{i}"))]
    odd.ini.add("pipeline on-thing", ("on", "thing.happened"), *many)
    odd.start_host()
    happen(odd, "a")
    job, = odd.wait(lambda: odd.jobs("done"), "it is done")
    keys = [a["output"]["key"] for a in odd.show(job["id"])["attempts"]]
    assert len(keys) == len(set(keys)) == 40 and keys[0] == job["id"]


# ---- Configurations that come and go -----------------------------------------------------------------

def test_what_has_begun_goes_on_by_no_other_configuration(odd, vendor):
    """The number of a step says nothing about another pipeline: a person must mend what it began with."""
    on_thing(odd, "odd.make_and_wait long=(json('true'))")
    odd.ini.add("connection old", tenant=TENANT, plugin="retell", api_key="${OLD_KEY}")
    odd.secrets["OLD_KEY"] = "key_of_old"
    odd.start_host()
    happen(odd, "a")
    asleep(odd, vendor)
    odd.kill_host()
    del odd.ini["connection old"]
    del odd.secrets["OLD_KEY"]
    on_thing(odd, "odd.tell")
    odd.start_host()
    job, = odd.wait(lambda: odd.jobs("parked"), "it is for a person")
    assert "began with" in job["reason"] and "OLD_KEY" in job["reason"]
    odd.secrets["OLD_KEY"] = "key_of_old"
    odd.restart_host()
    odd.klinke("dead", "retry", job["id"])
    odd.wait(lambda: odd.jobs("done"), "it goes on where it was")
    assert vendor.posts == ["/make"] and steps(odd, job) == ["done"]


def test_a_new_token_replaces_the_old_one(odd):
    def look(token):
        return request(odd.port, "GET", "/api/v1/status", headers={"Authorization": f"Bearer {token}"})[0]

    key = odd.directory / "token"
    key.write_text("the-first-token-of-all\n")
    key.chmod(0o600)
    odd.ini["host"]["admin_token"] = f"@{key}"
    odd.start_host()
    assert look("the-first-token-of-all") == 200 and look("the-second-token-of-all") == 401
    key.write_text("the-second-token-of-all\n")
    odd.reload()
    assert look("the-second-token-of-all") == 200 and look("the-first-token-of-all") == 401


# ---- Crowds ----------------------------------------------------------------------------------------------

def test_one_refusal_is_one_pause(odd):
    """Jobs that are under way together do not make the pause of their connection longer and longer."""
    on_thing(odd, "odd.refused")
    odd.start_host()
    happen(odd, *"abcde")
    odd.wait(lambda: len([j for j in odd.jobs("ready") if j.get("fail") == "bad auth"]) == 5, "all wait")
    assert odd.log().count("connection paused") == 1


def test_one_webhook_does_not_take_all_room(odd, vendor):
    """However many events it brings, no more jobs are in hand than may be; all of them are done."""
    vendor.statuses = [None] * 300
    odd.ini["connection odd"]["timeout"] = "30s"
    on_thing(odd, "odd.make")
    odd.start_host()
    happen(odd, *(f"e{i}" for i in range(600)))
    odd.wait(lambda: odd.status()["jobs"]["ready"] == 600, "all are stored")
    running = odd.wait(lambda: odd.metrics()["klinke_jobs_running"], "they begin")
    odd.wait(lambda: len(vendor.posts) >= 30, "and send")
    assert max(running, odd.metrics()["klinke_jobs_running"]) <= 256
    vendor.statuses = []
    vendor.closing.set()
    odd.wait(lambda: odd.status()["jobs"]["done"] == 600, "all are done", 60)


# ---- The end ---------------------------------------------------------------------------------------------

def test_who_waits_for_a_job_that_sleeps_does_not_hold_up_the_end(odd):
    odd.start_host()
    call = subprocess.Popen([str(KLINKE), "call", f"{TENANT}/odd.sleep"], env=odd.environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    odd.wait(lambda: odd.jobs("ready") and odd.metrics()["klinke_jobs_running"] == 0, "it sleeps")
    assert odd.stop_host() == 0
    _, told = call.communicate(timeout=10)
    assert call.returncode != 0 and "the host stops" in told
