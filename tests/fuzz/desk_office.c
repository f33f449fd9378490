/* desk_office.c - fills the store that fuzz_desk.c reads. What cannot be made ends the process. */
#include "desk_office.h"
#include "store_now.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/project.h"
#include "klinke/plugin.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

static const char ini[] =
	"[tenant praxis]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[connection calendar]\ntenant = praxis\nplugin = calendar\n"
	"[connection second]\ntenant = praxis\nplugin = calendar\n"
	"[desk praxis]\ncalendar = calendar\nhorizon = 14d\nstate = BE\nemail = "
	"desk@praxis.example\n"
	"[service prophylaxe]\ntenant = praxis\ntitle = Prophylaxe\nduration = 30m\n"
	"aliases = Zahnreinigung, PZR\nprice = 89,50 EUR\nevent_type = 310455\nstaff = Frau Kern : "
	"501\n"
	"[service fuellung]\ntenant = praxis\ntitle = Füllung\nduration = 1h\n"
	"event_type = 400\nstaff = Dr. Petersen : 401\nstaff = Dr. Weiß : 402\n"
	"[service beratung]\ntenant = praxis\ntitle = Beratung\nduration = 15m\nevent_type = 600\n"
	"calendar = second\n"
	"[branch mitte]\ntenant = praxis\ntitle = Praxis Mitte\nnumbers = +493023125010\n"
	"[branch nord]\ntenant = praxis\ntitle = Praxis Nord\nnumbers = +493023125011\n"
	"[tenant english]\ntimezone = America/New_York\nlanguage = en\n"
	"[connection calendar]\ntenant = english\nplugin = calendar\n"
	"[desk english]\ncalendar = calendar\nidentity = number\nalternatives = 3\nnotice = 0s\n"
	"[service check]\ntenant = english\ntitle = Check-up\nduration = 30m\nevent_type = 9\n"
	"[connection shared]\nplugin = calendar\n"
	"[tenant nord]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[desk nord]\ncalendar = shared\nidentity = name-date\n"
	"[service haarschnitt]\ntenant = nord\ntitle = Haarschnitt\nduration = 30m\nevent_type = "
	"77\n"
	"[tenant sued]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[desk sued]\ncalendar = shared\nidentity = number, name-date\n"
	"[service haarschnitt]\ntenant = sued\ntitle = Haarschnitt\nduration = 30m\nevent_type = "
	"88\n"
	"[service farbe]\ntenant = sued\ntitle = Farbe\nduration = 2h\nevent_type = 89\n"
	"[tenant empty]\ntimezone = Europe/Berlin\nlanguage = de\n"
	"[connection calendar]\ntenant = empty\nplugin = calendar\n"
	"[desk empty]\ncalendar = calendar\n";

struct making {
	struct desk_office *office;
	struct store *store;
	struct arena *arena;
	unsigned serial;
};

/* ---- What is there -------------------------------------------------------------------------- */

static const struct plugin_info *find_plugin(void *user, const char *name, struct error *error)
{
	static const struct plugin_op ops[] = {
		{"slots", KL_OP_ACTION, NULL, NULL}, {"book", KL_OP_ACTION, NULL, NULL}};
	static const struct plugin_info calendar = {.name = "calendar",
		.events = "booking.created",
		.ops = ops,
		.op_count = sizeof(ops) / sizeof(ops[0]),
		.can_step = 1};

	(void)user;
	if (strcmp(name, calendar.name) == 0)
		return &calendar;
	error_set(error, E_NOTFOUND, "no plugin %s", name);
	return NULL;
}

static struct config *read_config(void)
{
	char path[] = "/tmp/klinke-fuzz-XXXXXX";
	struct config_context context = {.plugin = find_plugin};
	struct config_faults faults = {0};
	struct config *config;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, ini, sizeof(ini) - 1) != sizeof(ini) - 1)
		die(path, "cannot be written");
	close(fd);
	config = config_load(&faults, path, &context);
	unlink(path);
	config_faults_print(stderr, &faults, false);
	if (!config)
		die("the configuration", "has faults");
	config_faults_finish(&faults);
	return config;
}

static void save_catalogue(struct making *m)
{
	struct catalogue rows = {0};
	struct store_save_catalogue op = {.origin = CATALOGUE_INI, .catalogue = &rows};

	desk_catalogue(m->arena, m->office->config, &rows);
	for (size_t i = 0; i < rows.service_count; i++) /* only its people can be booked */
		if (str_is(rows.services[i].name, "fuellung"))
			rows.services[i].event_type = STR("");
	STORE_NOW(save_catalogue, m->store, &op);
}

static struct job_row a_job(const char *tenant)
{
	return (struct job_row){
		.id = id_new(),
		.tenant = str_of(tenant),
		.pipeline = STR("fuzz"),
		.correlation = STR("c0ffee"),
		.due_ms = OFFICE_NOW,
		.created_ms = OFFICE_NOW,
		.updated_ms = OFFICE_NOW,
		.generation = 1,
		.progress = STR("{}"),
	};
}

