/* words.c - names of days and months. Not from the system's locales: a small box has none. */
#include "base/words.h"

#include <stdio.h>
#include <string.h>

static const char *const days[2][7] = {
	{"Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"},
	{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
};
static const char *const months[2][12] = {
	{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
		"November", "Dezember"},
	{"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December"},
};

size_t words_day(char out[WORDS_TEXT], const struct civil *civil, const char *language)
{
	int english = !language || strcmp(language, "de") != 0;
	const char *format = english ? "%s, %d %s %d" : "%s, %d. %s %d";

	return (size_t)snprintf(out, WORDS_TEXT, format, days[english][civil->weekday - 1], civil->day,
		months[english][civil->month - 1], civil->year);
}

size_t words_clock(char out[WORDS_TEXT], const struct civil *civil)
{
	return (size_t)snprintf(out, WORDS_TEXT, "%02d:%02d", civil->hour, civil->minute);
}
