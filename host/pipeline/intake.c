/* intake.c - webhooks: verified, stored, answered, in this order and no other; then read
 * (reading.c).
 *
 * No 2xx before the raw row is on disk. What happens after the answer may crash at any point:
 * the row is still NEW and intake_fetch() finds it. Where somebody waits for more than a 2xx it is
 * read while it is being stored, and the answer is the caller's (caller.h). Runner's thread;
 * appended() is the writer's and only hands over.
 */
#include "pipeline/intake.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/intake_i.h"
#include "pipeline/trace.h"

#define RETRY_AFTER_S 2
#define STRAYS_EACH_MS 60000

/* ---- Answers ------------------------------------------------------------------------------ */

static void answer(struct hook *hook, unsigned status, const char *text, unsigned retry_after_s)
{
	struct hook_answer a = {.status = status,
		.content_type = "text/plain; charset=utf-8",
		.body = str_of(text),
		.retry_after_s = retry_after_s};
	hook->answer(hook, &a);
}

unsigned intakes_reading(const struct runner *r)
{
	return r->normalizing > r->hooks ? r->normalizing - r->hooks : 0;
}

void intake_release(struct intake *in)
{
	struct runner *r = in->runner;

	if (--in->parts)
		return;
	assert(!in->hook && !in->caller.hook);
	*in->link = in->next;
	if (in->next)
		in->next->link = in->link;
	plan_unref(in->plan);
	runner_arena_back(r, in->arena);
	r->normalizing--;
	if (intakes_reading(r) < FETCH && r->backlog)
		intake_fetch(r);
}

void intakes_abandon(struct runner *r)
{
	struct intake *next;

	for (struct intake *in = r->intakes; in; in = next) {
		next = in->next;
		if (in->hook)
			answer(in->hook, 503, "the host stops, please send it again\n",
				RETRY_AFTER_S);
		caller_abandon(&in->caller);
		in->plan->orphan = true;
		plan_unref(in->plan);
		arena_destroy(in->arena);
	}
	r->intakes = r->held = NULL;
}

struct plan_connection *intake_connection_now(const struct intake *in)
{
	struct plan *now = in->runner->plan;
	const struct plan_connection *c =
		in->plan == now ? in->connection
				: plan_connection(now, str_of(in->connection->config->full));

	return c ? &now->connections[c - now->connections] : NULL;
}

/* One may be anybody's; many, and none that is good, are a secret that is not the vendor's: so how
 * many is told. */
static void note_unproven(const struct intake *in, const char *why)
{
	struct plan_connection *c = intake_connection_now(in);

	if (!c)
		return;
	c->unproven++;
	c->unproven_ms = clock_now_ms();
	snprintf(c->unproven_why, sizeof(c->unproven_why), "%s", why);
}

static void note_proven(const struct intake *in)
{
	struct plan_connection *c = intake_connection_now(in);

	if (c)
		c->unproven = 0;
}

/* Gives the answer and forgets the webhook: it was not stored. */
static void refuse(struct intake *in, unsigned status, const char *text, const char *reason)
{
	struct hook *hook = in->hook;

	log_line(LOG_WARN, "webhook refused", "connection", in->connection->config->full, "route",
		in->route->name, "reason", reason ? reason : text, NULL);
	if (status < 500)
		note_unproven(in, reason ? reason : text);
	atomic_fetch_add(status < 500 ? &in->runner->n_rejected : &in->runner->n_refused, 1);
	in->hook = NULL;
	in->runner->hooks--;
	intake_release(in);
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

static struct str header(const struct plugin_pairs *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (str_is(headers->items[i].name, name))
			return headers->items[i].value;
	return (struct str){0};
}

/* A sender's trace goes on here; it was signed with the rest, or comes from who signs. */
static struct str correlation_of(struct intake *in)
{
	char *text = arena_alloc(in->arena, ID_TEXT);
	struct id trace;

	if (text)
		id_text(text, trace_read(&trace, header(&in->inbound.headers, "traceparent"))
				      ? &trace
				      : &in->row.id);
	return str_of(text);
}

static void fill_row(struct intake *in)
{
	const struct config_tenant *tenant = in->connection->config->tenant;

	in->row.tenant = tenant ? str_of(tenant->name) : STR("");
	in->row.connection = str_of(in->connection->config->full);
	in->row.route = in->inbound.route;
	in->row.method = in->inbound.method;
	in->row.path = in->inbound.path;
	in->row.query = pairs_text(in->arena, in->inbound.query);
	in->inbound.headers = without_proofs(in->arena, in->inbound.headers);
	in->row.headers = pairs_text(in->arena, in->inbound.headers);
	in->row.body = in->inbound.body;
	in->row.correlation = correlation_of(in);
	in->row.state = INBOX_NEW;
}

/* ---- Calling the plugin ------------------------------------------------------------------- */

void intake_call(struct intake *in, enum plugin_kind kind, void (*done)(struct plugin_call *))
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
	c->in.inbound = in->inbound;
	c->timeout_ms = (unsigned)in->connection->config->worker.call_timeout_ms;
	c->urgent = in->route->reply_ms > 0;
	c->arena = in->arena;
	c->done = done;
	c->user = in;
	plugin_submit(c);
}

