"""A webhook's headers reach verify(), all of them: also Authorization, which some vendors sign with."""
import json

import pytest

from hooks_kit import lasting_world
from plugin_kit import put_plugin
from world import TENANT

SOURCE = r"""
#include <klinke/sugar.h>

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	kl_str token = kl_pair_get(in->headers, "authorization");
	kl_answer *a = KL_NEW(c, kl_answer);
	if (!a)
		return 0;
	a->kind = KL_REJECT;
	a->status = 401;
	a->reason = "header authorization is missing, or no Bearer";
	if (!kl_starts(token, "Bearer "))
		return a;
	a->kind = KL_ACCEPT;
	a->status = 204;
	a->refused = 403;
	c->host->require_secret(c, "hook_token", kl_slice(c, token, 7, token.len));
	return a;
}
static int normalize(kl_call *c, const kl_inbound *in)
{
	kl_val *data = c->host->object(c);
	kl_event *e = KL_NEW(c, kl_event);
	if (!e)
		return KL_BROKEN;
	kl_set_text(c, data, "custom", kl_pair_get(in->headers, "x-custom"));
	e->type = "message.received";
	e->data = data;
	c->host->emit(c, e);
	return 0;
}
static const kl_option options[] = {
	{"hook_token", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "what comes in Authorization"}};
static const kl_route routes[] = {{"", 0, 0, "events"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.id = "test.klinke.bearer",
	.version = "1.0.0",
	.summary = "Takes webhooks by their Authorization header",
	.events = "message.received",
	.options = KL_LIST(options),
	.routes = KL_LIST(routes),
	.verify = verify,
	.normalize = normalize,
};
KL_PLUGIN(&plugin)
"""
TOKEN = "a-token-of-the-bell-7f31"


def prepare(world):
    put_plugin(world, "bearer", SOURCE)
    world.secrets["BEARER_TOKEN"] = TOKEN
    world.ini.add("connection bearer", tenant=TENANT, plugin="bearer", hook_token="${BEARER_TOKEN}")
    world.start()


office = lasting_world(prepare)


def test_authorization_reaches_verify(office):
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Custom": "kept"}
    assert office.hook("bearer", b"{}", headers)[0] == 204
    event = office.wait(lambda: office.events("message.received"), "it is read")[0]
    assert event["data"]["custom"] == "kept"


@pytest.mark.parametrize("headers, status", [
    ({}, 401), ({"Authorization": f"Basic {TOKEN}"}, 401), ({"Authorization": "Bearer x"}, 403),
    ({"Authorization": f"Bearer {TOKEN}x"}, 403), ({"X-Authorization": f"Bearer {TOKEN}"}, 401)])
def test_without_it_nothing_is_taken(office, headers, status):
    before = len(office.inbox_of("bearer"))
    got, body, _ = office.hook("bearer", b"{}", headers)
    assert got == status and TOKEN.encode() not in body
    assert len(office.inbox_of("bearer")) == before


def test_it_is_written_nowhere(office):
    """The header is a secret: neither the log nor what is shown of the webhook holds it."""
    assert office.hook("bearer", b"{}", {"Authorization": f"Bearer {TOKEN}"})[0] == 204
    row = office.wait(lambda: office.inbox_of("bearer"), "it is stored")[0]
    assert TOKEN not in json.dumps(office.show(row["id"])) and TOKEN not in office.log()
    for file in office.state.rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file
