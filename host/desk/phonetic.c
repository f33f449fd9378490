/* phonetic.c - names as they sound. First every text becomes a row of plain letters, then these
 * become codes (Postel 1969) or sounds (the same codes, with the vowels left in). It never keeps or
 * logs a name. Any thread. */
#include "desk/phonetic.h"

#include <assert.h>
#include <string.h>

/* Plain letters: a to z, ä ö ü as A O U, what is written as one letter and spoken "tsch" as T.
 * Between them ' ', '-', ',' and '.'. */

static const char latin1[] = "aaaaAaATeeeeiiiidnooooO OuuuUyts"
			     "aaaaAaATeeeeiiiidnooooO OuuuUyty"; /* from U+00C0 */
static const char latin_a[] = "aaaaaaTTTTTTTTddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkk"
			      "llllllllllnnnnnnnnnooooOOOOrrrrrrsssssssstttttt"
			      "uuuuuuuuUUuuwwyyyzzzzzzs"; /* from U+0100 */
static_assert(sizeof(latin1) == 64 + 1 && sizeof(latin_a) == 128 + 1, "one letter each");

static unsigned code_point(const char *text, size_t len)
{
	static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned c = (unsigned char)text[0] & first[len];
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	return c;
}

/* 0: none. */
static char plain(unsigned c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || c == '-' || c == ',' || c == '.')
		return (char)c;
	if (c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0)
		return ' ';
	if (c >= 0x2010 && c <= 0x2015)
		return '-';
	if (c >= 0xc0 && c <= 0xff)
		return latin1[c - 0xc0] == ' ' ? 0 : latin1[c - 0xc0];
	if (c >= 0x100 && c <= 0x17f)
		return latin_a[c - 0x100];
	if (c == 0x218 || c == 0x219 || c == 0x1e9e)
		return 's';
	return c == 0x21a || c == 0x21b ? 't' : 0;
}

/* The next plain letter of *text, which is shortened; 0 at its end. */
static char next_plain(struct str *text)
{
	while (text->len) {
		size_t len = str_utf8_len(text->ptr, text->len);
		unsigned c = len ? code_point(text->ptr, len) : 0;
		char letter = plain(c);

		text->ptr += len ? len : 1;
		text->len -= len ? len : 1;
		/* U+0308, the dots behind their letter, as some systems write them */
		if (letter && text->len >= 2 && memcmp(text->ptr, "\xcc\x88", 2) == 0) {
			const char *umlaut = strchr("aAoOuU", letter);

			letter = umlaut ? "AAOOUU"[umlaut - "aAoOuU"] : letter;
		}
		if (letter)
			return letter;
	}
	return 0;
}

static bool one_of(char letter, const char *set)
{
	return letter && strchr(set, letter);
}

static bool vowel(char letter)
{
	return one_of(letter, "aeiouyAOU");
}

/* Without the dots: what a rule says of A holds for Ä. */
static char undotted(char letter)
{
	return one_of(letter, "AOU") ? (char)(letter - 'A' + 'a') : letter;
}

static const char *code_of_c(char before, char after)
{
	after = undotted(after);
	if (!before)
		return one_of(after, "ahkloqrux") ? "4" : "8";
	return !one_of(before, "sz") && one_of(after, "ahkoqux") ? "4" : "8";
}

/* Postel's table. before: 0 at the beginning of a word. */
static const char *code_of(char before, char letter, char after)
{
	switch (letter) {
	case 'h':
		return "";
	case 'b':
		return "1";
	case 'p':
		return after == 'h' ? "3" : "1";
	case 'd':
	case 't':
		return one_of(after, "csz") ? "8" : "2";
	case 'f':
	case 'v':
	case 'w':
		return "3";
	case 'g':
	case 'k':
	case 'q':
		return "4";
	case 'c':
		return code_of_c(before, after);
	case 'x':
		return one_of(before, "ckq") ? "8" : "48";
	case 'l':
		return "5";
	case 'm':
	case 'n':
		return "6";
	case 'r':
		return "7";
	case 's':
	case 'z':
	case 'T':
		return "8";
	}
	return "0"; /* vowels, J and Y */
}

struct coder {
	struct buf *out;
	char last;  /* digit, also a 0 that was not written; 0 at the beginning of a word */
	bool space; /* words were written before: one is due */
};

static void code_letter(struct coder *coder, char before, char letter, char after)
{
	const char *digit;

	for (digit = code_of(before, letter, after); *digit; digit++) {
		bool silent = *digit == coder->last || (*digit == '0' && coder->last);

		if (!silent && coder->space && !coder->last)
			buf_add_text(coder->out, " ");
		if (!silent) {
			buf_add(coder->out, digit, 1);
			coder->space = true;
		}
		coder->last = *digit;
	}
}

