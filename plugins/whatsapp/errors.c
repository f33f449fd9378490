/* errors.c - Meta's error codes as failure classes.
 *
 * Meta says: decide on error.code and never on the HTTP status (support/error-codes). An error
 * object is a clear no: nothing was sent, also when it came with a 5xx.
 */
#include "whatsapp.h"

#define WAIT_SHORT 30000
#define WAIT_GROWS 0 /* the host's own, which grows with how long it has gone on */
#define WAIT_LONG 300000
#define WAIT_HOURS (4 * 3600000)

struct rule {
	int32_t from, to; /* error.code */
	uint32_t fail;
	int32_t wait_ms;
	const char *message;
};

/* Those that wait need no remedy: they are tried again. */
static const struct rule rules[] = {
	{0, 0, KL_BAD_AUTH, 0,
		"WhatsApp does not accept the token: make a new one in Meta Business Suite and set "
		"it as token"},
	{1, 2, KL_BROKEN, 0, "WhatsApp has a fault of its own for the moment"},
	{3, 3, KL_BAD_AUTH, 0,
		"the token lacks the permission whatsapp_business_messaging: make one that has it"},
	{4, 4, KL_BUSY, WAIT_LONG, "the app has reached its limit of calls"},
	{10, 10, KL_BAD_AUTH, 0,
		"the token lacks the permission whatsapp_business_messaging: make one that has it"},
	{33, 33, KL_BAD_AUTH, 0,
		"phone_number_id is unknown to WhatsApp: it is the number's id, not the number"},
	{100, 100, KL_BAD_INPUT, 0,
		"WhatsApp refuses a parameter of this message: which one is in its answer's "
		"error_data"},
	{190, 190, KL_BAD_AUTH, 0, "the token has expired or was revoked: set a new one as token"},
	{200, 299, KL_BAD_AUTH, 0,
		"the token lacks a permission: which one is in WhatsApp's answer"},
	{368, 368, KL_BAD_AUTH, 0, "Meta has restricted the account: look into Business Manager"},
	{80007, 80007, KL_BUSY, WAIT_LONG, "the account has reached its limit of calls"},
	{130403, 130403, KL_GONE, 0,
		"the business's own account has blocked this person: unblock them, or reach them "
		"another way"},
	{130429, 130429, KL_BUSY, WAIT_SHORT, "more messages a second than the number may send"},
	{130472, 130472, KL_GONE, 0,
		"WhatsApp withholds this message from this person: reach them another way"},
	{130497, 130497, KL_GONE, 0,
		"the account may not write to this person's country: reach them another way"},
	{131000, 131000, KL_BROKEN, 0, "WhatsApp could not send and does not say why"},
	{131005, 131005, KL_BAD_AUTH, 0,
		"the token lacks a permission: which one is in WhatsApp's answer"},
	{131008, 131008, KL_BAD_INPUT, 0,
		"WhatsApp misses a parameter in this message: which one is in its answer's "
		"error_data"},
	{131009, 131009, KL_BAD_INPUT, 0,
		"WhatsApp refuses the value of a parameter: which one is in its answer's "
		"error_data"},
	{131016, 131016, KL_BROKEN, 0, "WhatsApp is not available for the moment"},
	{131021, 131021, KL_BAD_INPUT, 0,
		"the message would go to the number that sends it: give another to"},
	{131026, 131026, KL_GONE, 0,
		"this number cannot be reached by WhatsApp: reach the person another way"},
	{131031, 131031, KL_BAD_AUTH, 0, "the account is locked: look into Business Manager"},
	{131037, 131037, KL_BAD_AUTH, 0,
		"the number has no approved display name: ask for one in WhatsApp Manager"},
	{131042, 131042, KL_BAD_AUTH, 0, "a payment is missing: look into Business Manager"},
	{131045, 131045, KL_BAD_AUTH, 0, "the number is not registered: register it with its PIN"},
	{131047, 131047, KL_CONFLICT, 0,
		"the 24 hours since the person last wrote are over: only a template may be sent"},
	{131048, 131048, KL_BUSY, WAIT_HOURS, "Meta restricts the number for suspected spam"},
	{131049, 131049, KL_GONE, 0,
		"WhatsApp withholds this message from this person: not before a day is over, or "
		"another way"},
	{131050, 131050, KL_GONE, 0, "this person does not want such messages"},
	{131051, 131051, KL_BAD_INPUT, 0,
		"WhatsApp does not send messages of this type: send a text or a template"},
	{131052, 131052, KL_BAD_INPUT, 0,
		"what the person sent cannot be fetched from WhatsApp: ask them to send it another "
		"way"},
	{131053, 131053, KL_BAD_INPUT, 0,
		"WhatsApp cannot use the picture or file of this message: give one of a kind and "
		"size it takes"},
	{131056, 131056, KL_BUSY, WAIT_GROWS, "too many messages to this person in a short time"},
	{131057, 131057, KL_BUSY, WAIT_LONG, "the number is being upgraded"},
	{131062, 131062, KL_GONE, 0,
		"this template needs a phone number: give to instead of user_id"},
	{131063, 131064, KL_BAD_AUTH, 0, "templates are restricted: look into Business Manager"},
	{132000, 132000, KL_BAD_INPUT, 0,
		"the template has another number of parameters: give as many in params, in its own "
		"kind, names or places"},
	{132001, 132001, KL_BAD_INPUT, 0,
		"no approved template has this name in this language: klinke call "
		"TENANT/CONNECTION.templates lists them"},
	{132005, 132005, KL_BAD_INPUT, 0,
		"the template is too long with these params: shorten them"},
	{132007, 132007, KL_BAD_INPUT, 0,
		"the words of this template are against WhatsApp's policy: change it in WhatsApp "
		"Manager"},
	{132012, 132012, KL_BAD_INPUT, 0,
		"params do not fit the template: an object for one with names, a list for one with "
		"places, texts in both"},
	{132015, 132015, KL_CONFLICT, 0,
		"the template is paused for bad quality, for 3 or 6 hours: use another one"},
	{132016, 132016, KL_BAD_INPUT, 0,
		"the template was disabled for bad quality: make a new one and name that"},
	{132018, 132018, KL_BAD_INPUT, 0,
		"WhatsApp refuses a parameter of the template: which one is in its answer's "
		"error_data"},
	{132068, 132068, KL_BAD_INPUT, 0,
		"the template's flow is blocked: mend it in WhatsApp Manager, or use another "
		"template"},
	{132069, 132069, KL_BUSY, WAIT_HOURS, "the flow is throttled"},
	{133000, 133000, KL_BAD_INPUT, 0,
		"the number was not deregistered to the end: deregister it again"},
	{133004, 133004, KL_BROKEN, 0, "WhatsApp is not available for the moment"},
	{133005, 133005, KL_BAD_INPUT, 0,
		"the PIN of the number is another one: set a new one in WhatsApp Manager"},
	{133006, 133006, KL_BAD_INPUT, 0,
		"the number must be verified before it is registered: do that in WhatsApp Manager"},
	{133008, 133009, KL_BAD_INPUT, 0,
		"the number's PIN was guessed too often or too fast: wait as long as WhatsApp's "
		"answer says"},
	{133010, 133010, KL_BAD_AUTH, 0, "the number is not registered: register it with its PIN"},
	{133015, 133015, KL_BUSY, WAIT_LONG, "the number was deleted a moment ago"},
	{133016, 133016, KL_BAD_AUTH, 0, "too many registrations of the number: wait 72 hours"},
	{134011, 134011, KL_BAD_AUTH, 0,
		"the payment terms are not accepted: look into Business Manager"},
	{135000, 135000, KL_BAD_INPUT, 0,
		"WhatsApp refuses a parameter of this message: which one is in its answer's "
		"error_data"},
};

static const struct rule *find_rule(int64_t code)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (code >= rules[i].from && code <= rules[i].to)
			return &rules[i];
	return 0;
}

const kl_next *whatsapp_refusal(kl_call *c, const kl_response *r)
{
	const kl_val *error = c->host->find(r->json, "error");
	int64_t code = kl_i64(c, error, "code", -1);
	const struct rule *rule = find_rule(code);
	const char *digits = kl_text(c, error, "code").ptr;
	kl_next *n;

	if (code < 0)
		return 0;
	if (!rule)
		n = (kl_next *)kl_failed(c,
			kl_true(c, error, "is_transient") ? KL_BROKEN : KL_BAD_INPUT, digits,
			"WhatsApp refuses this message with a code that is not known here: what it "
			"means is in its answer, and in Meta's list of error codes");
	else
		n = (kl_next *)kl_failed(c, rule->fail, digits, rule->message);
	if (n && rule && n->fail == KL_BUSY)
		n->wait_ms = r->retry_after_ms > rule->wait_ms ? r->retry_after_ms : rule->wait_ms;
	return n;
}
