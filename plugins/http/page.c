/* page.c - answers that come in pages: the items of one, and how the next one is asked for.
 *
 * Never goes in circles: a page that leads to itself, and more pages than were allowed, end with a
 * sentence. A pure function; any thread.
 */
#include "http.h"

const kl_val *http_items(const struct http_decl *decl, const kl_val *root)
{
	kl_str path = http_key(decl, "items");

	if (!path.ptr)
		return root;
	return decl->c->host->find(root, kl_eq(path, "/") ? "" : path.ptr);
}

const char *http_items_fault(kl_call *c, const kl_val *items)
{
	if (c->host->type(items) != KL_ARRAY)
		return "there is no list where \"items\" says";
	if (c->host->count(items) > HTTP_ITEMS)
		return "there are more than 5000 items at once; ask for fewer";
	return 0;
}

static kl_str filled(struct http_scope *scope, kl_str text)
{
	struct http_scope mine = *scope; /* nothing there is the end, no fault */
	kl_str none = {0, 0, 0}, out;

	if (!text.ptr)
		return none;
	out = http_fill(&mine, text, 0);
	return mine.missing.ptr ? none : out;
}

static int64_t most_pages(const struct http_decl *decl)
{
	return decl->c->host->i64(
		decl->c->host->from_json(decl->c, http_key(decl, "pages")), HTTP_PAGES);
}

static int same(kl_str a, kl_str b)
{
	return a.len == b.len && a.ptr && b.ptr && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static struct http_page trouble(const char *problem)
{
	struct http_page page = {{0, 0, 0}, {0, 0, 0}, problem};

	return page;
}

struct http_page http_page(const struct http_decl *decl, const kl_step *s, struct http_scope *scope,
	const kl_val *items)
{
	kl_call *c = decl->c;
	struct http_page page = {{0, 0, 0}, {0, 0, 0}, 0};
	kl_str more = http_key(decl, "more");
	uint32_t count = c->host->type(items) == KL_ARRAY ? c->host->count(items) : 0;

	if (more.ptr && !http_holds(scope, more))
		return page;
	if (count) {
		kl_set(c, scope->dollars, "first", c->host->at(items, 0, 0));
		kl_set(c, scope->dollars, "last", c->host->at(items, count - 1, 0));
	}
	page.next = filled(scope, http_key(decl, "next"));
	page.cursor = filled(scope, http_key(decl, "cursor"));
	if (!page.next.len && !page.cursor.len)
		return page;
	if ((page.next.len && same(page.next, kl_text(c, s->state, "next"))) ||
		(page.cursor.len && same(page.cursor, kl_text(c, s->state, "cursor"))))
		return trouble("the next page is the same as this one");
	if (page.next.len > HTTP_LONGEST || page.cursor.len > HTTP_LONGEST)
		return trouble("what leads to the next page is longer than 4096 bytes");
	if (kl_i64(c, s->state, "page", 0) + 1 >= most_pages(decl))
		return trouble("there are more pages than \"pages\" allows; ask for less at once, "
			       "or allow more");
	return page;
}
