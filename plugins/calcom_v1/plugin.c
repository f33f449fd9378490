/* plugin.c - calcom_v1: what it declares, how its options are checked, which op runs what.
 * Pure; any thread. */
#include "v1.h"
#include "../calcom/ops.h"

static const kl_option options[] = {
	{"api_key", KL_OPT_SECRET | KL_OPT_REQUIRED, 0, 0, 0, "API key of the self-hosted Cal.com"},
	{"webhook_secret", KL_OPT_SECRET | KL_OPT_REPEATED, 0, 0, 0,
		"secret of the webhooks; two while it is being changed"},
	{"base_url", KL_OPT_URL | KL_OPT_REQUIRED, 0, 0, 0,
		"address of the self-hosted API v1, like https://cal.example.org/api/v1"},
	{"team", KL_OPT_TEXT, 0, 0, 0, "id of the team whose event types are meant"},
	{"poll_days", KL_OPT_INT, 0, "60", 0, "how far ahead poll_bookings remembers bookings"},
};

static const kl_op ops[] = {CAL_OPS};

static const kl_route routes[] = {{"", 0, 0, "webhooks of Cal.com"}};

static const kl_credential credentials[] = {{"api_key", KL_AUTH_QUERY, 0, "api_key", 0, "apiKey"}};

static void check(kl_call *c, const kl_val *config)
{
	kl_str base = cal_text(c, config, "base_url");
	kl_str host = cal_host(c, base);
	int64_t id;
	if (kl_eq(host, "api.cal.com") || kl_eq(host, "app.cal.com") || kl_eq(host, "cal.com"))
		c->host->problem(c, "base_url", "v1 was shut down on 2026-04-08, use calcom_v2");
	else if (cal_ends(base, "/v2"))
		c->host->problem(c, "base_url", "this is v2; use plugin calcom_v2");
	else if (kl_contains(base, "?"))
		c->host->problem(c, "base_url", "must not hold a query; the key goes into api_key");
	if (base.ptr)
		cal_check_slash(c, base);
	if (kl_has(c, config, "team") && !cal_id(cal_text(c, config, "team"), &id))
		c->host->problem(c, "team", "must be the number of the team, not its slug");
}

static const kl_next *book(kl_call *c, const kl_step *s)
{
	return cal_op_book(c, s, &v1_dialect);
}

static const kl_next *bookings(kl_call *c, const kl_step *s)
{
	return cal_op_bookings(c, s, &v1_dialect);
}

static const kl_next *slots(kl_call *c, const kl_step *s)
{
	return cal_op_slots(c, s, &v1_dialect);
}

static const struct {
	const char *name;
	const kl_next *(*run)(kl_call *, const kl_step *);
} runs[] = {
	{"test", v1_test},
	{"event_types", v1_event_types},
	{"members", v1_members},
	{"schedules", v1_schedules},
	{"slots", slots},
	{"hold", v1_hold},
	{"release", v1_hold},
	{"book", book},
	{"find_booking", v1_find_booking},
	{"bookings", bookings},
	{"reschedule", v1_reschedule},
	{"cancel", v1_cancel},
	{"poll_bookings", v1_poll},
};

static const kl_next *step(kl_call *c, const kl_step *s)
{
	for (uint32_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (strcmp(s->op, runs[i].name) == 0)
			return runs[i].run(c, s);
	return cal_bad_input(c, "calcom_v1 has no such operation");
}

static const kl_plugin plugin = {
	.size = sizeof(plugin),
	.needs_minor = 0,
	.state_version = 1,
	.id = "com.cal.v1",
	.version = "0.1.0",
	.summary = "Cal.com, API v1 of self-hosted servers: slots, bookings, event types, webhooks",
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
