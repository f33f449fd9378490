/* intake.c - webhooks: verified, stored, answered, normalized, in this order and no other.
 *
 * No 2xx before the raw row is on disk. What happens after the answer may crash at any point:
 * the row is still NEW and intake_fetch() finds it. Runs on the runner's thread; appended() and
 * finished() are the writer's and only hand over.
 */
#include "pipeline/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/job.h"
#include "pipeline/route.h"
#include "pipeline/runner_i.h"

#define KILLS_MAX 2 /* a webhook that kills two workers is parked */
#define FETCH 256
#define RETRY_AFTER_S 2

struct intake {
	struct mailbox_item item;
	struct intake *next, **link; /* all in hand: the store may show them as new meanwhile */
	struct runner *runner;
	struct hook *hook; /* NULL once answered */
	struct arena *arena;
	struct plan *plan;
	const struct plan_connection *connection;
	const struct plugin_route *route;
	struct inbox_row row;
	struct plugin_inbound inbound;
	struct plugin_call call;
	struct store_append_inbox append;
	struct store_finish_inbox finish;
	unsigned promised; /* see jobs_promise() */
	bool bare;         /* finished without the events that the store refused */
};

static void normalize(struct intake *in);
static void reply(struct intake *in);

/* ---- Answers ------------------------------------------------------------------------------ */

static void answer(struct hook *hook, unsigned status, const char *text, unsigned retry_after_s)
{
	struct hook_answer a = {.status = status,
		.content_type = "text/plain; charset=utf-8",
		.body = str_of(text),
		.retry_after_s = retry_after_s};
	hook->answer(hook, &a);
}

static void release(struct intake *in)
{
	struct runner *r = in->runner;

	assert(!in->hook);
	*in->link = in->next;
	if (in->next)
		in->next->link = in->link;
	plan_unref(in->plan);
	runner_arena_back(r, in->arena);
	r->normalizing--;
	if (r->normalizing < FETCH && r->backlog)
		intake_fetch(r);
}

void intakes_abandon(struct runner *r)
{
	struct intake *next;

	for (struct intake *in = r->intakes; in; in = next) {
		next = in->next;
		in->plan->orphan = true;
		plan_unref(in->plan);
		arena_destroy(in->arena);
	}
	r->intakes = NULL;
}

/* Gives the answer and forgets the webhook: it was not stored. */
static void refuse(struct intake *in, unsigned status, const char *text, const char *reason)
{
	struct hook *hook = in->hook;

	log_line(LOG_WARN, "webhook refused", "connection", in->connection->config->full, "route",
		in->route->name, "reason", reason ? reason : text, NULL);
	atomic_fetch_add(status < 500 ? &in->runner->n_rejected : &in->runner->n_refused, 1);
	in->hook = NULL;
	in->runner->hooks--;
	release(in);
	answer(hook, status, text, status == 503 ? RETRY_AFTER_S : 0);
}

/* ---- What came, copied out of the request ------------------------------------------------- */

/* A proof of origin is for verify() only; it is neither stored nor seen by normalize(). */
static bool is_proof(struct str name)
{
	return str_is(name, "authorization") || str_is(name, "cookie") ||
	       str_is(name, "proxy-authorization");
}

/* Shares its texts with from. */
static struct plugin_pairs without_proofs(struct arena *arena, struct plugin_pairs from)
{
	struct plugin_pair *items = arena_alloc(arena, (from.count + 1) * sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; items && i < from.count; i++)
		if (!is_proof(from.items[i].name))
			items[n++] = from.items[i];
	return (struct plugin_pairs){items, n};
}

static struct plugin_pairs copy_pairs(struct arena *arena, struct plugin_pairs from)
{
	struct plugin_pair *items = arena_alloc(arena, (from.count + 1) * sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; items && i < from.count; i++) {
		items[n].name = str_dup(arena, from.items[i].name);
		items[n++].value = str_dup(arena, from.items[i].value);
	}
	return (struct plugin_pairs){items, n};
}

