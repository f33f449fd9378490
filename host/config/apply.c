/* apply.c - fills a struct from a section, by the section's table.
 *
 * Tells every fault and goes on: a key that is wrong leaves its field as it was. Never shows the
 * value of a secret. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct field { /* one key of one section on its way into the struct */
	struct loader *loader;
	const struct config_key *key;
	struct section *section;
	void *target;
};

/* ---- Single values -----------------------------------------------------------------------------
 */

static void refuse(struct field *f, const struct value *value, const char *expected)
{
	fault(f->loader, value->place, "\"%s\" is no value for \"%s\"; expected %s",
		value_shown(f->loader, value), f->key->name, expected);
}

static const char *amount(struct loader *loader, const struct config_key *key, int64_t n)
{
	static const struct {
		enum key_kind kind;
		int64_t size;
		const char *name;
	} units[] = {{K_MS, 86400000, "d"}, {K_MS, 3600000, "h"}, {K_MS, 60000, "m"},
		{K_MS, 1000, "s"}, {K_MS, 1, "ms"}, {K_KEEP, 86400000, "d"},
		{K_BYTES, 1 << 30, "G"}, {K_BYTES, 1 << 20, "M"}, {K_BYTES, 1 << 10, "K"}};

	for (size_t i = 0; n && i < sizeof(units) / sizeof(*units); i++)
		if (units[i].kind == key->kind && n % units[i].size == 0)
			return take_printf(
				loader, "%lld%s", (long long)(n / units[i].size), units[i].name);
	return take_printf(loader, "%lld", (long long)n);
}

static void set_number(struct field *f, const struct value *value, int64_t n)
{
	const struct config_key *key = f->key;

	if (n >= key->low && (!key->high || n <= key->high)) {
		*(int64_t *)f->target = n;
		return;
	}
	fault(f->loader, value->place, "\"%s\" is out of range for \"%s\"; from %s to %s",
		value_shown(f->loader, value), key->name, amount(f->loader, key, key->low),
		key->high ? amount(f->loader, key, key->high) : "any");
}

static void set_int(struct field *f, const struct value *value)
{
	int64_t n;

	if (parse_int(value->text, &n))
		set_number(f, value, n);
	else
		refuse(f, value, "a whole number");
}

static void set_ms(struct field *f, const struct value *value)
{
	int64_t n;

	if (parse_ms(value->text, &n))
		set_number(f, value, n);
	else
		refuse(f, value, "a duration like 500ms, 10s, 5m, 2h, 1d");
}

static void set_keep(struct field *f, const struct value *value)
{
	int64_t n;

	if (str_is(value->text, "forever"))
		*(int64_t *)f->target = CONFIG_FOREVER;
	else if (parse_ms(value->text, &n))
		set_number(f, value, n);
	else
		refuse(f, value, "a duration like 12h, 30d, 52w, or forever");
}

static void set_bytes(struct field *f, const struct value *value)
{
	int64_t n;

	if (parse_bytes(value->text, &n))
		set_number(f, value, n);
	else
		refuse(f, value, "a size like 64K, 4M, 1G");
}

static void set_bool(struct field *f, const struct value *value)
{
	if (!parse_bool(value->text, f->target))
		refuse(f, value, "yes or no");
}

static void set_rate(struct field *f, const struct value *value)
{
	struct config_rate rate;

	if (parse_rate(value->text, &rate))
		*(struct config_rate *)f->target = rate;
	else
		refuse(f, value, "a rate like 120/min, 5/s");
}

static const char *choice_hint(struct loader *loader, const char *choices, struct str word)
{
	struct str rest = str_of(choices), choice;
	const char **list = NULL;
	size_t count = 0;

	while (str_word(&rest, &choice))
		*PUSH(loader, loader->scratch, list, count) = take_text(loader, choice);
	return hint(loader, word, list, count);
}

