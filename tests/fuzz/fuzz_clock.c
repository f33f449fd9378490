/* fuzz_clock.c - any text as an instant, any bytes as a file of a time zone.
 *
 * Input: a line with the instant, then a TZif file. What is accepted must be printed to text that
 * reads back as the same instant, in UTC and in the zone; and every instant is among those that
 * show its own wall time.
 *
 * zone.c is taken in whole, for its reader of files is its own affair; the library's copy of it is
 * then not linked.
 */
#include "base/zone.c"

#include <assert.h>

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const int64_t year_0_ms = INT64_C(-62167219200000), year_9999_ms = INT64_C(253402300799999);

static void check_print(struct arena *arena, int64_t ms, const struct zone *zone)
{
	int64_t again = 0;
	struct str text = clock_print(arena, ms, zone);

	assert(str_utf8_ok(text) && text.len);
	/* In a zone the wall's year may lie outside of what RFC 3339 can say. */
	if (ms < year_0_ms + DAY_S * 2000 || ms > year_9999_ms - DAY_S * 2000)
		return;
	assert(clock_parse(text, NULL, &again));
	/* Old local times had seconds in their offset, which RFC 3339 has not. */
	if (!zone || zone_civil(zone, ms).offset_s % 60 == 0)
		assert(again == ms);
}

static void check_wall(const struct zone *zone, int64_t ms)
{
	struct civil civil = zone_civil(zone, ms);
	int64_t first = 0;
	int count = zone_instant(zone, &civil, &first);

	assert(civil.month >= 1 && civil.month <= 12 && civil.day >= 1 && civil.day <= 31);
	assert(civil.weekday >= 1 && civil.weekday <= 7);
	if (civil.year < -9000 || civil.year > 99000)
		return;
	assert(count >= 1);
	assert(first <= floor_div(ms, 1000) * 1000);
}

static struct zone *read_bytes(struct str file)
{
	struct zone *zone = calloc(1, sizeof(*zone) + 1);

	assert(zone);
	if (file.len && read_zone(zone, (const unsigned char *)file.ptr, file.len))
		return zone;
	destroy(zone);
	return NULL;
}

static void check_zone(const struct zone *zone, struct str text)
{
	struct arena *arena = arena_create(1 << 20);
	int64_t ms = 0;

	if (clock_parse(text, zone, &ms)) {
		check_wall(zone, ms);
		check_print(arena, ms, zone);
	}
	for (size_t i = 0; i < zone->count && i < 50; i++)
		if (zone->times[i] > -(INT64_C(1) << 40) && zone->times[i] < INT64_C(1) << 40) {
			check_wall(zone, zone->times[i] * 1000 - 1);
			check_wall(zone, zone->times[i] * 1000);
		}
	for (int64_t year = 0; year < 60; year++)
		check_wall(zone, year * 31557600000 + year * 86400000 * 7);
	arena_destroy(arena);
}

/* The text as the name of a zone: what is there once is there again, and nothing outside of the
 * folder of zones. */
static void check_name(struct str text)
{
	char name[48];
	const struct zone *zone;
	struct civil civil;

	if (text.len >= sizeof(name) || memchr(text.ptr, 0, text.len))
		return;
	memcpy(name, text.ptr, text.len);
	name[text.len] = '\0';
	zone = zone_find(name);
	assert(zone == zone_find(name));
	if (!zone)
		return;
	assert(name[0] != '/' && !strstr(name, ".."));
	civil = zone_civil(zone, INT64_C(1795510800000));
	assert(civil.year == 2026);
}

static void check_utc(int64_t ms)
{
	char text[CLOCK_TEXT];
	int64_t again = 0;

	clock_utc(text, ms);
	assert(strlen(text) < CLOCK_TEXT);
	if (ms >= year_0_ms && ms <= year_9999_ms)
		assert(clock_parse(str_of(text), NULL, &again) && again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct arena *arena = arena_create(1 << 20);
	const char *stop = len ? memchr(bytes, '\n', len) : NULL;
	size_t n = stop ? (size_t)(stop - (const char *)bytes) : len;
	struct str text = {(const char *)bytes, n};
	struct str file = {stop ? stop + 1 : NULL, stop ? len - n - 1 : 0};
	struct zone *zone = read_bytes(file);
	int64_t ms = 0;

	if (clock_parse(text, NULL, &ms)) {
		check_print(arena, ms, NULL);
		check_utc(ms);
	}
	check_name(text);
	if (zone)
		check_zone(zone, text);
	destroy(zone);
	arena_destroy(arena);
	return 0;
}