static struct str pairs_text(struct arena *arena, struct plugin_pairs pairs)
{
	struct json *list = json_array(arena);

	for (size_t i = 0; i < pairs.count; i++) {
		struct json *pair = json_array(arena);
		json_push(arena, pair, json_of_text(arena, pairs.items[i].name));
		json_push(arena, pair, json_of_text(arena, pairs.items[i].value));
		json_push(arena, list, pair);
	}
	return json_print(arena, list);
}

static struct plugin_pairs pairs_parse(struct arena *arena, struct str text)
{
	struct json *list = json_parse(arena, text, NULL);
	size_t count = json_count(list);
	struct plugin_pair *items = arena_alloc(arena, (count + 1) * sizeof(*items));

	for (size_t i = 0; items && i < count; i++) {
		const struct json *pair = json_at(list, i, NULL);
		items[i].name = json_text(json_at(pair, 0, NULL));
		items[i].value = json_text(json_at(pair, 1, NULL));
	}
	return (struct plugin_pairs){items, items ? count : 0};
}

static void copy_hook(struct intake *in, const struct hook *hook)
{
	in->inbound = (struct plugin_inbound){
		.route = str_of(in->route->name),
		.method = str_dup(in->arena, hook->method),
		.path = str_dup(in->arena, hook->path),
		.query = copy_pairs(in->arena, hook->query),
		.headers = copy_pairs(in->arena, hook->headers),
		.body = str_dup(in->arena, hook->body),
	};
}

static void fill_row(struct intake *in)
{
	const struct config_tenant *tenant = in->connection->config->tenant;
	char *correlation = arena_alloc(in->arena, ID_TEXT);

	in->row.tenant = tenant ? str_of(tenant->name) : STR("");
	in->row.connection = str_of(in->connection->config->full);
	in->row.route = in->inbound.route;
	in->row.method = in->inbound.method;
	in->row.path = in->inbound.path;
	in->row.query = pairs_text(in->arena, in->inbound.query);
	in->inbound.headers = without_proofs(in->arena, in->inbound.headers);
	in->row.headers = pairs_text(in->arena, in->inbound.headers);
	in->row.body = in->inbound.body;
	if (correlation)
		id_text(correlation, &in->row.id);
	in->row.correlation = str_of(correlation);
	in->row.state = INBOX_NEW;
}

/* ---- Calling the plugin ------------------------------------------------------------------- */

static void call(struct intake *in, enum plugin_kind kind, void (*done)(struct plugin_call *))
{
	struct plugin_call *c = &in->call;

	memset(c, 0, sizeof(*c));
	c->plugin = in->connection->plugin;
	c->config = in->connection->options;
	c->in.kind = kind;
	c->in.attempt = in->row.kills + 1;
	c->in.now_ms = in->row.received_ms;
	memcpy(&c->in.seed, in->row.id.b, sizeof(c->in.seed));
	c->in.run = in->row.correlation;
	if (kind == PLUGIN_REPLY)
		c->in.reply =
			(struct plugin_reply_in){.inbound = in->inbound, .outcome = KL_REPLY_NONE};
	else
		c->in.inbound = in->inbound;
	c->timeout_ms = (unsigned)in->connection->config->worker.call_timeout_ms;
	c->urgent = in->route->reply_ms > 0 && kind != PLUGIN_NORMALIZE;
	c->arena = in->arena;
	c->done = done;
	c->user = in;
	plugin_submit(c);
}

static void log_notes(const struct intake *in)
{
	for (uint32_t i = 0; i < in->call.out.logs.count; i++) {
		const struct plugin_note *note = &in->call.out.logs.items[i];
		int level = note->level < 0 ? 0 : note->level > 3 ? 3 : note->level;
		log_line((enum log_level)level, note->message.ptr, "connection",
			in->connection->config->full, NULL);
	}
}