static void set_choice(struct field *f, const struct value *value)
{
	int chosen;

	if (parse_choice(value->text, f->key->type, &chosen)) {
		*(int *)f->target = chosen; /* an enum that counts as the choices do */
		return;
	}
	fault(f->loader, value->place, "\"%s\" is no value for \"%s\"; expected %s%s",
		value_shown(f->loader, value), f->key->name, f->key->type,
		choice_hint(f->loader, f->key->type, value->text));
}

static void set_text(struct field *f, const struct value *value)
{
	if (value->text.len)
		*(const char **)f->target = value->text.ptr;
	else
		fault(f->loader, value->place, "\"%s\" is empty", f->key->name);
	if (is_quoted(value->text))
		warn(f->loader, value->place,
			"the quotes belong to this text, and will be said and sent; write it "
			"without");
}

static const char *path_of(struct field *f, const struct value *value, struct str path)
{
	return files_beside(f->loader, value->entry ? value->place.file : "", path);
}

static void set_path(struct field *f, const struct value *value)
{
	if (value->text.len)
		*(const char **)f->target = path_of(f, value, value->text);
	else
		fault(f->loader, value->place, "\"%s\" is empty", f->key->name);
}

static void set_listen(struct field *f, const struct value *value)
{
	struct config_host *host = &f->loader->config->host;

	if (parse_listen(value->text, &host->loopback))
		*(const char **)f->target = value->text.ptr;
	else
		refuse(f, value, "ADDRESS:PORT like 127.0.0.1:8080, [::1]:8080, :8080");
}

static void set_zone(struct field *f, const struct value *value)
{
	if (zone_known(f->loader, value->text.ptr))
		*(const char **)f->target = value->text.ptr;
	else
		fault(f->loader, value->place, "unknown time zone \"%s\"%s",
			value_shown(f->loader, value), zone_hint(f->loader, value->text));
}

static void set_country(struct field *f, const struct value *value)
{
	const char *p = value->text.ptr;

	if (value->text.len == 2 && isupper((unsigned char)p[0]) && isupper((unsigned char)p[1]))
		*(const char **)f->target = p;
	else
		refuse(f, value, "two capital letters like DE, AT, CH");
}

static void set_sql(struct field *f, const struct value *value)
{
	*(struct config_text *)f->target = take_sql(f->loader, value, 0, value->text.len, NULL);
}

static void set_word(struct field *f, const struct value *value)
{
	struct str rest = value->text, word;

	if (str_word(&rest, &word) && str_eq(word, value->text))
		*(const char **)f->target = value->text.ptr;
	else
		refuse(f, value, "one word");
}

static void set_span(struct field *f, const struct value *value)
{
	struct config_span span;

	if (!parse_span(value->text, &span))
		refuse(f, value, "two times of a day like 06:00-12:00");
	else if (span.from < span.to)
		*(struct config_span *)f->target = span;
	else
		fault(f->loader, value->place,
			"\"%s\" ends before it begins; a part of the day lies within one day, like "
			"06:00-12:00",
			f->key->name);
}

static void set_email(struct field *f, const struct value *value)
{
	if (parse_email(value->text))
		*(const char **)f->target = value->text.ptr;
	else
		refuse(f, value, "an e-mail address like praxis@example.com");
}

static void set_state(struct field *f, const struct value *value)
{
	if (state_known(value->text.ptr))
		*(const char **)f->target = value->text.ptr;
	else
		fault(f->loader, value->place, "unknown federal state \"%s\"%s",
			value_shown(f->loader, value), state_hint(f->loader, value->text));
}

/* ---- Lists -------------------------------------------------------------------------------- */

void apply_list(struct loader *loader, struct config_list *out, const char **list, size_t count)
{
	const char **copy = take(loader, loader->arena, (count + 1) * sizeof(*copy));

	if (count)
		memcpy(copy, list, count * sizeof(*copy));
	*out = (struct config_list){copy, count};
}

/* What a messenger calls its numbers: longer than any phone number that lacks its plus. */
static bool is_number_id(struct str s)
{
	size_t digits = 0;

	while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
		digits++;
	return digits == s.len && digits >= 14 && digits < 20;
}

