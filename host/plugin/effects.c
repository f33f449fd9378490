/* effects.c - what a plugin asks for during a call, checked, copied and noted.
 *
 * Never acts on anything: whoever made the call does, once it has succeeded. Runs on the thread
 * that runs the plugin's function.
 */
#include "plugin/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_TEXT ((size_t)64 * 1024) /* of a const char * */
#define MOST_SIZE 4096u               /* of a struct of the ABI: more is not a size */
#define MOST_ITEMS 65536u             /* of a list */
#define MOST_PIECES 64u

static struct host_call *of(kl_call *c)
{
	return (struct host_call *)(void *)c;
}

void host_violate(struct host_call *call, const char *format, ...)
{
	char text[300];
	va_list args;

	if (call->violation)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	call->violation = arena_strndup(call->arena, text, strlen(text));
	if (!call->violation)
		call->violation = "it ran out of memory";
}

/* ---- reading ------------------------------------------------------------------------------ */

bool host_read(struct host_call *call, void *to, const void *from, uint32_t size, const char *what)
{
	uint32_t theirs;

	memset(to, 0, size);
	if (!from || (uintptr_t)from % _Alignof(void *)) {
		host_violate(call, "%s is %s", what, from ? "not aligned" : "NULL");
		return false;
	}
	memcpy(&theirs, from, sizeof(theirs));
	if (theirs < size || theirs > MOST_SIZE) {
		host_violate(call, "%s.size is %u; set it to sizeof, which is at least %u", what,
			theirs, size);
		return false;
	}
	memcpy(to, from, size);
	return true;
}

struct str host_read_bytes(struct host_call *call, kl_str s, const char *what)
{
	if (!s.ptr && s.len)
		host_violate(call, "%s has %u bytes at NULL", what, s.len);
	if (s.ptr && s.len > call->limits.memory)
		host_violate(call, "%s is longer than a call may be", what);
	if (!s.ptr || call->violation)
		return (struct str){0};
	return str_dup(call->arena, (struct str){s.ptr, s.len});
}

struct str host_read_string(struct host_call *call, kl_str s, const char *what)
{
	struct str copy = host_read_bytes(call, s, what);

	if (copy.ptr && !str_utf8_ok(copy)) {
		host_violate(call, "%s is not UTF-8", what);
		return (struct str){0};
	}
	return copy;
}

struct str host_read_text(struct host_call *call, const char *text, const char *what)
{
	size_t len = text ? strnlen(text, MOST_TEXT + 1) : 0;

	if (len > MOST_TEXT) {
		host_violate(call, "%s is longer than 64 KiB", what);
		return (struct str){0};
	}
	return host_read_string(call, (kl_str){text, (uint32_t)len, 0}, what);
}

struct str host_read_json(struct host_call *call, const kl_val *value)
{
	return json_print(call->arena, host_tree(value));
}

static bool host_read_list(struct host_call *call, kl_list list, uint32_t element, const char *what)
{
	if (!list.count)
		return false;
	if (!list.ptr || (uintptr_t)list.ptr % _Alignof(void *))
		host_violate(call, "%s has %u elements at %s", what, list.count,
			list.ptr ? "an odd address" : "NULL");
	else if (list.stride < element || list.stride > MOST_SIZE || list.stride % _Alignof(void *))
		host_violate(call, "%s.stride is %u; set it to sizeof the element, at least %u",
			what, list.stride, element);
	else if (list.count > MOST_ITEMS)
		host_violate(
			call, "%s has %u elements; %u are the most", what, list.count, MOST_ITEMS);
	return !call->violation;
}

static const void *element(kl_list list, uint32_t i)
{
	return (const char *)list.ptr + (size_t)i * list.stride;
}

struct plugin_pairs host_read_pairs(struct host_call *call, kl_list list, const char *what)
{
	struct plugin_pairs pairs = {0};
	struct plugin_pair *items;
	uint32_t i;

	if (!host_read_list(call, list, sizeof(kl_pair), what))
		return pairs;
	items = arena_alloc(call->arena, list.count * sizeof(*items));
	if (!items)
		return pairs;
	for (i = 0; i < list.count; i++) {
		const kl_pair *pair = element(list, i);
		items[i].name = host_read_string(call, pair->name, what);
		items[i].value = host_read_bytes(call, pair->value, what);
		if (!items[i].name.len)
			host_violate(call, "%s[%u] has no name", what, i);
	}
	pairs.items = items;
	pairs.count = list.count;
	return pairs;
}