/* ---- Verify ------------------------------------------------------------------------------- */

static bool mac_holds(const struct plugin_mac *mac, struct str secret)
{
	uint8_t digest[CRYPTO_HASH_MAX];
	size_t n = crypto_hmac(mac->hash.ptr, secret, mac->pieces, mac->piece_count, digest);
	bool holds = false;

	for (size_t i = 0; n && i < mac->mac_count; i++)
		holds |= crypto_equal((struct str){(char *)digest, n}, mac->macs[i]);
	crypto_wipe(digest, sizeof(digest));
	return holds;
}

/* NULL, or what does not hold. Every value of the secret is tried, so that the time tells nothing.
 */
static const char *mac_problem(const struct intake *in, const struct plugin_mac *mac)
{
	const struct config_secret *secret = config_secret(in->connection->config, mac->secret.ptr);
	bool holds = false;

	if (!secret || !secret->count)
		return arena_printf(in->arena,
			"the signature cannot be checked: option %s is not set", mac->secret.ptr);
	for (size_t i = 0; i < secret->count; i++)
		holds |= mac_holds(mac, secret->values[i]);
	return holds ? NULL
		     : arena_printf(in->arena,
			       "the signature does not match the body and option %s",
			       mac->secret.ptr);
}

static const char *secret_problem(const struct intake *in, const struct plugin_secret *guess)
{
	const struct config_secret *secret =
		config_secret(in->connection->config, guess->secret.ptr);
	bool holds = false;

	if (!secret || !secret->count)
		return arena_printf(in->arena, "option %s is not set", guess->secret.ptr);
	for (size_t i = 0; i < secret->count; i++)
		holds |= crypto_equal(guess->guess, secret->values[i]);
	return holds ? NULL
		     : arena_printf(in->arena, "what came is not the value of option %s",
			       guess->secret.ptr);
}

static const char *unproven(const struct intake *in)
{
	const struct plugin_out *out = &in->call.out;
	const char *problem = NULL;

	if (out->answer.kind == KL_ACCEPT && !out->macs.count && !out->secrets.count &&
		in->connection->config->info->can_verify == 0)
		return "the plugin cannot verify webhooks";
	for (uint32_t i = 0; i < out->macs.count && !problem; i++)
		problem = mac_problem(in, &out->macs.items[i]);
	for (uint32_t i = 0; i < out->secrets.count && !problem; i++)
		problem = secret_problem(in, &out->secrets.items[i]);
	return problem;
}

static void give(struct hook *hook, const struct plugin_answer *a, unsigned status)
{
	struct hook_answer out = {.status = a->status ? a->status : status,
		.content_type =
			a->content_type.len ? a->content_type.ptr : "text/plain; charset=utf-8",
		.body = a->body};
	hook->answer(hook, &out);
}

static void appended_here(struct mailbox_item *item)
{
	struct intake *in = (struct intake *)item;

	in->runner->hooks--;
	if (in->append.op.result < 0) {
		log_line(LOG_ERROR, "webhook not stored", "connection",
			in->connection->config->full, "reason", in->append.op.error.text, NULL);
		atomic_fetch_add(&in->runner->n_refused, 1);
		release(in);
		return;
	}
	atomic_fetch_add(&in->runner->n_hooks, 1);
	if (in->hook)
		reply(in);
	else
		normalize(in);
}

/* Writer's thread: the row is on disk, or it is not. */
static void appended(struct store_op *op)
{
	struct intake *in = op->user;
	struct hook *hook = in->hook;

	if (op->result < 0) {
		in->hook = NULL;
		answer(hook, 503, "could not be stored, please send it again\n", RETRY_AFTER_S);
	} else if (!in->route->reply_ms) {
		in->hook = NULL;
		give(hook, &in->call.out.answer, 200);
	}
	in->item.run = appended_here;
	runner_post(in->runner, &in->item);
}