/* NULL: refused, and told. */
static const char *element(struct field *f, const struct value *value, struct str word)
{
	struct loader *loader = f->loader;
	struct config_place place = value_place(value, (size_t)(word.ptr - value->text.ptr));
	const char *shown = value_word(loader, value, word);
	char number[20];

	if (f->key->kind == K_PATHS)
		return path_of(f, value, word);
	if (f->key->kind == K_NUMBERS && is_number_id(word))
		return take_text(loader, word);
	if (f->key->kind == K_NUMBERS && !parse_number(word, number)) {
		fault(loader, place,
			"\"%s\" is no phone number with country code, like +49 30 1234567", shown);
		return NULL;
	}
	if (f->key->kind == K_NUMBERS)
		return take_text(loader, str_of(number));
	if (f->key->kind == K_NETS && !parse_net(word)) {
		fault(loader, place,
			"\"%s\" is neither HOST, HOST:PORT nor a network like 10.0.0.0/8", shown);
		return NULL;
	}
	if (f->key->kind == K_EVENTS) {
		for (size_t i = 0; i < loader->event_count; i++)
			if (str_is(word, loader->events[i]))
				return loader->events[i];
		fault(loader, place, "no plugin in use makes the event \"%s\"%s", shown,
			hint(loader, word, loader->events, loader->event_count));
		return NULL;
	}
	return take_text(loader, word);
}

/* Phone numbers and what people say may contain blanks. */
static bool next_element(const struct field *f, struct str *rest, struct str *word)
{
	const char *comma;

	if (f->key->kind != K_NUMBERS && f->key->kind != K_PHRASES)
		return str_word(rest, word);
	do {
		if (!rest->len)
			return false;
		comma = memchr(rest->ptr, ',', rest->len);
		*word = (struct str){rest->ptr, comma ? (size_t)(comma - rest->ptr) : rest->len};
		rest->ptr += word->len + (comma != NULL);
		rest->len -= word->len + (comma != NULL);
		*word = str_trim(*word);
	} while (!word->len);
	return true;
}

struct collected {
	const char **list;
	size_t count;
};

static void note(
	struct field *f, const struct value *value, struct str word, const char *element_text)
{
	*PUSH(f->loader, f->loader->scratch, f->loader->noted, f->loader->noted_count) =
		(struct noted){element_text, value_word(f->loader, value, word),
			value_place(value, (size_t)(word.ptr - value->text.ptr))};
}

static void collect(struct field *f, const struct value *value, struct collected *all)
{
	struct str rest = value->text, word;
	const char *text;

	if (!str_trim(rest).len)
		fault(f->loader, value->place, "\"%s\" is empty", f->key->name);
	while (next_element(f, &rest, &word)) {
		text = element(f, value, word);
		if (!text)
			continue;
		*PUSH(f->loader, f->loader->scratch, all->list, all->count) = text;
		note(f, value, word, text);
	}
}

static void set_list(struct field *f)
{
	struct item *item = section_next(f->section, f->key->name, NULL);
	struct collected all = {0};
	struct value value;

	if (!item && f->key->fallback) {
		value = (struct value){.text = str_of(f->key->fallback)};
		collect(f, &value, &all);
	}
	for (; item; item = section_next(f->section, f->key->name, item))
		if (value_expand(f->loader, &value, item->entry, ' '))
			collect(f, &value, &all);
	apply_list(f->loader, f->target, all.list, all.count);
}

/* The same field of the same section in today's configuration; NULL: none. */
static const struct config_secret *live_secret(const struct field *f)
{
	const struct config *live = f->loader->ctx.literals;
	const char *same = NULL;

	if (live && strcmp(f->section->kind, "host") == 0)
		same = (const char *)&live->host;
	else if (live && strcmp(f->section->kind, "tenant") == 0)
		same = (const char *)config_tenant(live, f->section->name);
	return same ? (const struct config_secret *)(const void *)(same + f->key->offset) : NULL;
}

static void set_secret(struct field *f)
{
	struct config_secret *secret = f->target;
	struct item *item = NULL;

	secret->option = f->key->name;
	while ((item = section_next(f->section, f->key->name, item)))
		secret_add(f->loader, secret, item->entry, live_secret(f));
}

