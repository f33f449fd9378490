/* case_learn.c - see case_learn.h. One thread. */
#include "plugin/case_learn.h"

#include "base/arena.h"
#include "base/json.h"
#include "plugin/case.h"
#include "plugin/session.h"

#define REQUESTS_MAX 1000

struct pupil {
	struct arena *arena;
	struct learnt *learnt;
};

static void told(struct case_run *run, const char *what, const struct json *actual)
{
	struct pupil *pupil = run->runner->user;
	struct learnt *learnt = pupil->learnt;

	if (*what == 'e')
		learnt->end = actual;
	else if (learnt->request_count < REQUESTS_MAX)
		learnt->requests[learnt->request_count++] = actual;
}

static struct learnt_mac copy_mac(struct arena *arena, const struct plugin_mac *from)
{
	struct str *macs = arena_alloc(arena, (from->mac_count + 1) * sizeof(*macs));

	for (size_t i = 0; macs && i < from->mac_count; i++)
		macs[i] = str_dup(arena, from->macs[i]);
	return (struct learnt_mac){
		.hash = str_dup(arena, from->hash),
		.secret = str_dup(arena, from->secret),
		.message = str_cat(arena, from->pieces, from->piece_count),
		.macs = macs,
		.count = macs ? from->mac_count : 0,
	};
}

static void called(struct case_run *run, const struct plugin_in *in, const struct plugin_out *out)
{
	struct pupil *pupil = run->runner->user;
	struct learnt_mac *macs;

	if (in->kind != PLUGIN_VERIFY)
		return;
	macs = arena_alloc(pupil->arena, (out->macs.count + 1) * sizeof(*macs));
	for (uint32_t i = 0; macs && i < out->macs.count; i++)
		macs[i] = copy_mac(pupil->arena, &out->macs.items[i]);
	pupil->learnt->macs = macs;
	pupil->learnt->mac_count = macs ? out->macs.count : 0;
}

static void ended(struct case_runner *runner, const char *place, struct str name, struct str faults)
{
	struct pupil *pupil = runner->user;

	(void)place;
	(void)name;
	pupil->learnt->faults = str_dup(pupil->arena, faults);
}

void case_learn(struct session *session, struct arena *arena, const struct json *spec,
	struct learnt *learnt)
{
	struct pupil pupil = {arena, learnt};
	struct case_runner runner = {.info = session_info(session),
		.session = session,
		.told = told,
		.called = called,
		.ended = ended,
		.user = &pupil};

	*learnt = (struct learnt){
		.requests = arena_alloc(arena, REQUESTS_MAX * sizeof(*learnt->requests))};
	if (learnt->requests)
		case_one(&runner, arena, "", spec);
}