/* ---- lists -------------------------------------------------------------------------------- */

struct list_kind {
	const char *name;
	uint32_t size;
	uint32_t most;
};

/* The lists of plugin_out differ in their element only. */
struct any_list {
	void *items;
	uint32_t count;
};
_Static_assert(sizeof(((struct plugin_out *)0)->macs) == sizeof(struct any_list), "same layout");

static void *list_at(struct plugin_out *out, enum host_list list)
{
	switch (list) {
	case HOST_MACS:
		return &out->macs;
	case HOST_SECRETS:
		return &out->secrets;
	case HOST_EVENTS:
		return &out->events;
	case HOST_STARTS:
		return &out->starts;
	case HOST_PROBLEMS:
		return &out->problems;
	default:
		return &out->logs;
	}
}

static struct list_kind list_kind(const struct host_call *call, enum host_list list)
{
	switch (list) {
	case HOST_MACS:
		return (struct list_kind){"require_mac()", sizeof(struct plugin_mac), 16};
	case HOST_SECRETS:
		return (struct list_kind){"require_secret()", sizeof(struct plugin_secret), 16};
	case HOST_EVENTS:
		return (struct list_kind){
			"emit()", sizeof(struct plugin_event), call->limits.events};
	case HOST_STARTS:
		return (struct list_kind){
			"start()", sizeof(struct plugin_start), call->limits.events};
	case HOST_PROBLEMS:
		return (struct list_kind){
			"problem()", sizeof(struct plugin_complaint), call->limits.notes};
	default:
		return (struct list_kind){"log()", sizeof(struct plugin_note), call->limits.notes};
	}
}

static void *grown(
	struct host_call *call, const struct any_list *old, uint32_t size, uint32_t *capacity)
{
	uint32_t more = *capacity ? 2 * *capacity : 4;
	void *items = arena_take(call->arena, (size_t)more * size);

	if (!items)
		return NULL;
	if (old->count)
		memcpy(items, old->items, (size_t)old->count * size);
	*capacity = more;
	return items;
}

/* A new zeroed element at the end of one of out's lists; NULL after a violation. */
static void *host_append(struct host_call *call, enum host_list list)
{
	struct list_kind kind = list_kind(call, list);
	void *where = list_at(call->out, list);
	struct any_list mine;
	void *item;

	memcpy(&mine, where, sizeof(mine));
	if (call->violation)
		return NULL;
	if (mine.count >= kind.most) {
		host_violate(call, "%s was called more than %u times", kind.name, kind.most);
		return NULL;
	}
	if (mine.count == call->capacities[list]) {
		void *items = grown(call, &mine, kind.size, &call->capacities[list]);
		if (!items)
			return NULL;
		mine.items = items;
	}
	item = (char *)mine.items + (size_t)mine.count * kind.size;
	mine.count++;
	memcpy(where, &mine, sizeof(mine));
	return memset(item, 0, kind.size);
}

/* Is this effect one of the call that runs? */
static bool allowed(struct host_call *call, const char *name, unsigned kinds)
{
	if (call->violation)
		return false;
	if (!(kinds & 1u << call->kind)) {
		host_violate(call, "%s is not for this kind of call; see plugin.h", name);
		return false;
	}
	return true;
}

/* ---- the effects -------------------------------------------------------------------------- */

static const struct str *read_pieces(
	struct host_call *call, kl_list list, size_t *count, const char *what)
{
	struct str *pieces;
	uint32_t i;

	*count = 0;
	if (list.count > MOST_PIECES)
		host_violate(call, "%s has more than %u elements", what, MOST_PIECES);
	if (!host_read_list(call, list, sizeof(kl_str), what))
		return NULL;
	pieces = arena_alloc(call->arena, list.count * sizeof(*pieces));
	if (!pieces)
		return NULL;
	for (i = 0; i < list.count; i++) {
		const kl_str *piece = element(list, i);
		pieces[i] = host_read_bytes(call, *piece, what);
	}
	*count = list.count;
	return pieces;
}

void host_require_mac(kl_call *c, const kl_mac *mac)
{
	struct host_call *call = of(c);
	struct plugin_mac *note;
	kl_mac m;

	if (!allowed(call, "require_mac()", 1u << PLUGIN_VERIFY) ||
		!host_read(call, &m, mac, sizeof(m), "require_mac(): mac"))
		return;
	note = host_append(call, HOST_MACS);
	if (!note)
		return;
	note->hash = host_read_text(call, m.hash, "require_mac(): mac.hash");
	note->secret = host_read_text(call, m.secret, "require_mac(): mac.secret");
	note->pieces = read_pieces(call, m.pieces, &note->piece_count, "require_mac(): mac.pieces");
	note->macs = read_pieces(call, m.macs, &note->mac_count, "require_mac(): mac.macs");
}