/* ---- Sections ----------------------------------------------------------------------------- */

static void set_one(struct field *f, const struct value *value)
{
	static void (*const setters[])(struct field *, const struct value *) = {
		[K_TEXT] = set_text,
		[K_INT] = set_int,
		[K_BOOL] = set_bool,
		[K_MS] = set_ms,
		[K_BYTES] = set_bytes,
		[K_RATE] = set_rate,
		[K_CHOICE] = set_choice,
		[K_PATH] = set_path,
		[K_LISTEN] = set_listen,
		[K_ZONE] = set_zone,
		[K_COUNTRY] = set_country,
		[K_SQL] = set_sql,
		[K_WORD] = set_word,
		[K_SPAN] = set_span,
		[K_EMAIL] = set_email,
		[K_STATE] = set_state,
		[K_KEEP] = set_keep,
	};

	setters[f->key->kind](f, value);
}

static void tell_repeat(struct field *f, struct item *first)
{
	struct item *again = first;

	while ((again = section_next(f->section, f->key->name, again)))
		fault(f->loader, again->entry->place, "\"%s\" is given already in line %u",
			f->key->name, (unsigned)first->entry->place.line);
}

static void set_single(struct field *f)
{
	struct item *item = section_next(f->section, f->key->name, NULL);
	char join = f->key->kind == K_SQL ? '\n' : ' ';
	struct value value = {.text = str_of(f->key->fallback), .place = f->section->place};

	if (item) {
		tell_repeat(f, item);
		if (!value_expand(f->loader, &value, item->entry, join))
			return;
	} else if (!f->key->fallback) {
		return;
	}
	set_one(f, &value);
}

static bool has_item(const struct section *section, const char *key)
{
	for (size_t i = 0; i < section->item_count; i++)
		if (strcmp(section->items[i].entry->key, key) == 0)
			return true;
	return false;
}

static void apply_key(struct field *f)
{
	switch (f->key->kind) {
	case K_OTHER:
		break;
	case K_SECRET:
		set_secret(f);
		break;
	case K_PATHS:
	case K_NETS:
	case K_WORDS:
	case K_NUMBERS:
	case K_EVENTS:
	case K_PHRASES:
		set_list(f);
		break;
	default:
		set_single(f);
	}
}

void apply_table(struct loader *loader, struct section *section, void *target)
{
	const struct config_section *table = table_find(section->kind);

	loader->noted = NULL;
	loader->noted_count = 0;
	for (size_t i = 0; i < table->key_count; i++) {
		const struct config_key *key = &table->keys[i];
		struct field f = {loader, key, section, (char *)target + key->offset};
		if (key->required && !section->incomplete && !has_item(section, key->name))
			fault(loader, section->place, "[%s%s%s] needs \"%s\": %s", section->kind,
				table->named ? " " : "", section->name, key->name, key->help);
		if (key->kind == K_OTHER && !key->repeated && has_item(section, key->name))
			tell_repeat(&f, section_next(section, key->name, NULL));
		apply_key(&f);
	}
}

void apply_leftovers(
	struct loader *loader, struct section *section, const char *const *more, size_t more_count)
{
	const struct config_section *table = table_find(section->kind);
	const char **known = NULL;
	size_t count = 0;

	for (size_t i = 0; i < table->key_count; i++)
		*PUSH(loader, loader->scratch, known, count) = table->keys[i].name;
	for (size_t i = 0; i < more_count; i++)
		*PUSH(loader, loader->scratch, known, count) = more[i];
	for (size_t i = 0; i < section->item_count; i++) {
		const struct entry *entry = section->items[i].entry;
		if (section->items[i].used || strcmp(entry->key, "like") == 0)
			continue;
		fault(loader, entry->place, "[%s%s%s] has no key \"%s\"%s", section->kind,
			table->named ? " " : "", section->name, entry->key,
			hint(loader, str_of(entry->key), known, count));
	}
}

