/* case_scrub.c - see case_scrub.h. Rules are plain texts, the longest first; a text is gone through
 * once, so that what was put in is never replaced again. Guesses rather one secret too many. One
 * thread. */
#include "plugin/case_scrub.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/json.h"

#define RULES_MAX 2000
#define SHORTEST 4       /* bytes of a secret that is replaced inside of others */
#define SHORTEST_NAMED 6 /* of one that is only guessed by its name */
#define TAIL 8           /* digits of a number that tell whose it is */

enum where { ANYWHERE, ALONE, WORD, DIGITS };

struct rule {
	struct str from, to;
	enum where where;
};

struct scrub {
	struct arena *arena;
	bool persons;
	struct rule *rules;
	size_t count;
	bool begins[256];                            /* is there a rule for what begins so? */
	unsigned secrets, names, addresses, numbers; /* found so far */
};

struct scrub *scrub_create(struct arena *arena, bool persons)
{
	struct scrub *s = arena_alloc(arena, sizeof(*s));

	if (!s)
		return NULL;
	s->arena = arena;
	s->persons = persons;
	s->rules = arena_alloc(arena, RULES_MAX * sizeof(*s->rules));
	return s->rules ? s : NULL;
}

/* ---- rules -------------------------------------------------------------------------------- */

static bool known(const struct scrub *s, struct str from)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(s->rules[i].from, from))
			return true;
	return false;
}

/* The longest first, and of the same length the first that was told. */
static void add(struct scrub *s, struct str from, struct str to, enum where where)
{
	size_t i = s->count;

	if (!from.len || known(s, from) || str_eq(from, to))
		return;
	if (s->count == RULES_MAX) { /* rather nothing at all than half of it */
		arena_fail(s->arena);
		return;
	}
	s->begins[(unsigned char)from.ptr[0]] = true;
	for (; i && s->rules[i - 1].from.len < from.len; i--)
		s->rules[i] = s->rules[i - 1];
	s->rules[i] = (struct rule){str_dup(s->arena, from), str_dup(s->arena, to), where};
	s->count++;
}

static void add_encoded(struct scrub *s, const char *how, struct str from, struct str to)
{
	struct str a = str_encode(s->arena, how, from), b = str_encode(s->arena, how, to);

	if (a.ptr && b.ptr)
		add(s, a, b, ANYWHERE);
}

void scrub_replace(struct scrub *s, struct str value, struct str becomes)
{
	add(s, value, becomes, value.len < SHORTEST ? ALONE : ANYWHERE);
	if (value.len >= SHORTEST)
		add_encoded(s, "percent", value, becomes);
}

void scrub_secret(struct scrub *s, struct str value, struct str becomes)
{
	scrub_replace(s, value, becomes);
	if (value.len >= SHORTEST)
		add_encoded(s, "base64", value, becomes);
}

/* ---- secrets by their names --------------------------------------------------------------- */

static bool has_word(struct str text, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= text.len; i++)
		if (strncasecmp(text.ptr + i, word, len) == 0)
			return true;
	return false;
}

bool scrub_is_secret_name(struct str name)
{
	static const char *const words[] = {"token", "secret", "passw", "pwd", "authorization",
		"apikey", "api_key", "api-key", "credential", "cookie", "private_key", "signature"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_word(name, words[i]))
			return true;
	return false;
}

static void guess_secret(struct scrub *s, struct str value)
{
	if (value.len >= SHORTEST_NAMED && !known(s, value))
		scrub_secret(s, value, str_of(arena_printf(s->arena, "scrubbed-%u", ++s->secrets)));
}

static bool ends_parameter(char c)
{
	return !c || strchr("&# \t\r\n\"'<>\\", c);
}

