/* admin_host.c - see admin_host.h. What cannot be made ends the process. One thread: those that the
 * server would begin are run at once. */
#include "admin_host.h"
#include "scrypt.h"
#include "store_now.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/password.h"
#include "config/config.h"
#include "http/metrics.h"
#include "http/server.h"
#include "http/tls.h"
#include "pipeline/care.h"
#include "pipeline/intake.h"
#include "store/care.h"

#define PAST_MS INT64_C(1790000000000)

#define NORD "[tenant nord]\ntimezone = Europe/Berlin\n"
#define OFFICES                                                                                    \
	NORD "token = " ADMIN_NORD_TOKEN "\n"                                                      \
	     "[tenant sued]\ntimezone = Europe/Berlin\ntoken = " ADMIN_SUED_TOKEN "\n"
#define HOST "[host]\nadmin_token = " ADMIN_OPERATOR "\nproxies = 127.0.0.1\n"

/* %s: a line of ADMIN_PASSWORD. */
static const char ini[] = HOST "admin_password = %s\n" OFFICES;
static const char secure_ini[] = HOST "tls_certificate = good\ntls_key = key\n" OFFICES;
static const char expired_ini[] = HOST "tls_certificate = bad\ntls_key = key\n" OFFICES;
static const char closed_ini[] = NORD;

struct kept {
	char directory[256];
	struct store *store;
	struct store_reader *reader;
};

static struct {
	struct kept full, empty;
	struct config *config, *secure, *expired, *closed;
	struct server *usual, *alone, *draining, *tls, *asked;
	unsigned world;
	void (*handler)(void *user, struct request *request);
	void *user;
	bool asking; /* the server's threads are run at once */
	struct admin_said *said;
	struct arena *arena; /* of the answer */
	struct request *request;
	unsigned crowd; /* logins at once */
} host;

/* ---- Instead of the listener ---------------------------------------------------------------- */

static struct str kept(struct str text)
{
	return text.len ? str_dup(host.arena, text) : STR("");
}

void request_answer(struct request *request, const struct answer *answer)
{
	struct admin_said *said = host.said;
	struct request_pair *headers =
		arena_alloc(host.arena, (answer->header_count + 1) * sizeof(*headers));

	(void)request;
	said->answers++;
	said->status = answer->status;
	said->content_type = kept(str_of(answer->content_type ? answer->content_type : ""));
	said->body = kept(answer->body);
	for (size_t i = 0; headers && i < answer->header_count; i++) {
		headers[i].name = kept(answer->headers[i].name);
		headers[i].value = kept(answer->headers[i].value);
	}
	said->headers = headers;
	said->header_count = headers ? answer->header_count : 0;
}

/* As if there were no memory for it: by then all that was asked has been read. */
struct stream *request_stream(
	struct request *request, const struct answer *head, const struct stream_options *options)
{
	(void)options;
	request_answer(request, head);
	host.said->stream = true;
	return NULL;
}

size_t stream_room(struct stream *stream)
{
	(void)stream;
	return 0;
}

bool stream_write(struct stream *stream, struct str bytes)
{
	(void)stream;
	(void)bytes;
	return false;
}

void stream_end(struct stream *stream)
{
	(void)stream;
}

void stream_cut(struct stream *stream)
{
	(void)stream;
}

void stream_release(struct stream *stream)
{
	(void)stream;
}

struct listener *listener_create(struct error *error, const struct listener_options *options)
{
	(void)error;
	host.handler = options->handler;
	host.user = options->user; /* the server */
	return (struct listener *)(void *)&host;
}

unsigned listener_port(const struct listener *listener)
{
	(void)listener;
	return 1;
}

int listener_drain(struct listener *listener, int64_t deadline_ms)
{
	(void)listener;
	(void)deadline_ms;
	return 0;
}

void listener_destroy(struct listener *listener)
{
	(void)listener;
}

void listener_renew_tls(struct listener *listener, struct tls *tls)
{
	(void)listener;
	(void)tls;
}

void listener_stats(struct listener *listener, struct listener_stats *out)
{
	(void)listener;
	memset(out, 0, sizeof(*out));
}

struct tls *tls_load(struct error *error, const char *certificate, const char *key)
{
	(void)key;
	if (strstr(certificate, "good"))
		return (struct tls *)(void *)&host;
	error_set(error, E_NOTFOUND, "there is no such certificate");
	return NULL;
}

void tls_unref(struct tls *tls)
{
	(void)tls;
}

/* Whether the host fares that way while it is asked. */
static bool fares(enum admin_world how)
{
	return host.asking && host.world & how;
}