/* False: told. */
static bool find_owner(
	struct loader *loader, struct section *section, const struct config_tenant **tenant)
{
	struct item *item = section_next(section, "tenant", NULL);
	const struct config *config = loader->config;
	const char **names;
	struct value value;

	if (!item)
		return true;
	if (!value_expand(loader, &value, item->entry, ' '))
		return false;
	names = take(loader, loader->scratch, (config->tenant_count + 1) * sizeof(*names));
	for (size_t i = 0; i < config->tenant_count; i++) {
		if (str_is(value.text, config->tenants[i].name)) {
			*tenant = &config->tenants[i];
			return true;
		}
		names[i] = config->tenants[i].name;
	}
	fault(loader, value.place, "there is no [tenant %s]%s", value_shown(loader, &value),
		hint(loader, value.text, names, config->tenant_count));
	return false;
}

/* Names are unique per owner, which the header alone does not tell. */
static void claim(struct loader *loader, const struct section *section, const char *full)
{
	for (size_t i = 0; i < loader->claim_count; i++) {
		const struct claim *other = &loader->claims[i];
		if (strcmp(other->section->kind, section->kind) || strcmp(other->full, full))
			continue;
		fault(loader, section->place,
			"[%s %s] of that owner (%s) is there already, at %s:%u", section->kind,
			section->name, full, other->section->place.file,
			(unsigned)other->section->place.line);
		return;
	}
	*PUSH(loader, loader->scratch, loader->claims, loader->claim_count) =
		(struct claim){section, full};
}

const char *apply_owner(
	struct loader *loader, struct section *section, const struct config_tenant **tenant)
{
	bool known = find_owner(loader, section, tenant);
	const char *full =
		take_printf(loader, "%s/%s", *tenant ? (*tenant)->name : AGENCY, section->name);

	if (known)
		claim(loader, section, full);
	return full;
}

/* ---- Expressions -------------------------------------------------------------------------- */

/* SQLite's "no such column: dta" deserves a hint, unless who checks gave one already. */
static const char *column_hint(struct loader *loader, const char *text)
{
	static const char start[] = "no such column: ";
	const char *found = strstr(text, start);
	struct str word = {NULL, 0};
	size_t count = 0;

	while (loader->ctx.columns && loader->ctx.columns[count])
		count++;
	if (!found || strstr(text, "did you mean"))
		return "";
	word.ptr = found + sizeof(start) - 1;
	while (word.ptr[word.len] && !strchr(" ,;.\"", word.ptr[word.len]))
		word.len++;
	return hint(loader, word, loader->ctx.columns, count);
}

/* Where the checker says it is: a byte, or the error's place as a character counted from 1. */
static size_t fault_offset(struct str sql, const struct error *error, size_t offset)
{
	unsigned long character = strtoul(error->place, NULL, 10);
	size_t at = 0;

	if (offset || !character)
		return offset < sql.len ? offset : sql.len;
	while (at < sql.len && --character)
		at += str_utf8_len(sql.ptr + at, sql.len - at);
	return at;
}

struct config_text take_sql(struct loader *loader, const struct value *value, size_t from,
	size_t to, const char *const *step_names)
{
	static const char *const none[] = {NULL};
	struct str sql = str_trim((struct str){value->text.ptr + from, to - from});
	struct config_text out = {.text = {"", 0}};
	struct error error = {0};
	size_t offset = 0, start = (size_t)(sql.ptr - value->text.ptr);

	out.place = value_place(value, start);
	if (!sql.len) {
		fault(loader, out.place, "an SQL expression is missing here");
		return out;
	}
	out.text = (struct str){take_text(loader, sql), sql.len};
	if (!loader->ctx.check_sql || loader->ctx.check_sql(loader->ctx.user, &error, out.text,
					      step_names ? step_names : none, &offset) == 0)
		return out;
	offset = fault_offset(out.text, &error, offset);
	if (value_hidden(value, sql)) { /* the reason may quote it */
		fault(loader, out.place, "this is no expression once its ${…} are put in");
		return out;
	}
	fault(loader, value_place(value, start + offset), "%s%s", error.text,
		column_hint(loader, error.text));
	return out;
}
