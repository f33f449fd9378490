/* wish_word.c - a phrase taken apart into words of known kinds, forgiving what speech recognition
 * does to them: missing umlauts, joined and split words, a wrong letter. Knows no grammar. Pure;
 * any thread. */
#include <string.h>

#include "base/arena.h"
#include "desk/wish_i.h"

/* What a character is to us. */
enum glyph { G_OTHER, G_LETTER, G_DIGIT, G_MARK, G_APOSTROPHE, G_DASH };

static uint32_t decode(const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;

	if (len == 1)
		return u[0];
	if (len == 2)
		return ((u[0] & 0x1Fu) << 6) | (u[1] & 0x3Fu);
	if (len == 3)
		return ((u[0] & 0x0Fu) << 12) | ((u[1] & 0x3Fu) << 6) | (u[2] & 0x3Fu);
	return 0x10000;
}

static enum glyph wide_glyph(uint32_t c)
{
	if (c >= 0x2010 && c <= 0x2015)
		return G_DASH;
	if (c == 0x2212)
		return G_DASH;
	if (c == 0x2018 || c == 0x2019 || c == 0x02BC)
		return G_APOSTROPHE;
	if (c >= 0x300 && c <= 0x36F)
		return G_MARK;
	if ((c >= 0xC0 && c < 0x2000 && c != 0xD7 && c != 0xF7) || (c >= 0x2E80 && c < 0xE000))
		return G_LETTER;
	return G_OTHER;
}

static enum glyph glyph_at(struct str s, size_t at, size_t *len)
{
	unsigned char c = (unsigned char)s.ptr[at];

	*len = 1;
	if (c >= '0' && c <= '9')
		return G_DIGIT;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return G_LETTER;
	if (c == '\'' || c == '`')
		return G_APOSTROPHE;
	if (c == '-')
		return G_DASH;
	if (c < 0x80)
		return G_OTHER;
	*len = str_utf8_len(s.ptr + at, s.len - at);
	if (*len == 0) {
		*len = 1;
		return G_OTHER;
	}
	return wide_glyph(decode(s.ptr + at, *len));
}

/* ---- folding ---- */

static const char *plain_letter(uint32_t c)
{
	switch (c) {
	case 0xC4:
	case 0xE4:
		return "a";
	case 0xD6:
	case 0xF6:
		return "o";
	case 0xDC:
	case 0xFC:
		return "u";
	case 0xDF:
	case 0x1E9E:
		return "ss";
	default:
		return NULL;
	}
}

/* "ae" and the like; but not the "ue" of "neuen", "genaue", "bequem". */
static bool is_umlaut(const char *out, size_t n)
{
	char vowel = out[n - 1];
	char before = n > 1 ? out[n - 2] : ' ';

	if (vowel == 'u')
		return !strchr("aeq", before);
	return vowel == 'a' || vowel == 'o';
}

size_t word_fold(char out[FOLDED_MAX], const struct lexicon *lexicon, struct str text)
{
	size_t n = 0, len;

	for (size_t i = 0; i < text.len; i += len) {
		enum glyph glyph = glyph_at(text, i, &len);
		const char *plain = len > 1 ? plain_letter(decode(text.ptr + i, len)) : NULL;
		char c = text.ptr[i];

		if (glyph == G_MARK || glyph == G_APOSTROPHE)
			continue;
		if (n + 5 > FOLDED_MAX)
			return 0;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 'a' - 'A');
		if (plain)
			n += strlen(strcpy(out + n, plain));
		else if (len > 1)
			n += (memcpy(out + n, text.ptr + i, len), len);
		else if (c != 'e' || !lexicon->german || n == 0 || !is_umlaut(out, n))
			out[n++] = c;
	}
	out[n] = 0;
	return n;
}

/* ---- the table ---- */

static bool entry_is(const struct entry *entry, struct str folded)
{
	return entry->text[0] == folded.ptr[0] && strlen(entry->text) == folded.len &&
	       memcmp(entry->text, folded.ptr, folded.len) == 0;
}

