/* zone.c - time zones from the system's tzdata: TZif version 1 to 3 (RFC 8536).
 *
 * Never asks the C library for a zone (there TZ is one for the whole process), and never frees one:
 * callers keep the pointers. Any thread; one lock, around the list of loaded zones only.
 */
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zone_rule.h"

#define FILE_MAX (256 * 1024)
#define DAY_S 86400
#define ROWS 512 /* of loaded zones; there are about 600 */

struct zone {
	struct zone *next;
	size_t count;
	int64_t *times;   /* UTC seconds, rising */
	int32_t *offsets; /* from that instant on */
	int32_t first;    /* before the first */
	bool has_rule;
	struct zone_rule rule;
	char name[];
};

/* ---- the file ----------------------------------------------------------------------------- */

struct tzif { /* one of the file's blocks */
	uint32_t isut, isstd, leaps, times, types, chars;
	const unsigned char *data;
	size_t size; /* of data */
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be_time(const unsigned char *p, size_t width)
{
	if (width == 4)
		return (int32_t)be32(p);
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool read_header(struct tzif *block, const unsigned char *p, size_t size, size_t width)
{
	if (size < 44 || memcmp(p, "TZif", 4) != 0)
		return false;
	block->isut = be32(p + 20);
	block->isstd = be32(p + 24);
	block->leaps = be32(p + 28);
	block->times = be32(p + 32);
	block->types = be32(p + 36);
	block->chars = be32(p + 40);
	if (block->isut > 256 || block->isstd > 256 || block->leaps > 4096 ||
		block->times > 16384 || !block->types || block->types > 256 || block->chars > 4096)
		return false;
	block->data = p + 44;
	block->size = block->times * (width + 1) + block->types * 6 + block->chars +
		      block->leaps * (width + 4) + block->isstd + block->isut;
	return block->size <= size - 44;
}

/* No wall clock is a day ahead: RFC 3339 could not tell it, and find_near would not find it. */
static bool read_offset(int32_t *offset, const unsigned char *type)
{
	*offset = (int32_t)be32(type);
	return *offset > -DAY_S && *offset < DAY_S;
}

static bool read_types(struct zone *zone, const struct tzif *block, size_t width)
{
	const unsigned char *index = block->data + block->times * width;
	const unsigned char *types = index + block->times;
	size_t i;

	if (!read_offset(&zone->first, types))
		return false;
	for (i = 0; i < block->times; i++) {
		if (index[i] >= block->types ||
			!read_offset(&zone->offsets[i], types + 6 * index[i]))
			return false;
		zone->times[i] = be_time(block->data + i * width, width);
		if (i && zone->times[i] <= zone->times[i - 1])
			return false;
	}
	zone->count = block->times;
	return true;
}

static bool read_footer(struct zone *zone, const unsigned char *p, size_t size)
{
	char text[128];
	const unsigned char *end;
	size_t len;

	if (size < 2 || p[0] != '\n')
		return false;
	end = memchr(p + 1, '\n', size - 1);
	len = end ? (size_t)(end - p - 1) : sizeof(text);
	if (len >= sizeof(text))
		return false;
	memcpy(text, p + 1, len);
	text[len] = '\0';
	zone->has_rule = len > 0;
	return len == 0 || zone_rule_parse(&zone->rule, text);
}

static bool read_block(struct zone *zone, const struct tzif *block, size_t width)
{
	zone->times = calloc(block->times + 1, sizeof(*zone->times));
	zone->offsets = calloc(block->times + 1, sizeof(*zone->offsets));
	return zone->times && zone->offsets && read_types(zone, block, width);
}

/* Files that count leap seconds ("right/...") do not count as POSIX and everybody else does. */
static bool read_zone(struct zone *zone, const unsigned char *p, size_t size)
{
	struct tzif block;
	size_t skip;

	if (!read_header(&block, p, size, 4))
		return false;
	if (p[4] < '2')
		return !block.leaps && read_block(zone, &block, 4);
	skip = 44 + block.size;
	if (!read_header(&block, p + skip, size - skip, 8) || block.leaps)
		return false;
	skip += 44 + block.size;
	return read_block(zone, &block, 8) && read_footer(zone, p + skip, size - skip);
}

static bool is_zone_name(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789_+-/");

	return len > 0 && len < 100 && !name[len] && name[0] != '/';
}

static size_t read_file(const char *name, unsigned char *bytes, size_t max)
{
	const char *dir = getenv("TZDIR");
	char path[512];
	size_t size = 0;
	FILE *file;
	int len;

	len = snprintf(
		path, sizeof(path), "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo", name);
	file = (size_t)len < sizeof(path) ? fopen(path, "re") : NULL;
	if (!file)
		return 0;
	size = fread(bytes, 1, max, file);
	if (ferror(file) || size == max)
		size = 0;
	fclose(file);
	return size;
}

static void destroy(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->times);
	free(zone->offsets);
	free(zone);
}

static struct zone *load(const char *name)
{
	size_t len = strlen(name), size;
	struct zone *zone = calloc(1, sizeof(*zone) + len + 1);
	unsigned char *bytes = malloc(FILE_MAX);

