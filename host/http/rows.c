/* rows.c - stored rows as JSON. Any thread; keeps nothing. */
#include "http/rows.h"

#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"

static void put_id(struct arena *a, struct json *o, const char *key, const struct id *id)
{
	char text[ID_TEXT];

	if (id_is_zero(id))
		return;
	id_text(text, id);
	json_put_text(a, o, key, str_of(text));
}

static void put_time(struct arena *a, struct json *o, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT];

	if (!ms)
		return;
	clock_utc(text, ms);
	json_put_text(a, o, key, str_of(text));
}

/* Empty text says nothing, so it is left out. */
static void put(struct arena *a, struct json *o, const char *key, struct str text)
{
	if (text.len)
		json_put_text(a, o, key, text);
}

/* JSON if it is JSON, else text; bytes that are neither are told by their number. */
static void put_body(struct arena *a, struct json *o, const char *key, struct str body)
{
	const struct json *value;

	if (!body.len)
		return;
	value = json_parse(a, body, NULL);
	if (value)
		json_put(a, o, key, value);
	else if (str_utf8_ok(body))
		json_put_text(a, o, key, body);
	else
		json_put_text(
			a, o, key, str_of(arena_printf(a, "(%zu bytes, not text)", body.len)));
}

static void put_exact(struct arena *a, struct json *o, const char *key, struct str body)
{
	struct json *coded;

	if (str_utf8_ok(body) && !memchr(body.len ? body.ptr : "", 0, body.len)) {
		json_put_text(a, o, key, body.len ? body : STR(""));
		return;
	}
	coded = json_object(a);
	json_put_text(a, coded, "base64", str_encode(a, "base64", body));
	json_put(a, o, key, coded);
}

const char *rows_job_state(enum job_state state)
{
	static const char *const names[] = {
		"", "ready", "queued", "waiting", "parked", "dead", "done", "dropped"};
	return (unsigned)state <= JOB_DROPPED ? names[state] : "";
}

static const char *rows_inbox_state(enum inbox_state state)
{
	static const char *const names[] = {"", "new", "done", "parked", "ignored"};
	return (unsigned)state <= INBOX_IGNORED ? names[state] : "";
}

static uint32_t job_bit(struct str word)
{
	for (int s = JOB_READY; s <= JOB_DROPPED; s++)
		if (str_is(word, rows_job_state((enum job_state)s)))
			return UINT32_C(1) << s;
	return 0;
}

static uint32_t inbox_bit(struct str word)
{
	for (int s = INBOX_NEW; s <= INBOX_IGNORED; s++)
		if (str_is(word, rows_inbox_state((enum inbox_state)s)))
			return UINT32_C(1) << s;
	return 0;
}

static uint32_t mask_of(struct str words, uint32_t (*bit_of)(struct str word))
{
	uint32_t mask = 0;
	size_t from = 0;

	for (size_t i = 0; i <= words.len; i++) {
		uint32_t bit;
		if (i < words.len && words.ptr[i] != ',')
			continue;
		bit = bit_of((struct str){words.ptr + from, i - from});
		if (!bit)
			return 0;
		mask |= bit;
		from = i + 1;
	}
	return mask;
}

uint32_t rows_job_states(struct str words)
{
	return mask_of(words, job_bit);
}

uint32_t rows_inbox_states(struct str words)
{
	return mask_of(words, inbox_bit);
}

struct json *rows_inbox(struct arena *a, const struct inbox_row *r, bool with_body)
{
	struct json *o = json_object(a);

	put_id(a, o, "id", &r->id);
	put_time(a, o, "received", r->received_ms);
	put(a, o, "tenant", r->tenant);
	put(a, o, "connection", r->connection);
	put(a, o, "route", r->route);
	put(a, o, "method", r->method);
	put(a, o, "path", r->path);
	put(a, o, "state", str_of(rows_inbox_state(r->state)));
	put(a, o, "reason", r->reason);
	if (r->state == INBOX_PARKED)
		put(a, o, "advice",
			STR("it could not be read, and nothing was done: klinke dead retry reads "
			    "it "
			    "again, by today's plugin; klinke dead drop lets it go"));
	put(a, o, "correlation", r->correlation);
	if (with_body) {
		put_body(a, o, "headers", r->headers);
		put_body(a, o, "body", r->body);
	}
	return o;
}

struct json *rows_event(struct arena *a, const struct event_row *r)
{
	struct json *o = json_object(a);