bool word_look_up(const struct lexicon *lexicon, struct str folded, struct entry *out)
{
	if (folded.len == 0)
		return false;
	for (size_t i = 0; i < lexicon->count; i++) {
		if (entry_is(&lexicon->entries[i], folded)) {
			*out = lexicon->entries[i];
			return true;
		}
	}
	for (size_t i = 0; i < lexicon->fill_count; i++) {
		const char *text = lexicon->fill[i];

		if (text[0] == folded.ptr[0] && strlen(text) == folded.len &&
			memcmp(text, folded.ptr, folded.len) == 0) {
			*out = (struct entry){.text = text, .kind = W_FILL};
			return true;
		}
	}
	return lexicon->number(folded, out);
}

static void know(struct word *word, const struct entry *entry)
{
	word->kind = entry->kind;
	word->value = entry->value;
	word->plural = entry->plural;
	word->abbreviated =
		(entry->kind == W_WEEKDAY || entry->kind == W_MONTH) && strlen(entry->text) < 5;
}

/* ---- into tokens ---- */

struct scan {
	struct str text;
	size_t at;
	const struct lexicon *lexicon;
	struct words *words;
	bool glued;
};

static struct word *add(struct scan *scan, enum word_kind kind, size_t from, size_t to)
{
	struct word *word = &scan->words->at[scan->words->count++];

	*word = (struct word){.kind = (uint8_t)kind,
		.said = {scan->text.ptr + from, to - from},
		.glued = scan->glued};
	scan->glued = true;
	return word;
}

static size_t run_of(const struct scan *scan, size_t at, bool letters)
{
	size_t len;

	for (; at < scan->text.len; at += len) {
		enum glyph glyph = glyph_at(scan->text, at, &len);

		if (letters ? glyph != G_LETTER && glyph != G_MARK && glyph != G_APOSTROPHE
			    : glyph != G_DIGIT)
			break;
	}
	return at;
}

static void add_number(struct scan *scan)
{
	size_t end = run_of(scan, scan->at, false);
	size_t digits = end - scan->at;
	struct word *word = add(scan, digits > 4 ? W_UNKNOWN : W_NUMBER, scan->at, end);

	word->digits = (uint8_t)(digits > 4 ? 0 : digits);
	for (size_t i = scan->at; i < end && digits <= 4; i++)
		word->value = (int16_t)(word->value * 10 + (scan->text.ptr[i] - '0'));
	scan->at = end;
}

/* "p.m.": the dots belong to it. */
static bool dotted_meridiem(struct scan *scan)
{
	const char *p = scan->text.ptr + scan->at;
	size_t left = scan->text.len - scan->at;
	struct word *word;

	if (left < 3 || !strchr("aApP", p[0]) || p[1] != '.' || !strchr("mM", p[2]))
		return false;
	word = add(scan, W_AMPM, scan->at, scan->at + 3);
	word->value = p[0] == 'p' || p[0] == 'P' ? 12 : 0;
	scan->at += left > 3 && p[3] == '.' ? 4 : 3;
	return true;
}

static void add_word(struct scan *scan)
{
	char folded[FOLDED_MAX];
	size_t end = run_of(scan, scan->at, true), len;
	struct entry entry;
	struct word *word;

	if (dotted_meridiem(scan))
		return;
	word = add(scan, W_UNKNOWN, scan->at, end);
	scan->at = end;
	len = word_fold(folded, scan->lexicon, word->said);
	if (len == 0 || !word_look_up(scan->lexicon, (struct str){folded, len}, &entry))
		return;
	know(word, &entry);
	word->article_dative = strcmp(folded, "dem") == 0 || strcmp(folded, "den") == 0 ||
			       strcmp(folded, "zum") == 0 || strcmp(folded, "am") == 0 ||
			       strcmp(folded, "vom") == 0 || strcmp(folded, "the") == 0;
	/* "Mo." and "zw. 9": the dot of an abbreviation ends nothing. */
	if (len <= 5 && scan->at < scan->text.len && scan->text.ptr[scan->at] == '.' &&
		word->kind != W_NUMBER && word->kind != W_ORDINAL)
		scan->at++;
}

static void add_mark(struct scan *scan, enum glyph glyph, size_t len)
{
	static const char marks[] = ".:/,;!?&+()\n";
	static const uint8_t kinds[] = {W_DOT, W_COLON, W_SLASH, W_COMMA, W_COMMA, W_COMMA, W_COMMA,
		W_AND, W_AND, W_FILL, W_FILL, W_FILL};
	char c = scan->text.ptr[scan->at];
	const char *mark = c && len == 1 ? strchr(marks, c) : NULL;

	if (glyph == G_DASH)
		add(scan, W_DASH, scan->at, scan->at + len);
	else if (mark)
		add(scan, (enum word_kind)kinds[mark - marks], scan->at, scan->at + len);
	else
		scan->glued = false;
	scan->at += len;
}