static void store_raw(struct intake *in)
{
	fill_row(in);
	in->append.op.done = appended;
	in->append.op.user = in;
	in->append.row = &in->row;
	if (arena_failed(in->arena))
		refuse(in, 503, "no memory, please send it again\n", NULL);
	else
		store_append_inbox(in->runner->store, &in->append);
}

static void shake_hands(struct intake *in)
{
	struct hook *hook = in->hook;
	struct plugin_answer a = in->call.out.answer;

	in->hook = NULL;
	in->runner->hooks--;
	give(hook, &a, 200);
	release(in);
}

static void verified(struct plugin_call *c)
{
	struct intake *in = c->user;
	const struct plugin_answer *a = &c->out.answer;
	const char *problem;

	log_notes(in);
	if (c->out.status != PLUGIN_OK) {
		refuse(in, 503, "this connection is not ready, please send it again\n",
			c->out.error.text);
		return;
	}
	if (a->kind != KL_ACCEPT && a->kind != KL_HANDSHAKE) {
		refuse(in, a->status ? a->status : 401, "not accepted\n",
			a->reason.len ? a->reason.ptr : "the plugin gave no reason");
		return;
	}
	problem = unproven(in);
	if (problem)
		refuse(in, a->refused ? a->refused : 401, "not accepted\n", problem);
	else if (a->kind == KL_HANDSHAKE)
		shake_hands(in);
	else
		store_raw(in);
}

/* ---- Take --------------------------------------------------------------------------------- */

static const struct plugin_route *find_route(const struct plugin_info *info, struct str name)
{
	for (size_t i = 0; info && i < info->route_count; i++)
		if (str_is(name, info->routes[i].name))
			return &info->routes[i];
	return NULL;
}

static struct intake *create(struct runner *r, const struct plan_connection *connection)
{
	struct arena *arena = runner_arena(r);
	struct intake *in = arena ? arena_alloc(arena, sizeof(*in)) : NULL;

	if (!in) {
		arena_destroy(arena);
		return NULL;
	}
	in->arena = arena;
	in->runner = r;
	in->plan = plan_ref(r->plan);
	in->connection = connection;
	in->next = r->intakes;
	in->link = &r->intakes;
	if (in->next)
		in->next->link = &in->next;
	r->intakes = in;
	r->normalizing++;
	return in;
}

static bool too_much(const struct runner *r)
{
	return r->draining || r->hooks >= HOOKS_MAX;
}

static void begin(struct runner *r, struct hook *hook, const struct plan_connection *connection,
	const struct plugin_route *route)
{
	struct intake *in = create(r, connection);

	if (!in) {
		answer(hook, 503, "no memory, please send it again\n", RETRY_AFTER_S);
		return;
	}
	r->hooks++;
	in->hook = hook;
	in->route = route;
	in->row.id = id_new();
	in->row.received_ms = hook->received_ms;
	copy_hook(in, hook);
	call(in, PLUGIN_VERIFY, verified);
}

static void take(struct mailbox_item *item)
{
	struct hook *hook = (struct hook *)item;
	struct runner *r = hook->runner;
	const struct plan_connection *connection;
	const struct plugin_route *route;
	char full[256];
	int n = snprintf(
		full, sizeof(full), "%.*s/%.*s", STR_ARG(hook->owner), STR_ARG(hook->connection));

	if (too_much(r)) {
		atomic_fetch_add(&r->n_refused, 1);
		answer(hook, 503, "too much at once, please send it again\n", RETRY_AFTER_S);
		return;
	}
	connection =
		n > 0 && (size_t)n < sizeof(full) ? plan_connection(r->plan, str_of(full)) : NULL;
	if (!connection) {
		answer(hook, 404, "there is no such connection\n", 0);
	} else if (!connection->config->info) {
		log_line(LOG_ERROR, "webhook for a disabled connection", "connection", full,
			"reason", connection->config->disabled, NULL);
		answer(hook, 503, "this connection is disabled until its plugin loads\n", 60);
	} else if (!(route = find_route(connection->config->info, hook->route))) {
		answer(hook, 404, "this connection has no such route\n", 0);
	} else {
		begin(r, hook, connection, route);
	}
}

