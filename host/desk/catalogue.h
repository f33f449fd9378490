/* catalogue.h - the services and branches of all offices, as the desk keeps them in memory.
 *
 * Made anew by desk_refresh(); what is found here lives until then, so a run copies what it keeps
 * (question_read does). Rows of a person go before those of the same name in the INI.
 */
#ifndef DESK_CATALOGUE_H
#define DESK_CATALOGUE_H

#include "store/store.h"

struct office_staff {
	struct str name, event_type;
};

struct office_service { /* as it is in one branch, if one is asked for */
	struct str name, title;
	const struct str *aliases;
	size_t alias_count;
	struct str connection; /* its calendar; empty: the desk's */
	struct str event_type;
	const struct office_staff *staff;
	size_t staff_count;
	int64_t length_ms;
	int64_t price_minor; /* -1: not said */
	struct str currency;
	uint32_t capacity, position; /* capacity at least 1 */
	bool active;
	/* Another service has the same event type with another length: the calendar must be told.
	 */
	bool one_of_lengths;
};

struct office_branch {
	struct str name, title, address;
	const struct str *numbers;
	size_t number_count;
	struct str agent;
	int32_t agent_version; /* -1: not said */
	struct str state;
	uint32_t position;
};

struct office { /* one tenant's */
	struct str tenant;
	struct office_service *services; /* in the order of position */
	struct office_branch *branches;
	const struct override_row *overrides;
	size_t service_count, branch_count, override_count;
};

struct offices;

/* Everything of the arena; NULL: no memory. */
struct offices *offices_read(struct arena *arena, const struct catalogue *rows);
const struct office *offices_find(const struct offices *offices, struct str tenant); /* or NULL */

/* Is it the event type of this service, or of one of the office's, in whichever branch? */
bool office_service_has(const struct office_service *service, struct str event_type);
bool office_serves(const struct office *office, struct str event_type);
const struct office_branch *office_branch(const struct office *office, struct str name);
/* Who answers there. A branch without numbers answers all that no other one has, if it is the only
 * one. NULL: none. */
const struct office_branch *office_dialled(const struct office *office, struct str number);

/* The service with what differs in that branch (NULL: nothing), copied into the arena. NULL: no
 * memory. */
struct office_service *office_effective(struct arena *arena, const struct office *office,
	const struct office_branch *branch, const struct office_service *service);

/* Those a caller may book in that branch. */
size_t office_offered(struct arena *arena, const struct office *office,
	const struct office_branch *branch, struct office_service **services);

#endif
