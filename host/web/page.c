/* page.c - overview and story. Any thread but the listener's; keeps nothing.
 *
 * This is the first sketch of the dashboard: did anything go wrong, and what do I do?
 */
#include "web/page.h"

#include "base/arena.h"
#include "base/json.h"
#include "web/html.h"

#define PAGE_MAX ((size_t)32 * 1024 * 1024)

static const struct json *ask(const struct admin *admin, struct arena *arena, const char *request)
{
	return admin_answer(admin, arena, str_of(request));
}

static int64_t jobs_in(const struct json *status, const char *state)
{
	return json_i64(json_get(json_get(status, "jobs"), state), 0);
}

static void verdict(struct buf *out, const struct json *status)
{
	size_t troubles = json_count(json_get(status, "troubles"));
	int64_t parked = jobs_in(status, "parked"), dead = jobs_in(status, "dead");
	int64_t hooks = json_i64(json_get(status, "webhooks_parked"), 0);

	if (json_get(status, "error")) {
		buf_add_text(out, "<p class=bad>The store cannot be read: ");
		html_escaped(out, json_text(json_find(status, "error.text")));
		buf_add_text(out, "</p>");
		return;
	}
	if (troubles)
		buf_add_text(out, "<p class=bad>Connections are in trouble, see below.</p>");
	if (parked + dead + hooks == 0 && !troubles)
		buf_add_text(out, "<p class=good>Nothing needs you.</p>");
	else if (parked + dead + hooks)
		buf_printf(out,
			"<p class=bad>%lld jobs and %lld webhooks need you.</p><p>Open one to see "
			"why; "
			"<code>klinke dead retry ID</code> runs it again, <code>klinke dead drop "
			"ID</code> "
			"lets it go.</p>",
			(long long)parked + dead, (long long)hooks);
	buf_printf(out, "<p>%lld events so far, %lld jobs done, %lld waiting for their time.</p>",
		(long long)json_i64(json_get(status, "events"), 0),
		(long long)jobs_in(status, "done"), (long long)jobs_in(status, "waiting"));
}

static void cell(struct buf *out, struct arena *arena, const char *name, const struct json *value)
{
	buf_printf(out, "<td data-name=\"%s\">", name);
	if (json_type(value) == JSON_TEXT)
		html_escaped(out, json_text(value));
	else if (value)
		html_escaped(out, json_print(arena, value));
	buf_add_text(out, "</td>");
}

static void details(
	struct buf *out, struct arena *arena, const char *name, const struct json *value)
{
	if (!value)
		return;
	buf_printf(out, "<details><summary>%s</summary><pre>", name);
	html_escaped(out,
		json_type(value) == JSON_TEXT ? json_text(value) : json_print_pretty(arena, value));
	buf_add_text(out, "</pre></details>");
}

/* What is long comes folded: headers, bodies, data. */
static void folded(struct buf *out, struct arena *arena, const struct json *row)
{
	static const char *const members[] = {"headers", "body", "data", "input", "output"};
	static const char *const names[] = {"headers", "body", "data", "sent", "answer"};

	buf_add_text(out, "<td>");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		details(out, arena, names[i], json_get(row, members[i]));
	buf_add_text(out, "</td>");
}

struct layout { /* of one table */
	const char *title;
	const char *const *columns;
	size_t count;
	bool links, details;
};

static void table(
	struct buf *out, struct arena *arena, const struct layout *l, const struct json *list)
{
	buf_printf(out, "<h2>%s</h2>", l->title);
	if (!json_count(list)) {
		buf_add_text(out, "<p>None.</p>");
		return;
	}
	buf_add_text(out, "<table><tr>");
	for (size_t i = 0; i < l->count; i++)
		buf_printf(out, "<th>%s</th>", l->columns[i]);
	buf_add_text(out, l->links || l->details ? "<th></tr>" : "</tr>");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *row = json_at(list, i, NULL);
		buf_add_text(out, "<tr>");
		for (size_t k = 0; k < l->count; k++)
			cell(out, arena, l->columns[k], json_get(row, l->columns[k]));
		if (l->details)
			folded(out, arena, row);
		if (l->links) {
			buf_add_text(out, "<td><a href=\"/show/");
			html_escaped(out, json_get_text(row, "id"));
			buf_add_text(out, "\">story</a></td>");
		}
		buf_add_text(out, "</tr>");
	}
	buf_add_text(out, "</table>");
}

/* An office is not told figures of the whole host: what it needs to know stands in the table. */
static void verdict_of_office(struct buf *out, const struct json *needs)
{
	if (json_count(needs) == 0)
		buf_add_text(out, "<p class=good>Nothing needs you.</p>");
	else
		buf_add_text(out, "<p class=bad>Something went wrong, see below.</p>");
}

#define COLUMNS(names) names, sizeof(names) / sizeof(names[0])