	put_id(a, o, "id", &r->id);
	put_time(a, o, "time", r->at_ms);
	put_time(a, o, "received", r->received_ms);
	put(a, o, "type", r->type);
	put(a, o, "tenant", r->tenant);
	put(a, o, "source", r->connection);
	put(a, o, "subject", r->subject);
	put(a, o, "regarding", r->regarding);
	put_id(a, o, "inbox", &r->inbox);
	put_id(a, o, "job", &r->job);
	put(a, o, "correlation", r->correlation);
	put_body(a, o, "data", r->data);
	return o;
}

/* The end of what was said, from the beginning of a line: that is what people wait for. */
static struct str last_lines(struct str text, size_t most)
{
	const char *line;

	if (text.len <= most)
		return text;
	text = (struct str){text.ptr + text.len - most, most};
	line = memchr(text.ptr, '\n', text.len);
	if (!line)
		return STR("");
	return (struct str){line + 1, (size_t)(text.ptr + text.len - line) - 1};
}

/* The end of the transcript: its escapes at most double it. */
static const struct json *last_words(struct arena *a, const struct json *value, size_t most)
{
	const struct json *words;
	size_t raw = most;

	do {
		words = json_of_text(a, last_lines(json_text(value), raw));
		raw /= 2;
	} while (raw && json_print(a, words).len > 2 * most);
	return words;
}

/* All of it together has room, however many small members there are. */
static const struct json *shorten(struct arena *a, const struct json *data, size_t largest)
{
	struct json *o = json_object(a);
	size_t left = largest > 2 ? largest - 2 : 0; /* the braces */

	for (size_t i = 0; i < json_count(data); i++) {
		struct str key;
		const struct json *value = json_at(data, i, &key);
		bool transcript = str_is(key, "transcript");
		size_t len;

		if (transcript)
			value = last_words(a, value, largest / 4);
		len = json_print(a, json_of_text(a, key)).len + json_print(a, value).len + 2;
		if (len > left || (!transcript && len > largest / 64))
			continue;
		json_set(a, o, key, value);
		left -= len;
	}
	return o;
}

struct json *rows_live(struct arena *a, const struct live_row *r, size_t largest)
{
	struct event_row row = r->event;
	struct str call = r->call;
	struct json *o;

	row.data = (struct str){0};
	o = rows_event(a, &row);
	if (call.len > 5 && memcmp(call.ptr, "call:", 5) == 0)
		put(a, o, "call", (struct str){call.ptr + 5, call.len - 5});
	if (r->event.data.len <= largest) {
		put_body(a, o, "data", r->event.data);
		return o;
	}
	json_put_bool(a, o, "shortened", true);
	json_put(a, o, "data", shorten(a, json_parse(a, r->event.data, NULL), largest));
	return o;
}

/* What it means for whom it was done, and what a person can do; by the names of outcome.c. */
static const char *advice_for(const struct job_row *r)
{
	if (r->sent)
		return "it may have happened: look there before you tell anybody. klinke dead "
		       "retry "
		       "asks the provider, if it can be asked; with --resend, only if it did not "
		       "arrive, it is sent again; klinke dead drop lets it go";
	if (str_is(r->fail, "bad input"))
		return "it was not done. Mend what the reason names, here (then klinke reload) or "
		       "at "
		       "the vendor, and klinke dead retry; or do it by hand, and klinke dead drop";
	if (str_is(r->fail, "bad auth"))
		return "it was not done. Renew the key, klinke reload, klinke dead retry";
	if (str_is(r->fail, "busy") || str_is(r->fail, "broken"))
		return "it was not done: the vendor failed as long as it was tried. klinke dead "
		       "retry "
		       "when it is well again; or do it by hand, and klinke dead drop";
	if (str_is(r->fail, "conflict") || str_is(r->fail, "gone"))
		return "it was not done: tell whom it was for, and klinke dead drop; or mend what "
		       "the "
		       "reason names, and klinke dead retry";
	return "it was not done. What came is in the story; klinke dead retry tries it again, "
	       "klinke "
	       "dead drop lets it go";
}

struct json *rows_job(struct arena *a, const struct job_row *r)
{
	struct json *o = json_object(a);

