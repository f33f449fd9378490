/* desk_office.h - the offices that fuzz_desk.c calls: a store with services, days of the mirror,
 * appointments and holds, made once in a process and only read afterwards. Its directory goes with
 * the process.
 *
 * The clock stands at Tuesday, 17 June 2042, 10:00 in Berlin. Everything that belongs to somebody
 * else than the caller has OFFICE_OTHERS in its uid and name.
 */
#ifndef FUZZ_DESK_OFFICE_H
#define FUZZ_DESK_OFFICE_H

#include "config/config.h"
#include "desk/desk.h"

#define OFFICE_NOW INT64_C(2286604800000) /* 2042-06-17T10:00:00+02:00 */
#define OFFICE_CALLER "+4930111222"       /* has appointments everywhere */
#define OFFICE_FAMILY "+4930333444"       /* several people */
#define OFFICE_NEW "+4930555666"          /* is not known */
#define OFFICE_OTHERS "Zzgeheim"

struct desk_office {
	struct config *config;
	struct store_reader *reader;
	struct desk *desk;
};

const struct desk_office *desk_office(void);

#endif
