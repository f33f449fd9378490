/* wish_item.c - a row of words becomes a row of items: days, times, "nicht", and how each is joined
 * to the one before. Words that nothing took are reported. Pure; any thread. */
#include "base/arena.h"
#include "desk/wish_i.h"

struct walk {
	struct reader *r;
	size_t at;
	enum join join;
	bool rather, corrects;
};

static void spend(struct reader *r, size_t from, size_t to)
{
	for (; from < to && from < r->words.count; from++)
		r->words.at[from].spent = true;
}

static void join(struct walk *w, enum join how)
{
	if (how > w->join)
		w->join = how;
}

static struct item *add(struct walk *w, enum item_kind kind, size_t next)
{
	struct reader *r = w->r;
	struct item *item = r->count < ITEMS_MAX ? &r->items[r->count] : NULL;

	if (!item)
		return NULL;
	r->count++;
	*item = (struct item){
		.kind = kind, .join = w->join, .rather = w->rather, .word = w->at, .end = next};
	item->corrects = w->corrects;
	spend(r, w->at, next);
	w->join = JOIN_NONE;
	w->rather = w->corrects = false;
	w->at = next;
	return item;
}

static void pass(struct walk *w, size_t next)
{
	spend(w->r, w->at, next);
	w->at = next;
}

static size_t skip_fill(const struct reader *r, size_t at)
{
	at = skip_over(r, at, KINDS(W_FILL, W_ART, W_ONE));
	return at;
}

/* ---- "so früh wie möglich" ---- */

static bool is_speed(const struct reader *r, size_t at)
{
	return is(r, at, W_EARLY) || is(r, at, W_LATE) || is(r, at, W_SOON);
}

/* "(so) bald wie möglich", "möglichst früh", "as soon as possible" */
static size_t read_order(struct reader *r, size_t at)
{
	size_t next = at;
	bool most = is(r, at, W_MOST), late;

	if (most || is(r, at, W_SO) || is(r, at, W_AS))
		next++;
	if (!is_speed(r, next) || (next == at && !is(r, at, W_EARLY) && !is(r, at, W_SOON)))
		return 0;
	late = is(r, next++, W_LATE);
	if (!most) {
		if (!is(r, next, W_AS) && !is(r, next, W_THAN))
			return 0;
		next = skip_fill(r, next + 1);
		if (!is(r, next, W_POSSIBLE))
			return 0;
		next++;
	}
	r->order = late ? 2 : 1;
	return next;
}

/* "bald", "den ersten Termin", "nächster freier Termin", "at the latest" */
static size_t read_soonest(struct reader *r, size_t at)
{
	const struct word *word = word_at(r, at);

	if (is(r, at, W_SOONEST)) {
		if (at < 2 || !is(r, at - 1, W_ART) || !is(r, at - 2, W_AT))
			r->order = word->value;
		return at + 1;
	}
	if ((is(r, at, W_ORDINAL) && word->value == 1 && is(r, at + 1, W_SLOT)) ||
		(is(r, at, W_NEXT) && is(r, at + 1, W_SLOT)) || is(r, at, W_SOON)) {
		r->order = 1;
		return at + 1;
	}
	return 0;
}

/* ---- no, not, except ---- */

static bool verb_before(const struct reader *r, size_t at)
{
	at = skip_back(r, at, KINDS(W_FILL));
	return at > 0 && (is(r, at - 1, W_CAN) || is(r, at - 1, W_FINE));
}

static bool any_before(const struct reader *r, size_t at)
{
	for (size_t i = 1; i <= 3 && i <= at; i++)
		if (is(r, at - i, W_EVERY) || is(r, at - i, W_ANY))
			return true;
	return at > 0 && is(r, at - 1, W_FILL) && word_at(r, at - 1)->said.len >= 8; /* anything */
}

static size_t read_except(const struct reader *r, size_t at)
{
	if (is(r, at, W_UNTIL) && is(r, at + 1, W_ON))
		return at + 2; /* "bis auf mittwochs" */
	if (is(r, at, W_RATHER) && word_at(r, at)->value == 1 && is(r, at + 1, W_OF))
		return at + 2; /* "instead of" */
	if (is(r, at, W_BUT) && word_at(r, at)->value == 1 && any_before(r, at))
		return at + 1; /* "any day but Friday" */
	if (!is(r, at, W_EXCEPT))
		return 0;
	at++;
	at = skip_over(r, at, KINDS(W_OF, W_FROM)); /* "mit Ausnahme von", "apart from" */
	return at;
}

