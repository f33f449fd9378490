/* call.c - the vendor's call and chat objects become our canonical data.
 *
 * Takes named members only: word timings, access tokens and whatever the vendor adds tomorrow stay
 * in the raw row. Never guesses a value that is not there: absent is not false and not zero.
 * Pure: runs on any thread. */
#include "retell.h"

enum { LIVE_TRANSCRIPT = 16384 }; /* bytes; some twenty minutes of talking */

/* ---- Numbers and instants ---- */

void retell_set_number(kl_call *c, kl_val *o, const char *key, const char *key_raw, kl_str number)
{
	if (retell_is_e164(number))
		kl_set_text(c, o, key, number);
	else if (number.len)
		kl_set_text(c, o, key_raw, number);
}

kl_str retell_person(kl_call *c, const kl_val *call)
{
	kl_str none = {0, 0, 0};
	int outbound = kl_eq(kl_text(c, call, "direction"), "outbound");
	kl_str number = retell_words(c, call, outbound ? "to_number" : "from_number");
	return retell_is_e164(number) ? number : none;
}

static void retell_set_instant(
	kl_call *c, kl_val *o, const char *key, const char *key_ms, int64_t ms)
{
	const kl_time1 *time = c->host->extension("kl.time/1");
	if (ms <= 0)
		return;
	if (time)
		kl_set_text(c, o, key, time->print(c, ms, NULL));
	kl_set_i64(c, o, key_ms, ms);
}

static void copy(kl_call *c, kl_val *o, const char *key, const kl_val *v, const char *path)
{
	if (kl_has(c, v, path))
		kl_set(c, o, key, c->host->find(v, path));
}

/* ---- How it ended ---- */

static const struct ending {
	const char *reason, *class;
	int alarm; /* a person should look: callers were lost, or the service stopped */
} endings[] = {
	{"user_hangup", "completed", 0},
	{"agent_hangup", "completed", 0},
	{"transfer_cancelled", "completed", 0},
	{"max_duration_reached", "completed", 1},
	{"manual_stopped", "completed", 1},
	{"call_transfer", "transferred", 0},
	{"transfer_bridged", "transferred", 0},
	{"call_take_over", "transferred", 0},
	{"voicemail_reached", "no_answer", 0},
	{"ivr_reached", "no_answer", 0},
	{"dial_busy", "no_answer", 0},
	{"dial_no_answer", "no_answer", 0},
	{"user_declined", "no_answer", 0},
	{"error_user_not_joined", "no_answer", 0},
	{"inactivity", "abandoned", 0},
	{"no_concurrency_fallback", "missed", 1},
	{"concurrency_limit_reached", "missed", 1},
	{"dial_failed", "failed", 0},
	{"invalid_destination", "failed", 0},
	{"telephony_provider_permission_denied", "failed", 0},
	{"telephony_provider_unavailable", "failed", 0},
	{"sip_routing_error", "failed", 0},
	{"marked_as_spam", "failed", 0},
	{"registered_call_timeout", "failed", 0},
	{"error_no_audio_received", "failed", 0},
	{"error_asr", "failed", 0},
	{"error_retell", "failed", 0},
	{"error_unknown", "failed", 0},
	{"no_valid_payment", "failed", 1},
	{"scam_detected", "failed", 1},
	{"error_llm_websocket_open", "failed", 1},
	{"error_llm_websocket_lost_connection", "failed", 1},
	{"error_llm_websocket_runtime", "failed", 1},
	{"error_llm_websocket_corrupt_payload", "failed", 1},
};

/* A reason the vendor invents later keeps its text and has no class, unless its name tells. */
static void set_ending(kl_call *c, kl_val *o, const kl_val *call)
{
	kl_str reason = retell_words(c, call, "disconnection_reason");
	if (!reason.ptr)
		return;
	kl_set_text(c, o, "disconnection_reason", reason);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (!kl_eq(reason, endings[i].reason))
			continue;
		kl_set_text(c, o, "class", kl_s(endings[i].class));
		if (endings[i].alarm)
			kl_set_bool(c, o, "alarm", 1);
		return;
	}
	if (kl_starts(reason, "error_"))
		kl_set_text(c, o, "class", KL_LIT("failed"));
}

/* ---- Rank and status ---- */

static int rank_of(kl_call *c, kl_str status, const kl_val *analysis, int at_least)
{
	int rank = RETELL_REGISTERED;
	if (kl_eq(status, "ongoing"))
		rank = RETELL_ONGOING;
	else if (kl_eq(status, "ended") || kl_eq(status, "not_connected") || kl_eq(status, "error"))
		rank = RETELL_ENDED;
	if (at_least == RETELL_ANY && c->host->type(analysis) == KL_OBJECT)
		rank = RETELL_ANALYZED;
	return rank > at_least ? rank : at_least;
}