/* ---- Instead of threads, writer and runner (the linker's --wrap, see meson.build) ------------ */

int __real_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __real_store_reader_open(struct error *error, struct store_reader **out, const char *directory);
int __wrap_store_reader_open(struct error *error, struct store_reader **out, const char *directory);
void __real_store_reader_close(struct store_reader *reader);
void __wrap_store_reader_close(struct store_reader *reader);
bool __wrap_store_failing(struct store *store, struct error *error);
struct arena *__real_arena_create(size_t max);
struct arena *__wrap_arena_create(size_t max);
void __wrap_intake_take(struct runner *runner, struct hook *hook);
void __wrap_metrics_print(struct buf *out, const struct metrics_sources *of);
void __wrap_store_decide_job(struct store *store, struct store_decide_job *op);
void __wrap_store_replay_inbox(struct store *store, struct store_replay_inbox *op);
void __wrap_store_forget(struct store *store, struct store_forget *op);
int __wrap_runner_run(struct error *error, struct runner *runner, struct str connection,
	struct str op, struct str input, const struct runner_wait *wait, struct arena *arena,
	struct str *result);
void __wrap_runner_nudge(struct runner *runner);
void __wrap_runner_stats(struct runner *runner, struct runner_stats *out);
void __wrap_runner_plugins(struct runner *runner, struct arena *arena, struct json *list);
void __wrap_runner_troubles(struct runner *runner, struct arena *arena, struct json *list);
const struct config *__wrap_runner_config(struct runner *runner);
int __wrap_gaps_find(struct error *error, struct runner *runner, const struct gaps_ask *ask,
	struct arena *arena, struct json **out);

int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	if (!host.asking)
		return __real_pthread_create(thread, attr, run, arg);
	if (fares(ADMIN_THREADLESS))
		return EAGAIN;
	run(arg);
	return 0;
}

int __wrap_store_reader_open(struct error *error, struct store_reader **out, const char *directory)
{
	if (!host.asking)
		return __real_store_reader_open(error, out, directory);
	if (fares(ADMIN_UNREADABLE))
		return error_set(error, E_IO, "the file <b>cannot</b> be read");
	*out = fares(ADMIN_ALONE) ? host.empty.reader : host.full.reader;
	return 0;
}

void __wrap_store_reader_close(struct store_reader *reader)
{
	if (!host.asking)
		__real_store_reader_close(reader);
}

bool __wrap_store_failing(struct store *store, struct error *error)
{
	(void)store;
	if (fares(ADMIN_FAILING))
		error_set(error, E_IO, "the disk is full");
	return fares(ADMIN_FAILING);
}

/* What the server makes for an answer. */
struct arena *__wrap_arena_create(size_t max)
{
	return __real_arena_create(fares(ADMIN_STARVED) ? 4096 : max);
}

/* Somebody else's login, with the same bytes. */
static void come_too(void)
{
	struct admin_said theirs = {.arena = host.arena}, *ours = host.said;
	struct request other = *host.request;

	if (other.body.len)
		other.body = str_dup(host.arena, other.body);
	host.said = &theirs;
	host.handler(host.asked, &other);
	host.said = ours;
	assert(theirs.answers == 1);
}

/* As cheap as it can be: a password costs no tenth of a second here. */
int __wrap_EVP_PBE_scrypt(const char *pass, size_t pass_len, const unsigned char *salt,
	size_t salt_len, uint64_t n, uint64_t r, uint64_t p, uint64_t most, unsigned char *key,
	size_t key_len)
{
	(void)n;
	(void)r;
	(void)p;
	(void)most;
	if (fares(ADMIN_CROWDED) && host.crowd < 3) {
		host.crowd++;
		come_too();
	}
	return __real_EVP_PBE_scrypt(
		pass, pass_len, salt, salt_len, 2, 1, 1, 1 << 20, key, key_len);
}

void __wrap_intake_take(struct runner *runner, struct hook *hook)
{
	struct hook_answer answer = {.status = 503,
		.content_type = "text/plain",
		.body = STR("not here\n"),
		.retry_after_s = (unsigned)hook->body.len % 3};

	(void)runner;
	assert(hook->owner.len && hook->connection.len && str_utf8_ok(hook->route));
	assert(!memchr(hook->owner.ptr, '/', hook->owner.len));
	host.said->hook = true;
	hook->answer(hook, &answer);
}

void __wrap_metrics_print(struct buf *out, const struct metrics_sources *of)
{
	assert(of->listener && of->live);
	buf_add_text(out, "klinke_up 1\n");
	out->failed |= fares(ADMIN_STARVED);
}

