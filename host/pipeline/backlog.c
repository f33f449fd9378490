/* backlog.c - which stored webhook is read now, and which waits in the store until there is room:
 * after a restart, when too much came at once, and when a plugin was away. Of one connection what
 * came first is read first. Decides nothing of what they mean (reading.c). Runner's thread;
 * fetched() is the writer's and only hands over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "pipeline/intake_i.h"

/* ---- Left in the store -------------------------------------------------------------------- */

void backlog_left(struct runner *r, const struct id *id)
{
	if (!r->left_behind || memcmp(id, &r->left, sizeof(*id)) < 0)
		r->left = *id;
	r->left_behind = true;
	if (memcmp(id, &r->fetch_after, sizeof(*id)) <= 0)
		r->fetch_after = (struct id){{0}};
}

static bool is_behind(const struct intake *in)
{
	const struct plan_connection *c = intake_connection_now(in);

	return c && c->behind;
}

void backlog_behind(const struct intake *in)
{
	struct plan_connection *c = intake_connection_now(in);

	if (c)
		c->behind = true;
}

static void leave_in_store(struct intake *in)
{
	in->runner->backlog = true;
	backlog_left(in->runner, &in->row.id);
	backlog_behind(in);
	intake_release(in);
}

static void hold(struct intake *in)
{
	struct runner *r = in->runner;

	in->next_held = NULL;
	*(r->held ? r->held_end : &r->held) = in;
	r->held_end = &in->next_held;
}

static struct intake *take_held(struct runner *r)
{
	struct intake *list = r->held;

	r->held = NULL;
	return list;
}

/* Those held came before it. */
static void spill(struct intake *in)
{
	struct intake *next;

	for (struct intake *held = take_held(in->runner); held; held = next) {
		next = held->next_held;
		leave_in_store(held);
	}
	leave_in_store(in);
}

void intake_read(struct intake *in)
{
	struct runner *r = in->runner;

	if (intake_waits(in) || !in->connection->config->info->can_normalize)
		intake_normalize(in);
	else if (intakes_reading(r) > NORMALIZE_MAX)
		spill(in);
	else if (is_behind(in) && r->fetching) /* there may be no more in the store */
		hold(in);
	else if (is_behind(in))
		leave_in_store(in);
	else
		intake_normalize(in);
}

/* What a former process left may be of any of them, and comes before what arrives now. */
void intakes_begin(struct runner *r)
{
	for (size_t i = 0; i < r->plan->connection_count; i++)
		r->plan->connections[i].behind = true;
	r->backlog = true; /* so that the tick asks if it cannot be done now */
	intake_fetch(r);
}

void intakes_reload(const struct plan *from, struct plan *to)
{
	for (size_t i = 0; i < to->connection_count; i++) {
		const struct plan_connection *before =
			plan_connection(from, str_of(to->connections[i].config->full));
		to->connections[i].behind = before && before->behind;
	}
}

/* All that was left in the store is in hand, or goes to nobody. */
static void caught_up(struct runner *r)
{
	for (size_t i = 0; i < r->plan->connection_count; i++)
		r->plan->connections[i].behind = false;
}

static void read_held(struct runner *r)
{
	struct intake *next;

	for (struct intake *held = take_held(r); held; held = next) {
		next = held->next_held;
		intake_read(held);
	}
}

/* ---- Fetched from it ----------------------------------------------------------------------- */

#define FETCH_MEMORY ((size_t)256 * 1024 * 1024) /* what does not fit comes with the next */

struct fetch {
	struct mailbox_item item;
	struct runner *runner;
	struct store_pending_inbox op;
};

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
	in = intake_create(r, connection);
	if (!in) {
		r->backlog_later = true;
		backlog_left(r, &row->id);
		return;
	}
	in->route = intake_route(connection->config->info, row->route);
	in->row = *row;
	in->row.correlation = str_dup(in->arena, row->correlation);
	in->finish.kills = row->kills;
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
	if (arena_starved(in->arena))
		intake_not_read(in);
	else if (arena_failed(in->arena))
		intake_park(in, "it needs more memory than one webhook may have");
	else if (in->route)
		intake_normalize(in); /* what came before it is in hand */
	else
		intake_park(in, "the plugin no longer has this route");
}

static void fetched_here(struct mailbox_item *item)
{
	struct fetch *f = (struct fetch *)item;
	struct runner *r = f->runner;
	bool read = f->op.op.result == 0, more = read && f->op.more;

	for (size_t i = 0; read && i < f->op.count; i++)
		again(r, &f->op.rows[i]);
	r->fetching = false; /* not sooner: who is done already must not fetch the same */
	r->backlog_later |= !read;
	/* what was skipped (its connection is gone) must not hide what comes behind it */
	r->fetch_after = more && f->op.count ? f->op.rows[f->op.count - 1].id : (struct id){{0}};
	if (r->left_behind)
		backlog_left(r, &r->left);
	else if (read && !more)
		caught_up(r);
	if (more && id_is_zero(&r->fetch_after)) /* from the beginning: not at once and for ever */
		r->backlog_later = true;
	else
		r->backlog |= more;
	arena_destroy(f->op.arena);
	free(f);
	read_held(r);
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
		intakes_reading(r) > NORMALIZE_MAX / 2)
		return; /* the tick asks again */
	f = calloc(1, sizeof(*f));
	if (!f || !(f->op.arena = arena_create(FETCH_MEMORY))) {
		free(f);
		return; /* asked again with the next tick */
	}
	r->backlog = false;
	r->fetching = true;
	r->left_behind = false;
	f->runner = r;
	f->op.op.done = fetched;
	f->op.op.user = f;
	f->op.limit = FETCH;
	f->op.after = r->fetch_after;
	store_pending_inbox(r->store, &f->op);
}