static void scan_all(struct scan *scan)
{
	while (scan->at < scan->text.len && scan->words->count + 4 < WORDS_MAX) {
		size_t len;
		enum glyph glyph = glyph_at(scan->text, scan->at, &len);

		if (glyph == G_DIGIT)
			add_number(scan);
		else if (glyph == G_LETTER)
			add_word(scan);
		else
			add_mark(scan, glyph, len);
	}
}

/* ---- what recognition has split or joined ---- */

/* "diens tag", "nach mittags": two words that are one. */
static bool joins(const struct lexicon *lexicon, const struct word *a, const struct word *b,
	struct entry *out)
{
	char folded[2 * FOLDED_MAX];
	size_t n, m;
	bool half = (a->kind == W_PAST || a->kind == W_TO) && b->kind == W_POINT;

	if (b->glued || a->digits || b->digits || a->said.len + b->said.len > 20)
		return false;
	if (a->kind >= W_COMMA || b->kind >= W_COMMA)
		return false;
	if (a->kind != W_UNKNOWN && b->kind != W_UNKNOWN && b->kind != W_PART && !half &&
		b->kind != W_UNIT && b->kind != W_MORNING && b->kind != W_END && b->kind != W_NEXT)
		return false;
	n = word_fold(folded, lexicon, a->said);
	m = n ? word_fold(folded + n, lexicon, b->said) : 0;
	if (m == 0 || !word_look_up(lexicon, (struct str){folded, n + m}, out))
		return false;
	return out->kind == W_WEEKDAY || out->kind == W_PART || out->kind == W_RELDAY ||
	       out->kind == W_WEEKEND || out->kind == W_HOLIDAY || out->kind == W_MONTH ||
	       out->kind == W_WORKDAYS || out->kind == W_AFTER_NEXT;
}

static void join_split(struct words *words, const struct lexicon *lexicon)
{
	struct entry entry;

	for (size_t i = 0; i + 1 < words->count; i++) {
		struct word *a = &words->at[i], *b = a + 1;

		if (!joins(lexicon, a, b, &entry))
			continue;
		know(b, &entry);
		b->said = (struct str){
			a->said.ptr, (size_t)(b->said.ptr + b->said.len - a->said.ptr)};
		a->kind = W_SPENT;
	}
}

static bool may_lead(const struct entry *entry, size_t len)
{
	switch ((enum word_kind)entry->kind) {
	case W_WEEKDAY:
	case W_MONTH:
	case W_PART:
		return len >= 5 || entry->kind == W_MONTH;
	case W_RELDAY:
	case W_MORNING:
	case W_HALF:
	case W_QUARTER:
	case W_NUMBER:
	case W_NEXT:
	case W_BEGIN:
	case W_MID:
	case W_END:
		return len >= 3;
	default:
		return false;
	}
}

static bool may_follow(const struct entry *entry)
{
	switch ((enum word_kind)entry->kind) {
	case W_PART:
	case W_MORNING:
	case W_EARLY:
	case W_OCLOCK:
	case W_NUMBER:
	case W_POINT:
	case W_PAST:
	case W_TO:
	case W_MONTH:
	case W_WEEKDAY:
		return true;
	default:
		return false;
	}
}

/* "donnerstagnachmittag", "sechzehnuhrdreißig". Up to four pieces; the number of those found. */
static size_t split(const struct lexicon *lexicon, struct str folded, struct entry out[4])
{
	size_t n = 0;

	while (folded.len > 0 && n < 4) {
		struct entry best = {0};
		size_t best_len = 0;

		if (n > 0 && word_look_up(lexicon, folded, &best) && may_follow(&best)) {
			out[n++] = best;
			return n;
		}
		for (size_t i = 0; i < lexicon->count; i++) {
			const struct entry *entry = &lexicon->entries[i];
			size_t len = strlen(entry->text);

			if (len > best_len && len < folded.len &&
				memcmp(entry->text, folded.ptr, len) == 0 &&
				(may_lead(entry, len) || (n > 0 && may_follow(entry)))) {
				best = *entry;
				best_len = len;
			}
		}
		if (best_len == 0)
			return 0;
		out[n++] = best;
		folded = (struct str){folded.ptr + best_len, folded.len - best_len};
	}
	return 0;
}

