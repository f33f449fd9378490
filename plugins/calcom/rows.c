/* rows.c - small pieces of event type, member and schedule rows, and of check(). Pure; any thread.
 */
#include "calcom.h"

/* "MONDAY", "Monday", 1 .. 6, 0 for Sunday -> 1 .. 7; 0: not a day. */
static int32_t cal_weekday(kl_str name)
{
	static const char *const names[] = {
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
	if (name.len == 1 && name.ptr[0] >= '0' && name.ptr[0] <= '7')
		return name.ptr[0] == '0' ? 7 : name.ptr[0] - '0';
	for (int32_t i = 0; i < 7; i++)
		if (cal_same_fold(name, kl_s(names[i])))
			return i + 1;
	return 0;
}

kl_str cal_clock(kl_call *c, kl_str text)
{
	const char *t = text.ptr ? memchr(text.ptr, 'T', text.len) : 0;
	uint32_t from = t ? (uint32_t)(t - text.ptr) + 1 : 0;
	return text.len >= from + 5 ? kl_slice(c, text, from, from + 5) : text;
}

kl_val *cal_person(kl_call *c, kl_str id, kl_str name)
{
	kl_val *person = c->host->object(c);
	kl_set_text(c, person, "id", id);
	kl_set_text(c, person, "name", name);
	return person;
}

kl_val *cal_buffers(kl_call *c, const kl_val *type)
{
	kl_val *buffers = c->host->object(c);
	kl_set_i64(c, buffers, "before_min", kl_i64(c, type, "beforeEventBuffer", 0));
	kl_set_i64(c, buffers, "after_min", kl_i64(c, type, "afterEventBuffer", 0));
	return buffers;
}

void cal_set_bookable(kl_call *c, kl_val *row, const char *reason_or_null)
{
	kl_set_bool(c, row, "bookable", reason_or_null == 0);
	kl_set_text(c, row, "reason_not_bookable", kl_s(reason_or_null));
}

const kl_val *cal_hours(kl_call *c, const kl_val *hours)
{
	const kl_val *given = c->host->find(hours, "days");
	kl_val *out = c->host->object(c), *days = c->host->array(c);
	for (uint32_t i = 0; i < c->host->count(given); i++) {
		int32_t day = cal_weekday(c->host->text(c->host->at(given, i, 0)));
		if (day)
			c->host->push(c, days, c->host->of_i64(c, day));
	}
	kl_set(c, out, "days", days);
	kl_set_text(c, out, "from", cal_clock(c, cal_text(c, hours, "startTime")));
	kl_set_text(c, out, "to", cal_clock(c, cal_text(c, hours, "endTime")));
	return out;
}

void cal_check_slash(kl_call *c, kl_str base)
{
	if (cal_ends(base, "/"))
		c->host->problem(c, "base_url", "leave out the slash at the end");
}

static uint32_t index_of(kl_str s, uint32_t from, const char *any)
{
	while (from < s.len && !strchr(any, s.ptr[from]))
		from++;
	return from;
}

kl_str cal_host(kl_call *c, kl_str url)
{
	uint32_t from = 0, to, end;
	for (uint32_t i = 0; i + 3 <= url.len && !from; i++)
		if (memcmp(url.ptr + i, "://", 3) == 0)
			from = i + 3;
	end = index_of(url, from, "/?#\\");
	for (uint32_t i = from; i < end; i++)
		if (url.ptr[i] == '@')
			from = i + 1;
	to = index_of(url, from, ":/?#\\");
	kl_str host = c->host->decode(c, "percent", kl_slice(c, url, from, to));
	while (host.ptr && host.len && host.ptr[host.len - 1] == '.')
		host = kl_slice(c, host, 0, host.len - 1);
	return cal_lower(c, host);
}
