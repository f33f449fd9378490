/* doctor.c - one page of checks, each with what to do. Changes nothing, takes no lock, asks nobody
 * outside this machine. */
#include "command/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "command/client.h"
#include "command/setup.h"
#include "http/admin.h"
#include "http/control.h"
#include "plugin/plugin.h"

#define MEMORY ((size_t)512 * 1024 * 1024)
#define ANSWER_MS 5000
#define YEAR_2025_MS INT64_C(1735689600000) /* before this program */
#define YEAR_2100_MS INT64_C(4102444800000)
#define SPACE_LOW ((uint64_t)1 << 30)
#define SPACE_NONE ((uint64_t)100 << 20)
#define FILES_BESIDE 256 /* that are no inbound connections */

static const char *const words[] = {"ok", "warn", "FAIL"};

void doctor_say(struct doctor *d, enum finding finding, const char *name, const char *remedy,
	const char *format, ...)
{
	struct json *o;
	char text[600];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	d->worst = finding > d->worst ? finding : d->worst;
	if (finding == FINDING_OK)
		remedy = NULL;
	if (!d->in->json) {
		printf("%-5s %-14s %s\n", words[finding], name, text);
		if (remedy)
			printf("%-5s %-14s -> %s\n", "", "", remedy);
		return;
	}
	o = json_object(d->arena);
	json_put_text(d->arena, o, "check", str_of(name));
	json_put_text(d->arena, o, "result",
		finding == FINDING_FAIL ? STR("fail") : str_of(words[finding]));
	json_put_text(d->arena, o, "text", str_of(text));
	if (remedy)
		json_put_text(d->arena, o, "remedy", str_of(remedy));
	json_push(d->arena, d->list, o);
}

/* ---- configuration and plugins ------------------------------------------------------------ */

static void check_config(struct doctor *d, struct setup *setup)
{
	struct config_faults faults = {0};

	d->config = setup_load(setup, d->in->config, &faults);
	if (!d->config)
		doctor_say(d, FINDING_FAIL, "configuration",
			"klinke check tells every fault with its place",
			"%s has %zu faults, the first: %s:%u: %s", d->in->config, faults.errors,
			faults.count ? faults.list[0].file : "",
			faults.count ? faults.list[0].line : 0,
			faults.count ? faults.list[0].text : "no memory");
	else if (faults.count)
		doctor_say(d, FINDING_WARN, "configuration", "klinke check tells them",
			"%s is fine, with %zu warnings", d->in->config, faults.count);
	else
		doctor_say(d, FINDING_OK, "configuration", NULL, "%s is fine", d->in->config);
	config_faults_finish(&faults);
}

static void check_plugins(struct doctor *d)
{
	size_t n, i, off = 0;
	const struct config_connection *c = config_connections(d->config, &n);

	for (i = 0; i < n; i++) {
		if (!c[i].disabled)
			continue;
		off++;
		doctor_say(d, FINDING_FAIL, "plugins",
			"klinke plugin info NAME tells about a plugin; until it loads, what comes "
			"for "
			"this connection is refused",
			"%s is disabled: %s", c[i].full, c[i].disabled);
	}
	if (!off)
		doctor_say(d, FINDING_OK, "plugins", NULL, "all %zu connections have theirs", n);
}

static void check_zones(struct doctor *d)
{
	size_t n, i, unknown = 0;
	const struct config_tenant *t = config_tenants(d->config, &n);

	for (i = 0; i < n; i++)
		unknown += zone_find(t[i].timezone) == NULL;
	if (unknown || !zone_find("Europe/Berlin"))
		doctor_say(d, FINDING_FAIL, "time zones", "install the package tzdata",
			"the system's time zones are missing, or some of them");
	else
		doctor_say(d, FINDING_OK, "time zones", NULL, "those of %zu tenants are known", n);
}

/* ---- the machine -------------------------------------------------------------------------- */

static void check_clock(struct doctor *d)
{
	int64_t now = clock_now_ms();
	char text[CLOCK_TEXT];

	clock_utc(text, now);
	if (now < YEAR_2025_MS || now > YEAR_2100_MS)
		doctor_say(d, FINDING_FAIL, "clock",
			"set it (timedatectl set-ntp true): signatures and appointments depend on "
			"it",
			"it says %s", text);
	else
		doctor_say(d, FINDING_OK, "clock", NULL, "%s", text);
}