void intake_log_notes(const struct intake *in)
{
	for (uint32_t i = 0; i < in->call.out.logs.count; i++) {
		const struct plugin_note *note = &in->call.out.logs.items[i];
		int level = note->level < 0 ? 0 : note->level > 3 ? 3 : note->level;
		log_line((enum log_level)level, note->message.ptr, "connection",
			in->connection->config->full, "correlation", in->row.correlation.ptr, NULL);
	}
}

/* ---- Verify ------------------------------------------------------------------------------- */

enum proof {
	PROVEN,
	REFUTED,
	UNCHECKED /* no memory to see which: the sender shall try again */
};

static enum proof mac_proof(const struct plugin_mac *mac, struct str secret)
{
	uint8_t digest[CRYPTO_HASH_MAX];
	size_t n = crypto_hmac(mac->hash.ptr, secret, mac->pieces, mac->piece_count, digest);
	bool holds = false;

	for (size_t i = 0; n && i < mac->mac_count; i++)
		holds |= crypto_equal((struct str){(char *)digest, n}, mac->macs[i]);
	crypto_wipe(digest, sizeof(digest));
	return holds ? PROVEN : n ? REFUTED : UNCHECKED;
}

/* Every value of the secret is tried, so that the time tells nothing. */
static enum proof check_mac(
	const struct intake *in, const struct plugin_mac *mac, const char **problem)
{
	const struct config_secret *secret = config_secret(in->connection->config, mac->secret.ptr);
	bool holds = false, unsure = false;

	if (!secret || !secret->count) {
		*problem = arena_printf(in->arena,
			"the signature cannot be checked: option %s is not set", mac->secret.ptr);
		return REFUTED;
	}
	for (size_t i = 0; i < secret->count; i++) {
		enum proof proof = mac_proof(mac, secret->values[i]);
		holds |= proof == PROVEN;
		unsure |= proof == UNCHECKED;
	}
	if (!holds && !unsure)
		*problem = arena_printf(in->arena,
			"the signature does not match the body and option %s", mac->secret.ptr);
	return holds ? PROVEN : unsure ? UNCHECKED : REFUTED;
}

static enum proof check_secret(
	const struct intake *in, const struct plugin_secret *guess, const char **problem)
{
	const struct config_secret *secret =
		config_secret(in->connection->config, guess->secret.ptr);
	bool holds = false;

	if (!secret || !secret->count) {
		*problem = arena_printf(in->arena, "option %s is not set", guess->secret.ptr);
		return REFUTED;
	}
	for (size_t i = 0; i < secret->count; i++)
		holds |= crypto_equal(guess->guess, secret->values[i]);
	if (!holds)
		*problem = arena_printf(
			in->arena, "what came is not the value of option %s", guess->secret.ptr);
	return holds ? PROVEN : REFUTED;
}

/* Everything that the plugin wants checked, or what does not hold. *problem says why not, if there
 * is memory to say it: nothing may be read from its absence. */
static enum proof check_proofs(const struct intake *in, const char **problem)
{
	const struct plugin_out *out = &in->call.out;
	enum proof proof = PROVEN;

