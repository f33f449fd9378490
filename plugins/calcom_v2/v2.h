/* v2.h - the parts of calcom_v2. See ../calcom/calcom.h for what it shares with calcom_v1. */
#ifndef CALCOM_V2_H
#define CALCOM_V2_H

#include "../calcom/calcom.h"

extern const struct cal_dialect v2_dialect;

/* Which cal-api-version option a request follows. */
enum v2_resource { V2_BOOKINGS, V2_EVENT_TYPES, V2_SCHEDULES, V2_SLOTS };

/* A request with the version header of its resource. */
kl_request *v2_request(kl_call *c, const kl_step *s, enum v2_resource resource, const char *method,
	uint32_t repeat, const char *label, kl_str url);
kl_str v2_option(kl_call *c, const kl_val *config, const char *key, const char *fallback);
/* "/bookings", or the list of a team or an organization by option scope; or by cal_window.whose. */
kl_str v2_list_url(kl_call *c, const kl_val *config, kl_str whose);
/* "/teams/880" and tail, or the same below the organization of the options. */
kl_str v2_team_url(kl_call *c, const kl_val *config, kl_str team, const char *tail);
/* cal_dialect.prove */
struct cal_proof v2_prove(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep);
/* data of an answer, or NULL if there is none. */
const kl_val *v2_data(kl_call *c, const kl_response *r);

const kl_next *v2_test(kl_call *c, const kl_step *s);
const kl_next *v2_event_types(kl_call *c, const kl_step *s);
const kl_next *v2_members(kl_call *c, const kl_step *s);
const kl_next *v2_schedules(kl_call *c, const kl_step *s);
const kl_next *v2_hold(kl_call *c, const kl_step *s);
const kl_next *v2_release(kl_call *c, const kl_step *s);
const kl_next *v2_find_booking(kl_call *c, const kl_step *s);
const kl_next *v2_reschedule(kl_call *c, const kl_step *s);
const kl_next *v2_cancel(kl_call *c, const kl_step *s);
const kl_next *v2_poll(kl_call *c, const kl_step *s);

#endif