/* Ten days from today, each hour from 8 to 17 of Berlin but what is divisible by `but`. */
static struct json *free_slots(struct making *m, int but)
{
	struct json *slots = json_array(m->arena), *result = json_object(m->arena);
	int n = 0;

	for (int day = 0; day < 10; day++)
		for (int hour = 8; hour < 18; hour++) {
			int64_t ms = OFFICE_NOW + day * DAY_MS + (hour - 10) * HOUR_MS;
			struct json *slot = json_object(m->arena);

			if (++n % but == 0 || ms < OFFICE_NOW)
				continue;
			json_put_text(m->arena, slot, "start", clock_print(m->arena, ms, NULL));
			json_push(m->arena, slots, slot);
		}
	json_put(m->arena, result, "slots", slots);
	return result;
}

static void save_days(struct making *m, const char *tenant, const char *connection,
	const char *event_type, int64_t asked_ms, int but)
{
	const char *text = arena_printf(m->arena,
		"{\"event_type\":\"%s\",\"from\":\"2042-06-16T22:00:00Z\","
		"\"to\":\"2042-07-01T22:00:00Z\",\"timezone\":\"%s\"}",
		event_type, strcmp(tenant, "english") ? "Europe/Berlin" : "America/New_York");
	struct job_row job = a_job(tenant);
	struct store_add_jobs add = {.jobs = &job, .job_count = 1};
	struct store_save_job op = {.job = &job};
	struct slot_day *days = NULL;

	op.day_count = project_slots(m->arena, &job, str_of(connection),
		json_parse(m->arena, str_of(text), NULL), free_slots(m, but), asked_ms, &days);
	op.days = days;
	assert(op.day_count > 0);
	STORE_NOW(add_jobs, m->store, &add);
	job.state = JOB_DONE;
	STORE_NOW(save_job, m->store, &op);
}

static void save_appointment(struct making *m, const char *tenant, const char *connection,
	const char *event_type, const char *uid, int64_t start_ms, const char *person,
	const char *name, const char *status, const char *moved_from)
{
	struct inbox_row inbox = {.id = id_new(),
		.connection = str_of(connection),
		.route = STR("events"),
		.method = STR("POST"),
		.path = STR("/"),
		.query = STR("[]"),
		.headers = STR("[]"),
		.body = STR("{}"),
		.correlation = STR("c0ffee"),
		.received_ms = 1000,
		.state = INBOX_NEW};
	struct store_append_inbox append = {.row = &inbox};
	struct appointment_row row = {.tenant = str_of(tenant),
		.connection = str_of(connection),
		.uid = str_of(uid),
		.status = str_of(status),
		.start_ms = start_ms,
		.end_ms = start_ms + 30 * MINUTE_MS,
		.changed_ms = OFFICE_NOW - 30 * DAY_MS,
		.event_type = str_of(event_type),
		.person = str_of(person),
		.name = str_of(name),
		.rescheduled_from = str_of(moved_from),
		.vendor_id = STR("4711")};
	struct event_row event = {.id = id_new(),
		.inbox = inbox.id,
		.tenant = row.tenant,
		.connection = row.connection,
		.type = STR("booking.created"),
		.dedupe = str_of(arena_printf(m->arena, "event-%u", ++m->serial)),
		.subject = row.uid,
		.person = STR("{}"),
		.data = STR("{}"),
		.correlation = STR("c0ffee"),
		.at_ms = 900,
		.received_ms = 1000};
	struct event_change change = {.row = &event, .appointment = &row};
	struct store_finish_inbox finish = {.inbox = inbox.id,
		.state = INBOX_DONE,
		.tenant = row.tenant,
		.events = &change,
		.event_count = 1};

	STORE_NOW(append_inbox, m->store, &append);
	STORE_NOW(finish_inbox, m->store, &finish);
}

static void save_people(
	struct making *m, const char *tenant, const char *connection, const char *event_type)
{
#define HAS(uid, hours, person, name, status)                                                      \
	save_appointment(m, tenant, connection, event_type, arena_printf(m->arena, uid, tenant),   \
		OFFICE_NOW + (hours)*HOUR_MS, person, name, status, "")
	HAS("own-%s", 49, OFFICE_CALLER, "Jana Berger", "booked");
	HAS("gone-%s", 73, OFFICE_CALLER, "Jana Berger", "cancelled");
	HAS("past-%s", -24 * 14, OFFICE_CALLER, "Jana Berger", "booked");
	HAS("anna-%s", 24, OFFICE_FAMILY, "Anna Lorenz", "booked");
	HAS("ben-%s", 48, OFFICE_FAMILY, "Ben Lorenz", "requested");
	HAS("cleo-%s", 24 * 8, OFFICE_FAMILY, "Cleo Lorenz", "booked");
	HAS(OFFICE_OTHERS "-%s", 25, "+4930999888", "Petra " OFFICE_OTHERS, "booked");
	HAS(OFFICE_OTHERS "3-%s", 30, "+4930999888", "Petra " OFFICE_OTHERS, "booked");
	HAS(OFFICE_OTHERS "2-%s", 97, "p@other.example", "Paul " OFFICE_OTHERS, "booked");
#undef HAS
}