	if (out->answer.kind == KL_ACCEPT && !out->macs.count && !out->secrets.count &&
		in->connection->config->info->can_verify == 0) {
		*problem = "the plugin cannot verify webhooks";
		return REFUTED;
	}
	for (uint32_t i = 0; i < out->macs.count && proof == PROVEN; i++)
		proof = check_mac(in, &out->macs.items[i], problem);
	for (uint32_t i = 0; i < out->secrets.count && proof == PROVEN; i++)
		proof = check_secret(in, &out->secrets.items[i], problem);
	return proof;
}

static void give(struct hook *hook, const struct plugin_answer *a, unsigned status)
{
	struct hook_answer out = {.status = a->status ? a->status : status,
		.content_type =
			a->content_type.len ? a->content_type.ptr : "text/plain; charset=utf-8",
		.body = a->body};
	hook->answer(hook, &out);
}

/* ---- Somebody waits ----------------------------------------------------------------------- */

bool intake_waits(const struct intake *in)
{
	return in->caller.runner != NULL;
}

static void answered(struct caller *caller)
{
	intake_release((struct intake *)((char *)caller - offsetof(struct intake, caller)));
}

static void caller_store(struct caller *caller)
{
	intake_store((struct intake *)((char *)caller - offsetof(struct intake, caller)));
}

/* From here on the hook is the caller's. */
static void wait_for_answer(struct intake *in)
{
	in->caller = (struct caller){.runner = in->runner,
		.hook = in->hook,
		.arena = in->arena,
		.connection = in->connection,
		.inbound = &in->inbound,
		.row = &in->row,
		.store = caller_store,
		.gone = answered};
	in->hook = NULL;
	in->parts++;
	caller_begin(&in->caller, in->route->reply_ms);
}

/* ---- Stored ------------------------------------------------------------------------------- */

/* A full disk refuses them all: told once a second, for the log may be on it. */
static void note_lost(struct intake *in)
{
	struct losses *l = &in->runner->losses;

	l->count++;
	snprintf(l->connection, sizeof(l->connection), "%s", in->connection->config->full);
	l->error = in->append.op.error;
}

void intake_tick(struct runner *r)
{
	struct losses *l = &r->losses;
	char count[24];

	if (!l->count)
		return;
	snprintf(count, sizeof(count), "%llu", (unsigned long long)l->count);
	log_line(LOG_ERROR, "webhooks not stored, answered 503", "count", count, "connection",
		l->connection, "reason", l->error.text, NULL);
	l->count = 0;
}

static void appended_here(struct mailbox_item *item)
{
	struct intake *in = (struct intake *)((char *)item - offsetof(struct intake, stored));

	in->runner->hooks--;
	in->lost = in->append.op.result < 0;
	if (in->lost)
		note_lost(in);
	else
		atomic_fetch_add(&in->runner->n_hooks, 1);
	if (intake_waits(in)) { /* is being read already */
		if (!in->lost)
			caller_stored(&in->caller);
		else if (in->caller.hook)
			caller_refuse(&in->caller, NULL);
		intake_release(in);
	} else if (in->lost) {
		atomic_fetch_add(&in->runner->n_refused, 1);
		intake_release(in);
	} else {
		intake_read(in);
	}
}

/* Writer's thread: the row is on disk, or it is not. */
static void appended(struct store_op *op)
{
	struct intake *in = op->user;
	struct hook *hook = in->hook;

	in->hook = NULL;
	if (hook && op->result < 0)
		answer(hook, 503, "could not be stored, please send it again\n", RETRY_AFTER_S);
	else if (hook)
		give(hook, &in->call.out.answer, 200);
	in->stored.run = appended_here;
	runner_post(in->runner, &in->stored);
}

void intake_store(struct intake *in)
{
	if (in->storing)
		return;
	in->storing = true;
	if (intake_waits(in))
		in->parts++;
	store_append_inbox(in->runner->store, &in->append);
}

static void store_raw(struct intake *in)
{
	fill_row(in);
	in->append.op.done = appended;
	in->append.op.user = in;
	in->append.op.urgent = in->route->reply_ms > 0;
	in->append.row = &in->row;
	if (arena_failed(in->arena)) {
		refuse(in, 503, "no memory, please send it again\n", NULL);
		return;
	}
	if (in->route->reply_ms) { /* stored when it is read: one commit less to wait for */
		wait_for_answer(in);
		intake_read(in);
	} else {
		intake_store(in);
	}
}