static void check_sandbox(struct doctor *d)
{
	struct str rest = plugin_sandbox_report(d->in->zygote, d->arena);
	struct admin_means means;
	const char *lacks = "";

	while (admin_next_means(&rest, &means))
		if (!means.there)
			lacks = arena_printf(d->arena, "%s%s%.*s: %.*s", lacks,
				lacks[0] ? ", " : "", STR_ARG(means.name), STR_ARG(means.why));
	if (lacks[0])
		doctor_say(d, FINDING_WARN, "sandbox",
			"use a kernel, or a container profile, that has it; until then load only "
			"plugins that you trust",
			"plugins are confined less than they could be: %s", lacks);
	else
		doctor_say(d, FINDING_OK, "sandbox", NULL,
			"this kernel has all that confines plugins");
}

/* The host's own limit, if it runs: a shell's may be another. */
static uint64_t open_files(const struct doctor *d)
{
	char path[64], line[200];
	struct rlimit own;
	unsigned long long soft = 0;
	FILE *file = NULL, *lock;
	long pid = 0;

	getrlimit(RLIMIT_NOFILE, &own);
	lock = d->running ? fopen(arena_printf(d->arena, "%s/lock", d->state), "re") : NULL;
	if (lock && fscanf(lock, "%ld", &pid) == 1) {
		snprintf(path, sizeof(path), "/proc/%ld/limits", pid);
		file = fopen(path, "re");
	}
	if (lock)
		fclose(lock);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Max open files %llu", &soft) == 1)
			break;
	if (file)
		fclose(file);
	return soft ? soft : (uint64_t)own.rlim_cur;
}

static void check_limits(struct doctor *d)
{
	uint64_t files = open_files(d),
		 wanted = (uint64_t)config_host(d->config)->max_connections + FILES_BESIDE;

	if (files < wanted)
		doctor_say(d, FINDING_WARN, "limits",
			"LimitNOFILE= in the unit, ulimit -n in a shell, or a smaller "
			"max_connections",
			"%llu open files are allowed%s; max_connections and the rest need %llu",
			(unsigned long long)files, d->running ? " to the host" : " here",
			(unsigned long long)wanted);
	else
		doctor_say(d, FINDING_OK, "limits", NULL,
			"%llu open files are allowed, %llu needed", (unsigned long long)files,
			(unsigned long long)wanted);
}

/* ---- the state directory ------------------------------------------------------------------ */

static bool check_directory(struct doctor *d)
{
	struct stat st;

	if (stat(d->state, &st) != 0) {
		doctor_say(d, FINDING_FAIL, "state",
			"start the host once, as the user it will run as; or mend state = in "
			"[host]",
			"%s: %s", d->state, strerror(errno));
		return false;
	}
	if (st.st_mode & 077)
		doctor_say(d, FINDING_FAIL, "state",
			arena_printf(d->arena, "chmod 700 %s", d->state),
			"others than its owner can enter %s (mode %04o)", d->state,
			(unsigned)st.st_mode & 07777);
	else if (st.st_uid != geteuid() && geteuid() != 0)
		doctor_say(d, FINDING_FAIL, "state",
			"run this as that user: systemd-run --uid, sudo -u, or runuser",
			"%s belongs to user %u, you are %u", d->state, (unsigned)st.st_uid,
			(unsigned)geteuid());
	else
		doctor_say(d, FINDING_OK, "state", NULL, "%s, for its owner only", d->state);
	return true;
}

static void check_space(struct doctor *d)
{
	struct statvfs fs;
	uint64_t left;

	if (statvfs(d->state, &fs) != 0) {
		doctor_say(d, FINDING_FAIL, "space", "look at the disk", "%s: %s", d->state,
			strerror(errno));
		return;
	}
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY)
		doctor_say(d, FINDING_FAIL, "space",
			"mount it for writing: look why the kernel did not",
			"the file system of %s is read-only", d->state);
	else
		doctor_say(d,
			left < SPACE_NONE  ? FINDING_FAIL
			: left < SPACE_LOW ? FINDING_WARN
					   : FINDING_OK,
			"space",
			"free some: with a full disk webhooks are answered 503 and nothing is "
			"booked",
			"%llu MB are free for %s", (unsigned long long)(left >> 20), d->state);
}