static void decided(struct store_op *op, char whose)
{
	host.said->decided = true;
	host.said->whose = whose;
	op->result = fares(ADMIN_REFUSING) ? error_set(&op->error, E_CONFLICT, "it changed") : 0;
	op->done(op);
}

static char owner_of(const struct id *id)
{
	return memcmp(id->b + 12, "nord", 4) == 0 ? 'n' : 's';
}

void __wrap_store_decide_job(struct store *store, struct store_decide_job *op)
{
	(void)store;
	decided(&op->op, owner_of(&op->job));
}

void __wrap_store_replay_inbox(struct store *store, struct store_replay_inbox *op)
{
	(void)store;
	decided(&op->op, owner_of(&op->inbox));
}

void __wrap_store_forget(struct store *store, struct store_forget *op)
{
	(void)store;
	assert(op->tenant.len && op->person.len);
	op->known = true;
	op->calls = 1;
	decided(&op->op, '*');
}

static void host_wide(void)
{
	host.said->decided = true;
	host.said->whose = '*';
}

int __wrap_runner_run(struct error *error, struct runner *runner, struct str connection,
	struct str op, struct str input, const struct runner_wait *wait, struct arena *arena,
	struct str *result)
{
	(void)runner;
	(void)wait;
	assert(connection.len && json_parse(arena, input, NULL));
	host_wide();
	if (!op.len)
		return error_set(error, E_NOTFOUND, "it has no such operation");
	*result = STR("{\"job\":\"0192f5c2-0000-7000-8000-000000000000\",\"state\":\"done\"}");
	return 0;
}

void __wrap_runner_nudge(struct runner *runner)
{
	(void)runner;
}

void __wrap_runner_stats(struct runner *runner, struct runner_stats *out)
{
	(void)runner;
	memset(out, 0, sizeof(*out));
	out->generation = 3;
}

void __wrap_runner_plugins(struct runner *runner, struct arena *arena, struct json *list)
{
	struct json *o = json_object(arena);

	(void)runner;
	json_put_text(arena, o, "plugin", STR("retell"));
	json_put_text(arena, o, "state", STR("disabled"));
	json_put_text(arena, o, "problem", STR("<it> died & \"died\""));
	json_put_i64(arena, o, "deaths", 3);
	json_push(arena, list, o);
}

void __wrap_runner_troubles(struct runner *runner, struct arena *arena, struct json *list)
{
	struct json *o = json_object(arena);

	(void)runner;
	json_put_text(arena, o, "connection", STR("nord/calendar"));
	json_put_text(arena, o, "trouble", STR("the <key> is refused & \"refused\""));
	json_put_text(arena, o, "remedy", STR("renew the key"));
	json_push(arena, list, o);
}

const struct config *__wrap_runner_config(struct runner *runner)
{
	(void)runner;
	return config_ref(host.config);
}

int __wrap_gaps_find(struct error *error, struct runner *runner, const struct gaps_ask *ask,
	struct arena *arena, struct json **out)
{
	(void)error;
	(void)runner;
	(void)ask;
	host_wide();
	*out = json_object(arena);
	return 0;
}

static int reload(void *user, struct error *error)
{
	(void)user;
	host_wide();
	if (fares(ADMIN_REFUSING))
		return error_at(error, E_INVALID, "office.ini:3", "there is a fault");
	if (host.asked == host.tls) { /* and back: every request finds it the same */
		server_configure(host.asked, host.expired);
		server_configure(host.asked, host.config);
		server_configure(host.asked, host.secure);
	} else {
		server_configure(host.asked, host.config);
	}
	return 0;
}

/* ---- What is stored -------------------------------------------------------------------------- */

struct office {
	struct store *store;
	struct arena *arena;
	const char *name;
	unsigned serial;
};

#define TEXT(o, ...) str_of(arena_printf((o)->arena, __VA_ARGS__))

/* 0192f5c2-0000-7000-80NN-0000 and the name. */
static struct id next_id(struct office *o)
{
	struct id id = {{0x01, 0x92, 0xf5, 0xc2, 0, 0, 0x70, 0, 0x80, (uint8_t)++o->serial}};

	memcpy(id.b + 12, o->name, 4);
	return id;
}