	size = zone && bytes ? read_file(name, bytes, FILE_MAX) : 0;
	if (!size || !read_zone(zone, bytes, size)) {
		destroy(zone);
		zone = NULL;
	} else {
		memcpy(zone->name, name, len + 1);
	}
	free(bytes);
	return zone;
}

/* A cache that only grows, bounded by the number of zones that exist: the one way to hand out
 * pointers that need no owner. */
static pthread_mutex_t loaded_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *loaded[ROWS];

/* Workers have all zones there are loaded before the first call, and a call asks several times. */
static struct zone **row_of(const char *name)
{
	uint32_t hash = UINT32_C(0x811c9dc5);

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT32_C(0x01000193);
	return &loaded[hash % ROWS];
}

static const struct zone *find_loaded(struct zone *const *row, const char *name)
{
	const struct zone *zone = __atomic_load_n(row, __ATOMIC_ACQUIRE);

	while (zone && strcmp(zone->name, name) != 0)
		zone = zone->next;
	return zone;
}

const struct zone *zone_find(const char *name)
{
	struct zone **row = name ? row_of(name) : NULL;
	const struct zone *known = row ? find_loaded(row, name) : NULL;
	struct zone *zone;

	if (known || !name || !is_zone_name(name))
		return known;
	pthread_mutex_lock(&loaded_lock);
	known = find_loaded(row, name);
	if (!known) {
		zone = load(name);
		if (zone) {
			zone->next = *row;
			__atomic_store_n(row, zone, __ATOMIC_RELEASE);
		}
		known = zone;
	}
	pthread_mutex_unlock(&loaded_lock);
	return known;
}

const char *zone_name(const struct zone *zone)
{
	return zone->name;
}

/* ---- from instant to wall ----------------------------------------------------------------- */

/* Number of transitions at or before t. */
static size_t transitions_until(const struct zone *zone, int64_t t)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (zone->times[middle] <= t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int32_t offset_at(const struct zone *zone, int64_t t)
{
	size_t n = transitions_until(zone, t);

	if (n == zone->count && zone->has_rule)
		return zone_rule_offset(&zone->rule, t);
	return n ? zone->offsets[n - 1] : zone->first;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

struct civil zone_civil(const struct zone *zone, int64_t ms)
{
	int64_t s = floor_div(ms, 1000), days, year;
	struct civil civil = {.offset_s = offset_at(zone, s)};
	int rest;

	s += civil.offset_s;
	days = floor_div(s, DAY_S);
	rest = (int)(s - days * DAY_S);
	zone_date_of(days, &year, &civil.month, &civil.day);
	civil.year = (int)year;
	civil.hour = rest / 3600;
	civil.minute = rest / 60 % 60;
	civil.second = rest % 60;
	civil.weekday = (int)((days % 7 + 7 + 3) % 7) + 1;
	return civil;
}

/* ---- from wall to instant ----------------------------------------------------------------- */

#define NEAR_MAX 16

struct near { /* the offsets in force around an instant */
	int64_t from[NEAR_MAX];
	int32_t offset[NEAR_MAX];
	size_t count;
};

static void add_near(
	struct near *near, const struct zone *zone, int64_t t, int64_t from, int64_t to)
{
	size_t i = near->count;

	if (t <= from || t > to || i == NEAR_MAX)
		return;
	for (; i > 1 && near->from[i - 1] > t; i--) {
		near->from[i] = near->from[i - 1];
		near->offset[i] = near->offset[i - 1];
	}
	near->from[i] = t;
	near->offset[i] = offset_at(zone, t);
	near->count++;
}

static void find_near(struct near *near, const struct zone *zone, int64_t from, int64_t to)
{
	size_t i = transitions_until(zone, from);
	int64_t year, start, end;
	int month, day;

	*near = (struct near){.count = 1, .from = {from}, .offset = {offset_at(zone, from)}};
	for (; i < zone->count && zone->times[i] <= to; i++)
		add_near(near, zone, zone->times[i], from, to);
	if (i < zone->count || !zone->has_rule || !zone->rule.has_dst)
		return;
	zone_date_of(floor_div(from, DAY_S), &year, &month, &day);
	for (i = 0; i < 3; i++) {
		zone_rule_year(&zone->rule, year - 1 + (int64_t)i, &start, &end);
		if (!zone->count || start > zone->times[zone->count - 1])
			add_near(near, zone, start, from, to);
		if (!zone->count || end > zone->times[zone->count - 1])
			add_near(near, zone, end, from, to);
	}
}

static bool is_date(const struct civil *c)
{
	return c->year >= -9999 && c->year <= 99999 && c->month >= 1 && c->month <= 12 &&
	       c->day >= 1 && c->day <= zone_month_len(c->year, c->month) && c->hour >= 0 &&
	       c->hour <= 23 && c->minute >= 0 && c->minute <= 59 && c->second >= 0 &&
	       c->second <= 60;
}

static int64_t wall_seconds(const struct civil *c)
{
	return zone_days(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 +
	       c->second;
}

/* The wall shows wall_s in none of the stretches: it was skipped between two of them. */
static int64_t behind_gap(const struct near *near, int64_t wall_s)
{
	size_t i;

	for (i = 1; i < near->count; i++)
		if (wall_s < near->from[i] + near->offset[i])
			break;
	return wall_s - near->offset[i - 1];
}

int zone_instant(const struct zone *zone, const struct civil *civil, int64_t *first_ms)
{
	int64_t wall_s, t, until;
	struct near near;
	int found = 0;
	size_t i;

	if (!is_date(civil))
		return -1;
	wall_s = wall_seconds(civil);
	find_near(&near, zone, wall_s - 2 * DAY_S, wall_s + 2 * DAY_S);
	for (i = 0; i < near.count; i++) {
		t = wall_s - near.offset[i];
		until = i + 1 < near.count ? near.from[i + 1] : INT64_MAX;
		if (t >= near.from[i] && t < until && !found++)
			*first_ms = t * 1000;
	}
	if (!found)
		*first_ms = behind_gap(&near, wall_s) * 1000;
	return found;
}
