/* http.h - what the files of plugin "http" share.
 *
 * What the operator declares is read anew in each call: the plugin keeps nothing. A *declaration*
 * is an operation, a poll or the webhook, named by the beginning of its keys ("op.customer"). A
 * *template* is text with {placeholders}, or JSON whose texts are templates; a *scope* is what
 * placeholders are looked up in. The README is the manual of both.
 */
#ifndef HTTP_H
#define HTTP_H

#include <klinke/sugar.h>

enum {
	HTTP_PAGES = 100,   /* unless the operator allows more */
	HTTP_DEPTH = 32,    /* of a template */
	HTTP_ITEMS = 5000,  /* of a page: as many as a call may emit */
	HTTP_LONGEST = 4096 /* a cursor, a mark, an address: they are kept in the run's state */
};

struct http_decl {
	kl_call *c;
	const kl_val *config;
	kl_str prefix; /* "op.customer", "poll.events", "hook" */
};

/* The value of prefix.key, of prefix itself if key is ""; nothing if it is not set. */
kl_str http_key(const struct http_decl *decl, const char *key);
/* The same, or that of hook.key: what webhook and poll have in common is said once. */
kl_str http_shared(const struct http_decl *decl, const char *key);
struct http_decl http_decl(kl_call *c, const kl_val *config, const char *kind, kl_str name);

/* ---- text.c --------------------------------------------------------------------------------- */

struct http_scope {
	kl_call *c;
	const kl_val *root; /* {a.b} and {/a/b} */
	kl_val *dollars;    /* {$key}, {$input.a} … an object */
	kl_str missing;     /* the first placeholder that had no value and needs one */
};

kl_str http_instant(kl_call *c, int64_t ms); /* "2026-11-26T16:15:00Z" */
struct http_scope http_scope(kl_call *c, const kl_val *root);
void http_dollar(struct http_scope *scope, const char *name, kl_str text);

/* One piece off the front of a template: literal text, or (and then *expr is set) what stands
 * between braces. 0: nothing is left. */
int http_piece(kl_call *c, kl_str *rest, kl_str *literal, kl_str *expr);

const kl_val *http_find(kl_call *c, const kl_val *value, kl_str path);
/* NULL: no such value, or null. */
const kl_val *http_value(struct http_scope *scope, kl_str path);
/* The template with its values. percent: each of them is encoded. */
kl_str http_fill(struct http_scope *scope, kl_str text, int percent);
/* The JSON with its values; a text that is one placeholder becomes the value as it is. */
const kl_val *http_shape(struct http_scope *scope, const kl_val *json);
/* NULL, or what is wrong with the template. */
const char *http_text_fault(kl_call *c, kl_str text);
const char *http_shape_fault(kl_call *c, const kl_val *json);
/* "10m", "1h30m" in ms; -1: no duration. */
int64_t http_duration(kl_str text);

/* ---- condition.c ---------------------------------------------------------------------------- */

int http_holds(struct http_scope *scope, kl_str condition);
const char *http_condition_fault(kl_call *c, kl_str condition);

/* ---- request.c ------------------------------------------------------------------------------ */

/* NULL: see *problem (BAD_INPUT), or no memory. */
kl_request *http_request(const struct http_decl *decl, struct http_scope *scope, uint32_t repeat,
	const char **problem);
/* The next page at the address it gave. NULL: it leads away from base_url. */
kl_request *http_request_next(const struct http_decl *decl, struct http_scope *scope, kl_str url);

/* ---- answer.c ------------------------------------------------------------------------------- */

/* $status, $header, $link of an answer, and its JSON as the root. */
struct http_scope http_answer_scope(kl_call *c, const kl_step *s);
/* NULL: it is a success. */
const kl_next *http_refusal(
	const struct http_decl *decl, const kl_step *s, struct http_scope *scope);
/* enum kl_fail of "bad_input", "gone" …; 0: there is no such class. */
uint32_t http_class(kl_str word);
/* The answer lacks what a template needs. */
const kl_next *http_lacks(kl_call *c, const struct http_scope *scope, const char *what);
const char *http_say(kl_call *c, const kl_str *parts, uint32_t count); /* a sentence */
#define HTTP_SAY(c, ...)                                                                           \
	http_say((c), (const kl_str[]){__VA_ARGS__},                                               \
		(uint32_t)(sizeof((kl_str[]){__VA_ARGS__}) / sizeof(kl_str)))

/* ---- page.c: answers of several pages ---------------------------------------------------------
 */

struct http_page {
	kl_str cursor, next; /* what the next page is asked with; both empty: there is none */
	const char *problem; /* it cannot go on */
};
struct http_page http_page(const struct http_decl *decl, const kl_step *s, struct http_scope *scope,
	const kl_val *items);
const kl_val *http_items(const struct http_decl *decl, const kl_val *root);
/* NULL, or why these items cannot be read one by one. */
const char *http_items_fault(kl_call *c, const kl_val *items);

/* ---- events.c ---------------------------------------------------------------------------------
 */

/* The body of a webhook as JSON; NULL: it is none. */
const kl_val *http_hook_body(kl_call *c, const kl_inbound *in);
struct http_scope http_hook_scope(kl_call *c, const kl_inbound *in, const kl_val *body);
/* Emits the event that this item is; 0, or that what is needed is missing, told in scope. */
int http_emit(const struct http_decl *decl, struct http_scope *scope);

/* ---- the functions of the plugin ----------------------------------------------------------------
 */

void http_check(kl_call *c, const kl_val *config);
const kl_answer *http_verify(kl_call *c, const kl_inbound *in);
int http_normalize(kl_call *c, const kl_inbound *in);
const kl_next *http_operation(kl_call *c, const kl_step *s);
const kl_next *http_poll(kl_call *c, const kl_step *s);

#endif