/* "https://…?a=1&sig=…": also somewhere in a longer text. */
static void look_for_parameters(struct scrub *s, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t name = i + 1, end, stop;
		if (text.ptr[i] != '?' && text.ptr[i] != '&')
			continue;
		for (end = name; end < text.len && (isalnum((unsigned char)text.ptr[end]) ||
							   strchr("_-.", text.ptr[end]));)
			end++;
		if (end == text.len || text.ptr[end] != '=' ||
			!scrub_is_secret_name((struct str){text.ptr + name, end - name}))
			continue;
		for (stop = end + 1; stop < text.len && !ends_parameter(text.ptr[stop]);)
			stop++;
		guess_secret(s, (struct str){text.ptr + end + 1, stop - end - 1});
	}
}

/* ---- persons ------------------------------------------------------------------------------ */

static bool is_letter(char c)
{
	return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool is_one_of(struct str text, const char *const *words)
{
	for (; *words; words++)
		if (text.len == strlen(*words) && strncasecmp(text.ptr, *words, text.len) == 0)
			return true;
	return false;
}

static struct str in_lower(struct scrub *s, struct str text)
{
	char *copy = arena_strndup(s->arena, text.ptr, text.len);

	for (size_t i = 0; copy && i < text.len; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	return (struct str){copy, copy ? text.len : 0};
}

static void name_word(struct scrub *s, struct str word)
{
	static const char *const plain[] = {"and", "und", "the", "der", "die", "das", "von", "van",
		"herr", "frau", "mrs", "praxis", "salon", "team", "test", NULL};
	static const char *const pool[] = {"Alba", "Bela", "Cleo", "Dana", "Enno", "Fenja", "Gero",
		"Hedi", "Ilka", "Jost", "Kuno", "Levke", "Mila", "Nils", "Okka", "Pelle", "Rika",
		"Sönke", "Tomke", "Ulf", "Vilma", "Wiebke"};
	const size_t most = sizeof(pool) / sizeof(pool[0]);
	struct str to;

	if (word.len < 3 || is_one_of(word, plain) || known(s, word))
		return;
	to = s->names < most ? str_of(pool[s->names])
			     : str_of(arena_printf(s->arena, "Person%u", s->names));
	s->names++;
	add(s, word, to, WORD);
	add(s, in_lower(s, word), in_lower(s, to), WORD);
}

/* Word by word, since some vendors want first and last name apart. "Dr." is nobody's. */
static void name_text(struct scrub *s, struct str text)
{
	size_t from = 0;

	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && is_letter(text.ptr[i]))
			continue;
		if (i > from && (i == text.len || text.ptr[i] != '.'))
			name_word(s, (struct str){text.ptr + from, i - from});
		from = i + 1;
	}
}

/* The pseudonym of these digits, which it gets now if it has none. */
static struct str number_tail(struct scrub *s, struct str digits)
{
	char to[16];

	for (size_t i = 0; i < s->count; i++)
		if (s->rules[i].where == DIGITS && str_eq(s->rules[i].from, digits))
			return s->rules[i].to;
	snprintf(to, sizeof(to), "%0*u", (int)digits.len, ++s->numbers);
	add(s, digits, str_of(to), DIGITS);
	return str_dup(s->arena, str_of(to));
}

/* The last digits tell whose number it is, however it is written: +49 171…, 0171…, 49171…. */
static void number_text(struct scrub *s, struct str text)
{
	char digits[32];
	size_t n = 0, keep;
	struct str to;

	for (size_t i = 0; i < text.len; i++)
		if (isdigit((unsigned char)text.ptr[i]) && n < sizeof(digits) - 1)
			digits[n++] = text.ptr[i];
	if (n < 8 || n > 15)
		return;
	keep = n >= TAIL + 2 ? n - TAIL : 2;
	to = number_tail(s, (struct str){digits + keep, n - keep});
	if (n < text.len - (text.ptr[0] == '+')) /* written in groups */
		add(s, text,
			str_of(arena_printf(s->arena, "%.*s%.*s", (int)keep, digits, STR_ARG(to))),
			ANYWHERE);
}

static bool is_local(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("._%+-", c));
}