/* Dora's, which was moved by an hour. */
static void save_moved(
	struct making *m, const char *tenant, const char *connection, const char *event_type)
{
	const char *was = arena_printf(m->arena, "was-%s", tenant);
	const char *is = arena_printf(m->arena, "is-%s", tenant);

	save_appointment(m, tenant, connection, event_type, was, OFFICE_NOW + 121 * HOUR_MS,
		OFFICE_FAMILY, "Dora Lorenz", "cancelled", "");
	save_appointment(m, tenant, connection, event_type, is, OFFICE_NOW + 122 * HOUR_MS,
		OFFICE_FAMILY, "Dora Lorenz", "booked", was);
}

/* What this call has asked for before, at a time that suits two people. */
static void save_wish(struct making *m, const char *event_type, const char *start)
{
	struct job_row job = a_job("praxis");
	struct store_add_jobs op = {.jobs = &job, .job_count = 1};

	job.connection = STR("praxis/calendar");
	job.op = STR("book");
	job.dedupe = str_of(arena_printf(m->arena, "praxis/book/call:1/%s/%s", event_type, start));
	STORE_NOW(add_jobs, m->store, &op);
}

static void save_hold(
	struct making *m, const char *tenant, const char *event_type, const char *holder, int hours)
{
	struct hold_row hold = {.id = id_new(),
		.tenant = str_of(tenant),
		.holder = str_of(holder),
		.resource = str_of(arena_printf(m->arena, "event_type:%s", event_type)),
		.event_type = str_of(event_type),
		.start_ms = OFFICE_NOW + hours * HOUR_MS,
		.end_ms = OFFICE_NOW + hours * HOUR_MS + 30 * MINUTE_MS,
		.expires_ms = OFFICE_NOW + 30 * DAY_MS,
		.capacity = 1,
		.state = HOLD_OFFERED};
	struct store_add_jobs op = {.holds = &hold, .hold_count = 1};

	STORE_NOW(add_jobs, m->store, &op);
}

static void fill(struct making *m)
{
	static const struct {
		const char *tenant, *connection, *event_type;
		int64_t age_ms;
		int but;
	} days[] = {
		{"praxis", "praxis/calendar", "310455", MINUTE_MS, 3},
		{"praxis", "praxis/calendar", "501", MINUTE_MS, 4},
		{"praxis", "praxis/calendar", "401", MINUTE_MS, 5},
		{"praxis", "praxis/calendar", "402", 8 * HOUR_MS, 7},
		{"english", "english/calendar", "9", MINUTE_MS, 3},
		{"nord", "agency/shared", "77", MINUTE_MS, 4},
		{"sued", "agency/shared", "88", 8 * HOUR_MS, 4},
		{"sued", "agency/shared", "89", MINUTE_MS, 1},
	};

	save_catalogue(m);
	save_people(m, "praxis", "praxis/calendar", "310455");
	save_people(m, "english", "english/calendar", "9");
	save_people(m, "nord", "agency/shared", "77");
	save_people(m, "sued", "agency/shared", "88");
	save_moved(m, "praxis", "praxis/calendar", "310455");
	save_wish(m, "401", "2042-06-18T10:00:00Z");
	save_wish(m, "402", "2042-06-19T10:00:00Z");
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		save_days(m, days[i].tenant, days[i].connection, days[i].event_type,
			OFFICE_NOW - days[i].age_ms, days[i].but);
		save_hold(m, days[i].tenant, days[i].event_type, "call:1", 26);
		save_hold(m, days[i].tenant, days[i].event_type, "call:1", 50);
		save_hold(m, days[i].tenant, days[i].event_type, "call:2", 27);
	}
}

/* ---- Made and left -------------------------------------------------------------------------- */

static char directory[256];

static void remove_store(void)
{
	remove_directory(directory);
}

static void make(struct desk_office *office)
{
	struct making m = {.office = office};
	struct store_options options = {.directory = directory};
	struct error error = {0};

	log_setup(LOG_ERROR,
		LOG_LOGFMT); /* of callers who ask for what there is not, there are many */
	make_directory(directory, sizeof(directory));
	atexit(remove_store); /* what is sealed needs its keys as long as it is read */
	m.arena = arena_create((size_t)64 << 20);
	office->config = read_config();
	if (store_open(&error, &m.store, &options) != 0 ||
		store_reader_open(&error, &office->reader, directory) != 0)
		die("the store", error.text);
	fill(&m);
	assert(!arena_failed(m.arena));
	office->desk = desk_create(&error, office->reader);
	if (!office->desk)
		die("the desk", error.text);
	store_close(m.store);
	arena_destroy(m.arena);
}

const struct desk_office *desk_office(void)
{
	static struct desk_office office;

	if (!office.desk)
		make(&office);
	return &office;
}
