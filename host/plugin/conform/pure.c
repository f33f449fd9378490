/* pure.c - the same call gives the same bytes: again, in another order, in another process, in an
 * arena that was used before, and without what an earlier call may have left behind. And what it
 * costs.
 *
 * All of it runs in children but the drawing of the order. */
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugin/conform/kit.h"
#include "plugin/host.h"
#include "plugin/sandbox.h"

#define ALONE_MOST 40u

static const char differs[] =
	"let the answer depend on the arguments only: c->now_ms is the clock, c->seed the chance, "
	"and nothing is kept between calls";

/* ---- writable memory ---------------------------------------------------------------------- */

struct globals { /* of the plugin, without what the loader made read-only */
	const kl_plugin *raw;
	const char *base, *from, *to;
};

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
	ElfW(Half) i;

	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type == PT_LOAD && address >= info->dlpi_addr + part->p_vaddr &&
			address < info->dlpi_addr + part->p_vaddr + part->p_memsz)
			return true;
	}
	return false;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *user)
{
	struct globals *g = user;
	uintptr_t id, hidden = 0;
	ElfW(Half) i;

	(void)size;
	memcpy(&id, &g->raw->id, sizeof(id)); /* a constant of the plugin's own */
	if (!holds(info, id))
		return 0;
	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			hidden = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t from = part->p_vaddr;
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_W))
			continue;
		if (hidden > from && hidden <= from + part->p_memsz)
			from = hidden;
		g->base = (const char *)info->dlpi_addr;
		g->from = (const char *)info->dlpi_addr + from;
		g->to = (const char *)info->dlpi_addr + part->p_vaddr + part->p_memsz;
	}
	return 1;
}

static void tell_written(struct child *child, const struct globals *g, const char *before)
{
	size_t i, len = (size_t)(g->to - g->from);
	const char *name;

	for (i = 0; i < len && before[i] == g->from[i]; i++)
		;
	if (i == len)
		return;
	name = elf_symbol(child->kit, (uint64_t)(g->from + i - g->base));
	child_find(child, NULL,
		"keep no mutable globals: several threads call at once, and the next call may be "
		"in "
		"another process. What a later step needs goes into next.state",
		"it wrote to its own data: %s", name ? name : "(static data without a name)");
}

static void watched_call(
	struct child *child, const struct input *input, struct arena *arena, struct plugin_out *out)
{
	struct globals g = {.raw = &child->loaded.raw};
	char *before = NULL;

	if (!elf_is_instrumented(child->kit))
		dl_iterate_phdr(look_at, &g);
	if (g.to > g.from && g.to - g.from < 1 << 20)
		before = arena_strndup(child->decode, g.from, (size_t)(g.to - g.from));
	child_call_in(child, input, arena, out);
	if (before)
		tell_written(child, &g, before);
}

/* ---- twice, and elsewhere ----------------------------------------------------------------- */

static void fresh_and_again(struct child *child, uint32_t i)
{
	struct arena *fresh = arena_create(host_limits(NULL).memory);
	struct plugin_out out;
	struct input input;
	uint64_t hash;

	if (child_at(child, 0, "%s", kit_sample_name(child->kit, i)) &&
		child_take(child, i, &input)) {
		watched_call(child, &input, fresh, &out);
		child_sound(child, &input, &out);
		hash = child->shared->hashes[i] = child_hash(&out);
		child_call(child, &input, &out);
		if (child_hash(&out) != hash)
			child_find(child, NULL, differs, "%s gives something else the second time",
				call_name(input.in.kind));
	}
	arena_destroy(fresh);
}

static void elsewhere(struct child *child, uint32_t i)
{
	uint32_t other = child->kit->picked[i];
	struct plugin_out out;
	struct input input;

	if (!child_at(child, 0, "%s", kit_sample_name(child->kit, other)) ||
		!child->shared->hashes[other] || !child_take(child, other, &input))
		return;
	child_call(child, &input, &out);
	if (child_hash(&out) != child->shared->hashes[other])
		child_find(child, NULL, differs,
			"%s gives something else in another process and order",
			call_name(input.in.kind));
}

static void shuffle(struct kit *kit)
{
	uint64_t random = kit->options->seed;
	uint32_t i;

	for (i = 0; i < kit->sample_count; i++)
		kit->picked[i] = i;
	for (i = kit->sample_count; i > 1; i--) {
		uint32_t k = (uint32_t)(kit_random(&random) % i), kept = kit->picked[k];
		kit->picked[k] = kit->picked[i - 1];
		kit->picked[i - 1] = kept;
	}
}

