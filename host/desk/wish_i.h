/* wish_i.h - inside the wish resolver. A phrase goes through four hands:
 *
 *   words (wish_word.c, tables wish_de.c and wish_en.c): bytes -> words of known kinds
 *   items (wish_item.c with wish_date.c, wish_clock.c, wish_fix.c): words -> days, times, "and", "not"
 *   rules (wish_rule.c, wish_time.c): items -> alternatives and exclusions, with concrete days
 *   answers (wish.c, wish_say.c, wish_json.c): a slot against the rules; the rules in words
 *
 * What is ambiguous is read twice, with reader.other set the second time.
 */
#ifndef DESK_WISH_I_H
#define DESK_WISH_I_H

#include "desk/wish.h"

#define DAY_MIN (-100000000) /* days since 1970: open at that end */
#define DAY_MAX 100000000
#define NIGHT WISH_PARTS /* a part no tenant bends: 22 to 6 */
#define NO_PART (-1)

/* ---- words ---- */

enum word_kind {
	W_UNKNOWN,
	W_FILL,    /* says nothing: "gerne"; value 1: "wenn"; FILL_FIX: what follows corrects what stood
		      before; FILL_FIX_I: that only beside an "ich" */
	W_ART,     /* "der", "am": stands before days; at the end of one it is nothing */
	W_NUMBER,  /* digits > 0: written so */
	W_ORDINAL, /* "zweiten", "2nd" */
	W_ONE,     /* "ein": a number only where one is needed */
	W_WEEKDAY, /* value 1..7; plural: every one */
	W_MONTH,
	W_RELDAY,     /* value: days from today */
	W_PART,       /* enum wish_part */
	W_TODAY_PART, /* "tonight" */
	W_MORNING,    /* "Morgen": tomorrow or a part */
	W_POINT,      /* "noon": value minutes */
	W_EARLY,
	W_LATE, /* "früh", "später": alone, or in front of a part */
	W_OCLOCK,
	W_AMPM, /* value 0, 12 */
	W_HALF,
	W_QUARTER, /* value 15, 45 */
	W_TO,      /* "vor": of a clock, or a bound */
	W_PAST,
	W_AT,
	W_ABOUT,
	W_ROUND, /* "herum": behind a time */
	W_FROM,
	W_UNTIL,
	W_THAN, /* "als": "später als" */
	W_BETWEEN,
	W_OF, /* "von" */
	W_AND,
	W_OR,
	W_BUT,    /* "aber", "sondern" */
	W_RATHER, /* "lieber": what follows is wished */
	W_FINE,   /* "passt": what stood before is wished */
	W_NOT,
	W_NO, /* "kein": before something, but for "keine Zeit" */
	W_EXCEPT,
	W_BAD, /* "schlecht": what stood before is not wished */
	W_CAN, /* "geht", "kann" */
	W_ONLY,
	W_EVERY,
	W_NEXT,
	W_COMING,
	W_THIS,
	W_AFTER_NEXT,
	W_LAST,
	W_BEGIN,
	W_MID,
	W_END,
	W_IN,
	W_WITHIN,
	W_UNIT,     /* enum unit */
	W_EDGE,     /* "Monatsende": value BEGIN*8+unit … */
	W_WEEKEND,  /* plural: every one */
	W_WORKDAYS, /* value 1: "werktags", holidays are none */
	W_HOLIDAY,
	W_FEAST,  /* enum feast */
	W_WEEKNO, /* "KW" */
	W_MOST,   /* "möglichst" */
	W_SO,
	W_AS,
	W_POSSIBLE,
	W_SOON,    /* "bald" */
	W_SOONEST, /* "schnellstmöglich" */
	W_SLOT,    /* "Termin" */
	W_TIME,    /* "Zeit" */
	W_ANY,     /* "egal" */
	W_GREET,   /* "guten": takes "Morgen" with it */
	W_WORK,    /* "Arbeit": "nach der Arbeit" */
	W_ON,      /* "auf": "bis auf" */
	W_COMMA,
	W_DOT,
	W_COLON,
	W_DASH,
	W_SLASH,
	W_SPENT /* joined to its neighbour */
};

#define FILL_FIX 2
#define FILL_FIX_I 3
#define FILL_I 4

/* Days by name: of Easter, or of the calendar. value: 100 + days from Easter Sunday; or 1000 + 100 *
 * month + day; plus 10000 for a second day. */
#define FEAST_DATE 1000
#define FEAST_TWO 10000

enum unit { UNIT_HOUR = 1, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_YEAR };

struct entry { /* of a table: folded text */
	const char *text;
	uint8_t kind; /* enum word_kind */
	int16_t value;
	bool plural;
};