	put_id(a, o, "id", &r->id);
	put_time(a, o, "created", r->created_ms);
	put_time(a, o, "updated", r->updated_ms);
	put(a, o, "tenant", r->tenant);
	put(a, o, "pipeline", r->pipeline);
	put(a, o, "connection", r->connection);
	put(a, o, "op", r->op);
	put(a, o, "state", str_of(rows_job_state(r->state)));
	if (r->state == JOB_READY || r->state == JOB_WAITING)
		put_time(a, o, "due", r->due_ms);
	json_put_i64(a, o, "step", r->step);
	json_put_i64(a, o, "tries", r->tries);
	if (r->sent)
		json_put_bool(a, o, "outcome_unknown", true);
	put(a, o, "fail", r->fail);
	put(a, o, "reason", r->reason);
	if (r->state == JOB_PARKED || r->state == JOB_DEAD)
		put(a, o, "advice", str_of(advice_for(r)));
	put(a, o, "subject", r->subject);
	put_id(a, o, "event", &r->event);
	put(a, o, "key", r->key);
	put(a, o, "correlation", r->correlation);
	json_put_i64(a, o, "generation", (int64_t)r->generation);
	return o;
}

static struct json *rows_attempt(struct arena *a, const struct attempt_row *r)
{
	struct json *o = json_object(a);

	put_id(a, o, "job", &r->job);
	put(a, o, "kind", r->kind == ATTEMPT_REQUEST ? STR("request") : STR("step"));
	json_put_i64(a, o, "step", r->step);
	json_put_i64(a, o, "try", r->number);
	put(a, o, "name", r->name);
	put(a, o, "outcome", r->outcome);
	put(a, o, "method", r->method);
	put(a, o, "url", r->url);
	if (r->status)
		json_put_i64(a, o, "status", r->status);
	put_time(a, o, "started", r->started_ms);
	json_put_i64(a, o, "took_us", r->took_us);
	put_body(a, o, "input", r->input);
	put_body(a, o, "output", r->output);
	put(a, o, "note", r->note);
	return o;
}

struct json *rows_call(struct arena *a, const struct call_row *r)
{
	struct json *o = json_object(a);

	put(a, o, "call_id", r->call_id);
	put(a, o, "tenant", r->tenant);
	put(a, o, "connection", r->connection);
	put(a, o, "direction", r->direction);
	put(a, o, "status", r->status);
	put(a, o, "agent", r->agent);
	put(a, o, "from", r->from);
	put(a, o, "to", r->to);
	put_time(a, o, "started", r->started_ms);
	put_time(a, o, "ended", r->ended_ms);
	put_body(a, o, "data", r->data);
	return o;
}

struct json *rows_appointment(struct arena *a, const struct appointment_row *r)
{
	struct json *o = json_object(a);

	put(a, o, "uid", r->uid);
	put(a, o, "tenant", r->tenant);
	put(a, o, "connection", r->connection);
	put(a, o, "status", r->status);
	put_time(a, o, "start", r->start_ms);
	put_time(a, o, "end", r->end_ms);
	put_time(a, o, "changed", r->changed_ms);
	put(a, o, "rescheduled_from", r->rescheduled_from);
	put(a, o, "event_type", r->event_type);
	put(a, o, "host", r->host);
	put(a, o, "person", r->person);
	put(a, o, "key", r->key);
	return o;
}

static struct json *exact_inbox(struct arena *a, const struct inbox_row *r)
{
	struct json *o = rows_inbox(a, r, false);

	put_body(a, o, "query", r->query);
	put_body(a, o, "headers", r->headers);
	put_exact(a, o, "body", r->body);
	return o;
}

static struct json *exact_attempt(struct arena *a, const struct attempt_row *r)
{
	struct attempt_row bare = *r;
	struct json *o;

	bare.input = bare.output = (struct str){0};
	o = rows_attempt(a, &bare);
	put_exact(a, o, "input", r->input);
	put_exact(a, o, "output", r->output);
	put_body(a, o, "more", r->more);
	return o;
}

struct json *rows_story(struct arena *a, const struct story *s, bool exact)
{
	struct json *o = json_object(a), *inbox = json_array(a), *events = json_array(a);
	struct json *jobs = json_array(a), *attempts = json_array(a);

	for (size_t i = 0; i < s->inbox_count; i++)
		json_push(a, inbox,
			exact ? exact_inbox(a, &s->inbox[i]) : rows_inbox(a, &s->inbox[i], true));
	for (size_t i = 0; i < s->event_count; i++)
		json_push(a, events, rows_event(a, &s->events[i]));
	for (size_t i = 0; i < s->job_count; i++)
		json_push(a, jobs, rows_job(a, &s->jobs[i]));
	for (size_t i = 0; i < s->attempt_count; i++)
		json_push(a, attempts,
			exact ? exact_attempt(a, &s->attempts[i])
			      : rows_attempt(a, &s->attempts[i]));
	json_put(a, o, "inbox", inbox);
	json_put(a, o, "events", events);
	json_put(a, o, "jobs", jobs);
	json_put(a, o, "attempts", attempts);
	return o;
}