/* The vendor's own sample of call_ended says "registered": the event's name knows better. */
static kl_str status_of(kl_str status, int rank)
{
	int behind = !status.ptr || kl_eq(status, "registered") || kl_eq(status, "ongoing");
	if (rank >= RETELL_ENDED && behind)
		return KL_LIT("ended");
	if (rank == RETELL_ONGOING && behind)
		return KL_LIT("ongoing");
	return status;
}

/* ---- Analysis ---- */

static kl_val *plain_fields(kl_call *c, const kl_val *custom)
{
	kl_val *fields = c->host->object(c);
	for (uint32_t i = 0; i < c->host->count(custom); i++) {
		kl_str key;
		const kl_val *value = c->host->at(custom, i, &key);
		kl_str name = retell_plain_name(c, key);
		if (name.len && c->host->type(retell_member(c, fields, name)) == KL_NONE)
			c->host->set(c, fields, name, value);
	}
	return fields;
}

static int says_yes(kl_call *c, kl_str s)
{
	static const char *const words[] = {"true", "1", "yes", "ja", "wahr"};
	kl_str lower = retell_lower(c, s);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (kl_eq(lower, words[i]))
			return 1;
	return 0;
}

/* The names under which dashboards ask whether the caller wanted an appointment. A leading
 * underscore is gone already. Nothing is set if none of them was answered. */
static void set_wish(kl_call *c, kl_val *o, const kl_val *fields)
{
	static const char *const flags[] = {"appointment_requested", "user_requested_appointment"};
	int known = 0, wished = 0;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		known |= kl_has(c, fields, flags[i]);
		wished |= says_yes(c, kl_text(c, fields, flags[i]));
	}
	if (retell_real(c, fields, "appointment_date_time").ptr)
		known = wished = 1;
	if (known)
		kl_set_bool(c, o, "appointment_requested", wished);
}

static void set_appointment_id(kl_call *c, kl_val *o, const kl_val *call, const kl_val *fields)
{
	static const char *const names[] = {
		"appointment_id", "booking_uid", "booking_id", "appointment_uid"};
	const kl_val *places[3];
	places[0] = fields;
	places[1] = c->host->find(call, "collected_dynamic_variables");
	places[2] = c->host->find(call, "metadata");
	for (size_t p = 0; p < 3; p++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			kl_str id = retell_real(c, places[p], names[i]);
			if (!id.ptr)
				continue;
			kl_set_text(c, o, "appointment_id", id);
			return;
		}
	}
}

static void set_analysis(
	kl_call *c, kl_val *o, const kl_val *analysis, const char *summary, const char *successful)
{
	kl_val *a = c->host->object(c);
	copy(c, a, "summary", analysis, summary);
	kl_set_text(
		c, a, "sentiment", retell_lower(c, retell_words(c, analysis, "user_sentiment")));
	copy(c, a, "successful", analysis, successful);
	copy(c, a, "in_voicemail", analysis, "in_voicemail");
	kl_set(c, o, "analysis", a);
}

/* What was captured is passed on whole, whether a mapping knows the field or not. */
static void set_captured(kl_call *c, kl_val *o, const kl_val *call, const kl_val *analysis)
{
	const kl_val *custom = c->host->find(analysis, "custom_analysis_data");
	const kl_val *fields = NULL;
	if (c->host->type(custom) == KL_OBJECT) {
		fields = plain_fields(c, custom);
		kl_set(c, o, "custom", custom);
		kl_set(c, o, "fields", fields);
		set_wish(c, o, fields);
	}
	set_appointment_id(c, o, call, fields);
}

/* ---- The rest ---- */

static void set_cost(kl_call *c, kl_val *o, kl_str cents)
{
	int64_t micro;
	kl_val *cost;
	if (!retell_micro_usd(cents, &micro))
		return;
	cost = c->host->object(c);
	kl_set_i64(c, cost, "amount", micro);
	kl_set_text(c, cost, "currency", KL_LIT("USD"));
	kl_set_text(c, cost, "unit", KL_LIT("micro"));
	kl_set(c, o, "cost", cost);
}

static void set_times(kl_call *c, kl_val *o, const kl_val *call)
{
	retell_set_instant(c, o, "started", "started_ms", retell_ms(c, call, "start_timestamp"));
	retell_set_instant(c, o, "ended", "ended_ms", retell_ms(c, call, "end_timestamp"));
	copy(c, o, "duration_ms", call, "duration_ms");
}

static void set_agent(kl_call *c, kl_val *o, const kl_val *call, const char *version)
{
	kl_set_text(c, o, "agent", retell_words(c, call, "agent_id"));
	copy(c, o, "agent_name", call, "agent_name");
	copy(c, o, "agent_version", call, version);
	copy(c, o, "agent_tag", call, "agent_tag");
}

