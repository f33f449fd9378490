/* config.h - what the operator wrote, checked, typed and immutable.
 *
 * INI files in, struct config out, or a list of faults with FILE:LINE:COL, all of them at once.
 * The grammar is in README.md beside this file; config_help() prints every key from the tables
 * that the parser itself uses.
 *
 * Nothing is started, opened or locked here except the files read. A config never changes after
 * it was loaded and may be read by any thread; runs keep the one they began with (config_ref).
 * All pointers below live as long as the config. No text is NULL unless its comment says so.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/log.h"
#include "base/plugin_info.h"
#include "base/str.h"

struct buf;
struct config;
struct config_host;
struct error;

/* ---- Faults ------------------------------------------------------------------------------- */

struct config_place {
	const char *file;   /* as the operator would name it: "office.ini", "tenants/winter.ini" */
	uint32_t line, col; /* from 1; col counts characters. 0: the file as a whole */
};

enum config_severity { CONFIG_ERROR, CONFIG_WARNING };

struct config_fault {
	const char *file;
	uint32_t line, col;
	enum config_severity severity;
	const char *text; /* what is wrong and what to do. Never a secret or an expanded ${ENV} */
};

struct config_faults { /* {0} is empty; config_faults_finish frees. Sorted by place once loaded */
	struct config_fault *list;
	size_t count, errors; /* errors: those that are no warnings */
	size_t cap, left_out; /* left_out: more than CONFIG_FAULTS_MAX were found */
};
#define CONFIG_FAULTS_MAX 500

