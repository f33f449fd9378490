/* wire.c - one function per struct, which reads or writes it depending on the direction: so the two
 * ends cannot disagree. Never allocates but from the reader's arena. Any thread. */
#include "plugin/wire.h"

#include <string.h>

#include "base/arena.h"

#define NOTHING UINT32_MAX

struct coder {
	struct buf *to; /* NULL: reading */
	const char *at, *end;
	struct arena *arena;
	bool utf8; /* texts must be: they come from a plugin */
	bool bad;
};

/* ---- atoms -------------------------------------------------------------------------------- */

static void code(struct coder *c, void *value, size_t n)
{
	if (c->to) {
		buf_add(c->to, value, n);
	} else if (c->bad || (size_t)(c->end - c->at) < n) {
		c->bad = true;
		memset(value, 0, n);
	} else {
		memcpy(value, c->at, n);
		c->at += n;
	}
}

static void code_u32(struct coder *c, uint32_t *value)
{
	code(c, value, sizeof(*value));
}

static void code_i64(struct coder *c, int64_t *value)
{
	code(c, value, sizeof(*value));
}

static void code_u64(struct coder *c, uint64_t *value)
{
	code(c, value, sizeof(*value));
}

static void code_bool(struct coder *c, bool *value)
{
	uint8_t byte = c->to ? *value : 0;

	code(c, &byte, 1);
	if (!c->to)
		*value = byte != 0;
}

static void code_int(struct coder *c, int *value)
{
	int32_t wide = c->to ? *value : 0;

	code(c, &wide, sizeof(wide));
	if (!c->to)
		*value = wide;
}

static void write_bytes(struct coder *c, struct str s)
{
	uint32_t len = s.ptr ? (uint32_t)s.len : NOTHING;

	if (s.len >= WIRE_MOST) {
		c->to->failed = true;
		return;
	}
	buf_add(c->to, &len, sizeof(len));
	if (s.ptr) {
		buf_add(c->to, s.ptr, s.len);
		buf_add(c->to, "", 1);
	}
}

static struct str read_bytes(struct coder *c)
{
	struct str s = {0};
	uint32_t len;

	code_u32(c, &len);
	if (c->bad || len == NOTHING)
		return s;
	if ((size_t)(c->end - c->at) <= len || c->at[len]) {
		c->bad = true;
		return s;
	}
	s = (struct str){c->at, len};
	c->at += (size_t)len + 1;
	return s;
}

static void code_bytes(struct coder *c, struct str *s)
{
	if (c->to)
		write_bytes(c, *s);
	else
		*s = read_bytes(c);
}

static void code_str(struct coder *c, struct str *s)
{
	code_bytes(c, s);
	if (!c->to && c->utf8 && !str_utf8_ok(*s)) {
		c->bad = true;
		*s = (struct str){0};
	}
}

/* A const char *; NULL stays NULL. */
static void code_text(struct coder *c, const char **text)
{
	struct str s = c->to ? str_of(*text) : (struct str){0};

	code_str(c, &s);
	if (!c->to && s.ptr && strlen(s.ptr) != s.len)
		c->bad = true;
	if (!c->to)
		*text = c->bad ? NULL : s.ptr;
}

typedef void code_element(struct coder *c, void *element);

/* Returns the array. No element takes less than one byte, so a frame cannot ask for more than it
 * holds; what elements take in memory is for the arena to bound. */
static void *code_array(
	struct coder *c, const void *items, uint32_t *count, size_t size, code_element *each)
{
	char *array = (char *)items; /* not written to when writing */
	uint32_t i;

	code_u32(c, count);
	if (!c->to) {
		array = NULL;
		if (*count > (size_t)(c->end - c->at))
			c->bad = true;
		else if (*count)
			array = arena_alloc(c->arena, *count * size);
		if (!array) {
			c->bad |= *count > 0;
			*count = 0;
		}
	}
	for (i = 0; i < *count && !c->bad; i++)
		each(c, array + i * size);
	return array;
}

/* Arrays whose count is a size_t. */
static void *code_sized(
	struct coder *c, const void *items, size_t *count, size_t size, code_element *each)
{
	uint32_t n = (uint32_t)*count;
	void *array = code_array(c, items, &n, size, each);

	if (!c->to)
		*count = n;
	return array;
}

/* What is written may be constant, so it is not assigned to. */
#define CODE_ARRAY(c, array, count, each)                                                          \
	do {                                                                                       \
		void *read_ = code_sized((c), (array), &(count), sizeof(*(array)), (each));        \
		if (!(c)->to)                                                                      \
			(array) = read_;                                                           \
	} while (0)