static struct id save_webhook(struct office *o, enum inbox_state state, struct event_change *change)
{
	struct inbox_row row = {.id = next_id(o),
		.connection = TEXT(o, "%s/phone", o->name),
		.route = STR("events"),
		.method = STR("POST"),
		.path = STR("/hooks/x/phone"),
		.query = STR("[]"),
		.headers = STR("[[\"x-signature\",\"v=1\"]]"),
		.body = TEXT(o, "{\"call\":\"Zz%s\"}", o->name),
		.correlation = TEXT(o, "Zz%s-thread", o->name),
		.received_ms = PAST_MS,
		.state = INBOX_NEW};
	struct store_append_inbox append = {.row = &row};
	struct store_finish_inbox finish = {.inbox = row.id,
		.state = state,
		.tenant = str_of(o->name),
		.reason =
			state == INBOX_PARKED ? TEXT(o, "Zz%s cannot be <read>", o->name) : STR(""),
		.events = change,
		.event_count = change != NULL};

	if (change)
		((struct event_row *)change->row)->inbox = row.id;
	STORE_NOW(append_inbox, o->store, &append);
	STORE_NOW(finish_inbox, o->store, &finish);
	return row.id;
}

static struct id save_event(struct office *o, const char *type, int64_t started_ms)
{
	struct event_row event = {.id = next_id(o),
		.tenant = str_of(o->name),
		.connection = TEXT(o, "%s/phone", o->name),
		.type = str_of(type),
		.dedupe = TEXT(o, "%s-%u", o->name, o->serial),
		.subject = TEXT(o, "Zz%s-call-%u", o->name, o->serial),
		.person = TEXT(o, "{\"name\":\"Zz%s\",\"number\":\"+493011122%s\"}", o->name,
			o->name[0] == 'n' ? "1" : "2"),
		.data = TEXT(o, "{\"from\":\"+4930\",\"transcript\":\"Zz%s <b>\"}", o->name),
		.correlation = TEXT(o, "Zz%s-thread", o->name),
		.at_ms = started_ms,
		.received_ms = started_ms + 1};
	struct call_row call = {.tenant = event.tenant,
		.connection = event.connection,
		.call_id = event.subject,
		.direction = STR("inbound"),
		.status = STR("ongoing"),
		.person = STR("+4930111221"),
		.from = STR("+4930111221"),
		.to = TEXT(o, "Zz%s", o->name),
		.started_ms = started_ms,
		.data = TEXT(o, "{\"note\":\"Zz%s\"}", o->name)};
	struct appointment_row booking = {.tenant = event.tenant,
		.connection = event.connection,
		.uid = event.subject,
		.status = STR("booked"),
		.start_ms = PAST_MS,
		.end_ms = PAST_MS + 1800000,
		.changed_ms = PAST_MS,
		.person = STR("+4930111221"),
		.name = TEXT(o, "Zz%s", o->name)};
	struct event_change change = {.row = &event, .call = &call, .appointment = &booking};

	save_webhook(o, INBOX_DONE, &change);
	return event.id;
}

static void save_job(struct office *o, const struct id *event, enum job_state state)
{
	struct job_row job = {.id = next_id(o),
		.event = *event,
		.tenant = str_of(o->name),
		.pipeline = state == JOB_DEAD ? STR("") : TEXT(o, "Zz%s-pipeline", o->name),
		.connection = TEXT(o, "%s/phone", o->name),
		.op = STR("send"),
		.person = STR("+4930111221"),
		.correlation = TEXT(o, "Zz%s-thread", o->name),
		.due_ms = PAST_MS,
		.created_ms = PAST_MS,
		.updated_ms = PAST_MS,
		.generation = 1,
		.progress = STR("{}")};
	struct store_add_jobs add = {.jobs = &job, .job_count = 1};
	struct attempt_row attempts[] = {{.id = next_id(o),
						 .job = job.id,
						 .kind = ATTEMPT_STEP,
						 .number = 1,
						 .name = TEXT(o, "map Zz%s", o->name),
						 .outcome = STR("done"),
						 .started_ms = PAST_MS,
						 .input = TEXT(o, "{\"to\":\"Zz%s\"}", o->name),
						 .output = STR("\xff\xfe")},
		{.id = next_id(o),
			.job = job.id,
			.kind = ATTEMPT_REQUEST,
			.number = 1,
			.name = STR("send"),
			.outcome = STR("answered"),
			.method = STR("POST"),
			.url = TEXT(o, "https://h.example/Zz%s", o->name),
			.status = 400,
			.started_ms = PAST_MS,
			.output = TEXT(o, "no JSON of Zz%s", o->name),
			.note = TEXT(o, "\"Zz%s\" said '<b>'", o->name)}};
	struct store_save_job save = {.job = &job, .attempts = attempts, .attempt_count = 2};

	STORE_NOW(add_jobs, o->store, &add);
	job.state = state;
	job.reason = TEXT(o, "Zz%s: refused", o->name);
	STORE_NOW(save_job, o->store, &save);
}