/* What does not come in leaves no row, so the host alone knows; pauses and breakers do leave one.
 */
static void check_hooks(struct doctor *d, const struct json *status)
{
	const struct json *all = json_get(status, "troubles");
	size_t told = 0;

	for (size_t i = 0; i < json_count(all); i++) {
		const struct json *t = json_at(all, i, NULL);
		struct str at = json_get_text(t, "at");
		if (!at.len)
			continue;
		told++;
		doctor_say(d, FINDING_WARN, "webhooks",
			arena_printf(d->arena, "%.*s", STR_ARG(json_get_text(t, "remedy"))),
			"%.*s, the last at %.*s: %.*s", STR_ARG(json_get_text(t, "connection")),
			STR_ARG(at), STR_ARG(json_get_text(t, "trouble")));
	}
	if (!told)
		doctor_say(d, FINDING_OK, "webhooks", NULL, "none was refused lately");
}

static void check_host(struct doctor *d)
{
	struct error error = {0};
	struct str answer;

	d->running = control_ask(&error, d->state, STR("{\"verb\":\"status\"}"), ANSWER_MS,
			     d->arena, &answer) == 0;
	if (d->running) {
		doctor_say(d, FINDING_OK, "host", NULL, "it runs, and answers");
		check_hooks(d, json_parse(d->arena, answer, NULL));
	} else if (error.code == E_NOTFOUND)
		doctor_say(d, FINDING_WARN, "host", "klinke run, or systemctl start klinke",
			"none runs here");
	else
		doctor_say(d, FINDING_FAIL, "host", "look into its log", "it does not answer: %s",
			error.text);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void check_state(struct doctor *d)
{
	if (!check_directory(d))
		return;
	check_space(d);
	check_host(d);
	doctor_store(d);
}

static void check_all(struct doctor *d, struct setup *setup)
{
	check_config(d, setup);
	if (d->config) {
		check_plugins(d);
		check_zones(d);
	}
	check_clock(d);
	check_sandbox(d);
	if (d->state)
		check_state(d);
	if (d->config)
		check_limits(d);
}

static void print_end(struct doctor *d)
{
	static const char *const ends[] = {
		"all is well", "nothing is broken; look at what warns", "something is broken"};
	struct json *o;

	if (!d->in->json) {
		printf("\n%s\n", ends[d->worst]);
		return;
	}
	o = json_object(d->arena);
	json_put_text(d->arena, o, "result",
		d->worst == FINDING_FAIL ? STR("fail") : str_of(words[d->worst]));
	json_put(d->arena, o, "checks", d->list);
	printf("%.*s\n", STR_ARG(json_print(d->arena, o)));
}

static int run(const struct invocation *in)
{
	struct doctor d = {.in = in, .arena = arena_create(MEMORY)};
	struct error error = {0};
	struct setup *setup;

	if (in->count)
		return usage_error(in, "it takes no arguments; -c FILE names the configuration");
	log_setup(LOG_ERROR, LOG_LOGFMT);
	setup = setup_create(&error, in->zygote);
	if (!setup || !d.arena) {
		setup_destroy(setup);
		arena_destroy(d.arena);
		return fail(in, &error);
	}
	d.list = json_array(d.arena);
	if (client_find_state_quietly(in, d.arena, &d.state) != 0)
		d.state = NULL; /* then the configuration's faults are told */
	check_all(&d, setup);
	print_end(&d);
	config_unref(d.config);
	setup_destroy(setup);
	arena_destroy(d.arena);
	return d.worst == FINDING_FAIL ? EXIT_FAILED : EXIT_OK;
}

const struct command command_doctor = {
	.name = "doctor",
	.run = run,
	.usage = "[-c FILE] [OPTIONS]",
	.summary = "look whether everything is as it must be",
	.help = "One line for each check: ok, warn or FAIL, and below what to do. Configuration, "
		"plugins, time\n"
		"zones, clock, sandbox, state directory, disk, host, refused webhooks, schema, "
		"keys, the file's "
		"pages, the last copy,\n"
		"what waits for a person, callers that a calendar turned away, vendors that are "
		"not asked for now,\n"
		"limits. Nothing is changed, nothing is sent. 0: nothing is broken (there may be "
		"warnings). 1: something is.\n",
	.options = "config= json state-dir=",
	.needs_zygote = true,
};