static void address_at(struct scrub *s, struct str text, size_t at)
{
	size_t from = at, to = at + 1;
	bool letters = false;

	for (; from && is_local(text.ptr[from - 1]); from--)
		letters |= isalpha((unsigned char)text.ptr[from - 1]) != 0;
	while (to < text.len &&
		(isalnum((unsigned char)text.ptr[to]) || strchr(".-", text.ptr[to])))
		to++;
	while (to > at && text.ptr[to - 1] == '.')
		to--;
	if (!memchr(text.ptr + at, '.', to - at))
		return;
	if (!letters) { /* of somebody who has no address: some vendors put the number there */
		number_text(s, (struct str){text.ptr + from, at - from});
		return;
	}
	if (known(s, (struct str){text.ptr + from, to - from}))
		return;
	scrub_replace(s, (struct str){text.ptr + from, to - from},
		str_of(arena_printf(s->arena, "person%u@example.org", ++s->addresses)));
}

static void look_for_persons(struct scrub *s, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t end = i + 1;
		if (text.ptr[i] == '@')
			address_at(s, text, i);
		if (text.ptr[i] != '+')
			continue;
		while (end < text.len && isdigit((unsigned char)text.ptr[end]))
			end++;
		number_text(s, (struct str){text.ptr + i, end - i});
	}
}

static bool ends_with(struct str text, const char *end)
{
	size_t n = strlen(end);
	return text.len >= n && strncasecmp(text.ptr + text.len - n, end, n) == 0;
}

static bool is_number_name(struct str key)
{
	static const char *const names[] = {"from", "to", "from_number", "to_number", "wa_id",
		"recipient_id", "recipient", "msisdn", "mobile", "tel", "caller", "smsto", NULL};

	return is_one_of(key, names) ||
	       (has_word(key, "phone") && !ends_with(key, "_id") && !ends_with(key, "Id"));
}

static bool is_number(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isdigit((unsigned char)text.ptr[i]) && !strchr("+-/() .", text.ptr[i]))
			return false;
	return text.len != 0;
}

static bool tells_a_person(const struct json *object)
{
	static const char *const names[] = {"email", "attendeeEmail", "phone", "phoneNumber",
		"phone_number", "timeZone", "wa_id", "birthdate", NULL};

	for (size_t i = 0; names[i]; i++)
		if (json_get(object, names[i]))
			return true;
	return false;
}

static bool is_name_name(struct str key, struct str parent, const struct json *object)
{
	static const char *const sure[] = {"firstname", "lastname", "fullname", "givenname",
		"familyname", "user_name", "_name", NULL};
	static const char *const perhaps[] = {"name", "username", NULL};
	static const char *const people[] = {"attendee", "attendees", "organizer", "host", "hosts",
		"user", "users", "guest", "guests", "profile", "contact", "contacts", "customer",
		"person", "responses", NULL};
	static const char *const things[] = {"template_name", "parameter_name", "service_name",
		"agent_name", "file_name", "voice_name", "event_name", "function_name", "tool_name",
		"model_name", "display_name", NULL};

	if (is_one_of(key, sure) || (ends_with(key, "_name") && !is_one_of(key, things)))
		return true;
	return is_one_of(key, perhaps) && (is_one_of(parent, people) || tells_a_person(object));
}

/* ---- looking ------------------------------------------------------------------------------ */

static void look_at_member(struct scrub *s, struct str key, struct str parent,
	const struct json *object, struct str text)
{
	if (scrub_is_secret_name(key))
		guess_secret(s, text);
	if (!s->persons)
		return;
	if (is_number_name(key) && is_number(text))
		number_text(s, text);
	if (is_name_name(key, parent, object))
		name_text(s, text);
}

/* A list of ["name", "value"], as of headers. */
static bool is_pair(const struct json *value)
{
	return json_type(value) == JSON_ARRAY && json_count(value) == 2 &&
	       json_type(json_at(value, 0, NULL)) == JSON_TEXT &&
	       json_type(json_at(value, 1, NULL)) == JSON_TEXT;
}

