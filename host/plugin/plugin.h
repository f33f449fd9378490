/* plugin.h - plugins as the runner sees them: named, loaded in workers, called without waiting.
 *
 * Everything here belongs to the thread that runs the libuv loop, except the zygote,
 * plugin_describe and plugin_check_config, which may be used from any thread. A plugin runs in a
 * sandboxed worker process; a crash in it or a call that does not end costs that one call: others
 * in flight go to the next worker by themselves, since calls are pure. A plugin that does not load
 * is disabled, with a sentence; the host goes on.
 *
 * Way of a call: plugin_submit() -> (queue while loading) -> worker -> done(). done() is never
 * called from inside plugin_submit(). The caller owns struct plugin_call, its arena and everything
 * it points to until done(), which may submit, reload and configure, but not plugins_destroy().
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <uv.h>

#include "base/plugin_info.h"
#include "plugin/data.h"

struct arena;
struct plugin;
struct plugin_config;
struct plugin_zygote;
struct plugins;

/* ---- Zygote: the process that workers are forked from ------------------------------------- */

/* First thing in main, before any thread, open file or configuration: workers inherit what is
 * there. NULL: error says why. It ends by itself when this process does. */
struct plugin_zygote *plugin_zygote_start(struct error *error);
void plugin_zygote_stop(struct plugin_zygote *zygote); /* and all its workers; takes NULL */

/* What main() begins with: does not return if this program was started to be a zygote. */
void plugin_zygote_main(int argc, char **argv);
/* A zygote that dies is made anew from now on, by starting this program again: for programs whose
 * main() begins with plugin_zygote_main(). Before any other thread knows the zygote. */
void plugin_zygote_renew(struct plugin_zygote *zygote);

/* What protects this host from its plugins here, and what the kernel or container lacks:
 * "seccomp: yes", "landlock: no (kernel lacks it)"; one a line, in the arena. */
struct str plugin_sandbox_report(struct plugin_zygote *zygote, struct arena *arena);

/* ---- Set of plugins ----------------------------------------------------------------------- */

enum plugin_isolation {
	PLUGIN_ISOLATE_WORKER, /* a process of its own */
	PLUGIN_ISOLATE_INLINE  /* in the host: a crash is the host's crash. No timeouts either */
};

struct plugin_settings { /* of one plugin; zeros are the defaults */
	enum plugin_isolation isolation;
	unsigned workers; /* 1; beside them one is kept for urgent calls */
};

enum plugin_state {
	PLUGIN_LOADING,
	PLUGIN_READY,
	PLUGIN_BROKEN /* does not load: see plugin_problem() */
};

struct plugins_options {
	uv_loop_t *loop;
	struct plugin_zygote *zygote;    /* NULL: inline isolation only */
	const char *directories;         /* "DIR:DIR": where NAME.so is looked for, in this order */
	const char *run_directory;       /* where the private copies go if memfd is missing */
	struct plugin_settings settings; /* of plugins without plugins_configure() */
	struct plugin_limits limits;
	unsigned timeout_ms;      /* 2000: of calls that do not say */
	unsigned load_timeout_ms; /* 5000 */
	size_t worker_memory;     /* 256 MiB: RLIMIT_AS of a worker */
	/* Called when a plugin changes its state and when a worker died; what: for a log. May be
	 * NULL. */
	void (*changed)(void *user, struct plugin *plugin, const char *what);
	void *user;
};

/* Copies the options. NULL: error says why. */
struct plugins *plugins_create(struct error *error, const struct plugins_options *options);
/* Ends all workers. Calls not yet done end with PLUGIN_DISABLED inside this function. Run the loop
 * once more before closing it, so that libuv can close our handles. Takes NULL. */
void plugins_destroy(struct plugins *plugins);

/* Before the first plugins_get() of that name. */
int plugins_configure(struct error *error, struct plugins *plugins, const char *name,
	const struct plugin_settings *settings);
/* Starts loading when it is new. Never NULL (but for no memory): a plugin that is not there is
 * PLUGIN_BROKEN and says so. Lives as long as plugins. */
struct plugin *plugins_get(struct plugins *plugins, const char *name);
/* Reads the file again, whatever state it is in. Calls in flight end on the old one. */
void plugin_reload(struct plugin *plugin);

const char *plugin_name(const struct plugin *plugin);
enum plugin_state plugin_state(const struct plugin *plugin);
const char *plugin_problem(const struct plugin *plugin); /* NULL unless PLUGIN_BROKEN */
/* NULL before the first load. Stays valid for the plugin's life, also after a reload. */
const struct plugin_info *plugin_info(const struct plugin *plugin);

/* failed, died, timeouts: calls. deaths: workers, whether or not one of ours killed them; not those
 * that ended with the zygote. */
struct plugin_stats {
	uint64_t calls, failed, died, timeouts, respawns, deaths;
	uint32_t in_flight, queued, workers;
	bool pausing;          /* after a death; the next worker is not there yet */
	int64_t last_death_ms; /* since 1970; 0: none died */
};
struct plugin_stats plugin_stats(const struct plugin *plugin);
/* How the last worker ended, and in which function: "its worker was killed by SIGSEGV in step()".
 * Empty if none died. */
const char *plugin_last_death(const struct plugin *plugin);
/* All of the set, also those that no connection uses any more. NULL: the first; NULL: no more. */
const struct plugin *plugins_next(const struct plugins *plugins, const struct plugin *plugin);

/* ---- Connections' options ----------------------------------------------------------------- */

/* json: an object, options of one connection with secrets replaced by true. Copied, and sent once
 * to each worker that needs it. Destroy when no call that uses it is in flight, and before the
 * plugins: plugins_destroy() frees those that are left. NULL: error. */
struct plugin_config *plugin_config_create(
	struct error *error, struct plugin *plugin, struct str json);
void plugin_config_destroy(struct plugin_config *config); /* takes NULL */

/* ---- Calls -------------------------------------------------------------------------------- */

struct plugin_call {
	struct plugin *plugin;
	struct plugin_config *config; /* NULL: an empty object */
	struct plugin_in in;
	unsigned timeout_ms; /* from plugin_submit() to done(); 0: the options' */
	bool urgent;         /* a caller waits: use the worker kept for that */
	struct arena *arena; /* everything in out lives here */
	void (*done)(struct plugin_call *call);
	void *user;
	struct plugin_out out;    /* filled before done() */
	struct plugin_call *next; /* ours */
};
void plugin_submit(struct plugin_call *call);

/* ---- Without a loop, for commands --------------------------------------------------------- */

/* Both use a worker of their own and wait for it (at most the default timeouts). zygote NULL: fork
 * from here, which is fine as long as this process has no threads. */

/* What the file at path declares; everything in the arena. */
int plugin_describe(struct error *error, struct plugin_zygote *zygote, const char *path,
	struct arena *arena, struct plugin_info *out);
/* Runs check() with these options; out->problems holds what it found (empty if it has none to
 * tell). */
int plugin_check_config(struct error *error, struct plugin_zygote *zygote, const char *path,
	struct str config, int64_t now_ms, struct arena *arena, struct plugin_out *out);

#endif