static void fill(struct store *store, const char *name)
{
	struct office o = {.store = store, .arena = arena_create(4 << 20), .name = name};
	struct id event;

	assert(o.arena);
	save_webhook(&o, INBOX_PARKED, NULL);
	event = save_event(&o, "call.ended", PAST_MS);
	save_job(&o, &event, JOB_DEAD);
	save_job(&o, &event, JOB_PARKED);
	event = save_event(&o, "call.started", clock_now_ms() - 60000);
	save_job(&o, &event, JOB_DONE);
	save_event(&o, "booking.created", PAST_MS + 1000);
	arena_destroy(o.arena);
}

/* ---- Made and asked -------------------------------------------------------------------------- */

static void remove_stores(void)
{
	store_close(host.full.store);
	store_close(host.empty.store);
	remove_directory(host.full.directory);
	remove_directory(host.empty.directory);
}

static void make_store(struct kept *kept)
{
	struct store_options options = {.directory = kept->directory};
	struct error error = {0};

	make_directory(kept->directory, sizeof(kept->directory));
	if (store_open(&error, &kept->store, &options) != 0 ||
		store_reader_open(&error, &kept->reader, kept->directory) != 0)
		die("the store", error.text);
}

static struct server *try_server(const struct config *config, struct kept *kept, bool alone)
{
	struct error error = {0};
	struct server_options options = {
		.config = config, .runner = alone ? NULL : (struct runner *)(void *)&host};

	options.admin = (struct admin){.state = kept->directory,
		.store = kept->store,
		.runner = options.runner,
		.reload = alone ? NULL : reload,
		.sandbox = "landlock: yes\nseccomp: no (old)\n"};
	return server_create(&error, &options);
}

static struct server *make_server(const struct config *config, struct kept *kept, bool alone)
{
	struct server *server = try_server(config, kept, alone);

	if (!server || server_port(server) != 1)
		die("the server", "cannot be made");
	return server;
}

static struct config *load(const char *text)
{
	struct config_faults faults = {0};
	struct config *config = config_load_text(&faults, str_of(text), NULL);

	if (!config)
		die("the configuration", faults.list[0].text);
	config_faults_finish(&faults);
	return config;
}

static void make_configs(void)
{
	char line[PASSWORD_LINE], text[sizeof(ini) + PASSWORD_LINE];
	struct error error = {0};

	if (password_make(&error, STR(ADMIN_PASSWORD), line) != 0)
		die("the password", error.text);
	snprintf(text, sizeof(text), ini, line);
	host.config = load(text);
	host.secure = load(secure_ini);
	host.expired = load(expired_ini);
	host.closed = load(closed_ini);
}

static void make(void)
{
	log_setup(LOG_ERROR, LOG_LOGFMT);
	make_configs();
	make_store(&host.full);
	make_store(&host.empty);
	/* What is sealed in it needs its keys as long as we read. Registered behind libcrypto's own
	 * end, it runs before that: the writer's thread still has something of it. */
	atexit(remove_stores);
	fill(host.full.store, "nord");
	fill(host.full.store, "sued");
	host.usual = make_server(host.config, &host.full, false);
	host.alone = make_server(host.config, &host.empty, true);
	host.tls = make_server(host.secure, &host.full, false);
	host.draining = make_server(host.config, &host.full, false);
	server_drain(host.draining, 0);
	assert(!try_server(host.expired, &host.full, false));
	host.arena = arena_create(64 << 20);
}

static struct server *server_of(unsigned world)
{
	if (world & ADMIN_CLOSED)
		return make_server(host.closed, &host.full, false);
	return world & ADMIN_ALONE      ? host.alone
	       : world & ADMIN_SECURE   ? host.tls
	       : world & ADMIN_DRAINING ? host.draining
					: host.usual;
}

void admin_host_ask(struct request *request, unsigned world, struct admin_said *said)
{
	if (!host.usual)
		make();
	arena_reset(host.arena);
	*said = (struct admin_said){.arena = host.arena};
	host.said = said;
	host.request = request;
	host.world = world;
	host.crowd = 0;
	host.asked = server_of(world);
	if (world & ADMIN_DAMAGED)
		care_note_write(NULL, host.full.directory, CARE_DAMAGE, PAST_MS, "a page of it");
	if (world & ADMIN_STARVED)
		arena_fail(request->arena);
	host.asking = true;
	host.handler(host.asked, request);
	host.asking = false;
	if (world & ADMIN_DAMAGED)
		care_note_clear(host.full.directory, CARE_DAMAGE);
	if (world & ADMIN_CLOSED)
		server_destroy(host.asked);
}