/* Like next_plain, without what only joins. */
static char next_letter(struct str *text)
{
	char letter;

	do
		letter = next_plain(text);
	while (letter == '-' || letter == '.');
	return letter == ',' ? ' ' : letter;
}

void phonetic_code(struct buf *out, struct str name)
{
	struct coder coder = {.out = out};
	char before = 0, letter = next_letter(&name);

	while (letter) {
		char after = next_letter(&name);

		if (letter == ' ') {
			before = coder.last = 0;
		} else {
			code_letter(&coder, before, letter, after);
			before = letter;
		}
		letter = after;
	}
}

/* Sounds: a consonant as the digit of its code, J as 'j', a vowel or diphthong as a letter. */

#define WORDS 8
#define LETTERS 60
#define WHOLE (WORDS * LETTERS)

static const struct {
	const char *letters;
	char sound;
} vowels[] = {
	{"aeu", 'Y'},
	{"Au", 'Y'},
	{"eu", 'Y'},
	{"oi", 'Y'},
	{"oy", 'Y'},
	{"ei", 'E'},
	{"ai", 'E'},
	{"ey", 'E'},
	{"ay", 'E'},
	{"au", 'W'},
	{"ou", 'u'},
	{"ie", 'i'},
	{"ae", 'e'},
	{"oe", 'O'},
	{"ue", 'U'},
	{"A", 'e'},
	{"y", 'i'},
};

/* The vowel that text begins with: its sound, and how many letters it has. */
static char vowel_sound(const char *text, size_t *letters)
{
	size_t i;

	for (i = 0; i < sizeof(vowels) / sizeof(*vowels); i++) {
		*letters = strlen(vowels[i].letters);
		if (strncmp(text, vowels[i].letters, *letters) == 0)
			return vowels[i].sound;
	}
	*letters = 1;
	return *text;
}

/* Is text an R (or more), perhaps with an S, and then nothing? It is not heard there. */
static bool last_r(const char *text)
{
	size_t r = strspn(text, "r");

	return r && (!text[r] || strcmp(text + r, "s") == 0);
}

static size_t add_sound(char *sound, size_t n, char c)
{
	if (n && sound[n - 1] == c)
		return n;
	sound[n] = c;
	return n + 1;
}

/* Adds the vowel at text; an R behind it that is not heard becomes an A. */
static size_t add_vowel(char *sound, size_t *n, const char *text)
{
	size_t letters;
	char heard = vowel_sound(text, &letters);

	if (strcmp(text, "ow") == 0)
		letters = 2;
	letters += strspn(text + letters, "h");
	if (!last_r(text + letters)) {
		*n = add_sound(sound, *n, heard);
		return letters;
	}
	if (*text != 'e' || letters > 1) /* -er is -a, -ar and -or keep their vowel */
		*n = add_sound(sound, *n, heard);
	*n = add_sound(sound, *n, 'a');
	return letters + strspn(text + letters, "r");
}

static size_t add_consonant(char *sound, size_t *n, const char *word, const char *text)
{
	char before = text == word ? 0 : text[-1];
	const char *code;

	if (text[0] == 'q' && text[1] == 'u') {
		*n = add_sound(sound, *n, '4');
		*n = add_sound(sound, *n, '3');
		return 2;
	}
	if (text[0] == 'p' && text[1] == 'f' && text == word)
		return 1;
	if (text[0] == 'j' || text[0] == 'y') {
		*n = add_sound(sound, *n, 'j');
		return 1;
	}
	for (code = code_of(before, text[0], text[1]); *code; code++)
		*n = add_sound(sound, *n, *code);
	return 1;
}

/* sound has room for twice the letters of word. */
static void word_sound(char *sound, const char *word)
{
	const char *text = word;
	size_t n = 0;

	while (*text) {
		bool glide = *text == 'y' && text == word && vowel(text[1]);

		text += vowel(*text) && !glide ? add_vowel(sound, &n, text)
					       : add_consonant(sound, &n, word, text);
	}
	sound[n] = '\0';
}

struct word {
	char letters[LETTERS + 1];
	char sound[2 * LETTERS + 1];
	int group; /* words joined by hyphens share one */
	bool last; /* belongs to the last name */
};

struct name {
	struct word words[WORDS];
	size_t count;
	bool bad; /* too many words, or too long ones */
	bool comma;
};

