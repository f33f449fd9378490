/* desk_offer.h - a practice with services, people and branches, for tests of what a caller is
 * offered and told. The kit is desk_kit.h's; the clock stands at Tuesday, 17 June 2025, 10:00 in
 * Berlin.
 */
#ifndef DESK_OFFER_H
#define DESK_OFFER_H

#define KIT_OFFICE
#define NOW INT64_C(1750147200000) /* 2025-06-17T10:00:00+02:00 */
#define PROPHYLAXE "310455"

static const char kit_office[] =
	"[tenant praxis-winter]\nname = Praxis Winter\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[connection calendar]\ntenant = praxis-winter\nplugin = calendar\n"
	"[desk praxis-winter]\ncalendar = calendar\n"
	"[service prophylaxe]\ntenant = praxis-winter\ntitle = Prophylaxe\n"
	"aliases = Professionelle Zahnreinigung, PZR\nduration = 30m\nprice = 59,50 EUR\n"
	"event_type = 310455\n"
	"[service fuellung]\ntenant = praxis-winter\ntitle = Füllung\nduration = 1h\n"
	"event_type = 310456\nstaff = Dr. Petersen : 401\nstaff = Dr. Weiß : 402\n"
	"[service gruppe]\ntenant = praxis-winter\ntitle = Gruppenkurs\nduration = 30m\n"
	"event_type = 310457\ncapacity = 2\n"
	"[branch mitte]\ntenant = praxis-winter\ntitle = Praxis in Mitte\n"
	"numbers = +493023125010\nagent = agent_mitte\nagent_version = 14\n"
	"override = gruppe active=no\n"
	"[branch nord]\ntenant = praxis-winter\nnumbers = +493023125020\n"
	"override = prophylaxe duration=45m price=\"70 EUR\" event_type=555\n"
	"[branch sued]\ntenant = praxis-winter\nnumbers = +493023125030\n"
	"override = gruppe duration=45m\n"
	"[tenant english]\ntimezone = Europe/London\nlanguage = en\n"
	"[connection calendar]\ntenant = english\nplugin = calendar\n"
	"[desk english]\ncalendar = calendar\n"
	"[service check]\ntenant = english\ntitle = Check-up\nduration = 30m\nevent_type = 9\n"
	"[tenant bare]\ntimezone = Europe/Berlin\n";

#include "desk_kit.h"

static inline struct world *world_of(void **state)
{
	return *state;
}

static inline void calendar_says_at(
	struct world *w, const char *event_type, int64_t asked_ms, const char *const *starts)
{
	assert_int_equal(kit_free(w, event_type, asked_ms, starts), 15);
}
#define CALENDAR_SAYS(w, event_type, ...)                                                          \
	calendar_says_at(w, event_type, NOW - MINUTE_MS, STARTS(__VA_ARGS__))

/* Asking and failing are ends that a test may expect. */
static inline void step(struct world *w, enum desk_why why)
{
	w->run.why = why;
	desk_step(&w->run, &w->next);
	w->result = NULL;
	if (w->next.then != DESK_DONE)
		return;
	w->result = kit_json(w, w->next.result);
	kit_check(w);
}

static inline void start_as(
	struct world *w, const char *tenant, const char *op, const char *input, const char *data)
{
	const struct config_tenant *of = config_tenant(w->config, tenant);

	w->run = (struct desk_run){
		.desk = w->desk,
		.arena = w->f->arena,
		.config = w->config,
		.tenant = of,
		.settings = config_desk_for(w->config, of),
		.op = str_of(op),
		.input = input ? kit_json(w, str_of(input)) : NULL,
		.data = data ? kit_json(w, str_of(data)) : NULL,
		.holder = STR("call:1"),
		.caller = STR(CALLER),
		.now_ms = NOW,
	};
	step(w, DESK_START);
}

static inline void start(struct world *w, const char *op, const char *args)
{
	char *data = arena_printf(
		w->f->arena, "{\"call_id\":\"1\",\"to\":\"+493023125010\",\"args\":%s}", args);

	start_as(w, "praxis-winter", op, "{}", data);
}

static inline void offer(struct world *w, const char *args)
{
	start(w, "offer", args);
}

#define assert_member(w, name, text) assert_text((w)->result, name, text)

static inline bool said(const struct world *w, const char *part)
{
	struct str say = json_get_text(w->result, "say");

	return memmem(say.ptr, say.len, part, strlen(part)) != NULL;
}
#define assert_said(w, part)                                                                       \
	do {                                                                                       \
		if (!said(w, part))                                                                \
			fail_msg("\"%.*s\" does not say \"%s\"",                                   \
				STR_ARG(json_get_text((w)->result, "say")), part);                 \
	} while (0)

/* Every step of the way nothing is held that is not said, and the other way round. */
static inline void assert_holds(const struct world *w)
{
	const struct json *slots = json_get(w->result, "slots");

	assert_int_equal(w->next.hold_count, json_count(slots));
	for (size_t i = 0; i < w->next.hold_count; i++) {
		const struct hold_row *hold = &w->next.holds[i];
		int64_t ms;
		assert_true(
			clock_parse(json_get_text(json_at(slots, i, NULL), "start"), NULL, &ms));
		assert_int_equal(hold->start_ms, ms);
		assert_int_equal(hold->state, HOLD_OFFERED);
		assert_true(hold->expires_ms == NOW + w->run.settings->hold_ms);
		assert_str(hold->holder, "call:1");
		assert_str(hold->tenant, "praxis-winter");
	}
}

static inline void assert_nothing_told(const struct world *w)
{
	assert_int_equal(w->next.then, DESK_DONE);
	assert_member(w, "availability_checked", "false");
	assert_member(w, "requested_slot_available", "false");
	assert_member(w, "available_slots", "");
	assert_member(w, "alternative_slots", "");
	assert_member(w, "slots_count", "0");
	assert_int_equal(w->next.hold_count, 0);
}

static inline void was_there(struct world *w, const char *uid, const char *start)
{
	struct appointment_row row = {
		.tenant = TENANT,
		.connection = CALENDAR,
		.uid = str_of(uid),
		.status = STR("booked"),
		.event_type = STR(PROPHYLAXE),
		.person = STR(CALLER),
		.name = STR("Erika Mustermann"),
		.changed_ms = 1,
	};
	struct job_row job = a_job(STR(""));
	struct store_save_job op = {.job = &job, .appointments = &row, .appointment_count = 1};

	assert_true(clock_parse(str_of(start), zone_find("Europe/Berlin"), &row.start_ms));
	row.end_ms = row.start_ms + 30 * MINUTE_MS;
	add(w->f, &job, 1);
	job.state = JOB_DONE;
	assert_int_equal(save_job_now(w->f, &op), 0);
}

#endif