struct lexicon {
	const struct entry *entries;
	size_t count;
	const char *const *fill; /* words that say nothing */
	size_t fill_count;
	bool german;
	/* A word for a number or ordinal the table does not list ("einundzwanzigsten"). */
	bool (*number)(struct str folded, struct entry *out);
};

extern const struct lexicon lexicon_de, lexicon_en;

struct word {
	struct str said; /* in the phrase */
	uint8_t kind;
	uint8_t digits; /* of a number written in digits */
	bool glued;     /* nothing between it and the word before */
	bool plural, abbreviated, article_dative;
	bool spent; /* understood */
	int16_t value;
};

#define WORDS_MAX 8192
#define FOLDED_MAX 40

struct words {
	struct word *at; /* behind the last one: one of kind W_COMMA */
	size_t count;
};

/* False: no memory. */
bool words_read(
	struct words *out, struct arena *arena, const struct lexicon *lexicon, struct str phrase);
/* Small letters, no umlauts ("frueh", "früh" -> "fruh"). Returns the length; 0: too long. */
size_t word_fold(char out[FOLDED_MAX], const struct lexicon *lexicon, struct str text);
bool word_look_up(const struct lexicon *lexicon, struct str folded, struct entry *out);

/* ---- items ---- */

enum join { JOIN_NONE, JOIN_COMMA, JOIN_AND, JOIN_OR, JOIN_BUT };

enum day_how {
	DAY_WEEKDAY, /* mask, pick, weeks */
	DAY_DATE,    /* from .. to, one day or a few that were named as such */
	DAY_PERIOD,  /* from .. to: a week, a month, "ab Freitag": weekdays are looked for in it */
	DAY_OF_MONTH,
	DAY_HOLIDAY,
	DAY_ALL
};

enum pick { PICK_COMING, PICK_EVERY, PICK_NEXT, PICK_SURE, PICK_THIS, PICK_AFTER_NEXT };

/* A period open at one side: "ab", "nach", "bis", "vor". mask is then the weekday it was said with,
 * which a week named elsewhere moves ("nächste Woche ab Mittwoch"). */
enum bound { BOUND_NONE, BOUND_FROM, BOUND_AFTER, BOUND_UNTIL, BOUND_BEFORE };

struct day_item {
	enum day_how how;
	enum pick pick;
	uint8_t mask; /* bit 0 Monday */
	bool working; /* no public holidays */
	enum bound bound;
	bool spelled; /* a date with a number in it */
	int weeks;    /* "Montag in einer Woche" */
	bool in_weeks;  /* … said with \"in\": may also be that week's Monday */
	int from, to; /* days since 1970 */
	int month_day;
	enum wish_fault fault;
	int meant; /* day; DAY_MIN: none */
};

enum time_how { TIME_PART, TIME_AT, TIME_ABOUT, TIME_FROM, TIME_UNTIL, TIME_RANGE };

struct clock {
	int16_t minutes;
	bool vague; /* an hour up to 12: may be the afternoon's */
	bool bad;   /* no such time */
	bool named; /* am or pm was said */
};

struct time_item {
	enum time_how how;
	struct clock a, b;
	int part; /* TIME_PART; of a clock: what was said behind it ("acht Uhr abends") */
	int half; /* of the part: 0 all, 1 early, 2 late */
};

enum item_kind { ITEM_DAY, ITEM_TIME, ITEM_NOT, ITEM_BAD, ITEM_FINE };

struct item {
	enum item_kind kind;
	enum join join; /* to what stands before */
	bool except;    /* ITEM_NOT: "außer": a list of all that follows */
	bool rather;    /* ends what is not wished */
	bool corrects;  /* stands for what was said before */
	bool verb;      /* ITEM_NOT: "geht nicht": may belong to what stands before */
	struct day_item day;
	struct time_item time;
	size_t word, end; /* the words it is made of */
};

#define ITEMS_MAX 4096

struct reader {
	struct arena *arena;
	const struct wish_context *context;
	const struct wish_settings *settings;
	const struct lexicon *lexicon;
	struct words words;
	struct item *items;
	size_t count;
	bool other, ambiguous; /* the second reading; there is one */
	int today, weekday;    /* of now, 1 Monday */
	int minute;            /* of now */
	int order;             /* 1 earliest, 2 latest */
	const struct item *lost; /* the first that is wished and cannot be */
	int lost_meant;		 /* day; DAY_MIN: no idea */
};

const struct word *word_at(const struct reader *r, size_t at); /* never NULL */
bool is(const struct reader *r, size_t at, enum word_kind kind);
bool is_digits(const struct reader *r, size_t at);
/* Over a few words of these kinds, or back over them: nobody says more, and a phrase of nothing else
 * must not take long. */
