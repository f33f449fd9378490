/* html.h - what all pages are made of, for the files of this room only. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include "http/admin.h"

struct buf;

/* The head, the ways to the other pages and out, and the title. */
void html_begin(struct buf *out, const char *title);
/* The same for who has not logged in. */
void html_begin_outside(struct buf *out, const char *title);
void html_escaped(struct buf *out, struct str text); /* for text and attributes in quotes */

/* live.c: calls in progress, and the script that keeps them up to date. */
void live_page(const struct admin *admin, struct arena *arena, struct buf *out);
struct str live_script(void);

#endif
