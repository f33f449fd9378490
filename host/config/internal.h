/* internal.h - what the files of this room share: the text as read, the loader, its helpers.
 *
 * A load has two halves. source.c and document.c turn files into sections of entries (nothing is
 * interpreted yet, values are pieces of the file); the others turn sections into struct config.
 * Memory is taken from two arenas, the config's own and the loader's; when one has no more,
 * take() jumps back to config_load(), which is why nothing here tests for NULL, and why nothing
 * between the two may own memory of another kind.
 */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include <setjmp.h>
#include <stdatomic.h>
#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"

#define LITERAL_MARK "${!literal}" /* stands in a snapshot where a literal secret was */
#define AGENCY "agency"            /* owner of what belongs to no tenant */
#define NAME_MAX_LEN 64

/* ---- The text as read --------------------------------------------------------------------- */

struct segment {         /* one physical line of a value */
	struct str text; /* without blanks around it */
	struct str raw;  /* the whole line */
	uint32_t line, col;
};

struct entry { /* key = value */
	const char *key;
	struct config_place place;
	struct segment *segments;
	size_t segment_count;
	const struct section *home;
	bool redact; /* a literal secret: the snapshot leaves the value out */
};

struct item { /* an entry as seen from a section that has or inherits it */
	struct entry *entry;
	bool used;
};

struct section {
	const char *kind, *name; /* name "": none */
	struct config_place place;
	struct str raw;
	struct entry **own;
	size_t own_count;
	struct item *items; /* own and inherited, see section_inherit() */
	size_t item_count;
	bool broken;     /* its header cannot be read: keys are swallowed */
	bool inherits;   /* being resolved, against circles */
	bool incomplete; /* its template was not found, which was told */
	bool resolved, used;
};

struct source { /* one file; its bytes may hold secrets and are wiped at the end of the load */
	struct source *next;
	const struct source *parent; /* included by */
	const char *name, *identity;
	struct buf bytes;
};

/* ---- The config --------------------------------------------------------------------------- */

struct secret_block {
	struct secret_block *next;
	size_t len;
	char bytes[];
};

struct pipeline_set { /* what config_pipelines_for() answers for one pair */
	const char *event;
	const struct config_tenant *tenant;
	struct config_pipelines pipelines;
};

struct route_entry { /* sorted, for config_tenant_for() */
	const char *value;
	size_t number; /* of the tenant */
	const struct config_tenant *tenant;
	const struct noted *noted; /* during the load only */
};

struct routes {
	struct route_entry *list;
	size_t count;
};

struct config {
	atomic_uint refs;
	struct arena *arena;
	struct secret_block *secrets;
	struct str snapshot;
	struct config_host host;
	struct config_tenant *tenants;
	struct config_connection *connections;
	struct config_mapping *mappings;
	struct config_pipeline *pipelines;
	struct config_desk *desks;
	struct config_service *services;
	struct config_branch *branches;
	size_t tenant_count, connection_count, mapping_count, pipeline_count;
	size_t desk_count, service_count, branch_count;
	/* Sorted by full name, for bsearch. */
	const struct config_tenant **tenants_by_name;
	const struct config_connection **connections_by_name;
	const struct config_mapping **mappings_by_name;
	const struct config_pipeline **pipelines_by_name;
	const struct config_desk **desks_by_name;
	struct routes routes[3];   /* by enum config_route */
	struct pipeline_set *sets; /* sorted by event, tenant */
	size_t set_count;
};

struct claim { /* a full name that is taken */
	const struct section *section;
	const char *full;
};

struct noted { /* where an element of a list was written */
	const char *element, *shown;
	struct config_place place;
};

struct loader {
	struct config *config;
	struct arena *arena;   /* the config's */
	struct arena *scratch; /* gone after the load */
	struct config_faults *faults;
	struct config_context ctx;
	const char *base; /* directory that relative names of a snapshot refer to; "": ours */
	bool from_snapshot;
	struct source *sources;
	size_t source_count;
	struct section **sections;
	size_t section_count;
	bool lost;           /* a section of a kind nobody knows: it may have been any */
	struct section *top; /* of the file being read: what stands before its first header */
	struct noted *noted; /* of the section in hand */
	size_t noted_count;
	struct claim *claims;
	size_t claim_count;
	const char **events; /* known event types */
	size_t event_count;
	struct buf zones; /* the system's zone.tab, once somebody asked */
	struct buf secret_file;
	jmp_buf nomem;
};

/* ---- Memory: never NULL ------------------------------------------------------------------- */

