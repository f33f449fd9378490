/* v1.h - the parts of calcom_v1. See ../calcom/calcom.h for what it shares with calcom_v2. */
#ifndef CALCOM_V1_H
#define CALCOM_V1_H

#include "../calcom/calcom.h"

/* In cal_window.to_ms: no end. */
#define V1_FOR_EVER INT64_C(0)

extern const struct cal_dialect v1_dialect;

const kl_next *v1_get(kl_call *c, const char *label, kl_str url, const kl_val *state);
/* Metadata of an existing booking, texts only, ready to be sent again. */
kl_val *v1_texts(kl_call *c, const kl_val *metadata);

/* cal_dialect.prove */
struct cal_proof v1_prove(kl_call *c, const kl_step *s, kl_str event_type, const kl_val *keep);

const kl_next *v1_test(kl_call *c, const kl_step *s);
const kl_next *v1_event_types(kl_call *c, const kl_step *s);
const kl_next *v1_members(kl_call *c, const kl_step *s);
const kl_next *v1_schedules(kl_call *c, const kl_step *s);
const kl_next *v1_hold(kl_call *c, const kl_step *s);
const kl_next *v1_find_booking(kl_call *c, const kl_step *s);
const kl_next *v1_reschedule(kl_call *c, const kl_step *s);
const kl_next *v1_cancel(kl_call *c, const kl_step *s);
const kl_next *v1_poll(kl_call *c, const kl_step *s);

#endif