void intake_take(struct runner *runner, struct hook *hook)
{
	hook->runner = runner;
	hook->item.run = take;
	runner_post(runner, &hook->item);
}

/* ---- Somebody waits ----------------------------------------------------------------------- */

static void replied(struct plugin_call *c)
{
	struct intake *in = c->user;
	struct hook *hook = in->hook;

	log_notes(in);
	in->hook = NULL;
	if (c->out.status == PLUGIN_OK)
		give(hook, &c->out.answer, 200);
	else
		answer(hook, 500, "no answer\n", 0);
	normalize(in);
}

static void reply(struct intake *in)
{
	if (!in->connection->config->info->can_reply) {
		struct hook *hook = in->hook;
		in->hook = NULL;
		answer(hook, 200, "", 0);
		normalize(in);
		return;
	}
	call(in, PLUGIN_REPLY, replied);
}

/* ---- Normalize ---------------------------------------------------------------------------- */

static void finish(struct intake *in, enum inbox_state state, const char *reason);

static void not_finished(struct intake *in)
{
	struct store_finish_inbox *f = &in->finish;
	int code = f->op.result;
	bool never = code == E_INVALID || code == E_CONFLICT || code == E_NOTFOUND;

	log_line(LOG_ERROR,
		never ? "events refused by the store" : "events not stored, will be tried again",
		"connection", in->connection->config->full, "reason", f->op.error.text, NULL);
	if (never && !in->bare) { /* offered again, it would be refused again, for ever */
		in->bare = true;
		f->event_count = f->job_count = 0;
		f->tenant = STR("");
		finish(in, INBOX_PARKED,
			arena_printf(in->arena, "what it means was refused by the store: %s",
				f->op.error.text));
		return;
	}
	in->runner->backlog_later |= !never;
	release(in);
}

static void finished_here(struct mailbox_item *item)
{
	struct intake *in = (struct intake *)item;
	struct store_finish_inbox *f = &in->finish;
	struct runner *r = in->runner;

	r->promised -= in->promised;
	in->promised = 0;
	if (f->op.result < 0) {
		not_finished(in);
		return;
	}
	for (size_t i = 0; i < f->event_count; i++) {
		struct event_change *e = &f->events[i];
		atomic_fetch_add(e->repeat ? &r->n_repeats : &r->n_events, 1);
		if (e->repeat)
			continue;
		if (e->closed || e->cancelled)
			r->claim_wanted = true;
		jobs_stored(r, in->plan, e->row, e->jobs, e->job_count);
	}
	jobs_stored(r, in->plan, NULL, f->jobs, f->job_count);
	runner_claim(r);
	release(in);
}

/* Writer's thread. */
static void finished(struct store_op *op)
{
	struct intake *in = op->user;
	in->item.run = finished_here;
	runner_post(in->runner, &in->item);
}

static size_t count_jobs(const struct store_finish_inbox *f)
{
	size_t n = f->job_count;

	for (size_t i = 0; i < f->event_count; i++)
		n += f->events[i].job_count;
	return n;
}

static void finish(struct intake *in, enum inbox_state state, const char *reason)
{
	struct store_finish_inbox *f = &in->finish;

	if (state == INBOX_PARKED)
		log_line(LOG_ERROR, "webhook parked", "connection", in->connection->config->full,
			"id", in->row.correlation.ptr, "reason", reason, NULL);
	f->op.done = finished;
	f->op.user = in;
	f->inbox = in->row.id;
	f->state = state;
	f->reason = str_of(reason);
	f->kills = in->row.kills;
	f->claim = jobs_promise(in->runner, count_jobs(f), &in->promised);
	store_finish_inbox(in->runner->store, f);
}

