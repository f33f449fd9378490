/* breakers.c - circuit breakers survive a restart: each change is stored, and told to operators.
 * What opens and closes them is host/transfer. The runner's thread. */
#include "pipeline/runner_i.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "pipeline/alarm.h"

struct saving {
	struct store_save_breaker op;
	struct breaker_row row;
	char text[]; /* key, and behind it state */
};

/* If it failed, the next change is saved again; nothing is lost but a pause. */
static void saved(struct store_op *op)
{
	free(op->user);
}

void breaker_save(struct runner *r, const struct breaker_row *row)
{
	struct saving *s = calloc(1, sizeof(*s) + row->key.len + row->state.len);

	if (!s)
		return;
	memcpy(s->text, row->key.ptr, row->key.len);
	memcpy(s->text + row->key.len, row->state.ptr, row->state.len);
	s->row = *row;
	s->row.key.ptr = s->text;
	s->row.state.ptr = s->text + row->key.len;
	s->op.row = &s->row;
	s->op.op.done = saved;
	s->op.op.user = s;
	store_save_breaker(r->store, &s->op);
}

static const char *name_of(enum breaker_state state)
{
	return state == BREAKER_OPEN ? "open" : state == BREAKER_HALF_OPEN ? "half-open" : "closed";
}

void breaker_changed(void *user, const char *key, enum breaker_state state, int64_t until_ms,
	uint32_t failures, uint32_t successes)
{
	struct runner *r = user;

	log_line(state == BREAKER_CLOSED ? LOG_INFO : LOG_WARN, "circuit breaker", "lane", key,
		"state", name_of(state), NULL);
	breaker_save(r, &(struct breaker_row){str_of(key), str_of(name_of(state)), until_ms,
				failures, successes});
	alarm_breaker(r, key, state, until_ms);
}

/* Pauses end with a start. */
static void restore(struct runner *r, const struct breaker_row *row, const char *key)
{
	enum breaker_state state = str_is(row->state, "open")        ? BREAKER_OPEN
				   : str_is(row->state, "half-open") ? BREAKER_HALF_OPEN
								     : BREAKER_CLOSED;

	if (str_is(row->state, "paused") && !r->options.only_ours)
		breaker_save(r, &(struct breaker_row){.key = row->key, .state = STR("closed")});
	if (state == BREAKER_CLOSED)
		return;
	transfer_restore_breaker(r->transfer, key, state, row->until_ms);
	alarm_breaker_known(r, key);
}

int breakers_restore(struct error *error, struct runner *r)
{
	struct arena *arena = arena_create(RUN_MEMORY);
	struct breaker_row *rows;
	size_t count;
	int err = arena ? store_list_breakers(error, r->reader, arena, &rows, &count) : E_NOMEM;

	for (size_t i = 0; err == 0 && i < count; i++) {
		struct str key = str_dup(arena, rows[i].key);
		if (key.ptr)
			restore(r, &rows[i], key.ptr);
	}
	arena_destroy(arena);
	return err;
}