void *take(struct loader *loader, struct arena *arena, size_t n); /* zeroed */
char *take_text(struct loader *loader, struct str text);          /* in the config's arena */
char *take_printf(struct loader *loader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A list of count elements grown by one; answers its new home, the new element is zeroed. */
void *take_more(struct loader *loader, struct arena *arena, void *list, size_t count, size_t size);
#define PUSH(loader, arena, list, count)                                                           \
	((list) = take_more((loader), (arena), (list), (count), sizeof(*(list))),                  \
		&(list)[(count)++])

/* ---- Faults ------------------------------------------------------------------------------- */

void fault(struct loader *loader, struct config_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void warn(struct loader *loader, struct config_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "; did you mean \"x\"?" or "". */
const char *hint(
	struct loader *loader, struct str word, const char *const *candidates, size_t count);
void faults_sort(struct config_faults *faults);

/* ---- Files and sections: source.c, document.c, files.c ------------------------------------ */

void source_parse(struct loader *loader, const char *name, struct str text);
void document_read(struct loader *loader, const char *path);
/* Merges the templates that sections name with `like`, checks kinds, names and repeats. */
void document_resolve(struct loader *loader);
struct section *document_first(struct loader *loader, const char *kind);
/* The section's next item of that key after `after` (NULL: its first), marked as used. */
struct item *section_next(struct section *section, const char *key, struct item *after);
void snapshot_make(struct loader *loader);

int files_read(struct loader *loader, struct error *error, const char *path, struct buf *out,
	unsigned *mode);
int files_read_default(struct error *error, const char *path, struct buf *out, unsigned *mode);
int files_list(struct loader *loader, struct error *error, const char *pattern,
	void (*found)(void *arg, const char *path), void *arg);
/* What a relative path that stands in file means: beside that file. */
const char *files_beside(struct loader *loader, const char *file, struct str path);
void wipe(struct buf *buf); /* zeroes and frees */

/* ---- Values: expand.c, value.c ------------------------------------------------------------ */

struct anchor { /* from this byte of the value on, this is the place */
	size_t at;
	uint32_t line, col;
	bool fixed;  /* all of it is at that place */
	bool hidden; /* came from ${ENV}: not to be shown */
};

struct value {
	struct str text;
	const struct anchor *anchors;
	size_t anchor_count;
	struct config_place place; /* of the first byte */
	const struct entry *entry; /* NULL: a fallback of a table */
};

/* Continuation lines are joined with join. False: a fault was told. */
bool value_expand(struct loader *loader, struct value *out, const struct entry *entry, char join);
/* Only tells what is wrong with it: nobody knows what it means. */
void value_look(struct loader *loader, const struct entry *entry);
bool value_expand_secret(struct loader *loader, struct str *out, const struct entry *entry);
struct config_place value_place(const struct value *value, size_t offset);
/* What may be quoted in a fault: as written, not expanded, not long. word is a part of value. */
const char *value_shown(struct loader *loader, const struct value *value);
const char *value_word(struct loader *loader, const struct value *value, struct str word);
bool value_hidden(const struct value *value, struct str part); /* any of it is from ${ENV} */

/* secret.c. Adds one value; live: the same secret of today's configuration, or NULL. */
void secret_add(struct loader *loader, struct config_secret *secret, struct entry *entry,
	const struct config_secret *live);
bool secret_is_literal(const struct entry *entry); /* neither ${ENV} nor @FILE */
bool is_quoted(struct str text);                   /* "…" or '…' */
bool secret_left_out(const struct loader *loader, const struct entry *entry);
char *secret_memory(struct loader *loader, size_t len); /* wiped with the config */

struct str str_trim(struct str s);
bool str_name_ok(struct str s); /* letters, digits, "_" and "-", not too long */
/* Next word of a list that is separated by commas or blanks; false: no more. */
bool str_word(struct str *rest, struct str *word);
bool parse_int(struct str s, int64_t *out);
bool parse_ms(struct str s, int64_t *out);
bool parse_bytes(struct str s, int64_t *out);
bool parse_rate(struct str s, struct config_rate *out);
bool parse_bool(struct str s, bool *out);
bool parse_choice(struct str s, const char *choices, int *out); /* "a | b" or "a b" */
bool parse_url(struct str s);
bool parse_net(struct str s);
bool parse_listen(struct str s, bool *loopback);
bool parse_number(struct str s, char out[20]);          /* to E.164 */
bool parse_span(struct str s, struct config_span *out); /* as written: may end before it begins */
bool parse_price(struct str s, int64_t *minor, const char **currency); /* "89,00 EUR" */
bool parse_email(struct str s);

/* ---- Tables: table.c, apply.c ------------------------------------------------------------- */

enum key_kind {
	K_OTHER, /* read by its section's own code */
	K_TEXT,
	K_INT,
	K_BOOL,
	K_MS,
	K_BYTES,
	K_RATE,
	K_CHOICE,
	K_PATH,
	K_PATHS,
	K_SECRET,
	K_LISTEN,
	K_NETS,
	K_ZONE,
	K_COUNTRY,
	K_WORDS,
	K_NUMBERS,
	K_EVENTS,
	K_SQL,
	K_WORD,
	K_PHRASES,
	K_SPAN,
	K_EMAIL,
	K_STATE,
	K_KEEP
};

const struct config_section *table_find(const char *kind);
bool table_has(const struct config_section *table, const char *key);
/* Fills target from the section by the table's offsets; tells what is missing, repeated, wrong. */
void apply_table(struct loader *loader, struct section *section, void *target);
/* Tells every key that nobody used; the names in more are suggested too. */
void apply_leftovers(
	struct loader *loader, struct section *section, const char *const *more, size_t more_count);
/* tenant = NAME, NULL if not given or not known; answers the full name. Tells all that is wrong. */
const char *apply_owner(
	struct loader *loader, struct section *section, const struct config_tenant **tenant);
void apply_list(struct loader *loader, struct config_list *out, const char **list, size_t count);

/* One expression, checked: the bytes [from, to) of value. */
struct config_text take_sql(struct loader *loader, const struct value *value, size_t from,
	size_t to, const char *const *step_names);

/* ---- Sections ----------------------------------------------------------------------------- */

void load_host(struct loader *loader);
void load_tenants(struct loader *loader);
void load_connections(struct loader *loader);
void load_mappings(struct loader *loader);
void load_desks(struct loader *loader);
void load_services(struct loader *loader);
void load_branches(struct loader *loader);
void load_pipelines(struct loader *loader);
bool is_step_key(const char *key); /* "step", or of those that stand below it */
void index_pipelines(struct loader *loader);
int pipeline_set_compare(
	const struct pipeline_set *set, const char *event, const struct config_tenant *tenant);

/* Leads the numbers of branches to their tenants too; tells those that lead to another one. */
void route_numbers(struct loader *loader, const struct route_entry *list, size_t count);
/* Where an element of a list was written; of the section in hand. */
const struct noted *noted_of(const struct loader *loader, const char *element);
bool state_known(const char *state); /* a federal state of Germany, as desk/holiday.h has them */
const char *state_hint(struct loader *loader, struct str state);

/* A state where only Germany has some: told. */
void check_state(struct loader *loader, struct section *section, const char *state,
	const struct config_tenant *tenant);
/* calendar = NAME of a section, else that name; NULL: none, or told. */
const struct config_connection *calendar_of(struct loader *loader, struct section *section,
	const struct config_tenant *tenant, const char *otherwise);

bool zone_known(struct loader *loader, const char *zone);
const char *zone_hint(struct loader *loader, struct str zone);

/* NULL and told: no such plugin, or none named. *disabled: why it does not load. */
const char *plugin_of(struct loader *loader, struct section *section,
	const struct plugin_info **info, const char **disabled);
struct plugin_use { /* what the options of a section are checked against */
	const struct plugin_info *info;
	bool mapping;
	struct config_secret *secrets;
	size_t secret_count;
	struct config_field *fields;
	size_t field_count;
	struct str options;
};
void options_load(struct loader *loader, struct section *section, struct plugin_use *use);

/* step = …, otherwise = …, on_error = …: false after telling. names: steps before it. */
bool call_parse(struct loader *loader, struct config_call *out, const struct value *value,
	const struct config_tenant *tenant, const char *const *names);
/* input.c: tells arguments that the operation does not know, and what it needs and is not given. fed: a
 * mapping or in = may give more. Of a call that was parsed well. */
void input_check(struct loader *loader, const struct config_call *call,
	const struct config_tenant *tenant, bool fed);
/* "(SQL)" and nothing after it, or "text", or text as it stands: false after telling. */
bool say_parse(
	struct loader *loader, struct config_text *out, bool *is_sql, const struct value *value);
/* KEY=VALUE … from that byte of the value on: false after telling. */
bool args_parse(struct loader *loader, const struct config_arg **args, size_t *count,
	const struct value *value, size_t from);
const struct plugin_op *plugin_op_find(const struct plugin_info *info, const char *name);

/* declared.c: info with the operations and event types that this section's keys declare in place of
 * the patterns ("op.*") that the plugin does; info itself if it has none. */
const struct plugin_info *declared_info(
	struct loader *loader, const struct plugin_info *info, const struct section *section);

#endif