static struct route_input route_input(struct intake *in)
{
	return (struct route_input){
		.plan = in->plan,
		.engine = in->runner->engine,
		.inbox = in->row.id,
		.connection = in->row.connection,
		.tenant = in->connection->config->tenant,
		.correlation = in->row.correlation,
		.now_ms = in->row.received_ms,
		.arena = in->arena,
	};
}

/* Whose the raw bytes are: somebody's only if everything in them is. */
static struct str owner(const struct store_finish_inbox *f)
{
	struct str tenant = f->event_count ? f->events[0].row->tenant : STR("");

	for (size_t i = 1; i < f->event_count; i++)
		if (!str_eq(f->events[i].row->tenant, tenant))
			return STR("");
	return tenant;
}

/* Fills the events that fit; NULL, or why one does not. Replaying is safe: repeats are dropped. */
static const char *route_all(struct intake *in)
{
	const struct plugin_out *out = &in->call.out;
	struct route_input input = route_input(in);
	struct store_finish_inbox *f = &in->finish;
	const char *problem = NULL;
	struct error error = {0};

	f->events = arena_alloc(in->arena, (out->events.count + 1) * sizeof(*f->events));
	f->jobs = arena_alloc(in->arena, (out->starts.count + 1) * sizeof(*f->jobs));
	if (!f->events || !f->jobs)
		return "no memory for its events";
	for (uint32_t i = 0; i < out->events.count; i++)
		if (route_event(
			    &error, &input, &out->events.items[i], &f->events[f->event_count]) == 0)
			f->event_count++;
		else
			problem = arena_printf(in->arena, "%s", error.text);
	for (uint32_t i = 0; i < out->starts.count; i++)
		route_start(&input, &out->starts.items[i], &f->jobs[f->job_count++]);
	f->tenant = problem ? STR("") : owner(f);
	return problem;
}

static const char *complaints(struct intake *in)
{
	const struct plugin_out *out = &in->call.out;
	const char *text = "the plugin cannot read this webhook";

	for (uint32_t i = 0; i < out->problems.count; i++)
		text = arena_printf(in->arena, "%s%s%s%s%s", i ? text : "", i ? "; " : "",
			out->problems.items[i].path.len ? out->problems.items[i].path.ptr : "",
			out->problems.items[i].path.len ? ": " : "",
			out->problems.items[i].message.ptr);
	return text;
}

static void died(struct intake *in)
{
	in->row.kills++;
	log_line(LOG_ERROR, "plugin died on a webhook", "connection", in->connection->config->full,
		"id", in->row.correlation.ptr, "reason", in->call.out.error.text, NULL);
	if (in->row.kills >= KILLS_MAX)
		finish(in, INBOX_PARKED,
			arena_printf(in->arena,
				"plugin %s died on it twice; mend the plugin, then klinke replay "
				"it",
				in->connection->config->plugin));
	else
		normalize(in);
}

static void normalized(struct plugin_call *c)
{
	struct intake *in = c->user;
	const char *problem;

	log_notes(in);
	switch (c->out.status) {
	case PLUGIN_DIED:
	case PLUGIN_TIMEOUT:
		died(in);
		return;
	case PLUGIN_DISABLED: /* the row stays NEW until the plugin is back */
		in->runner->backlog_later = true;
		release(in);
		return;
	case PLUGIN_FAILED:
		finish(in, INBOX_PARKED, c->out.error.text);
		return;
	case PLUGIN_OK:
		break;
	}
	if (c->out.returned) {
		finish(in, INBOX_PARKED, complaints(in));
		return;
	}
	problem = route_all(in);
	if (arena_failed(in->arena)) { /* anything of it may be missing: none of it counts */
		in->finish.event_count = in->finish.job_count = 0;
		in->finish.tenant = STR("");
		problem = "it needs more memory than one webhook may have";
	}
	finish(in,
		problem                                         ? INBOX_PARKED
		: in->finish.event_count + in->finish.job_count ? INBOX_DONE
								: INBOX_IGNORED,
		problem);
}