static void shake_hands(struct intake *in)
{
	struct hook *hook = in->hook;
	struct plugin_answer a = in->call.out.answer;

	in->hook = NULL;
	in->runner->hooks--;
	give(hook, &a, 200);
	intake_release(in);
}

static void verified(struct plugin_call *c)
{
	struct intake *in = c->user;
	const struct plugin_answer *a = &c->out.answer;
	const char *problem = NULL;
	enum proof proof;

	intake_log_notes(in);
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
	proof = check_proofs(in, &problem);
	if (proof == PROVEN)
		note_proven(in);
	if (proof == UNCHECKED)
		refuse(in, 503, "no memory, please send it again\n", NULL);
	else if (proof == REFUTED)
		refuse(in, a->refused ? a->refused : 401, "not accepted\n", problem);
	else if (a->kind == KL_HANDSHAKE)
		shake_hands(in);
	else
		store_raw(in);
}

/* ---- Take --------------------------------------------------------------------------------- */

const struct plugin_route *intake_route(const struct plugin_info *info, struct str name)
{
	for (size_t i = 0; info && i < info->route_count; i++)
		if (str_is(name, info->routes[i].name))
			return &info->routes[i];
	return NULL;
}

struct intake *intake_create(struct runner *r, const struct plan_connection *connection)
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
	in->parts = 1;
	in->next = r->intakes;
	in->link = &r->intakes;
	if (in->next)
		in->next->link = &in->next;
	r->intakes = in;
	r->normalizing++;
	return in;
}

/* Who is on the line has room of their own. */
static bool too_much(const struct runner *r, const struct plugin_route *route)
{
	return r->draining || r->hooks >= HOOKS_MAX + (!route || route->reply_ms ? URGENT_MAX : 0);
}

static void begin(struct runner *r, struct hook *hook, const struct plan_connection *connection,
	const struct plugin_route *route)
{
	struct intake *in = intake_create(r, connection);

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
	intake_call(in, PLUGIN_VERIFY, verified);
}

static void turn_away(struct runner *r, struct hook *hook)
{
	atomic_fetch_add(&r->n_refused, 1);
	answer(hook, 503, "too much at once, please send it again\n", RETRY_AFTER_S);
}

/* A connection that was renamed, or a letter too much at the vendor: what comes is lost, and nobody
 * else could tell why. Not for each one, since anybody can call any address. */
static void nobodys(struct runner *r, struct hook *hook, const char *text)
{
	int64_t now_ms = clock_mono_ms();
	char path[200], count[24];

	atomic_fetch_add(&r->n_strays, 1);
	r->strays++;
	if (now_ms >= r->strays_told_ms) {
		snprintf(path, sizeof(path), "/hooks/%.*s/%.*s%s%.*s", STR_ARG(hook->owner),
			STR_ARG(hook->connection), hook->route.len ? "/" : "",
			STR_ARG(hook->route));
		snprintf(count, sizeof(count), "%llu", (unsigned long long)r->strays);
		log_line(LOG_WARN, "webhook to an address that nobody has", "path", path, "count",
			count, "remedy",
			"at the vendor, enter /hooks/TENANT/CONNECTION with the names of the "
			"configuration",
			NULL);
		r->strays = 0;
		r->strays_told_ms = now_ms + STRAYS_EACH_MS;
	}
	answer(hook, 404, text, 0);
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

	if (too_much(r, NULL)) {
		turn_away(r, hook);
		return;
	}
	connection =
		n > 0 && (size_t)n < sizeof(full) ? plan_connection(r->plan, str_of(full)) : NULL;
	if (!connection) {
		nobodys(r, hook, "there is no such connection\n");
	} else if (!connection->config->info) {
		log_line(LOG_ERROR, "webhook for a disabled connection", "connection", full,
			"reason", connection->config->disabled, NULL);
		answer(hook, 503, "this connection is disabled until its plugin loads\n", 60);
	} else if (!(route = intake_route(connection->config->info, hook->route))) {
		nobodys(r, hook, "this connection has no such route\n");
	} else if (too_much(r, route)) {
		turn_away(r, hook);
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
