/* question.c - reads what an agent's model filled in, and believes little of it.
 *
 * Never takes identity from it, never guesses a service. Runs on the runner's thread; keeps
 * nothing but what is in the run's arena.
 */
#include "desk/question.h"

#include <assert.h>
#include <string.h>
#include <strings.h>
#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "desk/phonetic.h"
#include "desk/steps.h"

#define VALUE_MAX 200 /* bytes of a name, an address, a service; a wish may be longer */
#define WORDS_MAX 12  /* of a service's name or what is said of it */

/* ---- Members ------------------------------------------------------------------------------- */

static const struct json *source(const struct desk_run *run, int i)
{
	switch (i) {
	case 0:
		return run->input;
	case 1:
		return json_get(run->data, "args");
	default:
		return json_get(run->data, "variables");
	}
}

/* Only these: whatever else the call's variables are, they are no question. */
static bool predecessors(const char *name)
{
	static const char *const names[] = {"check_availability", "requested_date",
		"requested_time", "customer_preferences", "event_type_id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str trim(struct str s)
{
	while (s.len && is_space(s.ptr[0]))
		s.ptr++, s.len--;
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static bool is_placeholder(struct str s)
{
	static const char *const words[] = {"caller_number", "caller_phone_number", "phone_number",
		"from_number", "user_number", "current", "current_call", "current_caller",
		"dummy_call_id", "unknown", "unbekannt", "anonymous", "anonym", "none", "null",
		"nil", "nan", "undefined", "n/a", "na", "-", "?", "string", "not provided",
		"not specified", "nicht angegeben", "keine angabe", "k.a."};

	if (s.len > 1 && s.ptr[0] == '{' && s.ptr[1] == '{')
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (s.len == strlen(words[i]) && strncasecmp(s.ptr, words[i], s.len) == 0)
			return true;
	return false;
}

static struct str value_text(const struct json *value)
{
	struct str text = {0};

	if (json_type(value) == JSON_TEXT || json_type(value) == JSON_NUMBER)
		text = trim(json_text(value));
	return is_placeholder(text) ? (struct str){0} : text;
}

struct str question_text(const struct desk_run *run, const char *const *names)
{
	for (int i = 0; i < 3; i++)
		for (const char *const *name = names; *name; name++) {
			if (i == 2 && !predecessors(*name))
				continue;
			struct str text = value_text(json_get(source(run, i), *name));
			if (text.len)
				return text;
		}
	return (struct str){"", 0};
}

/* The same as it came; NULL: none. */
static const struct json *question_value(const struct desk_run *run, const char *name)
{
	for (int i = 0; i < 3; i++) {
		const struct json *value = json_get(source(run, i), name);
		if (json_type(value) > JSON_NULL && (i < 2 || predecessors(name)))
			return value;
	}
	return NULL;
}

#define TEXT_OF(run, ...) question_text(run, (const char *const[]){__VA_ARGS__, NULL})

static struct str brief(struct str text)
{
	if (text.len > VALUE_MAX) {
		text.len = VALUE_MAX;
		text.len = str_utf8_span(text);
	}
	return text;
}

/* ---- Comparing what is said ---------------------------------------------------------------- */

/* How a letter beyond ASCII is spelled out; NULL: it is passed over, *len is what it takes. */
static const char *spelled(struct str rest, size_t *len)
{
	static const struct {
		const char *utf8, *plain;
	} letters[] = {{"ä", "ae"}, {"Ä", "ae"}, {"ö", "oe"}, {"Ö", "oe"}, {"ü", "ue"}, {"Ü", "ue"},
		{"ß", "ss"}, {"é", "e"}, {"è", "e"}, {"ê", "e"}, {"á", "a"}, {"à", "a"}, {"ç", "c"},
		{"ñ", "n"}, {"ô", "o"}};

	*len = str_utf8_len(rest.ptr, rest.len);
	if (*len == 0)
		*len = 1;
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (strlen(letters[i].utf8) == *len && memcmp(rest.ptr, letters[i].utf8, *len) == 0)
			return letters[i].plain;
	return NULL;
}

static void add_gap(struct buf *out)
{
	if (out->len && out->ptr[out->len - 1] != ' ')
		buf_add(out, " ", 1);
}

struct str question_fold(struct arena *arena, struct str text)
{
	struct buf out = {.max = WISH_PHRASE * 2};
	struct str folded;

	for (size_t i = 0; i < text.len && i < WISH_PHRASE;) {
		size_t len = 1;
		char c = text.ptr[i];
		const char *plain = NULL;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			buf_add(&out, &c, 1);
		else if ((plain = spelled((struct str){text.ptr + i, text.len - i}, &len)) != NULL)
			buf_add_text(&out, plain);
		else
			add_gap(&out);
		i += len;
	}
	folded = trim((struct str){out.ptr ? out.ptr : "", out.len});
	folded = str_dup(arena, folded);
	buf_finish(&out);
	return folded;
}

static size_t split(struct str folded, struct str *words)
{
	size_t count = 0;

	while (folded.len && count < WORDS_MAX) {
		const char *gap = memchr(folded.ptr, ' ', folded.len);
		size_t len = gap ? (size_t)(gap - folded.ptr) : folded.len;
		if (len)
			words[count++] = (struct str){folded.ptr, len};
		folded.ptr += gap ? len + 1 : len;
		folded.len -= gap ? len + 1 : len;
	}
	return count;
}

/* Says nothing about which service is meant. */
static bool is_filler(struct str word)
{
	static const char *const words[] = {"termin", "einen", "eine", "ein", "zur", "zum", "fuer",
		"die", "der", "das", "den", "bitte", "mal", "und", "bei", "appointment", "an", "a",
		"for", "the", "please", "to"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_is(word, words[i]))
			return true;
	return false;
}

/* How many words of `part` are in `whole`, 0 unless all are; fillers do not count. */
static size_t contained(struct str part, struct str whole)
{
	struct str a[WORDS_MAX], b[WORDS_MAX];
	size_t a_count = split(part, a), b_count = split(whole, b), hits = 0;

	for (size_t i = 0; i < a_count; i++) {
		bool found = false;
		for (size_t k = 0; k < b_count && !found; k++)
			found = str_eq(a[i], b[k]);
		if (!found && !is_filler(a[i]))
			return 0;
		hits += found && !is_filler(a[i]);
	}
	return hits;
}

/* How well a name fits: exactly 1000, else by the words they share; 0: not at all. */
static size_t fit(struct arena *arena, struct str name, struct str said)
{
	struct str folded = question_fold(arena, name);
	size_t in_said, in_name;

	if (folded.len == 0)
		return 0;
	if (str_eq(folded, said))
		return 1000;
	in_said = contained(folded, said);
	in_name = contained(said, folded);
	return in_said * 10 > in_name ? in_said * 10 : in_name;
}

/* ---- The service --------------------------------------------------------------------------- */

struct offered {
	struct office_service *list;
	size_t count;
};

static size_t service_fit(
	struct arena *arena, const struct office_service *service, struct str said)
{
	size_t best = fit(arena, service->name, said), one = fit(arena, service->title, said);

	best = one > best ? one : best;
	for (size_t i = 0; i < service->alias_count; i++) {
		one = fit(arena, service->aliases[i], said);
		best = one > best ? one : best;
	}
	return best;
}

/* By the calendar's id; of somebody's own, that person is wished for. */
static bool by_event_type(struct question *question, struct offered *offered, struct str id)
{
	for (size_t i = 0; i < offered->count; i++) {
		struct office_service *service = &offered->list[i];
		if (str_eq(service->event_type, id)) {
			question->service = service;
			return true;
		}
		for (size_t k = 0; k < service->staff_count; k++)
			if (str_eq(service->staff[k].event_type, id)) {
				question->service = service;
				question->staff = &service->staff[k];
				return true;
			}
	}
	return false;
}

/* The one that fits best; two that fit alike are none. */
static bool by_words(
	struct arena *arena, struct question *question, struct offered *offered, struct str said)
{
	struct str folded = question_fold(arena, said);
	size_t best = 0, best_count = 0, at = 0;

	for (size_t i = 0; i < offered->count; i++) {
		size_t one = service_fit(arena, &offered->list[i], folded);
		if (one > best)
			best = one, best_count = 1, at = i;
		else if (one > 0 && one == best)
			best_count++;
	}
	if (best_count != 1)
		return false;
	question->service = &offered->list[at];
	return true;
}

/* True if one was named. */
static bool find_service(
	const struct desk_run *run, struct question *question, struct offered *offered)
{
	static const char *const names[] = {"service", "dienstleistung", "service_name", "leistung",
		"event_type_id", "event_type"};

	for (int i = 0; i < 3; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			struct str said = {0};
			if (i < 2 || predecessors(names[k]))
				said = brief(value_text(json_get(source(run, i), names[k])));
			if (said.len == 0)
				continue;
			if (by_event_type(question, offered, said) ||
				by_words(run->arena, question, offered, said))
				return true;
			if (question->service_said.len == 0)
				question->service_said = said;
		}
	if (question->service_said.len == 0) {
		question->service = &offered->list[0];
		return false;
	}
	question->fault = QUESTION_UNKNOWN_SERVICE;
	return true;
}

/* ---- The person ---------------------------------------------------------------------------- */

static bool anybody(struct str folded)
{
	static const char *const words[] = {"egal", "beliebig", "any", "anyone", "anybody",
		"irgendwer", "keine praeferenz", "keine", "no preference", "wer frei ist"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_is(folded, words[i]))
			return true;
	return false;
}

static const struct office_staff *staff_called(
	struct arena *arena, const struct office_service *service, struct str said)
{
	struct str folded = question_fold(arena, said);
	const struct office_staff *found = NULL;
	size_t best = 0, count = 0;

	for (size_t i = 0; i < service->staff_count; i++) {
		const struct office_staff *one = &service->staff[i];
		size_t fits = str_eq(one->event_type, said) ? 1000 : fit(arena, one->name, folded);
		if (fits == 0 && phonetic_same_name(one->name, said))
			fits = 1;
		if (fits > best)
			best = fits, count = 1, found = one;
		else if (fits > 0 && fits == best)
			count++;
	}
	return count == 1 ? found : NULL;
}

/* Who did not say what for, but to whom, means that person's service, if there is only one. */
static void service_of_staff(
	struct arena *arena, struct question *question, struct offered *offered)
{
	struct office_service *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < offered->count; i++)
		if (staff_called(arena, &offered->list[i], question->staff_said)) {
			found = &offered->list[i];
			count++;
		}
	if (count == 1)
		question->service = found;
}

static void find_staff(const struct desk_run *run, struct question *question,
	struct offered *offered, bool service_named)
{
	struct str said = brief(TEXT_OF(run, "staff", "mitarbeiter", "mitarbeiter_wunsch",
		"staff_name", "preferred_staff", "preferred_staff_id"));

	if (said.len == 0 || anybody(question_fold(run->arena, said)))
		return;
	question->staff_said = said;
	if (!question->service)
		return;
	if (!service_named && !staff_called(run->arena, question->service, said))
		service_of_staff(run->arena, question, offered);
	question->staff = staff_called(run->arena, question->service, said);
	if (!question->staff && question->service->staff_count)
		question->fault = QUESTION_UNKNOWN_STAFF;
}

static void find_what(struct desk_run *run, struct question *question)
{
	struct offered offered = {0};

	offered.count =
		office_offered(run->arena, question->office, question->branch, &offered.list);
	if (offered.count == 0) {
		question->fault = QUESTION_NO_SERVICES;
		return;
	}
	bool named = find_service(run, question, &offered);
	find_staff(run, question, &offered, named);
}

/* ---- The wish ------------------------------------------------------------------------------ */

static struct wish_range range(struct config_span span)
{
	return (struct wish_range){(int16_t)span.from, (int16_t)span.to};
}

static void conventions(const struct config_desk *desk, struct wish_settings *out)
{
	wish_defaults(out);
	if (!desk)
		return;
	out->part[WISH_EARLY] = range(desk->early);
	out->part[WISH_FORENOON] = range(desk->morning);
	out->part[WISH_NOON] = range(desk->noon);
	out->part[WISH_AFTERNOON] = range(desk->afternoon);
	out->part[WISH_AFTERNOON_1ST] = range(desk->early_afternoon);
	out->part[WISH_AFTERNOON_2ND] = range(desk->late_afternoon);
	out->part[WISH_EVENING] = range(desk->evening);
	out->about = (int16_t)(desk->about_ms / 60000);
}

struct wish *question_wish(const struct desk_run *run, const struct question *question,
	struct str date, struct str time, struct str words)
{
	struct wish *wish;
	struct wish_settings settings;
	struct wish_context context = {
		.now_ms = run->now_ms,
		.zone = question->zone,
		.language = question->language == SAY_EN ? WISH_EN : WISH_DE,
		.state = question->state,
		.settings = &settings,
		.length_ms = question->service ? question->service->length_ms : 0,
	};

	conventions(run->settings, &settings);
	wish = wish_read_fields(run->arena, &context, date, time, words);
	return wish ? wish : question->wish; /* no memory: the run ends with that anyway */
}

/* "zwischen 16:00 und 19:00" of two members. */
static struct str span_words(const struct desk_run *run, enum say_language language)
{
	bool de = language == SAY_DE;
	struct str from = brief(TEXT_OF(run, "time_from", "from_time", "uhrzeit_von"));
	struct str to = brief(TEXT_OF(run, "time_to", "to_time", "uhrzeit_bis"));

	if (from.len && to.len && str_eq(from, to))
		return from;
	if (from.len && to.len)
		return str_cat(run->arena,
			(const struct str[]){de ? STR("zwischen ") : STR("between "), from,
				de ? STR(" und ") : STR(" and "), to},
			4);
	if (from.len)
		return str_cat(
			run->arena, (const struct str[]){de ? STR("ab ") : STR("after "), from}, 2);
	if (to.len)
		return str_cat(
			run->arena, (const struct str[]){de ? STR("bis ") : STR("until "), to}, 2);
	return (struct str){"", 0};
}

bool question_instant(const struct question *question, struct str text, int64_t *ms)
{
	return text.len > 10 && clock_parse(text, question->zone, ms);
}

static bool looks_iso(struct str text)
{
	if (text.len < 12 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
		(text.ptr[10] != 'T' && text.ptr[10] != ' '))
		return false;
	for (size_t i = 0; i < 4; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return true;
}

/* Whether it names its offset, so that it is one instant whatever the zone. */
static bool has_offset(struct str text)
{
	for (size_t i = 11; i < text.len; i++)
		if (text.ptr[i] == 'Z' || text.ptr[i] == 'z' || text.ptr[i] == '+' ||
			text.ptr[i] == '-')
			return true;
	return false;
}

/* A slot as we offered it; or, since models put anything anywhere, a date, or the caller's words.
 */
static void take_slot(const struct desk_run *run, struct question *question)
{
	struct str text = TEXT_OF(run, "slot", "start", "slot_id", "slot_start", "datetime",
		"start_time", "appointment_time");

	if (text.len == 0)
		return;
	if (looks_iso(text) && has_offset(text)) {
		question->slot_bad = !question_instant(question, text, &question->start_ms);
	} else if (looks_iso(text)) {
		question->date = (struct str){text.ptr, 10};
		question->time = (struct str){text.ptr + 11, text.len < 16 ? text.len - 11 : 5};
	} else if (question->date.len == 0 && question->time.len == 0 && question->words.len == 0) {
		question->words = text;
	}
}

/* The instant as day and time of the wall, to have a wish whose nearest can be found. */
static void wish_for_start(const struct desk_run *run, struct question *question)
{
	struct civil at = zone_civil(question->zone, question->start_ms);
	char *text = arena_printf(run->arena, "%04d-%02d-%02d %02d:%02d", at.year, at.month, at.day,
		at.hour, at.minute);

	if (!text)
		return;
	question->date = (struct str){text, 10};
	question->time = (struct str){text + 11, 5};
}

static bool is_no(const struct json *value)
{
	struct str text = json_type(value) == JSON_TEXT ? trim(json_text(value)) : (struct str){0};

	if (json_type(value) == JSON_BOOL)
		return !json_bool(value, true);
	return text.len && (strncasecmp(text.ptr, "false", text.len) == 0 ||
				   strncasecmp(text.ptr, "nein", text.len) == 0 ||
				   strncasecmp(text.ptr, "no", text.len) == 0 || str_is(text, "0"));
}

/* "Donnerstag"; "donnerstags" says more than which day a date is. */
static bool names_a_day(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') &&
			!(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z'))
			return false;
	return text.len && text.ptr[text.len - 1] != 's';
}

/* A date and its weekday belong together: where they contradict, the wish is ambiguous. */
static struct str date_said(const struct desk_run *run)
{
	struct str date = TEXT_OF(run, "requested_date", "datum", "date", "preferred_date");
	struct str weekday = brief(TEXT_OF(run, "weekday", "wochentag"));

	if (!date.len)
		return weekday;
	if (!names_a_day(weekday))
		return date;
	return str_cat(run->arena, (const struct str[]){date, STR(", "), weekday}, 3);
}

static void find_when(const struct desk_run *run, struct question *question)
{
	question->start_ms = -1;
	question->date = date_said(run);
	question->time = TEXT_OF(run, "requested_time", "uhrzeit", "time", "preferred_time");
	if (question->time.len == 0)
		question->time = span_words(run, question->language);
	question->words = TEXT_OF(run, "customer_preferences", "preference", "preferences",
		"kundenpraeferenzen", "kundenpräferenzen", "wish", "wunsch", "phrase");
	take_slot(run, question);
	if (question->start_ms >= 0)
		wish_for_start(run, question);
	question->wish =
		question_wish(run, question, question->date, question->time, question->words);
	if (question->words.len && question->date.len + question->time.len > 0) {
		const struct str none = {"", 0};
		question->asked =
			question_wish(run, question, question->date, question->time, none);
		question->preference = question_wish(run, question, none, none, question->words);
	}
	question->check = !is_no(question_value(run, "check_availability"));
}

/* ---- The caller ---------------------------------------------------------------------------- */

static const char *calling_code(const char *country)
{
	static const char *const codes[][2] = {{"DE", "49"}, {"AT", "43"}, {"CH", "41"},
		{"LI", "423"}, {"LU", "352"}, {"FR", "33"}, {"NL", "31"}, {"BE", "32"},
		{"DK", "45"}, {"PL", "48"}, {"CZ", "420"}, {"GB", "44"}, {"IE", "353"},
		{"US", "1"}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (country && strcmp(country, codes[i][0]) == 0)
			return codes[i][1];
	return NULL;
}

/* The digits of what is said, empty if it is no number. */
static size_t digits(struct str said, char out[24])
{
	size_t n = 0;

	for (size_t i = 0; i < said.len; i++) {
		char c = said.ptr[i];
		if (c >= '0' && c <= '9' && n < 20)
			out[n++] = c;
		else if (!memchr(" -/().+\t", c, 8) || (c == '+' && i > 0))
			return 0;
	}
	return n;
}

static struct str phone_of(const struct desk_run *run, struct str said)
{
	const char *code = calling_code(run->tenant->country);
	char plain[24];
	size_t n = digits(said, plain), skip = 0;
	const char *front = "+";

	if (n == 0)
		return (struct str){"", 0};
	if (said.ptr[0] == '+')
		code = "";
	else if (n > 2 && plain[0] == '0' && plain[1] == '0')
		code = "", skip = 2;
	else if (plain[0] == '0' && code)
		skip = 1;
	else
		return (struct str){"", 0};
	n -= skip;
	if (n + strlen(code) < 7 || n + strlen(code) > 15)
		return (struct str){"", 0};
	return str_of(arena_printf(run->arena, "%s%s%.*s", front, code, (int)n, plain + skip));
}

static struct str email_of(struct str said)
{
	const char *at = said.len ? memchr(said.ptr, '@', said.len) : NULL;
	size_t left = at ? said.len - (size_t)(at - said.ptr) : 0;

	if (!at || at == said.ptr || !memchr(at, '.', left) || memchr(said.ptr, ' ', said.len))
		return (struct str){"", 0};
	return said;
}

static void find_who(const struct desk_run *run, struct question *question)
{
	question->name = brief(TEXT_OF(run, "name", "customer_name", "kundenname", "patient_name"));
	question->email = email_of(brief(TEXT_OF(run, "email", "customer_email", "e_mail")));
	question->phone = phone_of(run, brief(TEXT_OF(run, "phone", "telefonnummer", "telefon",
						"phone_number", "customer_phone")));
	question->reason = TEXT_OF(run, "reason", "grund", "notes", "anliegen");
	question->caller_phone = question->phone.len ? question->phone : run->caller;
}

/* ---- All of it ----------------------------------------------------------------------------- */

static const struct office_branch *copy_branch(
	struct arena *arena, const struct office_branch *from)
{
	struct office_branch *to = from ? arena_alloc(arena, sizeof(*to)) : NULL;

	if (!to)
		return NULL;
	*to = (struct office_branch){
		.name = str_dup(arena, from->name),
		.title = str_dup(arena, from->title),
		.address = str_dup(arena, from->address),
		.agent = str_dup(arena, from->agent),
		.agent_version = from->agent_version,
		.state = str_dup(arena, from->state),
		.position = from->position,
	};
	return to;
}

static void find_where(struct desk_run *run, struct question *question)
{
	struct str named = value_text(json_get(run->input, "branch"));
	const struct office_branch *branch;

	question->office = offices_find(desk_offices(run->desk), str_of(run->tenant->name));
	branch = named.len ? office_branch(question->office, named) : NULL;
	if (!branch)
		branch = office_dialled(question->office, json_get_text(run->data, "to"));
	question->branch = copy_branch(run->arena, branch);
	question->state = run->settings && run->settings->state ? run->settings->state : "";
	if (question->branch && question->branch->state.len)
		question->state = question->branch->state.ptr;
}

struct question *question_read(struct desk_run *run)
{
	struct question *question = arena_alloc(run->arena, sizeof(*question));

	if (!question)
		return NULL;
	question->language = say_language(run);
	question->zone = zone_find(run->tenant->timezone);
	if (!question->zone)
		question->zone = zone_find("UTC");
	find_where(run, question);
	find_what(run, question);
	find_when(run, question);
	find_who(run, question);
	return arena_failed(run->arena) ? NULL : question;
}

/* ---- What is wrong with it ----------------------------------------------------------------- */

static struct str which_service(const struct desk_run *run, const struct question *question)
{
	struct office_service *list = NULL;
	size_t count = office_offered(run->arena, question->office, question->branch, &list);
	struct str titles[3];
	size_t said = count < 3 ? count : 3;

	for (size_t i = 0; i < said; i++)
		titles[i] = list[i].title;
	struct str all = say_and(run->arena, question->language, titles, said);
	return count == 1 ? SAY(run, WHICH_SERVICE_ALONE, all) : SAY(run, WHICH_SERVICE, all);
}

static struct str which_staff(const struct desk_run *run, const struct question *question)
{
	struct str names[5];
	size_t count = question->service->staff_count;

	count = count < 5 ? count : 5;
	for (size_t i = 0; i < count; i++)
		names[i] = question->service->staff[i].name;
	return SAY(run, WHICH_STAFF, say_or(run->arena, question->language, names, count));
}

static struct str complaint(
	const struct desk_run *run, const struct question *question, const char **fault)
{
	static const char *const wish_faults[] = {NULL, "no such date", "no such time",
		"a time that the clocks skip", "over already"};
	struct str sentence;

	if (question->fault == QUESTION_NO_SERVICES)
		return *fault = "the office has no services", SAY0(run, NO_SERVICES);
	if (question->fault == QUESTION_UNKNOWN_SERVICE)
		return *fault = "no such service", which_service(run, question);
	if (question->fault == QUESTION_UNKNOWN_STAFF)
		return *fault = "nobody of that name", which_staff(run, question);
	if (question->slot_bad)
		return *fault = "no such instant", SAY0(run, WHICH_TIME);
	if (question->start_ms >= 0 && question->start_ms < run->now_ms)
		return *fault = "over already",
		       SAY(run, OVER,
			       say_capital(run->arena,
				       say_when(run->arena, question->language, question->zone,
					       question->start_ms, run->now_ms)));
	*fault = wish_faults[wish_fault(question->wish, NULL)];
	if (!*fault)
		return (struct str){"", 0};
	sentence = wish_say(run->arena, question->wish);
	return sentence.len ? sentence : SAY0(run, WHICH_TIME);
}

struct str question_complaint(const struct desk_run *run, const struct question *question)
{
	const char *fault = NULL;
	struct str sentence = complaint(run, question, &fault);

	if (fault)
		log_line(LOG_INFO, "a caller asked for what there is not", "tenant",
			run->tenant->name, "fault", fault, "op",
			arena_strndup(run->arena, run->op.ptr, run->op.len), NULL);
	return fault && !sentence.len ? STR("?") : sentence; /* no memory: a fault all the same */
}