/* ---- one letter wrong ---- */

static int least(int a, int b)
{
	return a < b ? a : b;
}

static int distance(const char *a, size_t n, const char *b, size_t m)
{
	int row[2][FOLDED_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		row[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int *above = row[(i - 1) & 1], *here = row[i & 1];

		here[0] = (int)i;
		for (size_t j = 1; j <= m; j++)
			here[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]),
				least(above[j], here[j - 1]) + 1);
	}
	return row[n & 1][m];
}

static bool nearly(const struct lexicon *lexicon, struct str folded, struct entry *out)
{
	int best = folded.len >= 9 ? 3 : 2;

	if (folded.len < 6 || folded.len > 14)
		return false;
	for (size_t i = 0; i < lexicon->count; i++) {
		const struct entry *entry = &lexicon->entries[i];
		size_t len = strlen(entry->text);
		int d;

		if (entry->text[0] != folded.ptr[0] || len < 6 || len > folded.len + 2 ||
			folded.len > len + 2)
			continue;
		if (entry->kind != W_WEEKDAY && entry->kind != W_PART && entry->kind != W_MONTH)
			continue;
		d = distance(folded.ptr, folded.len, entry->text, len);
		if (d < best) {
			best = d;
			*out = *entry;
		}
	}
	return best < (folded.len >= 9 ? 3 : 2);
}

/* ---- */

static void put(struct words *words, const struct word *from, const struct entry *entry)
{
	struct word *word = &words->at[words->count++];

	*word = *from;
	if (entry)
		know(word, entry);
}

static bool worth_splitting(const struct word *word)
{
	return word->kind == W_UNKNOWN && word->said.len >= 5 && word->said.len <= 34;
}

/* A second pass: what is still unknown is taken apart or taken for its neighbour. */
static void settle(struct words *out, const struct words *in, const struct lexicon *lexicon)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct word *word = &in->at[i];
		char folded[FOLDED_MAX];
		struct entry pieces[4], near;
		size_t len = 0, n = 0;

		if (word->kind == W_SPENT)
			continue;
		if (worth_splitting(word))
			len = word_fold(folded, lexicon, word->said);
		if (len)
			n = split(lexicon, (struct str){folded, len}, pieces);
		if (n == 2 && pieces[1].kind == W_PART && folded[len - 1] == 's')
			pieces[0].plural = true; /* "donnerstagnachmittags" */
		for (size_t k = 0; k < n; k++)
			put(out, word, &pieces[k]);
		if (n == 0)
			put(out, word,
				len && nearly(lexicon, (struct str){folded, len}, &near) ? &near
											 : NULL);
	}
}

/* Every run of letters, of digits, and every other character may be a word. */
static size_t count_runs(struct str text)
{
	enum glyph last = G_OTHER;
	size_t count = 0, len;

	for (size_t i = 0; i < text.len && count < WORDS_MAX; i += len) {
		enum glyph glyph = glyph_at(text, i, &len);

		if (glyph != last || (glyph != G_LETTER && glyph != G_DIGIT))
			count += text.ptr[i] != ' ' || glyph != G_OTHER;
		last = glyph;
	}
	return count;
}

bool words_read(
	struct words *out, struct arena *arena, const struct lexicon *lexicon, struct str phrase)
{
	struct str text = {phrase.ptr, phrase.len < WISH_PHRASE ? phrase.len : WISH_PHRASE};
	struct words raw = {.at = arena_take(arena, (count_runs(text) + 8) * sizeof(struct word))};
	struct scan scan = {.text = text, .lexicon = lexicon, .words = &raw};
	size_t room = 8;

	if (!raw.at)
		return false;
	scan_all(&scan);
	join_split(&raw, lexicon);
	for (size_t i = 0; i < raw.count; i++)
		room += worth_splitting(&raw.at[i]) ? 4 : 1;
	out->count = 0;
	out->at = arena_take(arena, room * sizeof(struct word));
	if (!out->at)
		return false;
	settle(out, &raw, lexicon);
	out->at[out->count] = (struct word){.kind = W_COMMA, .said = STR("")};
	return true;
}
