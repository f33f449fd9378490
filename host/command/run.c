/* run.c - the host itself: starts its parts in order, waits for signals, stops them in reverse.
 *
 * TERM and INT drain and stop (a second one stops at once), HUP reloads. All other threads have
 * these signals blocked; only this one takes them.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "command/command.h"
#include "command/setup.h"
#include "http/control.h"
#include "http/server.h"
#include "pipeline/care.h"
#include "pipeline/runner.h"
#include "store/care.h"
#include "store/store.h"

struct host {
	const struct invocation *in;
	struct setup *setup;
	struct config *config;
	struct store *store;
	struct care_watch *watch;
	struct runner *runner;
	struct server *server;
	struct control *control;
	struct arena *arena;         /* of what is known from the start on */
	pthread_mutex_t reload_lock; /* one at a time; the second waits, and is not dropped */
};

/* ---- Configuration ------------------------------------------------------------------------ */

static void log_faults(const struct config_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct config_fault *f = &faults->list[i];
		char place[512];
		snprintf(place, sizeof(place), "%s:%u:%u", f->file, f->line, f->col);
		log_line(f->severity == CONFIG_ERROR ? LOG_ERROR : LOG_WARN, f->text, "place",
			place, NULL);
	}
}

static void hide(const struct config_secret *secret)
{
	for (size_t i = 0; i < secret->count; i++)
		log_secret(secret->values[i]);
}

/* The last line of defence: wherever a secret turned up in a log, it would be replaced. */
static void hide_secrets(const struct config *config)
{
	const struct config_host *host = config_host(config);
	const struct config_connection *c;
	const struct config_tenant *t;
	size_t n;

	hide(&host->admin_token);
	hide(&host->admin_password);
	t = config_tenants(config, &n);
	for (size_t i = 0; i < n; i++)
		hide(&t[i].token);
	c = config_connections(config, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < c[i].secret_count; k++)
			hide(&c[i].secrets[k]);
}

/* Their vendors go on calling the old address, and are told 404. */
static void warn_gone(const struct config *before, const struct config *now)
{
	size_t count;
	const struct config_connection *c = before ? config_connections(before, &count) : NULL;

	for (size_t i = 0; c && i < count; i++)
		if (!config_connection(now, c[i].full))
			log_line(LOG_WARN, "connection is gone: its webhooks are answered 404 now",
				"connection", c[i].full, "remedy",
				"if it is named differently now, change the address at the vendor; "
				"what came to the old one klinke gaps --fetch brings",
				NULL);
}

static int reload(void *user, struct error *error)
{
	struct host *h = user;
	const struct config *before = NULL;
	struct config_faults faults = {0};
	struct config *config;
	int err = E_INVALID;

	pthread_mutex_lock(&h->reload_lock);
	config = setup_load(h->setup, h->in->config, &faults);
	log_faults(&faults);
	if (config) {
		hide_secrets(config);
		before = runner_config(h->runner);
	}
	if (!config)
		error_set(error, E_INVALID,
			"%zu faults, the first: %s:%u:%u: %s; the old configuration "
			"stays",
			faults.errors, faults.count ? faults.list[0].file : "",
			faults.count ? faults.list[0].line : 0,
			faults.count ? faults.list[0].col : 0,
			faults.count ? faults.list[0].text : "no memory");
	else if ((err = runner_reload(error, h->runner, config)) == 0) {
		server_configure(h->server, config);
		warn_gone(before, config);
		log_line(LOG_INFO, "configuration reloaded", "file", h->in->config, NULL);
	}
	config_unref(before);
	config_unref(config); /* what runs by it has a reference of its own */
	config_faults_finish(&faults);
	pthread_mutex_unlock(&h->reload_lock);
	return err;
}

static const struct config *revive(void *user, struct error *error, struct str snapshot)
{
	struct host *h = user;
	return setup_revive(h->setup, snapshot, error);
}

static int load(struct host *h)
{
	struct config_faults faults = {0};
	struct error error = {0};

	h->setup = setup_create(&error, h->in->zygote);
	if (!h->setup)
		return fail(h->in, &error);
	h->config = setup_load(h->setup, h->in->config, &faults);
	if (h->config) { /* what follows is a log, for machines too */
		log_setup(config_host(h->config)->log_level, config_host(h->config)->log);
		hide_secrets(h->config);
		log_faults(&faults);
	} else {
		config_faults_print(stderr, &faults, false);
	}
	config_faults_finish(&faults);
	return h->config ? 0 : EXIT_CONFIG;
}

/* ---- Starting ----------------------------------------------------------------------------- */

