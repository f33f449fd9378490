/* say.c - sentences, dates and lists as they are spoken.
 *
 * Knows no office and no booking. Pure; safe from any thread.
 */
#include "desk/say.h"

#include <assert.h>
#include <string.h>
#include "base/arena.h"
#include "base/json.h"
#include "base/words.h"
#include "desk/desk.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)
#define SENTENCE_MAX ((size_t)16 << 10)

static const char *const sentences[SAY_COUNT][2] = {
#define SAY_LINE(id, de, en) [SAY_##id] = {de, en},
#include "desk/say_table.h"
#undef SAY_LINE
};

enum say_language say_language(const struct desk_run *run)
{
	return run->tenant->language == CONFIG_EN ? SAY_EN : SAY_DE;
}

static struct str keep(struct arena *arena, struct buf *buf)
{
	struct str text = {0};

	if (buf->failed)
		arena_fail(arena);
	else
		text = str_dup(arena, (struct str){buf->ptr ? buf->ptr : "", buf->len});
	buf_finish(buf);
	return text;
}

struct str say(struct arena *arena, enum say_language language, enum say_id id,
	const struct str *args, size_t count)
{
	struct buf out = {.max = SENTENCE_MAX};

	assert(id < SAY_COUNT);
	for (const char *p = sentences[id][language]; *p; p++) {
		if (p[0] != '{') {
			buf_add(&out, p, 1);
			continue;
		}
		size_t n = (size_t)(p[1] - '1');
		assert(n < count && p[2] == '}');
		buf_add_str(&out, args[n]);
		p += 2;
	}
	return keep(arena, &out);
}

/* ---- Dates and times ----------------------------------------------------------------------- */

/* "Donnerstag, 26. November 2026" in pieces: the day's name, and its date with or without year. */
struct day_words {
	char text[WORDS_TEXT];
	struct str weekday, date;
};

static void day_words(struct day_words *out, enum say_language language, const struct civil *civil,
	bool with_year)
{
	size_t len = words_day(out->text, civil, language == SAY_DE ? "de" : "en");
	const char *comma = memchr(out->text, ',', len);

	assert(comma);
	if (!with_year)
		while (len > 0 && out->text[--len] != ' ') {
		}
	out->weekday = (struct str){out->text, (size_t)(comma - out->text)};
	out->date = (struct str){comma + 2, len - out->weekday.len - 2};
}

static bool same_day(const struct civil *a, const struct civil *b)
{
	return a->year == b->year && a->month == b->month && a->day == b->day;
}

/* 0 today, 1 tomorrow, else 2. By the calendar: a day may have 23 hours. */
static int nearness(const struct zone *zone, const struct civil *day, int64_t now_ms)
{
	struct civil today = zone_civil(zone, now_ms);
	struct civil noon = {
		.year = today.year, .month = today.month, .day = today.day, .hour = 12};
	int64_t ms = now_ms;

	if (same_day(day, &today))
		return 0;
	zone_instant(zone, &noon, &ms);
	struct civil tomorrow = zone_civil(zone, ms + DAY_MS);
	return same_day(day, &tomorrow) ? 1 : 2;
}

static void add_day(struct buf *out, enum say_language language, const struct zone *zone,
	int64_t ms, int64_t now_ms)
{
	static const char *const near[2][3] = {
		{"heute, ", "morgen, ", ""}, {"today, ", "tomorrow, ", ""}};
	struct civil civil = zone_civil(zone, ms);
	struct day_words words;

	day_words(
		&words, language, &civil, ms - now_ms > 180 * DAY_MS || now_ms - ms > 180 * DAY_MS);
	buf_add_text(out, near[language][nearness(zone, &civil, now_ms)]);
	buf_add_str(out, words.weekday);
	buf_add_text(out, language == SAY_DE ? ", den " : ", ");
	buf_add_str(out, words.date);
}

static void add_clock(
	struct buf *out, enum say_language language, const struct zone *zone, int64_t ms)
{
	struct civil civil = zone_civil(zone, ms);

	if (language == SAY_DE)
		buf_printf(out, "%02d:%02d Uhr", civil.hour, civil.minute);
	else
		buf_printf(out, "%d:%02d %s", civil.hour % 12 ? civil.hour % 12 : 12, civil.minute,
			civil.hour < 12 ? "am" : "pm");
}

struct str say_when(struct arena *arena, enum say_language language, const struct zone *zone,
	int64_t ms, int64_t now_ms)
{
	struct buf out = {.max = SENTENCE_MAX};

	add_day(&out, language, zone, ms, now_ms);
	buf_add_text(&out, language == SAY_DE ? " um " : " at ");
	add_clock(&out, language, zone, ms);
	return keep(arena, &out);
}

