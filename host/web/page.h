/* page.h - the pages an operator looks at, made on the server. One of them, /live, has a script
 * beside it, and is of use without. */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "http/admin.h"

/* HTTP status; html (of /live.js: the script) in the arena. Every text of the world is escaped. */
unsigned page_render(
	const struct admin *admin, struct arena *arena, struct str path, struct str *html);

/* The form that /login answers with; why: what is said above it, "" for nothing. Never too large
 * for a request's arena. Any thread. */
struct str page_login(struct arena *arena, const char *why);

#endif