void host_require_secret(kl_call *c, const char *secret, kl_str guess)
{
	struct host_call *call = of(c);
	struct plugin_secret *note;

	if (!allowed(call, "require_secret()", 1u << PLUGIN_VERIFY))
		return;
	note = host_append(call, HOST_SECRETS);
	if (!note)
		return;
	note->secret = host_read_text(call, secret, "require_secret(): secret");
	note->guess = host_read_bytes(call, guess, "require_secret(): guess");
}

void host_emit(kl_call *c, const kl_event *event)
{
	struct host_call *call = of(c);
	struct plugin_event *note;
	kl_event e;

	if (!allowed(call, "emit()", 1u << PLUGIN_NORMALIZE | 1u << PLUGIN_STEP) ||
		!host_read(call, &e, event, sizeof(e), "emit(): event"))
		return;
	note = host_append(call, HOST_EVENTS);
	if (!note)
		return;
	note->at_ms = e.at_ms;
	note->type = host_read_text(call, e.type, "emit(): event.type");
	note->dedupe = host_read_string(call, e.dedupe, "emit(): event.dedupe");
	note->subject = host_read_string(call, e.subject, "emit(): event.subject");
	note->regarding = host_read_string(call, e.regarding, "emit(): event.regarding");
	note->person = host_read_string(call, e.person, "emit(): event.person");
	note->data = e.data ? host_read_json(call, e.data) : STR("null");
}

void host_start(kl_call *c, const kl_start *start)
{
	struct host_call *call = of(c);
	struct plugin_start *note;
	kl_start s;

	if (!allowed(call, "start()", 1u << PLUGIN_NORMALIZE) ||
		!host_read(call, &s, start, sizeof(s), "start(): start"))
		return;
	note = host_append(call, HOST_STARTS);
	if (!note)
		return;
	note->op = host_read_text(call, s.op, "start(): start.op");
	note->input = s.input ? host_read_json(call, s.input) : STR("null");
	note->dedupe = host_read_string(call, s.dedupe, "start(): start.dedupe");
	note->subject = host_read_string(call, s.subject, "start(): start.subject");
}

void host_row(kl_call *c, const kl_val *value)
{
	struct host_call *call = of(c);

	if (!value || !allowed(call, "row()", 1u << PLUGIN_STEP))
		return;
	if (!call->rows)
		call->rows = json_array(call->arena);
	if (json_count(call->rows) >= call->limits.rows) {
		host_violate(call, "row() was called more than %u times", call->limits.rows);
		return;
	}
	json_push(call->arena, call->rows, host_tree(value));
}

void host_checkpoint(kl_call *c, const kl_val *value)
{
	struct host_call *call = of(c);

	if (!value || !allowed(call, "checkpoint()", 1u << PLUGIN_STEP))
		return;
	call->out->checkpoint = host_read_json(call, value);
	if (call->out->checkpoint.len > call->limits.state)
		host_violate(call, "checkpoint() got %zu bytes of JSON; %u are the most",
			call->out->checkpoint.len, call->limits.state);
}

void host_problem(kl_call *c, const char *path, const char *message)
{
	struct host_call *call = of(c);
	struct plugin_complaint *note;

	if (!allowed(call, "problem()",
		    1u << PLUGIN_CHECK | 1u << PLUGIN_MAP | 1u << PLUGIN_NORMALIZE))
		return;
	note = host_append(call, HOST_PROBLEMS);
	if (!note)
		return;
	note->path = host_read_text(call, path ? path : "", "problem(): path");
	note->message = host_read_text(call, message, "problem(): message");
	if (!note->message.len)
		host_violate(call, "problem() has no message");
}

/* Too many log lines are no reason to fail what works otherwise. */
void host_log(kl_call *c, int level, const char *message)
{
	struct host_call *call = of(c);
	struct plugin_note *note;

	if (!message || call->out->logs.count >= call->limits.notes)
		return;
	note = host_append(call, HOST_LOGS);
	if (!note)
		return;
	note->level = level < 0 ? 0 : level > 3 ? 3 : level;
	note->message = host_read_text(call, message, "log(): message");
}
