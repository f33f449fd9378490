/* admin.h - what people and their tools may ask of a host: one place for the command line's
 * socket, the HTTP API and the pages.
 *
 * A request is a JSON object with "verb" and its arguments, an answer a JSON object: either what
 * was asked for, or {"error":{"code","text","place"}}. Verbs:
 *   events, jobs, inbox, calls, appointments  {tenant, type, state, pipeline, connection, subject,
 *                                              correlation, since, until, before, limit} -> {rows}
 *   dead      {tenant, connection, state, pipeline, since, until, before, limit}
 *                                              what needs a person -> {rows}: "kind" job or webhook
 *   show      {id}                             -> {inbox, events, jobs, attempts}; with "exact":
 * and all it takes to play it again (rows.h) retry     {id, resend, reason}             dead or
 * parked, again -> {job} or {inbox} drop      {id, reason}                     -> {job} or {inbox}
 *   replay    {id}                             a webhook again from its raw bytes -> {inbox};
 *                                              with "dry-run": nothing, -> {rows} of it
 *   call      {target, input, timeout_ms}      one operation now -> {job, state, result …}
 *   running   {tenant}                         calls in progress -> {rows, after}: the event after
 *                                              which a live stream goes on
 *   receipt   {tenant, day}                    what a day brought and what became of it -> {rows}
 *   gaps      {tenant, since, fetch}           what vendors list and never came -> {gaps, problems,
 *                                              looked, open}; waits for them
 *   status    {}                               -> counts, sandbox, generation, troubles of
 *                                              connections
 *   plugins   {}                               how they have fared since the start -> {rows}
 *   reload    {}                               -> {generation}
 *   forget    {person, tenant, reason}         a number in any spelling or an address; its key is
 *                                              destroyed -> {receipts}: of each tenant that knew it
 *   export    {person, tenant}                 -> {persons}: all rows, of each tenant
 */
#ifndef HTTP_ADMIN_H
#define HTTP_ADMIN_H

#include "base/str.h"

struct arena;
struct error;
struct json;
struct runner;
struct store;

struct admin {
	const char *state; /* directory */
	struct store *store;
	struct runner *runner;                          /* NULL: no call, reload */
	int (*reload)(void *user, struct error *error); /* NULL: cannot */
	void *user;
	const char *tenant; /* NULL: sees all; else this one only */
	/* What confines plugins here, as plugin_sandbox_report() says it; NULL: not known. */
	const char *sandbox;
	int peer; /* > 0: the socket of who asks and waits, see runner_wait */
};

/* Whether a verb changes something, and so is never a GET; and the whole list of verbs: [{"verb",
 * "changes", "for"}], for "offices" or "operator". */
bool admin_changes(struct str verb);
const struct json *admin_verbs(struct arena *arena);

/* From any thread; opens a reader of its own. May wait (call). Never NULL but for no memory. */
const struct json *admin_answer(const struct admin *admin, struct arena *arena, struct str request);

/* One line of what confines plugins. False: no more. */
struct admin_means {
	struct str name, why; /* "yes", or "no (why)" */
	bool there;
};
bool admin_next_means(struct str *rest, struct admin_means *out);

#endif