#define CODE_LIST(c, list, each)                                                                   \
	do {                                                                                       \
		void *read_ = code_array(                                                          \
			(c), (list).items, &(list).count, sizeof(*(list).items), (each));          \
		if (!(c)->to)                                                                      \
			(list).items = read_;                                                      \
	} while (0)

static void code_str_element(struct coder *c, void *element)
{
	code_bytes(c, element);
}

static void code_pair(struct coder *c, void *element)
{
	struct plugin_pair *pair = element;

	code_bytes(c, &pair->name);
	code_bytes(c, &pair->value);
}

static void code_pairs(struct coder *c, struct plugin_pairs *pairs)
{
	CODE_ARRAY(c, pairs->items, pairs->count, code_pair);
}

/* ---- in ----------------------------------------------------------------------------------- */

static void code_inbound(struct coder *c, struct plugin_inbound *inbound)
{
	code_str(c, &inbound->route);
	code_str(c, &inbound->method);
	code_str(c, &inbound->path);
	code_pairs(c, &inbound->query);
	code_pairs(c, &inbound->headers);
	code_bytes(c, &inbound->body);
}

static void code_response(struct coder *c, struct plugin_response *response)
{
	code_u32(c, &response->outcome);
	code_u32(c, &response->status);
	code_u32(c, &response->attempts);
	code_i64(c, &response->retry_after_ms);
	code_str(c, &response->reason);
	code_pairs(c, &response->headers);
	code_bytes(c, &response->body);
}

static void code_step(struct coder *c, struct plugin_step_in *step)
{
	bool has_response = c->to && step->response;

	code_u32(c, &step->why);
	code_u32(c, &step->step);
	code_u32(c, &step->state_version);
	code_u32(c, &step->looking);
	code_str(c, &step->op);
	code_str(c, &step->input);
	code_str(c, &step->state);
	code_str(c, &step->checkpoint);
	code_str(c, &step->key);
	code_bool(c, &has_response);
	if (!c->to) {
		step->response = has_response && !c->bad
					 ? arena_alloc(c->arena, sizeof(*step->response))
					 : NULL;
		c->bad |= has_response && !step->response;
	}
	if (step->response)
		code_response(c, (struct plugin_response *)step->response);
}

static void code_field(struct coder *c, void *element)
{
	struct plugin_field *field = element;

	code_str(c, &field->key);
	code_str(c, &field->spec);
	code_str(c, &field->place);
	code_str(c, &field->value);
}

static void code_arguments(struct coder *c, struct plugin_in *in)
{
	switch (in->kind) {
	case PLUGIN_VERIFY:
	case PLUGIN_NORMALIZE:
		code_inbound(c, &in->inbound);
		break;
	case PLUGIN_REPLY:
		code_inbound(c, &in->reply.inbound);
		code_u32(c, &in->reply.outcome);
		code_str(c, &in->reply.result);
		break;
	case PLUGIN_STEP:
		code_step(c, &in->step);
		break;
	case PLUGIN_MAP:
		code_str(c, &in->map.context);
		CODE_ARRAY(c, in->map.fields, in->map.field_count, code_field);
		break;
	case PLUGIN_CHECK:
		break;
	default:
		c->bad = true;
	}
}

static void code_in(struct coder *c, struct plugin_in *in)
{
	uint32_t kind = in->kind;

	code_u32(c, &kind);
	in->kind = (enum plugin_kind)kind;
	code_u32(c, &in->attempt);
	code_i64(c, &in->now_ms);
	code_u64(c, &in->seed);
	code_str(c, &in->run);
	code_arguments(c, in);
}

/* ---- out ---------------------------------------------------------------------------------- */

static void code_error(struct coder *c, struct error *error)
{
	struct str text = str_of(error->text), place = str_of(error->place);

	code_int(c, &error->code);
	code_str(c, &text);
	code_str(c, &place);
	if (!c->to && !c->bad)
		error_at(error, error->code, place.ptr, "%.*s", STR_ARG(text));
}

static void code_answer(struct coder *c, struct plugin_answer *answer)
{
	code_u32(c, &answer->kind);
	code_u32(c, &answer->status);
	code_u32(c, &answer->refused);
	code_str(c, &answer->content_type);
	code_str(c, &answer->reason);
	code_bytes(c, &answer->body);
}

static void code_request(struct coder *c, struct plugin_request *request)
{
	code_u32(c, &request->repeat);
	code_u32(c, &request->timeout_ms);
	code_str(c, &request->method);
	code_str(c, &request->url);
	code_str(c, &request->auth);
	code_str(c, &request->label);
	code_str(c, &request->content_type);
	code_pairs(c, &request->headers);
	code_bytes(c, &request->body);
}