static void block_signals(sigset_t *ours)
{
	sigemptyset(ours);
	sigaddset(ours, SIGTERM);
	sigaddset(ours, SIGINT);
	sigaddset(ours, SIGHUP);
	pthread_sigmask(SIG_BLOCK, ours, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* systemd hands over a listening socket, so that no webhook is refused while we restart. */
static int inherited_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	return pid && count && atoi(pid) == getpid() && atoi(count) >= 1 ? 3 : 0;
}

/* What the kernel or the container lacks is told, since nobody would miss it otherwise. */
static const char *tell_sandbox(struct host *h)
{
	const char *report, *lacks = "";
	struct admin_means means;
	struct str rest;

	h->arena = arena_create(64 * 1024);
	report = plugin_sandbox_report(h->in->zygote, h->arena).ptr;
	rest = str_of(report);
	while (admin_next_means(&rest, &means))
		if (!means.there)
			lacks = arena_printf(h->arena, "%s%s%.*s: %.*s", lacks ? lacks : "",
				lacks && lacks[0] ? ", " : "", STR_ARG(means.name),
				STR_ARG(means.why));
	if (lacks && lacks[0])
		log_line(LOG_WARN, "plugins are confined less than they could be", "lacks", lacks,
			NULL);
	return report;
}

static int start(struct host *h)
{
	const char *state = config_host(h->config)->state;
	struct store_options store = {.directory = state};
	struct runner_options runner = {
		.zygote = h->in->zygote, .config = h->config, .revive = revive, .user = h};
	struct server_options server = {.config = h->config,
		.fd = inherited_socket(),
		.admin = {.state = state, .reload = reload, .user = h}};
	struct error error = {0};

	if (store_open(&error, &h->store, &store) < 0)
		return fail(h->in, &error);
	h->watch = care_watch_start(&error, state, config_host(h->config)->integrity_check_ms, 0);
	if (!h->watch)
		return fail(h->in, &error);
	server.admin.store = runner.store = h->store;
	server.admin.sandbox = tell_sandbox(h);
	if (!(h->runner = runner_create(&error, &runner)))
		return fail(h->in, &error);
	server.admin.runner = server.runner = h->runner;
	if (!(h->server = server_create(&error, &server)))
		return fail(h->in, &error);
	if (!(h->control = control_create(&error, &server.admin)))
		return fail(h->in, &error);
	return 0;
}

/* ---- Stopping ----------------------------------------------------------------------------- */

/* Whoever asks a second time does not want to wait: the default action ends the process, as
 * harmless as kill -9. */
static void let_next_one_kill(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
}

static void drain(struct host *h)
{
	int64_t deadline = clock_mono_ms() + config_host(h->config)->drain_timeout_ms;

	log_line(LOG_INFO, "draining", NULL);
	let_next_one_kill();
	runner_hurry(h->runner, deadline);
	server_drain(h->server, deadline);
	runner_drain(h->runner, deadline);
}

static void stop(struct host *h)
{
	control_destroy(h->control);
	server_destroy(h->server);
	runner_destroy(h->runner);
	care_watch_stop(h->watch);
	store_close(h->store);
	config_unref(h->config);
	setup_destroy(h->setup);
	arena_destroy(h->arena);
}

static void serve(struct host *h, const sigset_t *signals)
{
	char port[16];
	int signal_number = 0;
	struct error error = {0};

	snprintf(port, sizeof(port), "%u", server_port(h->server));
	log_line(LOG_INFO, "ready", "version", KLINKE_VERSION, "listen",
		config_host(h->config)->listen, "port", port, NULL);
	while (signal_number != SIGTERM && signal_number != SIGINT) {
		if (sigwait(signals, &signal_number) != 0)
			continue;
		if (signal_number == SIGHUP && reload(h, &error) < 0)
			log_line(LOG_ERROR, "configuration not reloaded", "reason", error.text,
				NULL);
	}
	drain(h);
}

static int run(const struct invocation *in)
{
	struct host h = {.in = in, .reload_lock = PTHREAD_MUTEX_INITIALIZER};
	sigset_t signals;
	int code;

	if (in->count)
		return usage_error(in, "it takes no arguments; -c FILE names the configuration");
	block_signals(&signals);
	code = load(&h);
	if (code == 0)
		code = start(&h);
	if (code == 0)
		serve(&h, &signals);
	stop(&h);
	if (code == 0)
		log_line(LOG_INFO, "stopped", NULL);
	return code;
}

const struct command command_run = {
	.name = "run",
	.run = run,
	.usage = "[-c FILE]",
	.summary = "serve: take webhooks, run pipelines",
	.help = "TERM and INT finish what is running and stop; what could not be finished goes on "
		"after the\n"
		"next start. A second TERM ends at once. HUP checks the configuration and takes it "
		"over; the old\n"
		"one stays on error. Only one host uses a state directory: 75 tells who has it.\n",
	.options = "config=",
	.needs_zygote = true,
};