static void set_content(kl_call *c, kl_val *o, const kl_val *call)
{
	copy(c, o, "recording_url", call, "recording_url");
	copy(c, o, "metadata", call, "metadata");
	copy(c, o, "variables", call, "retell_llm_dynamic_variables");
	copy(c, o, "collected", call, "collected_dynamic_variables");
	copy(c, o, "storage", call, "data_storage_setting");
}

static void set_line(kl_call *c, kl_val *o, const kl_val *call)
{
	copy(c, o, "call_type", call, "call_type");
	copy(c, o, "direction", call, "direction");
	retell_set_number(c, o, "from", "from_raw", retell_words(c, call, "from_number"));
	retell_set_number(c, o, "to", "to_raw", retell_words(c, call, "to_number"));
	copy(c, o, "transferred_to", call, "transfer_destination");
	copy(c, o, "sip_headers", call, "custom_sip_headers");
	copy(c, o, "latency_p50_ms", call, "latency.e2e.p50");
}

kl_val *retell_call_facts(kl_call *c, const kl_val *call, int at_least)
{
	kl_val *o = c->host->object(c);
	const kl_val *analysis = c->host->find(call, "call_analysis");
	kl_str status = retell_words(c, call, "call_status");
	int rank = rank_of(c, status, analysis, at_least);
	kl_set_text(c, o, "call_id", retell_words(c, call, "call_id"));
	set_agent(c, o, call, "agent_version");
	set_line(c, o, call);
	kl_set_text(c, o, "status", status_of(status, rank));
	kl_set_i64(c, o, "rank", rank);
	set_times(c, o, call);
	set_ending(c, o, call);
	if (rank == RETELL_ANALYZED) {
		set_analysis(c, o, analysis, "call_summary", "call_successful");
		set_captured(c, o, call, analysis);
	} else {
		set_appointment_id(c, o, call, NULL);
	}
	set_cost(c, o, kl_text(c, call, "call_cost.combined_cost"));
	set_content(c, o, call);
	return o;
}

kl_val *retell_call_data(kl_call *c, const kl_val *call, int at_least)
{
	kl_val *o = retell_call_facts(c, call, at_least);
	copy(c, o, "transcript", call, "transcript");
	return o;
}

/* Utterances of agent and caller so far; -1: nothing tells. */
static int64_t turns_of(kl_call *c, const kl_val *call)
{
	static const char *const places[] = {"transcript_object", "transcript_with_tool_calls"};
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		const kl_val *list = c->host->find(call, places[p]);
		int64_t n = 0;
		if (c->host->type(list) != KL_ARRAY)
			continue;
		for (uint32_t i = 0; i < c->host->count(list); i++) {
			kl_str role = kl_text(c, c->host->at(list, i, NULL), "role");
			n += kl_eq(role, "agent") || kl_eq(role, "user");
		}
		return n;
	}
	return -1;
}

/* The end of it, from the beginning of a line: each webhook sends all of it once more. */
static kl_str tail(kl_call *c, kl_str transcript)
{
	uint32_t from = transcript.len - LIVE_TRANSCRIPT;
	for (uint32_t i = from; i < transcript.len; i++)
		if (transcript.ptr[i - 1] == '\n')
			return kl_slice(c, transcript, i, transcript.len);
	while (from < transcript.len && ((unsigned char)transcript.ptr[from] & 0xc0) == 0x80)
		from++;
	return kl_slice(c, transcript, from, transcript.len);
}

kl_val *retell_live_data(kl_call *c, const kl_val *call, int at_least)
{
	kl_val *o = retell_call_facts(c, call, at_least);
	kl_str transcript = kl_text(c, call, "transcript");
	int64_t turns = turns_of(c, call);
	if (turns >= 0)
		kl_set_i64(c, o, "turns", turns);
	if (transcript.len > LIVE_TRANSCRIPT) {
		kl_set_bool(c, o, "transcript_shortened", 1);
		transcript = tail(c, transcript);
	}
	kl_set_text(c, o, "transcript", transcript);
	return o;
}

kl_val *retell_chat_data(kl_call *c, const kl_val *chat, int at_least)
{
	kl_val *o = c->host->object(c);
	const kl_val *analysis = c->host->find(chat, "chat_analysis");
	kl_str status = retell_words(c, chat, "chat_status");
	int rank = rank_of(c, status, analysis, at_least);
	kl_set_text(c, o, "chat_id", retell_words(c, chat, "chat_id"));
	set_agent(c, o, chat, "version");
	copy(c, o, "chat_type", chat, "chat_type");
	kl_set_text(c, o, "status", status_of(status, rank));
	kl_set_i64(c, o, "rank", rank);
	set_times(c, o, chat);
	if (rank == RETELL_ANALYZED) {
		set_analysis(c, o, analysis, "chat_summary", "chat_successful");
		set_captured(c, o, chat, analysis);
	}
	set_cost(c, o, kl_text(c, chat, "chat_cost.combined_cost"));
	set_content(c, o, chat);
	copy(c, o, "transcript", chat, "transcript");
	return o;
}