/* "wenn das nicht geht, Mittwoch": or. */
static bool read_if_not(struct walk *w)
{
	struct reader *r = w->r;
	size_t from = skip_back(r, w->at, KINDS(W_FILL, W_ART)), next = w->at + 1;

	while (from < w->at && !(is(r, from, W_FILL) && word_at(r, from)->value == 1))
		from++;
	if (!is(r, w->at, W_NOT) || from == w->at)
		return false;
	while (is(r, next, W_CAN) || is(r, next, W_FINE) || is(r, next, W_POSSIBLE) ||
		is(r, next, W_WORK))
		next++;
	if (next == w->at + 1 && !is(r, next, W_COMMA))
		return false;
	pass(w, is(r, next, W_COMMA) ? next + 1 : next);
	w->join = JOIN_OR;
	return true;
}

/* "lieber nachmittags als vormittags" */
static bool is_rather_than(const struct reader *r, size_t at)
{
	size_t next = skip_fill(r, at + 1);

	if (!is(r, at, W_THAN) ||
		!(is(r, next, W_PART) || is(r, next, W_WEEKDAY) || is(r, next, W_RELDAY)))
		return false;
	for (size_t i = 1; i <= SKIP_MAX && i <= at; i++)
		if (is(r, at - i, W_RATHER))
			return true;
	return false;
}

static bool read_not(struct walk *w)
{
	struct reader *r = w->r;
	const struct word *word = word_at(r, w->at);
	size_t next = read_except(r, w->at), after;
	bool verb = false, except = next > 0;
	struct item *item;

	if (!except && is_rather_than(r, w->at))
		next = w->at + 1, except = true;
	if (!except && !is(r, w->at, W_NOT) && !is(r, w->at, W_NO))
		return false;
	if (!except) {
		next = w->at + 1;
		after = skip_fill(r, next);
		if (is(r, after, W_ONLY) ||
			is(r, after, W_BAD)) { /* "nicht nur", "nicht schlecht" */
			pass(w, after + 1);
			return true;
		}
		if (is(r, after, W_TIME) || is(r, after, W_FINE) || is(r, after, W_SLOT))
			next = after + 1; /* "keine Zeit", "no good" */
		verb = is(r, w->at, W_NOT) && (word->value == 2 || verb_before(r, w->at));
		except = is(r, w->at, W_NOT) && word->value == 1;
	}
	item = add(w, ITEM_NOT, next);
	if (item) {
		item->except = except && !(is(r, item->word, W_EXCEPT) && word->value == 2) &&
			       !is(r, item->word, W_RATHER); /* "statt Montag, Dienstag" */
		item->verb = verb;
	}
	return item != NULL;
}

/* ---- "guten Morgen" ---- */

static size_t read_greeting(const struct reader *r, size_t at)
{
	bool greets = is(r, at, W_GREET) || (!r->lexicon->german && is(r, at, W_FINE));

	if (!greets)
		return 0;
	if (is(r, at + 1, W_PART) || is(r, at + 1, W_MORNING) || is(r, at + 1, W_WEEKEND) ||
		(is(r, at + 1, W_UNIT) && word_at(r, at + 1)->value == UNIT_DAY))
		return at + 2;
	return is(r, at, W_GREET) ? at + 1 : 0;
}

/* ---- days and times ---- */

/* Where a bare number is a time: behind a day or a part ("Dienstag 16"), in a list of times. */
static bool is_loose(const struct walk *w)
{
	const struct item *last = w->r->count ? &w->r->items[w->r->count - 1] : NULL;

	if (!last)
		return w->r->words.count == 1;
	if (last->kind == ITEM_DAY)
		return last->day.how < DAY_PERIOD &&
		       (w->join == JOIN_NONE || w->join == JOIN_COMMA);
	return last->kind == ITEM_TIME &&
	       (w->join == JOIN_AND || w->join == JOIN_OR || last->time.how == TIME_PART);
}

static bool read_day_item(struct walk *w)
{
	struct day_item day;
	size_t next = read_bound(w->r, w->at, &day);
	struct item *item;

	if (!next)
		next = read_day(w->r, w->at, &day);
	if (!next)
		return false;
	item = add(w, ITEM_DAY, next);
	if (item)
		item->day = day;
	return true;
}