static void code_next(struct coder *c, struct plugin_next *next)
{
	code_u32(c, &next->then);
	code_i64(c, &next->wait_ms);
	code_str(c, &next->result);
	code_str(c, &next->state);
	code_bool(c, &next->has_request);
	if (next->has_request)
		code_request(c, &next->request);
	code_u32(c, &next->fail);
	code_str(c, &next->code);
	code_str(c, &next->message);
	code_str(c, &next->detail);
}

static void code_mac(struct coder *c, void *element)
{
	struct plugin_mac *mac = element;

	code_str(c, &mac->hash);
	code_str(c, &mac->secret);
	CODE_ARRAY(c, mac->pieces, mac->piece_count, code_str_element);
	CODE_ARRAY(c, mac->macs, mac->mac_count, code_str_element);
}

static void code_secret(struct coder *c, void *element)
{
	struct plugin_secret *secret = element;

	code_str(c, &secret->secret);
	code_bytes(c, &secret->guess);
}

static void code_event(struct coder *c, void *element)
{
	struct plugin_event *event = element;

	code_i64(c, &event->at_ms);
	code_str(c, &event->type);
	code_str(c, &event->dedupe);
	code_str(c, &event->subject);
	code_str(c, &event->regarding);
	code_str(c, &event->person);
	code_str(c, &event->data);
}

static void code_start(struct coder *c, void *element)
{
	struct plugin_start *start = element;

	code_str(c, &start->op);
	code_str(c, &start->input);
	code_str(c, &start->dedupe);
	code_str(c, &start->subject);
}

static void code_complaint(struct coder *c, void *element)
{
	struct plugin_complaint *complaint = element;

	code_str(c, &complaint->path);
	code_str(c, &complaint->message);
}

static void code_note(struct coder *c, void *element)
{
	struct plugin_note *note = element;

	code_int(c, &note->level);
	code_str(c, &note->message);
}

static void code_effects(struct coder *c, struct plugin_out *out)
{
	CODE_LIST(c, out->macs, code_mac);
	CODE_LIST(c, out->secrets, code_secret);
	CODE_LIST(c, out->events, code_event);
	CODE_LIST(c, out->starts, code_start);
	CODE_LIST(c, out->problems, code_complaint);
	CODE_LIST(c, out->logs, code_note);
	code_str(c, &out->rows);
	code_str(c, &out->checkpoint);
}

static void code_out(struct coder *c, struct plugin_out *out)
{
	uint32_t status = out->status;

	code_u32(c, &status);
	out->status = (enum plugin_status)status;
	if (status > PLUGIN_FAILED)
		c->bad = true; /* the others are not a worker's to say */
	if (status)
		code_error(c, &out->error);
	code_int(c, &out->returned);
	code_answer(c, &out->answer);
	code_next(c, &out->next);
	code_str(c, &out->mapped);
	code_effects(c, out);
}

/* ---- info --------------------------------------------------------------------------------- */

static void code_option(struct coder *c, void *element)
{
	struct plugin_option *option = element;

	code_text(c, &option->key);
	code_u32(c, &option->kind);
	code_text(c, &option->fallback);
	code_text(c, &option->choices);
	code_text(c, &option->help);
	c->bad |= !c->to && !option->key;
}

static void code_op(struct coder *c, void *element)
{
	struct plugin_op *op = element;

	code_text(c, &op->name);
	code_u32(c, &op->kind);
	code_text(c, &op->schema);
	code_text(c, &op->help);
	c->bad |= !c->to && !op->name;
}

static void code_route(struct coder *c, void *element)
{
	struct plugin_route *route = element;

	code_text(c, &route->name);
	code_u32(c, &route->reply_ms);
	code_text(c, &route->help);
	c->bad |= !c->to && !route->name;
}

static void code_credential(struct coder *c, void *element)
{
	struct plugin_credential *credential = element;

	code_text(c, &credential->name);
	code_u32(c, &credential->scheme);
	code_text(c, &credential->secret);
	code_text(c, &credential->user);
	code_text(c, &credential->param);
	c->bad |= !c->to && (!credential->name || !credential->secret);
}

static void code_abilities(struct coder *c, struct plugin_info *info)
{
	code(c, &info->can_check, 1);
	code(c, &info->can_verify, 1);
	code(c, &info->can_normalize, 1);
	code(c, &info->can_reply, 1);
	code(c, &info->can_step, 1);
	code(c, &info->can_map, 1);
}

static void code_info(struct coder *c, struct plugin_info *info)
{
	code_text(c, &info->name);
	code_text(c, &info->path);
	code_text(c, &info->id);
	code_text(c, &info->version);
	code_text(c, &info->summary);
	code_text(c, &info->events);
	code_text(c, &info->hosts);
	code_u32(c, &info->state_version);
	CODE_ARRAY(c, info->options, info->option_count, code_option);
	CODE_ARRAY(c, info->ops, info->op_count, code_op);
	CODE_ARRAY(c, info->routes, info->route_count, code_route);
	CODE_ARRAY(c, info->credentials, info->credential_count, code_credential);
	code_abilities(c, info);
	c->bad |= !c->to && (!info->name || !info->path || !info->id || !info->version ||
				    !info->summary || !info->events || !info->hosts);
}