/* Those that are disabled, or whose worker has died since the start; nothing if all is well. */
static void plugins_in_trouble(const struct admin *admin, struct arena *arena, struct buf *out)
{
	static const char *const names[] = {
		"plugin", "state", "deaths", "last_death", "last_reason", "problem"};
	static const struct layout layout = {"Plugins in trouble", COLUMNS(names), .links = false};
	const struct json *all = json_get(ask(admin, arena, "{\"verb\":\"plugins\"}"), "rows");
	struct json *bad = json_array(arena);

	for (size_t i = 0; i < json_count(all); i++) {
		const struct json *row = json_at(all, i, NULL);
		if (json_i64(json_get(row, "deaths"), 0) || json_get(row, "problem"))
			json_push(arena, bad, row);
	}
	if (json_count(bad))
		table(out, arena, &layout, bad);
}

static void connections_in_trouble(struct arena *arena, struct buf *out, const struct json *status)
{
	static const char *const names[] = {"connection", "trouble", "at", "until", "remedy"};
	static const struct layout layout = {
		"Connections in trouble", COLUMNS(names), .links = false};
	const struct json *list = json_get(status, "troubles");

	if (json_count(list))
		table(out, arena, &layout, list);
}

static void overview(const struct admin *admin, struct arena *arena, struct buf *out)
{
	static const char *const failed[] = {
		"updated", "tenant", "what", "state", "fail", "reason", "advice"};
	static const char *const events[] = {"time", "type", "tenant", "source", "subject"};
	static const struct layout needs = {"Needs you", COLUMNS(failed), .links = true};
	static const struct layout latest = {"Latest events", COLUMNS(events), .links = true};

	const struct json *dead =
		json_get(ask(admin, arena, "{\"verb\":\"dead\",\"limit\":20}"), "rows");
	const struct json *status =
		admin->tenant ? NULL : ask(admin, arena, "{\"verb\":\"status\"}");

	html_begin(out, "Klinke");
	if (admin->tenant)
		verdict_of_office(out, dead);
	else
		verdict(out, status);
	if (json_count(dead))
		table(out, arena, &needs, dead);
	connections_in_trouble(arena, out, status);
	if (!admin->tenant)
		plugins_in_trouble(admin, arena, out);
	table(out, arena, &latest,
		json_get(ask(admin, arena, "{\"verb\":\"events\",\"limit\":30}"), "rows"));
}

static unsigned story(
	const struct admin *admin, struct arena *arena, struct str id, struct buf *out)
{
	static const char *const hooks[] = {
		"received", "connection", "route", "state", "reason", "advice"};
	static const char *const events[] = {"time", "type", "subject", "source"};
	static const char *const jobs[] = {
		"created", "pipeline", "op", "state", "fail", "reason", "advice"};
	static const char *const attempts[] = {
		"started", "name", "outcome", "method", "url", "status", "took_us", "note"};
	static const struct layout tables[] = {{"Webhooks", COLUMNS(hooks), .details = true},
		{"Events", COLUMNS(events), .details = true},
		{"Jobs", COLUMNS(jobs), .links = false},
		{"Steps and requests", COLUMNS(attempts), .details = true}};
	static const char *const lists[] = {"inbox", "events", "jobs", "attempts"};
	struct json *request = json_object(arena);
	const struct json *s;

	json_put_text(arena, request, "verb", STR("show"));
	json_put_text(arena, request, "id", id);
	s = admin_answer(admin, arena, json_print(arena, request));
	html_begin(out, "Story");
	if (json_get(s, "error")) {
		buf_add_text(out, "<p>");
		html_escaped(out, json_text(json_find(s, "error.text")));
		buf_add_text(out, "</p>");
		return 404;
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		table(out, arena, &tables[i], json_get(s, lists[i]));
	return 200;
}

struct str page_login(struct arena *arena, const char *why)
{
	struct buf out;
	struct str html;

	buf_init(&out, 64 * 1024);
	html_begin_outside(&out, "Log in");
	if (why[0]) {
		buf_add_text(&out, "<p class=bad>");
		html_escaped(&out, str_of(why));
		buf_add_text(&out, "</p>");
	}
	buf_add_text(&out,
		"<form method=post action=/login><p><label>Password or token<br><input "
		"type=password name=secret autocomplete=current-password required autofocus>"
		"</label> <button>Log in</button></form>");
	html = str_dup(arena, (struct str){out.ptr, out.len});
	buf_finish(&out);
	return html;
}

unsigned page_render(
	const struct admin *admin, struct arena *arena, struct str path, struct str *html)
{
	struct buf out;
	unsigned status = 200;

	buf_init(&out, PAGE_MAX);
	if (str_is(path, "/"))
		overview(admin, arena, &out);
	else if (str_is(path, "/live"))
		live_page(admin, arena, &out);
	else if (str_is(path, "/live.js"))
		buf_add_str(&out, live_script());
	else if (path.len > 6 && str_eq((struct str){path.ptr, 6}, STR("/show/")))
		status = story(admin, arena, (struct str){path.ptr + 6, path.len - 6}, &out);
	else {
		html_begin(&out, "Not here");
		status = 404;
	}
	*html = str_dup(arena, (struct str){out.ptr, out.len});
	buf_finish(&out);
	return status;
}
