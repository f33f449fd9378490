/* html.c - see html.h. Any thread; keeps nothing. */
#include "web/html.h"

extern const char web_style_css[];
extern const unsigned long web_style_css_len;

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

static void head(struct buf *out, const char *title)
{
	buf_printf(out,
		"<!doctype html><html lang=en><meta charset=utf-8>"
		"<meta name=viewport content=\"width=device-width\"><title>%s</title><style>",
		title);
	buf_add_str(out, (struct str){web_style_css, web_style_css_len});
	buf_add_text(out, "</style>");
}

void html_begin_outside(struct buf *out, const char *title)
{
	head(out, title);
	buf_printf(out, "<h1>%s</h1>", title);
}

void html_begin(struct buf *out, const char *title)
{
	head(out, title);
	buf_printf(out,
		"<nav><a href=/>Klinke</a> <a href=/live>Live</a>"
		"<form method=post action=/logout><button>Log out</button></form></nav>"
		"<h1>%s</h1>",
		title);
}