void config_faults_finish(struct config_faults *faults);
/* For what others find out about a loaded config (a plugin's own check); keeps the order. */
void config_faults_add(struct config_faults *faults, struct config_place place,
	enum config_severity severity, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* One line each, "office.ini:12:9: error: …", or with json one object per line. */
void config_faults_print(FILE *out, const struct config_faults *faults, bool json);

/* ---- Loading ------------------------------------------------------------------------------ */

/* Who answers the questions that the INI text cannot. NULL in any field: see there. */
struct config_context {
	void *user; /* handed to all of them */

	/* Called once, when [host] has been read and before the first plugin is asked for: tells
	 * where plugins lie. May be NULL. */
	void (*host)(void *user, const struct config_host *host);

	/* What a plugin says about itself; must outlive the config. NULL and error E_NOTFOUND: no
	 * such plugin, a fault. NULL and any other error: it is there and does not load; then its
	 * connections are kept, disabled. Field NULL: no plugin is known. */
	const struct plugin_info *(*plugin)(void *user, const char *name, struct error *error);
	const char *const *plugin_names; /* NULL-terminated, for suggestions; or NULL */

	/* The host's own connections ("desk"): name, ops, events. May be NULL. */
	const struct plugin_info *const *builtins;
	size_t builtin_count;
	/* Event types the host itself makes, besides the builtins' and plugins'; NULL-terminated.
	 * NULL: config_host_events. */
	const char *const *events;

	/* Is this one expression over a run? step_names: the results it may use, NULL-terminated.
	 * If not, a negative code, the reason in error, and where it is: in *offset as a byte of
	 * sql, or in error's place as a character counted from 1. Field NULL: expressions are not
	 * checked. */
	int (*check_sql)(void *user, struct error *error, struct str sql,
		const char *const *step_names, size_t *offset);
	const char *const *columns; /* NULL-terminated, for suggestions; or NULL */

	/* The world; for tests and fuzzing. NULL: environment and file system. */
	const char *(*getenv)(void *user, const char *name);
	/* Appends the file's bytes to out; *mode as in stat, 0: not known. */
	int (*read_file)(
		void *user, struct error *error, const char *path, struct buf *out, unsigned *mode);
	/* Calls found(arg, path) for each file that matches, in any order. */
	int (*list_files)(void *user, struct error *error, const char *pattern,
		void (*found)(void *arg, const char *path), void *arg);

	/* Called once when everything has been read, also if there are faults, so that those only
	 * others can see (config_faults_add) are told at the same time. Look-ups by name do not
	 * work yet; a section with faults may be half filled. May be NULL. */
	void (*look)(void *user, const struct config *config);

	/* For config_load_text: where to take secrets from that were written literally, which a
	 * snapshot does not contain. The configuration of today, or NULL. */
	const struct config *literals;
};

extern const char *const config_host_events[]; /* "job.dead", … NULL */

/* NULL: faults->errors > 0 says why (also: no memory). Otherwise there may still be warnings. The
 * caller owns one reference. ctx may be NULL. */
struct config *config_load(
	struct config_faults *faults, const char *path, const struct config_context *ctx);
/* From a snapshot, with the places of the files it was made of. */
struct config *config_load_text(
	struct config_faults *faults, struct str snapshot, const struct config_context *ctx);

/* The whole configuration as one text: includes inlined, ${ENV} and @file not expanded, literal
 * secrets left out. This is what is stored as a generation. */
struct str config_snapshot(const struct config *config);

const struct config *config_ref(const struct config *config);
void config_unref(const struct config *config); /* takes NULL; the last one wipes the secrets */

/* ---- What is in it ------------------------------------------------------------------------ */

struct config_list {
	const char *const *list; /* NULL-terminated, never NULL itself */
	size_t count;
};

struct config_text {     /* an expression, or words to be said */
	struct str text; /* ptr NULL: not given. Otherwise NUL-terminated */
	struct config_place place;
};

struct config_secret { /* never print, log or store the values */
	const char *option;
	struct str values[2]; /* the second one while it is being rotated */
	size_t count;         /* 0, 1 or 2 */
	bool literal;         /* written in the file itself */
};

/* What is kept for how long after it is finished, each no longer than what holds it: metadata, call,
 * transcript and recording, raw. */
enum config_keep {
	CONFIG_KEEP_RAW,
	CONFIG_KEEP_TRANSCRIPT,
	CONFIG_KEEP_RECORDING,
	CONFIG_KEEP_CALL,
	CONFIG_KEEP_METADATA,
	CONFIG_KEEPS
};
#define CONFIG_FOREVER (-1)

struct config_host {
	const char *listen;         /* "127.0.0.1:8080", "[::1]:8080" */
	bool loopback;              /* listen is reachable from this machine only */
	const char *state;          /* directory */
	struct config_list plugins; /* directories */
	enum log_format log;
	enum log_level log_level;
	int64_t max_body, max_connections;
	int64_t header_timeout_ms, request_timeout_ms, idle_timeout_ms, drain_timeout_ms;
	int64_t integrity_check_ms;         /* how often; 0: never */
	struct config_secret admin_token; /* count 0: not by token */
	struct config_secret admin_password;   /* lines of base/password.h; count 0: not by password */
	const char *tls_certificate, *tls_key; /* files; both or none (NULL) */
	struct config_place tls_place;         /* of the certificate's key; line 0: none */
	struct config_list proxies;            /* addresses and networks whose X-Forwarded-* count */
	struct config_list allow_private; /* "10.0.0.0/8", "127.0.0.1:8090", "nas.local:5232" */
	int64_t keep_ms[CONFIG_KEEPS];    /* of tenants that say nothing else; or CONFIG_FOREVER */
	int64_t find_gaps_ms;             /* how often; 0: never */
	bool fetch_gaps;
};

enum config_language { CONFIG_DE, CONFIG_EN };

struct config_tenant {
	const char *name;     /* "praxis-winter" */
	const char *title;    /* what people call it; the name if not given */
	const char *timezone; /* IANA */
	enum config_language language;
	const char *country;                             /* "DE" */
	struct config_list numbers, agents, event_types; /* how agency events find it */
	struct config_secret token;                      /* opens its own rows; count 0: closed */
	int64_t keep_ms[CONFIG_KEEPS];                   /* the host's where it says nothing */
	struct config_place place;
};

struct config_span { /* of a day, minutes from midnight */
	int32_t from, to;
};

/* [desk TENANT]: how callers of this tenant are answered during the call. */
struct config_desk {
	const struct config_tenant *tenant;
	const struct config_connection *calendar; /* the tenant's or the agency's */
	const char *email;          /* address for bookings of callers who give none; or NULL */
	int64_t horizon_ms;         /* how far ahead times are offered: 14d */
	int64_t alternatives;       /* how many are said: 2 */
	int64_t hold_ms;            /* how long an offered time is kept: 5m */
	int64_t fresh_ms;           /* how old what the mirror says may be: 10m */
	int64_t refresh_ms;         /* how often the mirror is read again: 5m; 0: never by schedule */
	int64_t notice_ms;          /* nothing is offered that begins sooner: 1h */
	bool by_number;             /* identity = number, name-date: what proves who is calling */
	bool by_name_date;
	const char *state;          /* federal state for public holidays, "BE"; "" */
	struct config_span early, morning, noon, afternoon, early_afternoon, late_afternoon, evening;
	int64_t about_ms;           /* "gegen", "around": 30m */
	struct config_place place;
};

struct config_staff { /* staff = NAME : EVENT_TYPE */
	const char *name, *event_type;
};

struct config_service { /* [service NAME] */
	const struct config_tenant *tenant;
	const char *name, *title;
	struct config_list aliases; /* what callers say */
	int64_t length_ms;
	int64_t price_minor; /* -1: not given */
	const char *currency; /* "EUR"; "" */
	const char *event_type;
	const struct config_connection *calendar; /* NULL: the desk's */
	const struct config_staff *staff;
	size_t staff_count;
	int64_t capacity; /* of the event type, where staff is not named: 1 */
	struct config_place place;
};

struct config_override { /* override = SERVICE duration=45m price="70,00 EUR" event_type=7 active=no */
	const struct config_service *service;
	int64_t length_ms;      /* -1: as everywhere, likewise below */
	int64_t price_minor;
	int active;
	const char *event_type; /* NULL */
};

struct config_branch { /* [branch NAME] */
	const struct config_tenant *tenant;
	const char *name, *title, *address; /* address: "" */
	struct config_list numbers;         /* E.164; unique over all branches */
	const char *agent;                  /* "" */
	int64_t agent_version;              /* -1 */
	const char *state;                  /* "": the desk's */
	const struct config_override *overrides;
	size_t override_count;
	struct config_place place;
};

struct config_rate { /* count in each per_ms; count 0: no limit */
	int64_t count, per_ms;
};

struct config_retry { /* -1 in a pipeline's: as the connection says */
	int64_t max_tries, max_age_ms, base_ms, cap_ms;
};

struct config_limits {
	struct config_rate rate;
	int64_t burst; /* 0: as transfer sees fit */
	int64_t concurrency;
	int64_t breaker_rate; /* percent; above 100: never opens */
	int64_t breaker_volume, breaker_window_ms, breaker_open_ms;
	int64_t timeout_ms;
};

enum config_isolation { CONFIG_WORKER, CONFIG_INLINE };

struct config_worker {
	enum config_isolation isolation;
	int64_t call_timeout_ms; /* one call of the plugin */
};

struct config_poll {
	const char *op;
	int64_t every_ms;
	struct config_place place;
};

struct config_key_place { /* where a key was written */
	const char *key;
	struct config_place place;
};

struct config_connection {
	const char *full;                   /* "praxis-winter/phone", "agency/phone" */
	const char *name;                   /* "phone" */
	const struct config_tenant *tenant; /* NULL: the agency's */
	const char *plugin;
	const struct plugin_info *info; /* NULL: the plugin does not load */
	const char *disabled;           /* then: why, for a person; else NULL */
	/* Options without secrets, fallbacks filled in, one JSON object of texts: durations in
	 * ms, sizes in bytes, "true"/"false"; repeated ones are arrays; "NAME": true for each
	 * secret that is set. */
	struct str options;
	const struct config_secret *secrets;
	size_t secret_count;
	struct config_limits limits;
	struct config_retry retry;
	struct config_worker worker;
	const struct config_poll *polls;
	size_t poll_count;
	struct config_place place;
	const struct config_key_place *keys;
	size_t key_count;
};

struct config_field {
	const char *key, *spec; /* "phone", "phone(DE), required"; spec may be "" */
	struct config_text sql;
	struct config_place place; /* of the key */
};

struct config_mapping {
	const char *full, *name;
	const struct config_tenant *tenant; /* NULL: for every tenant */
	const char *plugin;
	const struct plugin_info *info; /* NULL: the plugin does not load */
	const char *disabled;
	struct str options; /* JSON object, as in connections; those that are no expressions */
	const struct config_field *fields; /* in the order of the file */
	size_t field_count;
	struct config_place place;
	const struct config_key_place *keys;
	size_t key_count;
};

struct config_arg {
	const char *name;
	bool is_sql; /* else value is the text itself */
	struct config_text value;
	struct config_place place; /* of the name */
};

struct config_call {                   /* what a step does */
	const char *mapping;           /* "map NAME": NAME; else NULL */
	const char *connection;        /* "calendar", "desk"; NULL if mapping */
	const char *op;                /* "book"; NULL if mapping */
	bool builtin;                  /* the host's own connection */
	const struct config_arg *args; /* merged over the input */
	size_t arg_count;
	struct config_place place;
};

struct config_step {
	const char *name; /* its result is steps.NAME; unique in the pipeline */
	struct config_call call;
	struct config_text in;        /* text.ptr NULL: result of the mapping or step before it */
	struct config_text at;        /* the instant; text.ptr NULL: at once */
	int64_t at_offset_ms;         /* added to it */
	struct config_list cancel_on; /* event types; empty: nothing cancels it */
	const struct config_call *otherwise; /* NULL: none */
};

struct config_pipeline {
	const char *full, *name;
	const struct config_tenant *tenant; /* NULL: for every tenant */
	struct config_list on;
	struct config_text when;     /* text.ptr NULL: always */
	int64_t within_ms;           /* a caller waits that long; 0: nobody does */
	struct config_text fallback; /* with within: what is said then, */
	bool fallback_is_sql;        /* … or an expression for it; knows no steps */
	const struct config_call *late; /* with within: done once more is known than what was said
					   in time; `result` in its expressions. NULL: nothing */
	const struct config_step *steps;
	size_t step_count;
	const struct config_call *on_error; /* NULL: none */
	bool strict;                        /* a waiting or parked run keeps its order key */
	struct config_retry retry;
	struct config_place place;
};

const struct config_host *config_host(const struct config *config);

/* In the order of the files. */
const struct config_tenant *config_tenants(const struct config *config, size_t *count);
const struct config_connection *config_connections(const struct config *config, size_t *count);
const struct config_mapping *config_mappings(const struct config *config, size_t *count);
const struct config_pipeline *config_pipelines(const struct config *config, size_t *count);

const struct config_service *config_services(const struct config *config, size_t *count);
const struct config_branch *config_branches(const struct config *config, size_t *count);
const struct config_desk *config_desk_for(
	const struct config *config, const struct config_tenant *tenant); /* NULL: none */

/* NULL: there is none. full: "praxis-winter/phone", "agency/phone". */
const struct config_tenant *config_tenant(const struct config *config, const char *name);
const struct config_connection *config_connection(const struct config *config, const char *full);
const struct config_mapping *config_mapping(const struct config *config, const char *full);
const struct config_pipeline *config_pipeline(const struct config *config, const char *full);

/* What a bare name in a pipeline means for this tenant: the tenant's own, else the agency's. */
const struct config_connection *config_connection_for(
	const struct config *config, const struct config_tenant *tenant, const char *name);
const struct config_mapping *config_mapping_for(
	const struct config *config, const struct config_tenant *tenant, const char *name);

/* Whose is this? For events of agency connections; ask in this order. */
enum config_route { CONFIG_BY_NUMBER, CONFIG_BY_AGENT, CONFIG_BY_EVENT_TYPE };
const struct config_tenant *config_tenant_for(
	const struct config *config, enum config_route by, struct str value);

/* Pipelines that may run for an event of this type: the tenant's and those for every tenant, in
 * the order of the files. tenant NULL: only the latter. */
struct config_pipelines {
	const struct config_pipeline *const *list;
	size_t count;
};
struct config_pipelines config_pipelines_for(
	const struct config *config, const char *event_type, const struct config_tenant *tenant);

/* NULL: not set. */
const struct config_secret *config_secret(
	const struct config_connection *connection, const char *option);

/* ---- The grammar's tables ----------------------------------------------------------------- */

struct config_key {           /* one line of a table; the man page is made of these */
	const char *name;     /* ending in an underscore ("poll_"): any key that begins so */
	const char *type;     /* for a person: "duration", "worker | inline" */
	const char *fallback; /* as it would be written; NULL: none */
	const char *help;
	bool required, repeated;
	/* The parser's own: what it makes of the value, its range, where it goes. */
	uint8_t kind;
	int64_t low, high;
	size_t offset;
};
struct config_section {
	const char *kind; /* "connection" */
	bool named;       /* [connection NAME] */
	const char *help;
	size_t key_count;
	const struct config_key *keys;
};
const struct config_section *config_sections(size_t *count);
void config_help(FILE *out, const char *section_or_null);

/* Nearest of the candidates (Damerau-Levenshtein), or NULL if none is near enough to be meant. For
 * others who tell operators that they do not know a word. */
const char *config_suggest(struct str word, const char *const *candidates, size_t count);

#endif