static bool says_nothing(const char *word, bool more_follow)
{
	static const char *const titles[] = {"herr", "herrn", "frau", "fraeulein", "frOulein", "dr",
		"doktor", "prof", "professor", "med", "dent", "vet", "dipl", "ing", "mag", "mr",
		"mrs", "ms", "miss", "mister", NULL};
	static const char *const particles[] = {"von", "vom", "van", "de", "der", "den", "zu",
		"zum", "zur", "und", "di", "da", "del", "la", "le", "el", "al", NULL};
	const char *const *at;

	for (at = titles; *at; at++)
		if (strcmp(*at, word) == 0)
			return true;
	for (at = particles; *at && more_follow; at++) /* "Frau Le" is a name */
		if (strcmp(*at, word) == 0)
			return true;
	return false;
}

/* Adds the letters up to the next mark, which is returned. */
static char read_word(struct name *name, struct str *text, int group)
{
	struct word *word = &name->words[name->count];
	struct word overlong;
	size_t n = 0;
	char letter;

	if (name->count == WORDS)
		word = &overlong;
	while ((letter = next_plain(text)) != 0 && !one_of(letter, " -,.")) {
		if (n < LETTERS)
			word->letters[n++] = letter;
		else
			name->bad = true;
	}
	word->letters[n] = '\0';
	if (!n)
		return letter;
	if (name->count == WORDS)
		name->bad = true;
	else
		name->words[name->count++].group = group;
	word->last = false;
	return letter;
}

static void mark_last_name(struct name *name)
{
	size_t i;

	if (name->comma || !name->count)
		return; /* done when the comma came */
	for (i = 0; i < name->count; i++)
		name->words[i].last = name->words[i].group == name->words[name->count - 1].group;
}

static void drop_titles(struct name *name)
{
	size_t i, kept = 0;

	for (i = 0; i < name->count; i++) {
		bool follow = name->comma ? name->count > 1 : i + 1 < name->count;

		if (!says_nothing(name->words[i].letters, follow))
			name->words[kept++] = name->words[i];
	}
	name->count = kept;
}

static void read_name(struct name *name, struct str text)
{
	size_t i;
	int group = 0;
	char mark;

	name->count = 0;
	name->bad = name->comma = false;
	do {
		mark = read_word(name, &text, group);
		if (mark != '-')
			group++;
		if (mark == ',' && !name->comma && name->count) {
			name->comma = true;
			for (i = 0; i < name->count; i++)
				name->words[i].last = true;
		}
	} while (mark);
	drop_titles(name);
	mark_last_name(name);
	for (i = 0; i < name->count; i++)
		word_sound(name->words[i].sound, name->words[i].letters);
}

static bool initial(const struct word *word)
{
	return !word->letters[1];
}

static bool same_word(const struct word *a, const struct word *b)
{
	if (initial(a) || initial(b))
		return a->letters[0] == b->letters[0];
	return strcmp(a->sound, b->sound) == 0;
}

/* Finds each word of a from i on in one of b that is not used; with a last name that is more than
 * an initial among them. */
static bool all_found(
	const struct name *a, size_t i, const struct name *b, unsigned used, bool last_name)
{
	size_t j;

	if (i == a->count)
		return last_name;
	for (j = 0; j < b->count; j++) {
		const struct word *word = &b->words[j];
		bool last = word->last && !initial(word) && !initial(&a->words[i]);

		if (!(used & 1u << j) && same_word(&a->words[i], word) &&
			all_found(a, i + 1, b, used | 1u << j, last_name || last))
			return true;
	}
	return false;
}

/* "Karl Heinz" and "Karlheinz". */
static bool same_whole(const struct name *a, const struct name *b)
{
	const struct name *names[2] = {a, b};
	char letters[WHOLE + 1], sounds[2][2 * WHOLE + 1];
	size_t i, j;

	for (i = 0; i < 2; i++) {
		letters[0] = '\0';
		for (j = 0; j < names[i]->count; j++)
			strcat(letters, names[i]->words[j].letters);
		word_sound(sounds[i], letters);
	}
	return strcmp(sounds[0], sounds[1]) == 0;
}

bool phonetic_same_name(struct str a, struct str b)
{
	struct name names[2];
	const struct name *shorter = &names[0], *longer = &names[1];

	read_name(&names[0], a);
	read_name(&names[1], b);
	if (names[0].bad || names[1].bad || !names[0].count || !names[1].count)
		return false;
	if (names[0].count > names[1].count) {
		shorter = &names[1];
		longer = &names[0];
	}
	return all_found(shorter, 0, longer, 0, false) ||
	       (shorter->count == longer->count && all_found(longer, 0, shorter, 0, false)) ||
	       same_whole(shorter, longer);
}
