/* live.c - the page of calls in progress: a list made on the server, which live.js keeps up to date
 * where scripts run, and which is loaded anew every ten seconds where they do not. Any thread but
 * the listener's; keeps nothing. */
#include "web/html.h"

#include "base/json.h"

extern const char web_live_js[];
extern const unsigned long web_live_js_len;

struct str live_script(void)
{
	return (struct str){web_live_js, web_live_js_len};
}

static void attribute(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, " %s=\"", name);
	html_escaped(out, value);
	buf_add_text(out, "\"");
}

/* What live.js makes of an event, too. */
static void one(struct buf *out, const struct json *call)
{
	struct str from = json_get_text(call, "from"), to = json_get_text(call, "to");

	buf_add_text(out, "<section");
	attribute(out, "data-call", json_get_text(call, "call_id"));
	buf_add_text(out, "><h2>");
	html_escaped(out, from.len ? from : STR("unknown"));
	buf_add_text(out, " → ");
	html_escaped(out, to.len ? to : STR("unknown"));
	buf_add_text(out, "</h2><p>");
	html_escaped(out, json_get_text(call, "tenant"));
	buf_add_text(out, " · ");
	html_escaped(out, json_get_text(call, "status"));
	buf_add_text(out, " · since ");
	html_escaped(out, json_get_text(call, "started"));
	buf_add_text(out, "</p></section>");
}

void live_page(const struct admin *admin, struct arena *arena, struct buf *out)
{
	struct json *request = json_object(arena);
	const struct json *answer, *rows;

	json_put_text(arena, request, "verb", STR("running"));
	answer = admin_answer(admin, arena, json_print(arena, request));
	rows = json_get(answer, "rows");
	html_begin(out, "Calls in progress");
	buf_add_text(out, "<noscript><meta http-equiv=refresh content=10></noscript><p id=state>");
	html_escaped(out, json_text(json_find(answer, "error.text")));
	buf_add_text(out, "</p><main id=live");
	attribute(out, "data-after", json_get_text(answer, "after"));
	attribute(out, "data-tenant", str_of(admin->tenant));
	buf_add_text(out, ">");
	for (size_t i = 0; i < json_count(rows); i++)
		one(out, json_at(rows, i, NULL));
	buf_add_text(out, "</main><script src=/live.js></script>");
}