/* "Donnerstag immer" */
static void every_behind(struct walk *w)
{
	struct item *last = w->r->count ? &w->r->items[w->r->count - 1] : NULL;

	if (last && last->kind == ITEM_DAY && last->day.how == DAY_WEEKDAY &&
		w->join == JOIN_NONE && last->day.pick == PICK_COMING)
		last->day.pick = PICK_EVERY;
}

static bool read_time_item(struct walk *w)
{
	struct time_item time;
	size_t next = read_time(w->r, w->at, is_loose(w), &time);
	struct item *item;

	if (!next)
		return false;
	if (time.how == TIME_PART && word_at(w->r, next - 1)->plural)
		every_behind(w); /* "Tuesday mornings" */
	item = add(w, ITEM_TIME, next);
	if (item)
		item->time = time;
	return true;
}

/* "tonight" is two things. */
static bool read_today_part(struct walk *w)
{
	struct item *item;
	int part = word_at(w->r, w->at)->value;

	if (!is(w->r, w->at, W_TODAY_PART))
		return false;
	item = add(w, ITEM_DAY, w->at + 1);
	if (item)
		day_span(&item->day, DAY_DATE, w->r->today, w->r->today);
	w->at--;
	item = add(w, ITEM_TIME, w->at + 1);
	if (item)
		item->time = (struct time_item){.how = TIME_PART, .part = part};
	return true;
}

/* "in zwei Stunden", "in half an hour": a day and a time. */
static bool read_hours_ahead(struct walk *w)
{
	struct reader *r = w->r;
	size_t next = w->at + 1;
	int hours = 0, minute;
	bool half;
	struct item *item;

	if (!is(r, w->at, W_IN))
		return false;
	half = is(r, next, W_HALF) || (is(r, next, W_ONE) && is(r, next + 1, W_HALF));
	next = half ? skip_over(r, next, KINDS(W_HALF, W_ONE)) : read_number(r, next, &hours);
	if (!next || !is(r, next, W_UNIT) || word_at(r, next)->value != UNIT_HOUR || hours > 24)
		return false;
	minute = r->minute + (half ? 30 : 60 * hours);
	item = add(w, ITEM_DAY, next);
	if (item)
		day_span(&item->day, DAY_DATE, r->today + minute / 1440, r->today + minute / 1440);
	item = add(w, ITEM_TIME, next + 1);
	if (item)
		item->time = (struct time_item){.how = TIME_ABOUT,
			.a = clock_of(minute / 60 % 24, minute % 60, false),
			.part = NO_PART};
	return true;
}

/* "nein", "ich meine"; in English "no" as well, if nothing follows that it could deny. */
static bool is_correction(const struct reader *r, size_t at)
{
	const struct word *word = word_at(r, at);

	if (is(r, at, W_NO))
		return !r->lexicon->german &&
		       (is(r, at + 1, W_COMMA) || is(r, at + 1, W_DOT) ||
			       (is(r, at + 1, W_FILL) && word_at(r, at + 1)->value >= FILL_FIX));
	if (word->kind != W_FILL || word->value == FILL_I)
		return false;
	if (word->value != FILL_FIX_I)
		return word->value == FILL_FIX;
	return (at > 0 && is(r, at - 1, W_FILL) && word_at(r, at - 1)->value == FILL_I) ||
	       (is(r, at + 1, W_FILL) && word_at(r, at + 1)->value == FILL_I);
}

static void read_small(struct walk *w)
{
	struct reader *r = w->r;

	switch ((enum word_kind)word_at(r, w->at)->kind) {
	case W_COMMA:
	case W_DOT:
		join(w, JOIN_COMMA);
		break;
	case W_AND:
		join(w, JOIN_AND);
		break;
	case W_OR:
	case W_SLASH:
		join(w, JOIN_OR);
		break;
	case W_BUT:
		join(w, JOIN_BUT);
		break;
	case W_RATHER:
		w->rather = true;
		join(w, JOIN_COMMA);
		break;
	case W_ANY:
		if (w->r->count && w->r->items[w->r->count - 1].kind == ITEM_DAY &&
			w->join == JOIN_NONE) { /* "Montag egal wann, Dienstag nur vormittags" */
			add(w, ITEM_FINE, w->at + 1);
			return;
		}
		break;
	case W_EVERY:
		if (w->r->lexicon->german)
			every_behind(w);
		break;
	case W_UNKNOWN:
	case W_NUMBER:
	case W_ORDINAL:
	case W_MONTH:
	case W_WEEKNO:
	case W_LAST:
	case W_HALF:
	case W_QUARTER:
		w->at++;
		return;
	default:
		break;
	}
	pass(w, w->at + 1);
}

