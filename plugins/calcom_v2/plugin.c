/* plugin.c - calcom_v2: what it declares, how its options are checked, which op runs what.
 * Pure; any thread. */
#include "v2.h"
#include "../calcom/ops.h"

static const kl_option options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0,
		"API key of Cal.com, beginning with cal_"},
	{"webhook_secret", KL_OPT_SECRET | KL_OPT_REPEATED, 0, 0, 0,
		"secret of the webhooks; two while it is being changed"},
	{"base_url", KL_OPT_URL, 0, "https://api.cal.com/v2", 0,
		"address of the API, ending in /v2"},
	{"organization", KL_OPT_TEXT, 0, 0, 0, "id of the organization, if the team is in one"},
	{"team", KL_OPT_TEXT, 0, 0, 0, "id of the team whose event types and people are meant"},
	{"scope", KL_OPT_CHOICE, 0, "user", "user team organization",
		"whose bookings are listed when looking for one"},
	{"api_version_bookings", KL_OPT_TEXT, 0, "2024-08-13", 0,
		"cal-api-version for bookings, account and members"},
	{"api_version_event_types", KL_OPT_TEXT, 0, "2024-06-14", 0,
		"cal-api-version for event types"},
	{"api_version_schedules", KL_OPT_TEXT, 0, "2024-06-11", 0, "cal-api-version for schedules"},
	{"api_version_slots", KL_OPT_TEXT, 0, "2024-09-04", 0,
		"cal-api-version for slots and reservations"},
};

static const kl_op ops[] = {CAL_OPS};

static const kl_route routes[] = {{"", 0, 0, "webhooks of Cal.com"}};

static const kl_credential credentials[] = {{"api_key", KL_AUTH_BEARER, 0, "api_key", 0, 0}};

static int is_version(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++) {
		int dash = i == 4 || i == 7;
		if (dash ? s.ptr[i] != '-' : s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
	}
	return s.len == 10;
}

/* An unknown value silently selects the contract of 2024-04-15, so at least its form is checked. */
static void check_versions(kl_call *c, const kl_val *config)
{
	for (uint32_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		kl_str s = cal_text(c, config, options[i].key);
		if (kl_starts(kl_s(options[i].key), "api_version_") && s.ptr && !is_version(s))
			c->host->problem(c, options[i].key,
				"must be a bare date like 2024-08-13, without quotes");
	}
	/* a lost booking would be looked for on one page, and made again */
	if (kl_eq(cal_text(c, config, "api_version_bookings"), "2026-05-01"))
		c->host->problem(c, "api_version_bookings",
			"2026-05-01 lists bookings in another way, which is not read here; leave "
			"2024-08-13");
}

static void check_base(kl_call *c, kl_str base)
{
	if (!base.ptr)
		return;
	cal_check_slash(c, base);
	if (cal_ends(base, "/v1"))
		c->host->problem(c, "base_url",
			"this is v1; use plugin calcom_v1 for a self-hosted v1, or the address "
			"that "
			"ends in /v2");
	else if (!cal_ends(base, "/v2") && !cal_ends(base, "/"))
		c->host->problem(c, "base_url", "must end in /v2, like https://api.cal.com/v2");
}

static void check(kl_call *c, const kl_val *config)
{
	kl_str scope = v2_option(c, config, "scope", "user");
	int64_t id;
	check_base(c, cal_text(c, config, "base_url"));
	check_versions(c, config);
	if (kl_eq(scope, "team") && !kl_has(c, config, "team"))
		c->host->problem(c, "team", "scope = team needs the id of the team");
	if (kl_eq(scope, "organization") && !kl_has(c, config, "organization"))
		c->host->problem(
			c, "organization", "scope = organization needs the id of the organization");
	if (kl_has(c, config, "team") && !cal_id(cal_text(c, config, "team"), &id))
		c->host->problem(c, "team", "must be the number of the team, not its slug");
	if (kl_has(c, config, "organization") && !cal_id(cal_text(c, config, "organization"), &id))
		c->host->problem(c, "organization", "must be the number of the organization");
}

static const kl_next *book(kl_call *c, const kl_step *s)
{
	return cal_op_book(c, s, &v2_dialect);
}

static const kl_next *bookings(kl_call *c, const kl_step *s)
{
	return cal_op_bookings(c, s, &v2_dialect);
}

static const kl_next *slots(kl_call *c, const kl_step *s)
{
	return cal_op_slots(c, s, &v2_dialect);
}

static const struct {
	const char *name;
	const kl_next *(*run)(kl_call *, const kl_step *);
} runs[] = {
	{"test", v2_test},
	{"event_types", v2_event_types},
	{"members", v2_members},
	{"schedules", v2_schedules},
	{"slots", slots},
	{"hold", v2_hold},
	{"release", v2_release},
	{"book", book},
	{"find_booking", v2_find_booking},
	{"bookings", bookings},
	{"reschedule", v2_reschedule},
	{"cancel", v2_cancel},
	{"poll_bookings", v2_poll},
};

static const kl_next *step(kl_call *c, const kl_step *s)
{
	for (uint32_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (strcmp(s->op, runs[i].name) == 0)
			return runs[i].run(c, s);
	return cal_bad_input(c, "calcom_v2 has no such operation");
}

static const kl_plugin plugin = {
	.size = sizeof(plugin),
	.needs_minor = 0,
	.state_version = 1,
	.id = "com.cal.v2",
	.version = "0.1.0",
	.summary = "Cal.com, API v2: slots, bookings, event types, webhooks",
	.events = CAL_EVENTS,
	.hosts = "",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.credentials = KL_LIST(credentials),
	.check = check,
	.verify = cal_verify,
	.normalize = cal_normalize,
	.step = step,
};

KL_PLUGIN(&plugin)
