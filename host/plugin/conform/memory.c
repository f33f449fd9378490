/* memory.c - calls under which memory ends, faults behind its end, or is laid out as another host
 * would lay it out. All of it runs in children. */
#include <stdio.h>
#include <string.h>

#include "plugin/conform/kit.h"
#include "plugin/host.h"

#define STARVED_MOST 400u /* allocations of one call that fail, each once */

/* ---- no memory ---------------------------------------------------------------------------- */

static void starved(struct child *child, uint32_t i)
{
	struct plugin_out out;
	struct input input;
	unsigned nth, tries = 0;

	for (nth = 1; tries < STARVED_MOST; nth += nth < 200 ? 1 : nth / 16, tries++) {
		if (!child_at(child, tries, "%s, allocation %u fails",
			    kit_sample_name(child->kit, i), nth))
			continue;
		if (!child_take(child, i, &input))
			return;
		arena_reset(child->call);
		arena_starve(child->call, nth);
		child_call_in(child, &input, child->call, &out);
		arena_starve(child->call, 0);
		if (!arena_failed(child->call))
			return; /* it needs fewer: all have failed once */
	}
}

void check_starve(struct kit *kit)
{
	const struct probe probe = {.check = "starve",
		.items = kit->sample_count,
		.run = starved,
		.dead = "alloc() may give NULL, and so may everything that allocates: ask before "
			"writing "
			"to "
			"it. KL_NEW(), then if (!p) return 0"};

	probe_run(kit, &probe);
}

/* ---- fences ------------------------------------------------------------------------------- */

static const char beyond[] =
	"stay inside what was allocated: a kl_str has len bytes and one NUL, a list count elements "
	"stride bytes apart, and what a call got is gone when it returns";

/* What it gave, or 0: it is too much for a fence around each piece. */
static uint64_t fenced_call(
	struct child *child, const struct input *input, unsigned char filling, bool *overrun)
{
	struct arena *arena = arena_create(host_limits(NULL).memory);
	struct plugin_out out;
	uint64_t hash = 0;

	arena_fence(arena, filling);
	child_call_in(child, input, arena, &out);
	if (out.status == PLUGIN_OK)
		hash = child_hash(&out);
	*overrun = arena_overrun(arena);
	arena_destroy(arena);
	return hash;
}

static void guarded(struct child *child, uint32_t i)
{
	uint64_t one, other;
	struct input input;
	bool overrun;

	if (!child_at(child, 0, "%s", kit_sample_name(child->kit, i)) ||
		!child_take(child, i, &input))
		return;
	one = fenced_call(child, &input, 0xa5, &overrun);
	if (overrun)
		child_find(child, NULL, beyond, "%s writes behind what it allocated",
			call_name(input.in.kind));
	other = fenced_call(child, &input, 0x5a, &overrun);
	if (one && other && one != other)
		child_find(child, NULL, beyond,
			"what %s gives depends on bytes behind what was allocated",
			call_name(input.in.kind));
}

void check_guard(struct kit *kit)
{
	const struct probe probe = {
		.check = "guard", .items = kit->sample_count, .run = guarded, .dead = beyond};

	probe_run(kit, &probe);
}

/* ---- sizes -------------------------------------------------------------------------------- */

#define GROWN 64u

struct grown_host { /* what a host of a later minor hands over */
	kl_host host;
	unsigned char more[256];
};

static void grow_host(struct grown_host *to)
{
	memset(to, 0xa5, sizeof(*to));
	to->host = host_table;
	to->host.size = sizeof(*to);
	to->host.minor = KL_MINOR + 3;
}

static void ask_again(struct child *child, const kl_host *host, const char *which)
{
	const kl_plugin *again;

	if (!child_at(child, 0, "klinke_plugin_v1(), host with %s", which))
		return;
	again = child->loaded.entry(host);
	if (!again)
		child_find(child, NULL,
			"ask KL_HAS() for what is needed, and refuse no host because it is bigger",
			"it refuses this host");
}

/* Structs exactly as in minor 0, and a fence behind each. */
static void exact(struct child *child, uint32_t i)
{
	struct call_shape shape = {0};
	struct input input;
	bool overrun;

	if (!child_at(child, 1, "%s, structs as small as minor 0 has them",
		    kit_sample_name(child->kit, i)) ||
		!child_take(child, i, &input))
		return;
	child->shape = &shape;
	fenced_call(child, &input, 0xa5, &overrun);
	child->shape = NULL;
}

static void grown(struct child *child, uint32_t i)
{
	struct grown_host host;
	struct call_shape shape = {.grow = GROWN, .host = &host.host};
	struct plugin_out out;
	struct input input;
	uint64_t usual;

	grow_host(&host);
	if (!child_at(child, 2, "%s, structs %u bytes longer and list elements further apart",
		    kit_sample_name(child->kit, i), GROWN) ||
		!child_take(child, i, &input))
		return;
	child_call(child, &input, &out);
	usual = child_hash(&out);
	child->shape = &shape;
	child_call(child, &input, &out);
	child->shape = NULL;
	if (child_hash(&out) != usual)
		child_find(child, NULL,
			"compare no size with ==, copy no struct whole, and step through lists by "
			"their stride, not by sizeof",
			"%s gives something else when structs are bigger than it knows",
			call_name(input.in.kind));
}

static void sized(struct child *child, uint32_t i)
{
	struct grown_host host;

	grow_host(&host);
	if (i == 0)
		ask_again(child, &host.host, "more functions than it knows");
	exact(child, i);
	grown(child, i);
}

void check_sizes(struct kit *kit)
{
	const struct probe probe = {.check = "sizes",
		.items = kit->sample_count,
		.run = sized,
		.dead = "ask KL_HAS() before reading a member that minor 0 does not have; ignore "
			"what is "
			"behind the members you know, and step through lists by their stride"};

	probe_run(kit, &probe);
}
