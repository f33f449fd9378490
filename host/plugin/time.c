/* time.c - extension kl.time/1: civil time over base/clock. Reads zone files of zones that were
 * not asked for before in this process (a worker has them all, see zygote.c). Any thread. */
#include "plugin/host.h"

#include <string.h>

#include "base/clock.h"

static struct arena *memory(kl_call *c)
{
	return c ? ((struct host_call *)(void *)c)->arena : NULL;
}

static const struct zone *find(const char *zone)
{
	return zone && *zone ? zone_find(zone) : NULL;
}

static int32_t time_civil(kl_call *c, const char *zone, int64_t ms, kl_civil *out)
{
	const struct zone *found = find(zone);
	struct civil civil;
	kl_civil full;

	(void)c;
	if (!found || !out || out->size < sizeof(out->size))
		return 0;
	civil = zone_civil(found, ms);
	full = (kl_civil){
		.size = out->size,
		.year = civil.year,
		.month = civil.month,
		.day = civil.day,
		.hour = civil.hour,
		.minute = civil.minute,
		.second = civil.second,
		.weekday = civil.weekday,
		.offset_s = civil.offset_s,
	};
	memcpy(out, &full, out->size < sizeof(full) ? out->size : sizeof(full));
	return 1;
}

static int32_t time_instant(kl_call *c, const char *zone, const kl_civil *civil, int64_t *first_ms)
{
	const struct zone *found = find(zone);
	struct civil wall;

	(void)c;
	if (!found || !civil || !KL_HAS(kl_civil, civil, second) || !first_ms)
		return -1;
	wall = (struct civil){
		.year = civil->year,
		.month = civil->month,
		.day = civil->day,
		.hour = civil->hour,
		.minute = civil->minute,
		.second = civil->second,
	};
	return zone_instant(found, &wall, first_ms);
}

static int32_t time_parse(kl_call *c, kl_str text, const char *zone, int64_t *ms)
{
	const struct zone *found = find(zone);

	(void)c;
	if (!text.ptr || !ms || (zone && !found))
		return 0;
	return clock_parse((struct str){text.ptr, text.len}, found, ms);
}

static kl_str time_print(kl_call *c, int64_t ms, const char *zone_or_null)
{
	const struct zone *found = find(zone_or_null);
	struct str text;

	if (zone_or_null && !found)
		return (kl_str){0, 0, 0};
	text = clock_print(memory(c), ms, found);
	return (kl_str){text.ptr, (uint32_t)text.len, 0};
}

const kl_time1 host_time = {
	.size = sizeof(kl_time1),
	.civil = time_civil,
	.instant = time_instant,
	.parse = time_parse,
	.print = time_print,
};