static void normalize(struct intake *in)
{
	if (!in->connection->config->info->can_normalize)
		finish(in, INBOX_IGNORED, "the plugin makes no events");
	else if (in->runner->normalizing > NORMALIZE_MAX) {
		in->runner->backlog = true;
		release(in);
	} else
		call(in, PLUGIN_NORMALIZE, normalized);
}

/* ---- After a restart, or when too much came at once --------------------------------------- */

struct fetch {
	struct mailbox_item item;
	struct runner *runner;
	struct store_pending_inbox op;
};

static bool in_hand(const struct runner *r, const struct id *id)
{
	for (const struct intake *in = r->intakes; in; in = in->next)
		if (memcmp(&in->row.id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

static void again(struct runner *r, const struct inbox_row *row)
{
	const struct plan_connection *connection = plan_connection(r->plan, row->connection);
	struct intake *in;

	if (!connection || !connection->config->info ||
		plugin_state(connection->plugin) == PLUGIN_BROKEN)
		return; /* stays NEW: its connection or plugin may come back */
	if (in_hand(r, &row->id))
		return;
	in = create(r, connection);
	if (!in) {
		r->backlog_later = true;
		return;
	}
	in->route = find_route(connection->config->info, row->route);
	in->row = *row;
	in->row.correlation = str_dup(in->arena, row->correlation);
	in->row.connection = str_of(connection->config->full);
	in->inbound = (struct plugin_inbound){
		.route = str_of(in->route ? in->route->name : ""),
		.method = str_dup(in->arena, row->method),
		.path = str_dup(in->arena, row->path),
		.query = pairs_parse(in->arena, row->query),
		.headers = pairs_parse(in->arena, row->headers),
		.body = str_dup(in->arena, row->body),
	};
	in->row.body = in->inbound.body;
	if (arena_failed(in->arena))
		finish(in, INBOX_PARKED, "it needs more memory than one webhook may have");
	else if (in->route)
		normalize(in);
	else
		finish(in, INBOX_PARKED, "the plugin no longer has this route");
}

static void fetched_here(struct mailbox_item *item)
{
	struct fetch *f = (struct fetch *)item;
	struct runner *r = f->runner;

	for (size_t i = 0; f->op.op.result == 0 && i < f->op.count; i++)
		again(r, &f->op.rows[i]);
	r->fetching = false; /* not sooner: who is done already must not fetch the same */
	r->backlog_later |= f->op.op.result < 0;
	r->backlog |= f->op.op.result == 0 && f->op.count == FETCH;
	/* what was skipped (its connection is gone) must not hide what comes behind it */
	r->fetch_after = f->op.op.result == 0 && f->op.count == FETCH ? f->op.rows[FETCH - 1].id
								      : (struct id){{0}};
	arena_destroy(f->op.arena);
	free(f);
}

static void fetched(struct store_op *op)
{
	struct fetch *f = op->user;
	f->item.run = fetched_here;
	runner_post(f->runner, &f->item);
}

void intake_fetch(struct runner *r)
{
	struct fetch *f;

	if (r->fetching || r->draining || r->options.only_ours ||
		r->normalizing > NORMALIZE_MAX / 2)
		return;
	f = calloc(1, sizeof(*f));
	if (!f || !(f->op.arena = arena_create((size_t)1024 * 1024 * 1024))) {
		free(f);
		return; /* asked again with the next tick */
	}
	r->backlog = false;
	r->fetching = true;
	f->runner = r;
	f->op.op.done = fetched;
	f->op.op.user = f;
	f->op.limit = FETCH;
	f->op.after = r->fetch_after;
	store_pending_inbox(r->store, &f->op);
}