#define SKIP_MAX 8
#define KINDS(...) ((const uint8_t[]){__VA_ARGS__, 0})
size_t skip_over(const struct reader *r, size_t at, const uint8_t *kinds);
size_t skip_back(const struct reader *r, size_t at, const uint8_t *kinds);
size_t skip_articles(const struct reader *r, size_t at);

/* Each returns the index behind what it has read, 0: that is none. */
size_t read_day(struct reader *r, size_t at, struct day_item *out);
size_t read_date(struct reader *r, size_t at, struct day_item *out); /* with a number in it */
void read_feast(const struct reader *r, int feast, struct day_item *out);
size_t read_period(struct reader *r, size_t at, struct day_item *out);
size_t read_nth_weekday(struct reader *r, size_t at, struct day_item *out);
size_t read_nth_week(struct reader *r, size_t at, struct day_item *out);
size_t read_number(const struct reader *r, size_t at, int *value);
size_t read_ordinal(const struct reader *r, size_t at, int *value);
/* "… spätestens", "… or later", "… at the earliest" */
size_t read_bound_behind(const struct reader *r, size_t at, enum bound *bound);
size_t read_bound(struct reader *r, size_t at, struct day_item *out);
int pick_day(struct reader *r, int weekday, enum pick pick);
bool is_part_of_day(const struct reader *r, size_t at); /* of "Morgen" */
/* loose: a bare number is a time, too. */
size_t read_time(struct reader *r, size_t at, bool loose, struct time_item *out);
bool read_items(struct reader *r);
void correct_items(struct reader *r); /* wish_fix.c: drops what was taken back */

struct clock clock_of(int hour, int minute, bool vague);
int day_of(int year, int month, int day); /* DAY_MIN: none */
int this_year(const struct reader *r);
/* The first is the main reading, if they differ. */
int choose_day(struct reader *r, int first, int second);
size_t read_ahead(struct reader *r, size_t at, int *count, int *unit); /* "in zwei Wochen" */
void date_in_month_of(struct reader *r, int near, int day, bool before, struct day_item *out);
void bound_days(struct day_item *out, enum bound bound, int from, int to);
int monday_of(const struct reader *r, int weeks);
void day_span(struct day_item *out, enum day_how how, int from, int to);
void month_span(const struct reader *r, int month, int year, int *from, int *to);
void month_after(const struct reader *r, int months, int *from, int *to);

/* ---- rules ---- */

struct span {           /* a set of days */
	int from, to;   /* DAY_MIN, DAY_MAX: open */
	uint8_t mask;   /* 0x7f: all */
	int8_t holiday; /* 1 only, -1 none */
	bool every;     /* said as "donnerstags" */
	bool none;      /* no such day */
};

struct hours {      /* minutes of the day */
	int lo, hi; /* of the begin, both inclusive */
	int end;    /* of the end */
	int target; /* -1: any within is exact */
	enum time_how how;
	int part, half; /* to be said as such */
	bool none;      /* no such time */
	bool vague;
};
#define END_OPEN 4000

#define RULE_DAYS 16
#define RULE_PERIODS 4
#define RULE_TIMES 8
#define RULES_MAX 64

struct rule { /* any of the days and any of the hours; none of a kind: all */
	struct span days[RULE_DAYS];
	struct hours hours[RULE_TIMES];
	size_t day_count, hour_count;
	bool excluded;
};

struct draft { /* a rule whose items are still as said */
	const struct item *days[RULE_DAYS], *periods[RULE_PERIODS], *times[RULE_TIMES];
	enum join day_join[RULE_DAYS], time_join[RULE_TIMES];
	size_t day_count, period_count, time_count;
	bool excluded, except, closed, time_first, last_day;
	bool chained; /* by "or", "and" to the one before */
	bool dropped;
};

struct wish {
	struct wish_context context;
	struct wish_settings settings;
	char state[8];
	struct rule *rules;
	size_t count;
	int order;
	int today;
	enum wish_fault fault;
	int64_t fault_ms;      /* what was meant, -1 */
	int fault_minute;      /* of an instant it names, -1 */
	int fault_day;         /* that is none or over; DAY_MIN */
	struct str fault_said; /* in the arena */
	struct wish *other;    /* the second reading */
	struct str *strange;
	size_t strange_count;
};

/* Is the date that weekday? 0: it is another matter, 1: yes, 2: the two contradict each other. */
int weekday_belongs(
	const struct day_item *weekday, const struct day_item *date, enum join join);
size_t read_drafts(struct reader *r, struct draft *drafts); /* RULES_MAX of them */
bool read_rules(struct reader *r, struct wish *wish);
size_t rule_hours(const struct reader *r, const struct draft *draft, struct hours out[RULE_TIMES]);

#endif