static const char crash[] =
	"whatever comes in, do not crash: it costs the call, and the second time the "
	"job is parked";

void check_purity(struct kit *kit)
{
	const struct probe first = {.check = "purity",
		.items = kit->sample_count,
		.run = fresh_and_again,
		.plain = true,
		.dead = crash};
	const struct probe second = {
		.check = "purity", .items = kit->sample_count, .run = elsewhere, .dead = crash};

	memset(kit->shared->hashes, 0, sizeof(kit->shared->hashes));
	probe_run(kit, &first);
	shuffle(kit);
	probe_run(kit, &second);
}

/* ---- killed between two steps ------------------------------------------------------------- */

static void in_order(struct child *child, uint32_t i)
{
	struct plugin_out out;
	struct input input;

	if (!child_at(child, 0, "%s", kit_sample_name(child->kit, i)) ||
		!child_take(child, i, &input))
		return;
	child_call(child, &input, &out);
	child->shared->hashes[i] = child_hash(&out);
}

static void after_a_crash(struct child *child, uint32_t i)
{
	uint32_t step = child->kit->picked[i];
	struct plugin_out out;
	struct input input;

	if (!child_at(child, 0, "%s", kit_sample_name(child->kit, step)) ||
		!child->shared->hashes[step] || !child_take(child, step, &input))
		return;
	child_call(child, &input, &out);
	if (child_hash(&out) != child->shared->hashes[step])
		child_find(child, NULL,
			"put all that a later step needs into next.state: it is all that comes "
			"back "
			"when the host was killed between two steps",
			"this step goes on differently in a new process, with the same state");
}

/* The steps that are not the first of their run: at most so many, spread over all. */
static uint32_t pick_steps(struct kit *kit)
{
	uint32_t i, count = 0, kept = 0;

	for (i = 0; i < kit->sample_count; i++)
		if (kit->samples[i].kind == PLUGIN_STEP && kit->samples[i].later)
			kit->picked[count++] = i;
	for (i = 0; count > ALONE_MOST && i < ALONE_MOST; i++)
		kit->picked[kept++] = kit->picked[(uint64_t)i * count / ALONE_MOST];
	return count > ALONE_MOST ? kept : count;
}

void check_restart(struct kit *kit)
{
	const struct probe first = {
		.check = "restart", .items = kit->sample_count, .run = in_order, .dead = crash};
	const struct probe second = {.check = "restart",
		.items = pick_steps(kit),
		.run = after_a_crash,
		.alone = true,
		.dead = crash};

	memset(kit->shared->hashes, 0, sizeof(kit->shared->hashes));
	probe_run(kit, &first);
	probe_run(kit, &second);
	if (!second.items)
		kit->note = "no case has a second step";
}

/* ---- time and memory ---------------------------------------------------------------------- */

#define CALL_MS (SANDBOX_RELAXED ? 500 : 50)
#define CALL_BYTES ((size_t)8 << 20)

static double cpu_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The best of three: whoever else runs on this machine costs no call its budget. */
static void measured(struct child *child, uint32_t i)
{
	double best = 1e9;
	struct plugin_out out;
	struct input input;
	unsigned round;

	if (!child_at(child, 0, "%s", kit_sample_name(child->kit, i)) ||
		!child_take(child, i, &input))
		return;
	for (round = 0; round < 3; round++) {
		double began = cpu_now_ms(), took;
		child_call(child, &input, &out);
		took = cpu_now_ms() - began;
		best = took < best ? took : best;
	}
	if (best > CALL_MS)
		child_find(child, NULL,
			"answer within milliseconds: others wait behind this call. Work that grows "
			"with the square of the input is the usual reason",
			"%s takes more than %d ms of processor time", call_name(input.in.kind),
			CALL_MS);
	if (arena_used(child->call) > CALL_BYTES || out.error.code == E_NOMEM)
		child_find(child, NULL,
			"allocate what the answer needs; a call may use 16 MiB, and gets no more",
			"%s takes more than %zu MiB of memory", call_name(input.in.kind),
			CALL_BYTES >> 20);
}

void check_budget(struct kit *kit)
{
	const struct probe probe = {.check = "budget",
		.items = kit->sample_count,
		.run = measured,
		.dead = "answer within milliseconds; the host ends a call after two seconds"};

	probe_run(kit, &probe);
}