static void look(struct scrub *s, const struct json *value, struct str parent)
{
	struct str key = parent;

	if (json_type(value) == JSON_TEXT) {
		look_for_parameters(s, json_text(value));
		if (s->persons)
			look_for_persons(s, json_text(value));
		return;
	}
	if (is_pair(value) && scrub_is_secret_name(json_text(json_at(value, 0, NULL))))
		guess_secret(s, json_text(json_at(value, 1, NULL)));
	for (size_t i = 0; i < json_count(value); i++) {
		const struct json *child =
			json_at(value, i, json_type(value) == JSON_OBJECT ? &key : NULL);
		const struct json *inner = json_get(child, "value");
		struct str text = json_text(json_type(child) == JSON_OBJECT ? inner : child);
		if (json_type(value) == JSON_OBJECT && text.len)
			look_at_member(s, key, parent, value, text);
		look(s, child, key);
	}
}

void scrub_look(struct scrub *s, const struct json *value)
{
	look(s, value, STR(""));
}

/* ---- changing ----------------------------------------------------------------------------- */

static bool fits(const struct rule *rule, struct str text, size_t at)
{
	size_t end = at + rule->from.len;

	if (end > text.len || memcmp(text.ptr + at, rule->from.ptr, rule->from.len) != 0)
		return false;
	if (rule->where == ALONE)
		return at == 0 && end == text.len;
	if (rule->where == DIGITS)
		return end == text.len || !isdigit((unsigned char)text.ptr[end]);
	if (rule->where == WORD)
		return (at == 0 || !is_letter(text.ptr[at - 1])) &&
		       (end == text.len || !is_letter(text.ptr[end]));
	return true;
}

static const struct rule *rule_at(const struct scrub *s, struct str text, size_t at)
{
	if (!s->begins[(unsigned char)text.ptr[at]])
		return NULL;
	for (size_t i = 0; i < s->count; i++)
		if (s->rules[i].from.ptr[0] == text.ptr[at] && fits(&s->rules[i], text, at))
			return &s->rules[i];
	return NULL;
}

struct str scrub_text(struct scrub *s, struct str text)
{
	struct str out = text;
	struct buf buf;
	size_t from = 0;

	buf_init(&buf, (size_t)64 * 1024 * 1024);
	for (size_t i = 0; i < text.len;) {
		const struct rule *rule = rule_at(s, text, i);
		if (!rule) {
			i++;
			continue;
		}
		buf_add(&buf, text.ptr + from, i - from);
		buf_add_str(&buf, rule->to);
		i += rule->from.len;
		from = i;
	}
	if (from) {
		buf_add(&buf, text.ptr + from, text.len - from);
		out = str_dup(s->arena, (struct str){buf.ptr, buf.len});
	}
	if (buf.failed)
		arena_fail(s->arena);
	buf_finish(&buf);
	return out;
}

static const struct json *scrub_number(struct scrub *s, const struct json *value)
{
	struct str text = json_text(value), changed;
	const struct json *number;

	if (!s->numbers || text.len < TAIL)
		return value;
	changed = scrub_text(s, text);
	number = changed.ptr == text.ptr ? NULL : json_of_number(s->arena, changed);
	return number ? number : value;
}

static const struct json *scrub_members(struct scrub *s, const struct json *value)
{
	bool object = json_type(value) == JSON_OBJECT;
	struct json *out = object ? json_object(s->arena) : json_array(s->arena);

	for (size_t i = 0; i < json_count(value); i++) {
		struct str key;
		const struct json *child = scrub_json(s, json_at(value, i, object ? &key : NULL));
		if (object)
			json_set(s->arena, out, key, child);
		else
			json_push(s->arena, out, child);
	}
	return out;
}

const struct json *scrub_json(struct scrub *s, const struct json *value)
{
	switch (json_type(value)) {
	case JSON_TEXT:
		return json_of_text(s->arena, scrub_text(s, json_text(value)));
	case JSON_NUMBER:
		return scrub_number(s, value);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return scrub_members(s, value);
	default:
		return value;
	}
}
