/* case.h - the inside of klinke-case: one case file entry, run against a plugin.
 *
 * A case's result becomes one JSON object ("actual") that is compared with "expect", so that
 * everything a plugin says can be expected by name without code for each member.
 */
#ifndef PLUGIN_CASE_H
#define PLUGIN_CASE_H

#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"
#include "plugin/call.h"

struct session;

struct case_run;

enum case_print {
	CASE_TAP,
	CASE_REQUESTS, /* one JSON object per request on stdout instead */
	CASE_ANSWERS,  /* and per answer of the vendor that a case makes up */
	CASE_EVENTS    /* and per event that the plugin emits */
};

struct case_runner {
	const struct plugin_info *info;
	const struct loaded *loaded; /* in this process, or */
	struct session *session;     /* through a worker */
	enum case_print print;
	bool verbose;
	unsigned run, failed;
	/* Who only wants to know is told instead of anything being printed; see conform/. */
	void (*called)(
		struct case_run *run, const struct plugin_in *in, const struct plugin_out *out);
	void (*ended)(struct case_runner *runner, const char *place, struct str name,
		struct str faults); /* no faults: it passed */
	/* Who learns what a plugin does is told it ("request", "end") and nothing is compared. */
	void (*told)(struct case_run *run, const char *what, const struct json *actual);
	void *user;
};

struct case_run { /* one case */
	struct case_runner *runner;
	struct arena *arena; /* of the case: file, config, what calls returned */
	struct str name;
	const struct json *spec, *config;
	struct str config_text;
	int64_t now_ms;
	struct case_memory *calls; /* what calls returned lives in there */
	struct buf faults;         /* a line each; none: the case passed */
};

void case_fault(struct case_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One call. What it returned stays valid until the case ends. false: the call itself failed, which
 * is noted as a fault. */
bool case_call(struct case_run *run, struct plugin_in *in, struct plugin_out *out);

/* All members of expect must be in actual. */
void case_expect(struct case_run *run, const struct json *expect, const struct json *actual);
/* At a place, "request 2.json"; exact: nothing more may be there. */
void case_compare(struct case_run *run, const char *place, const struct json *expect,
	const struct json *actual, bool exact);

/* What the host does after verify(): all proofs must hold, against any valid value. secrets: by
 * name, each a list of texts. */
bool case_proofs_hold(const struct json *secrets, const struct plugin_out *out);

/* case_file.c */
void case_file(struct case_runner *runner, const char *path);
void case_one(
	struct case_runner *runner, struct arena *arena, const char *path, const struct json *spec);

/* case_kinds.c */
void case_verify(struct case_run *run, const struct json *spec);
void case_normalize(struct case_run *run, const struct json *spec);
void case_reply(struct case_run *run, const struct json *spec);
void case_check(struct case_run *run, const struct json *spec);
void case_map(struct case_run *run, const struct json *spec);
struct plugin_in case_in(const struct case_run *run, enum plugin_kind kind);
struct str case_text_of(struct case_run *run, const struct json *value); /* JSON; NULL: nothing */
struct plugin_pairs case_pairs(struct case_run *run, const struct json *list);
const struct json *case_parse(struct case_run *run, struct str text); /* NULL: not JSON */
void case_add_events(struct case_run *run, struct json *list, const struct plugin_out *out);

/* case_step.c */
void case_step(struct case_run *run, const struct json *spec);

/* case_request.c: what a step sends, and the answer that a case makes up. */
void case_request(struct case_run *run, size_t number, const struct plugin_request *request,
	const struct json *expect);
struct plugin_response *case_answer(
	struct case_run *run, const struct plugin_request *request, const struct json *answer);

#endif
