/* desk.c - the host's own connection "desk": what it offers, and which function does it.
 *
 * Decides nothing about times or people; that is in one file per operation. Keeps the catalogue in
 * memory between calls. Runs on the runner's thread only.
 */
#include "desk/desk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "desk/catalogue.h"
#include "desk/match.h"
#include "desk/steps.h"
#include "klinke/plugin.h"

#define CATALOGUE_MAX ((size_t)64 << 20) /* all offices together */

struct desk {
	struct store_reader *reader;
	struct arena *arena; /* of offices; another one after each refresh */
	struct offices *offices;
};

#define TEXT "{\"type\":[\"string\",\"number\",\"null\"]}"
#define WISH                                                                                       \
	"\"service\":" TEXT ",\"staff\":" TEXT ",\"requested_date\":" TEXT                         \
	",\"requested_time\":" TEXT ",\"customer_preferences\":" TEXT ",\"slot\":" TEXT
#define PERSON "\"name\":" TEXT ",\"email\":" TEXT ",\"phone\":" TEXT
/* Agents know most of them by more names than these, so others are no mistake. */
#define OTHERS "\"additionalProperties\":true"
#define OBJECT(members) "{\"type\":\"object\",\"properties\":{" members "}," OTHERS "}"
#define NEEDS(names, members)                                                                      \
	"{\"type\":\"object\",\"required\":[" names "],\"properties\":{" members "}," OTHERS "}"

static const struct plugin_op ops[] = {
	{"match", KL_OP_ACTION,
		NEEDS("\"phrase\",\"now\",\"slots\"",
			"\"phrase\":{\"type\":\"string\"},\"now\":{\"type\":\"string\"},"
			"\"slots\":{\"type\":\"array\"}"),
		"which of these slots the caller's words mean"},
	{"inbound", KL_OP_ACTION, NULL, "the phone rings: agent and variables; reads ahead"},
	{"offer", KL_OP_ACTION, OBJECT(WISH), "free times for a wish, kept for the call"},
	{"book", KL_OP_ACTION, OBJECT(WISH "," PERSON), "books a time at the calendar"},
	{"find", KL_OP_ACTION, OBJECT(PERSON), "the caller's appointments"},
	{"reschedule", KL_OP_ACTION, OBJECT(WISH "," PERSON), "moves the caller's appointment"},
	{"cancel", KL_OP_ACTION, OBJECT(PERSON), "cancels the caller's appointment"},
	{"services", KL_OP_ACTION, NULL, "what the office offers, with length and price"},
	{"callback", KL_OP_ACTION, OBJECT(PERSON ",\"reason\":" TEXT ",\"preferred_time\":" TEXT),
		"asks the office to call back"},
	{"set_service", KL_OP_ACTION, NEEDS("\"name\"", "\"name\":{\"type\":\"string\"}"),
		"adds or changes a service"},
	{"set_branch", KL_OP_ACTION, NEEDS("\"name\"", "\"name\":{\"type\":\"string\"}"),
		"adds or changes a branch"},
};

const struct plugin_info desk_info = {
	.name = "desk",
	.path = "",
	.id = "desk",
	.version = KLINKE_VERSION,
	.summary = "What a caller on the line is told: free times, bookings, changes, services",
	.events = "callback.requested booking.failed",
	.hosts = "",
	.ops = ops,
	.op_count = sizeof(ops) / sizeof(ops[0]),
};

static const struct {
	const char *op;
	void (*step)(struct desk_run *run, struct desk_next *next);
	bool alone; /* needs no [desk] */
} steps[] = {
	{"match", desk_match_step, true},
	{"inbound", desk_inbound, false},
	{"offer", desk_offer, false},
	{"book", desk_book, false},
	{"find", desk_find, false},
	{"reschedule", desk_reschedule, false},
	{"cancel", desk_cancel, false},
	{"services", desk_services, false},
	{"callback", desk_callback, false},
	{"set_service", desk_set_service, true},
	{"set_branch", desk_set_branch, true},
};

struct desk *desk_create(struct error *error, struct store_reader *reader)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	assert(reader);
	if (!desk) {
		error_set(error, E_NOMEM, "no memory for the desk");
		return NULL;
	}
	desk->reader = reader;
	if (desk_refresh(error, desk) != 0) {
		desk_destroy(desk);
		return NULL;
	}
	return desk;
}

int desk_refresh(struct error *error, struct desk *desk)
{
	struct catalogue rows = {0};
	struct arena *arena = arena_create(CATALOGUE_MAX);
	int rc = store_get_catalogue(error, desk->reader, (struct str){0}, arena, &rows);

	if (rc != 0) {
		arena_destroy(arena);
		return rc;
	}
	struct offices *offices = offices_read(arena, &rows);
	if (!offices || arena_failed(arena)) {
		arena_destroy(arena);
		return error_set(error, E_NOMEM,
			"no memory for the catalogue of services; what was known before stays in "
			"use");
	}
	arena_destroy(desk->arena);
	desk->arena = arena;
	desk->offices = offices;
	return 0;
}

void desk_destroy(struct desk *desk)
{
	if (!desk)
		return;
	arena_destroy(desk->arena);
	free(desk);
}

struct store_reader *desk_reader(const struct desk *desk)
{
	return desk->reader;
}

const struct offices *desk_offices(const struct desk *desk)
{
	return desk->offices;
}

bool desk_serves(const struct desk *desk, struct str tenant, struct str event_type)
{
	const struct office *office = offices_find(desk->offices, tenant);

	return office && office_serves(office, event_type);
}

void desk_fail(struct desk_next *next, struct str reason)
{
	memset(next, 0, sizeof(*next));
	next->then = DESK_FAIL;
	next->reason = reason;
}

void desk_match_step(struct desk_run *run, struct desk_next *next)
{
	struct json *out = desk_match(run->arena, run->input);

	next->then = DESK_DONE;
	next->result = json_print(run->arena, out);
}

void desk_step(struct desk_run *run, struct desk_next *next)
{
	assert(run && next && run->desk && run->arena && run->tenant);
	memset(next, 0, sizeof(*next));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!str_is(run->op, steps[i].op))
			continue;
		if (!run->settings && !steps[i].alone)
			desk_fail(next, str_of(arena_printf(run->arena,
						"The tenant has no desk: add a section [desk %s].",
						run->tenant->name)));
		else
			steps[i].step(run, next);
		if (arena_failed(run->arena))
			desk_fail(next, STR("There was no memory for it."));
		return;
	}
	desk_fail(next, STR("The desk has no such operation: see klinke plugin info desk."));
}
