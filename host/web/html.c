/* html.c - see html.h. Any thread; keeps nothing. */
#include "web/html.h"

void html_escaped(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		switch (text.ptr[i]) {
		case '<':
			buf_add_text(out, "&lt;");
			break;
		case '>':
			buf_add_text(out, "&gt;");
			break;
		case '&':
			buf_add_text(out, "&amp;");
			break;
		case '"':
			buf_add_text(out, "&quot;");
			break;
		case '\'':
			buf_add_text(out, "&#39;");
			break;
		default:
			buf_add(out, &text.ptr[i], 1);
		}
}

void html_begin(struct buf *out, const char *title)
{
	buf_printf(out,
		"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
		"content=\"width=device-width\"><title>%s</title><style>"
		"body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem "
		"auto;padding:0 1rem;"
		"color:#1c1f23;background:#fbfaf8}h1,h2{font-weight:600}a{color:#0b5c7a}table{"
		"border-"
		"collapse:collapse;width:100%%}td,th{text-align:left;padding:.3rem "
		".6rem;border-bottom:1px "
		"solid "
		"#ddd;vertical-align:top}.bad{color:#a3211b;font-weight:600}.good{color:#1d6b3a;"
		"font-weight:600}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px;"
		"background:"
		"#f1efeb;padding:.6rem}</style><p><a href=/>Klinke</a> <a "
		"href=/live>Live</a></p><h1>%s</h1>",
		title, title);
}
