/* persons.c - see persons.h. Never reads free text. */
#include "desk/persons.h"

#include <string.h>
#include "base/arena.h"
#include "base/json.h"

#define LIST_MAX 2048

/* "to" is whom a message goes to; of a call it is one end of the line, and the event says which end
 * is the person. */
static const char *const members[] = {"to", "attendee.phone", "attendee.email", "phone", "email",
	"caller.phone", "caller.email", "args.phone", "args.customer_phone", "args.phone_number",
	"args.email", "args.customer_email"};

/* What the store's list of persons may hold: E.164 or an address. */
static bool persons_is_one(struct str text)
{
	size_t i;

	if (!text.len || text.len > 254 || memchr(text.ptr, ' ', text.len))
		return false;
	if (memchr(text.ptr, '@', text.len))
		return true;
	if (text.ptr[0] != '+' || text.len < 7 || text.len > 16)
		return false;
	for (i = 1; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return true;
}

static bool has(struct str list, struct str one)
{
	while (list.len) {
		const char *blank = memchr(list.ptr, ' ', list.len);
		size_t n = blank ? (size_t)(blank - list.ptr) : list.len;
		if (n == one.len && memcmp(list.ptr, one.ptr, n) == 0)
			return true;
		n += n < list.len;
		list.ptr += n;
		list.len -= n;
	}
	return false;
}

static void add(struct buf *out, struct str first, struct str one)
{
	if (!one.len || out->len + one.len >= LIST_MAX || str_eq(one, first) ||
		has((struct str){out->ptr, out->len}, one))
		return;
	if (out->len)
		buf_add_text(out, " ");
	buf_add_str(out, one);
}

static void add_list(struct buf *out, struct str first, struct str list)
{
	while (list.len) {
		const char *blank = memchr(list.ptr, ' ', list.len);
		size_t n = blank ? (size_t)(blank - list.ptr) : list.len;
		add(out, first, (struct str){list.ptr, n});
		n += n < list.len;
		list.ptr += n;
		list.len -= n;
	}
}

static struct str end(struct arena *arena, struct buf *out)
{
	struct str list = STR("");

	if (out->failed)
		arena_fail(arena); /* a row without its owners must not be stored */
	if (out->len)
		list = str_dup(arena, (struct str){out->ptr, out->len});
	buf_finish(out);
	return list.ptr ? list : STR("");
}

struct str persons_in(
	struct arena *arena, struct str first, struct str known, const struct json *data)
{
	struct buf out = {.max = LIST_MAX};
	size_t i;

	add_list(&out, first, known);
	for (i = json_get(data, "direction") ? 1 : 0;
		data && i < sizeof(members) / sizeof(members[0]); i++) {
		struct str one = json_text(json_find(data, members[i]));
		if (persons_is_one(one))
			add(&out, first, one);
	}
	return end(arena, &out);
}

struct str persons_join(struct arena *arena, struct str a, struct str b)
{
	struct buf out = {.max = LIST_MAX};

	if (!b.len)
		return a;
	add_list(&out, STR(""), a);
	add_list(&out, STR(""), b);
	return end(arena, &out);
}