/* "Montag ist schlecht", "nächste Woche bin ich im Urlaub"; but "nach dem Urlaub" tells no day. */
static bool is_bad(const struct reader *r, size_t at)
{
	if (!is(r, at, W_BAD) || word_at(r, at)->value != 1)
		return is(r, at, W_BAD);
	return at > 0 && is(r, at - 1, W_ART) && word_at(r, at - 1)->said.len == 2;
}

static bool read_one(struct walk *w)
{
	struct reader *r = w->r;
	size_t next;

	if (is_correction(r, w->at)) {
		w->corrects = r->count > 0;
		pass(w, w->at + 1);
		return true;
	}
	(void)((next = read_greeting(r, w->at)) || (next = read_order(r, w->at)));
	if (next) {
		pass(w, next);
		return true;
	}
	if (read_if_not(w) || read_not(w) || read_today_part(w) || read_hours_ahead(w))
		return true;
	if (is(r, w->at, W_FINE) && is(r, skip_fill(r, w->at + 1), W_NOT)) {
		pass(w, w->at + 1); /* "passt mir nicht" */
		return true;
	}
	if (is_bad(r, w->at) || is(r, w->at, W_FINE)) {
		add(w, is(r, w->at, W_BAD) ? ITEM_BAD : ITEM_FINE, w->at + 1);
		return true;
	}
	if (is(r, w->at, W_FILL) || is(r, w->at, W_COMMA) || is(r, w->at, W_DOT) ||
		is(r, w->at, W_DASH))
		return false;
	if (is(r, w->at, W_AT) ? read_time_item(w) || read_day_item(w)
			       : read_day_item(w) || read_time_item(w))
		return true;
	next = read_soonest(r, w->at);
	if (next)
		pass(w, next);
	return next > 0;
}

/* "diese oder nächste Woche": the first wants the noun of the second. */
static void lend_nouns(struct reader *r)
{
	for (size_t i = 0; i + 3 < r->words.count; i++) {
		struct word *word = &r->words.at[i];

		if (word->kind != W_THIS && word->kind != W_NEXT)
			continue;
		if (!is(r, i + 1, W_OR) || !is(r, i + 3, W_UNIT))
			continue;
		if (is(r, i + 2, W_NEXT) || is(r, i + 2, W_AFTER_NEXT) || is(r, i + 2, W_COMING))
			word->abbreviated = true;
	}
}

static bool read_lent(struct walk *w)
{
	struct item *item;
	int unit = word_at(w->r, w->at + 3)->value;
	int ahead = is(w->r, w->at, W_NEXT);

	if (!word_at(w->r, w->at)->abbreviated ||
		(!is(w->r, w->at, W_THIS) && !is(w->r, w->at, W_NEXT)))
		return false;
	item = add(w, ITEM_DAY, w->at + 1);
	if (!item)
		return false;
	if (unit == UNIT_MONTH) {
		int from, to;

		month_after(w->r, ahead, &from, &to);
		day_span(&item->day, DAY_PERIOD, from, to);
	} else {
		day_span(
			&item->day, DAY_PERIOD, monday_of(w->r, ahead), monday_of(w->r, ahead) + 6);
	}
	return true;
}

bool read_items(struct reader *r)
{
	struct walk w = {.r = r};
	size_t room = 2;

	for (size_t i = 0; i < r->words.count; i++)
		room += is(r, i, W_TODAY_PART) ? 2 : 1; /* "tonight" makes two of one word */
	if (room > ITEMS_MAX)
		room = ITEMS_MAX;
	r->items = arena_take(r->arena, room * sizeof(*r->items));
	if (!r->items)
		return false;
	lend_nouns(r);
	while (w.at < r->words.count && r->count < ITEMS_MAX - 2) {
		if (!read_lent(&w) && !read_one(&w))
			read_small(&w);
	}
	correct_items(r);
	return true;
}
