/* ops.h - the calendar operations as both plugins declare them; one table, so that they cannot
 * drift apart. The prose is sdk/operations/calendar.md. */
#ifndef CALCOM_OPS_H
#define CALCOM_OPS_H

#include <klinke/plugin.h>

#define CAL_EVENTS                                                                                 \
	"booking.created booking.rescheduled booking.cancelled booking.rejected "                  \
	"booking.requested booking.noshow booking.paid meeting.started meeting.ended "             \
	"calendar.ping calendar.other"

#define CAL_OBJECT(required, properties)                                                           \
	"{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "}}"
#define CAL_TEXT "{\"type\":\"string\"}"
#define CAL_ID "{\"type\":[\"string\",\"integer\"]}"
#define CAL_INT "{\"type\":[\"integer\",\"string\"]}"
#define CAL_ANY_OBJECT "{\"type\":\"object\"}"

#define CAL_OPS                                                                                    \
	{"test", KL_OP_ACTION, 0, CAL_OBJECT("", "\"event_type\":" CAL_ID),                        \
		"whose credential is this, and can it look bookings of a type up"},                \
		{"event_types", KL_OP_ACTION, 0, CAL_OBJECT("", "\"team\":" CAL_ID),               \
			"event types with lengths, hosts and questions, one a row"},               \
		{"members", KL_OP_ACTION, 0, CAL_OBJECT("", "\"team\":" CAL_ID),                   \
			"people of a team, one a row"},                                            \
		{"schedules", KL_OP_ACTION, 0, CAL_OBJECT("", ""),                                 \
			"working hours and overrides, one schedule a row"},                        \
		{"slots", KL_OP_ACTION, 0,                                                         \
			CAL_OBJECT("\"event_type\",\"from\",\"to\",\"timezone\"",                  \
				"\"event_type\":" CAL_ID ",\"from\":" CAL_TEXT ",\"to\":" CAL_TEXT \
				",\"timezone\":" CAL_TEXT ",\"length_min\":" CAL_INT               \
				",\"reschedule_uid\":" CAL_TEXT),                                  \
			"free slots that begin in [from, to)"},                                    \
		{"hold", KL_OP_ACTION | KL_OP_LOOKUP, 0,                                           \
			CAL_OBJECT("\"event_type\",\"start\"",                                     \
				"\"event_type\":" CAL_ID ",\"start\":" CAL_TEXT                    \
				",\"length_min\":" CAL_INT ",\"minutes\":" CAL_INT),               \
			"hides a slot from listings for some minutes; no lock"},                   \
		{"release", KL_OP_ACTION, 0, CAL_OBJECT("\"hold\"", "\"hold\":" CAL_TEXT),         \
			"gives a held slot back"},                                                 \
		{"book", KL_OP_ACTION | KL_OP_LOOKUP, 0,                                           \
			CAL_OBJECT("\"event_type\",\"start\",\"name\",\"language\",\"timezone\"",  \
				"\"event_type\":" CAL_ID ",\"start\":" CAL_TEXT                    \
				",\"name\":" CAL_TEXT ",\"email\":" CAL_TEXT                       \
				",\"phone\":" CAL_TEXT ",\"language\":" CAL_TEXT                   \
				",\"timezone\":" CAL_TEXT ",\"length_min\":" CAL_INT               \
				",\"notes\":" CAL_TEXT ",\"fields\":" CAL_ANY_OBJECT               \
				",\"location\":{\"type\":[\"string\",\"object\"]}"                 \
				",\"metadata\":" CAL_ANY_OBJECT ",\"hold\":" CAL_TEXT),            \
			"makes one booking, or says why not"},                                     \
		{"find_booking", KL_OP_ACTION, 0,                                                  \
			CAL_OBJECT("",                                                             \
				"\"uid\":" CAL_TEXT ",\"id\":" CAL_ID ",\"key\":" CAL_TEXT         \
				",\"email\":" CAL_TEXT ",\"phone\":" CAL_TEXT                      \
				",\"from\":" CAL_TEXT ",\"to\":" CAL_TEXT                          \
				",\"event_type\":" CAL_ID ",\"emit\":{\"type\":\"boolean\"}"),     \
			"a booking by uid, by our key, or those of a person"},                     \
		{"bookings", KL_OP_ACTION, 0,                                                      \
			CAL_OBJECT("", "\"from\":" CAL_TEXT ",\"to\":" CAL_TEXT                    \
				       ",\"event_type\":" CAL_ID),                                 \
			"all bookings that begin in [from, to), with when they were made"},        \
		{"reschedule", KL_OP_ACTION | KL_OP_LOOKUP, 0,                                     \
			CAL_OBJECT("\"uid\",\"start\"",                                            \
				"\"uid\":" CAL_TEXT ",\"id\":" CAL_ID ",\"start\":" CAL_TEXT       \
				",\"reason\":" CAL_TEXT ",\"by\":" CAL_TEXT),                      \
			"moves a booking; the moved one has a new uid"},                           \
		{"cancel", KL_OP_ACTION, 0,                                                        \
			CAL_OBJECT("\"uid\"",                                                      \
				"\"uid\":" CAL_TEXT ",\"id\":" CAL_ID ",\"reason\":" CAL_TEXT),    \
			"cancels a booking; a cancelled one is success"},                          \
	{                                                                                          \
		"poll_bookings", KL_OP_POLL, 0, CAL_OBJECT("", ""),                                \
			"tells changes for which no webhook came"                                  \
	}

#endif
