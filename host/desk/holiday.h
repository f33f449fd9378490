/* holiday.h - public holidays of Germany, by federal state.
 *
 * The laws of 1995 and later. Days that fall on a Sunday count where the law names them (Easter
 * and Whit Sunday: only Brandenburg). 24 and 31 December are no public holidays anywhere.
 * Safe from any thread.
 */
#ifndef DESK_HOLIDAY_H
#define DESK_HOLIDAY_H

#include <stdbool.h>

/* state: "BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP", "SL", "SN", "ST", "SH",
 * "TH"; also where only some communities keep a day: "BY-K" (Mariä Himmelfahrt), "SN-K", "TH-K"
 * (Fronleichnam), "BY-A" (Augsburg). "" or NULL: only what holds in all states; so for a state that
 * is not known (see holiday_state_known). No such date: false.
 * *name (may be NULL): its German name, static; untouched where it is none. */
bool holiday_is(const char *state, int year, int month, int day, const char **name);

bool holiday_state_known(const char *state); /* "" too */

#endif