struct str say_day(struct arena *arena, enum say_language language, const struct zone *zone,
	int64_t ms, int64_t now_ms)
{
	struct buf out = {.max = SENTENCE_MAX};

	add_day(&out, language, zone, ms, now_ms);
	return keep(arena, &out);
}

struct str say_today(
	struct arena *arena, enum say_language language, const struct zone *zone, int64_t now_ms)
{
	struct buf out = {.max = SENTENCE_MAX};
	struct civil civil = zone_civil(zone, now_ms);
	struct day_words words;

	day_words(&words, language, &civil, true);
	buf_add_str(&out, words.weekday);
	buf_add_text(&out, language == SAY_DE ? ", der " : ", ");
	buf_add_str(&out, words.date);
	return keep(arena, &out);
}

struct str say_clock(
	struct arena *arena, enum say_language language, const struct zone *zone, int64_t ms)
{
	struct buf out = {.max = SENTENCE_MAX};

	add_clock(&out, language, zone, ms);
	return keep(arena, &out);
}

/* ---- Lists, prices, lengths ---------------------------------------------------------------- */

static struct str join(struct arena *arena, const char *last, const struct str *list, size_t count)
{
	struct buf out = {.max = SENTENCE_MAX};
	size_t left = 0, said = 0;

	for (size_t i = 0; i < count; i++)
		left += list[i].len > 0;
	for (size_t i = 0; i < count; i++) {
		if (list[i].len == 0)
			continue;
		if (said > 0)
			buf_add_text(&out, said + 1 == left ? last : ", ");
		buf_add_str(&out, list[i]);
		said++;
	}
	return keep(arena, &out);
}

struct str say_or(
	struct arena *arena, enum say_language language, const struct str *list, size_t count)
{
	return join(arena, language == SAY_DE ? " oder " : " or ", list, count);
}

struct str say_and(
	struct arena *arena, enum say_language language, const struct str *list, size_t count)
{
	return join(arena, language == SAY_DE ? " und " : " and ", list, count);
}

static void add_currency(struct buf *out, enum say_language language, struct str code)
{
	static const struct {
		const char *code, *word[2];
	} known[] = {
		{"EUR", {"Euro", "euros"}},
		{"CHF", {"Franken", "francs"}},
		{"GBP", {"Pfund", "pounds"}},
		{"USD", {"Dollar", "dollars"}},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_is(code, known[i].code)) {
			buf_add_text(out, known[i].word[language]);
			return;
		}
	buf_add_str(out, code);
}

struct str say_price(
	struct arena *arena, enum say_language language, int64_t minor, struct str currency)
{
	struct buf out = {.max = SENTENCE_MAX};

	buf_printf(&out, "%lld", (long long)(minor / 100));
	if (minor % 100)
		buf_printf(&out, "%c%02d", language == SAY_DE ? ',' : '.', (int)(minor % 100));
	if (currency.len) {
		buf_add_text(&out, " ");
		add_currency(&out, language, currency);
	}
	return keep(arena, &out);
}

struct str say_minutes(struct arena *arena, enum say_language language, int64_t minutes)
{
	static const char *const unit[2][2] = {{"Minute", "Minuten"}, {"minute", "minutes"}};

	return str_of(arena_printf(
		arena, "%lld %s", (long long)minutes, unit[language][minutes == 1 ? 0 : 1]));
}

struct str say_then(struct arena *arena, struct str first, struct str second)
{
	if (first.len == 0)
		return second;
	if (second.len == 0)
		return first;
	return str_cat(arena, (const struct str[]){first, STR(" "), second}, 3);
}

/* Of the letters that German sentences and names of ours begin with; others stay as they are. */
struct str say_capital(struct arena *arena, struct str text)
{
	struct str copy = str_dup(arena, text);
	unsigned char *p = (unsigned char *)copy.ptr;

	if (!p || copy.len == 0)
		return copy;
	if (p[0] >= 'a' && p[0] <= 'z')
		p[0] = (unsigned char)(p[0] - 'a' + 'A');
	else if (copy.len > 1 && p[0] == 0xC3 && p[1] >= 0xA0 && p[1] <= 0xBE && p[1] != 0xB7)
		p[1] = (unsigned char)(p[1] - 0x20);
	return copy;
}

void say_done(struct desk_run *run, struct desk_next *next, struct json *result, bool success,
	struct str sentence)
{
	struct json *out = result ? result : json_object(run->arena);

	json_put_bool(run->arena, out, "success", success);
	json_put_text(run->arena, out, "say", sentence);
	next->then = DESK_DONE;
	next->result = json_print(run->arena, out);
}