/* ---- frames ------------------------------------------------------------------------------- */

static struct coder begin(struct buf *to, uint32_t type, uint64_t id)
{
	struct coder c = {.to = to};
	uint32_t len = 0;

	buf_add(to, &len, sizeof(len));
	buf_add(to, &type, sizeof(type));
	buf_add(to, &id, sizeof(id));
	return c;
}

/* The length is known only now. */
static void end(struct buf *to, size_t start)
{
	uint32_t len;

	if (to->failed)
		return;
	if (to->len - start > WIRE_MOST) {
		to->failed = true;
		return;
	}
	len = (uint32_t)(to->len - start - sizeof(len));
	memcpy(to->ptr + start, &len, sizeof(len));
}

void wire_put_config(struct buf *to, uint64_t number, struct str json)
{
	size_t start = to->len;
	struct coder c = begin(to, WIRE_CONFIG, number);

	code_str(&c, &json);
	end(to, start);
}

void wire_put_forget(struct buf *to, uint64_t number)
{
	size_t start = to->len;

	begin(to, WIRE_FORGET, number);
	end(to, start);
}

void wire_put_call(struct buf *to, uint64_t id, uint64_t config, const struct plugin_in *in)
{
	size_t start = to->len;
	struct coder c = begin(to, WIRE_CALL, id);
	struct plugin_in copy = *in;

	code_u64(&c, &config);
	code_in(&c, &copy);
	end(to, start);
}

void wire_put_hello(struct buf *to, const struct plugin_info *info)
{
	size_t start = to->len;
	struct coder c = begin(to, WIRE_HELLO, 0);
	struct plugin_info copy = *info;

	code_info(&c, &copy);
	end(to, start);
}

void wire_put_refused(struct buf *to, const struct error *error)
{
	size_t start = to->len;
	struct coder c = begin(to, WIRE_REFUSED, 0);
	struct error copy = *error;

	code_error(&c, &copy);
	end(to, start);
}

void wire_put_answer(struct buf *to, uint64_t id, const struct plugin_out *out)
{
	size_t start = to->len;
	struct coder c = begin(to, WIRE_ANSWER, id);
	struct plugin_out copy = *out;

	code_out(&c, &copy);
	end(to, start);
}

long wire_next(const char *bytes, size_t len, struct wire_frame *frame)
{
	uint32_t body;

	if (len < sizeof(body))
		return 0;
	memcpy(&body, bytes, sizeof(body));
	if (body < WIRE_HEAD - sizeof(body) || body > WIRE_MOST)
		return -1;
	if (len - sizeof(body) < body)
		return 0;
	memcpy(&frame->type, bytes + 4, sizeof(frame->type));
	memcpy(&frame->id, bytes + 8, sizeof(frame->id));
	frame->body = bytes + WIRE_HEAD;
	frame->len = sizeof(body) + body - WIRE_HEAD;
	return (long)(sizeof(body) + body);
}

static struct coder reader(const struct wire_frame *frame, struct arena *arena, bool utf8)
{
	return (struct coder){
		.at = frame->body,
		.end = frame->body + frame->len,
		.arena = arena,
		.utf8 = utf8,
	};
}

static bool whole(const struct coder *c)
{
	return !c->bad && c->at == c->end;
}

bool wire_get_config(const struct wire_frame *frame, struct str *json)
{
	struct coder c = reader(frame, NULL, true);

	code_str(&c, json);
	return whole(&c) && json->ptr;
}

bool wire_get_call(
	const struct wire_frame *frame, struct arena *arena, uint64_t *config, struct plugin_in *in)
{
	struct coder c = reader(frame, arena, false);

	*in = (struct plugin_in){0};
	code_u64(&c, config);
	code_in(&c, in);
	return whole(&c);
}

bool wire_get_hello(const struct wire_frame *frame, struct arena *arena, struct plugin_info *info)
{
	struct coder c = reader(frame, arena, true);

	*info = (struct plugin_info){0};
	code_info(&c, info);
	return whole(&c);
}

bool wire_get_refused(const struct wire_frame *frame, struct error *error)
{
	struct coder c = reader(frame, NULL, true);

	*error = (struct error){0};
	code_error(&c, error);
	return whole(&c);
}

bool wire_get_answer(const struct wire_frame *frame, struct arena *arena, struct plugin_out *out)
{
	struct coder c = reader(frame, arena, true);

	*out = (struct plugin_out){0};
	code_out(&c, out);
	return whole(&c);
}
