/* say_table.h - the sentences: SAY_LINE(ID, German, English), {1} to {4} are put in as they are.
 * Included by say.h and say.c for different ends, so it has no guard. */

/* Offers */
SAY_LINE(FREE, "Ja, {1} ist frei. Soll ich diesen Termin für Sie buchen?",
	"Yes, {1} is free. Shall I book it for you?")
SAY_LINE(OFFER, "Ich kann Ihnen {1} anbieten. Passt Ihnen das?",
	"I can offer you {1}. Does that suit you?")
SAY_LINE(NOT_FREE, "{1} ist leider nicht mehr frei.", "Sorry, {1} is not free.")
SAY_LINE(NONE_WITHIN, "{1} ist leider nichts frei.", "Sorry, nothing is free for this: {1}.")
SAY_LINE(NONE_WITHIN_WISH, "Zu Ihrem Wunsch ist leider nichts frei.",
	"Sorry, nothing is free for what you asked.")
SAY_LINE(NONE_AT_ALL,
	"Bis {1} ist leider nichts frei. Soll ich einen Rückruf für Sie notieren?",
	"Sorry, nothing is free until {1}. Shall I note a call back for you?")
SAY_LINE(TOO_FAR, "So weit im Voraus kann ich noch keine Termine nennen, nur bis {1}.",
	"I cannot look that far ahead yet, only until {1}.")
SAY_LINE(TOO_SOON, "So kurzfristig kann ich leider keinen Termin mehr vergeben.",
	"Sorry, that is too soon for an appointment.")
SAY_LINE(BEING_OFFERED, "Diese Zeiten werden gerade anderen angeboten.",
	"Those times are just being offered to others.")
SAY_LINE(STILL_LOOKING,
	"Ich sehe noch im Kalender nach. Einen Moment bitte, dann nenne ich Ihnen die freien Zeiten.",
	"I am still looking into the calendar. One moment, then I can tell you the free times.")
SAY_LINE(CALENDAR_SILENT,
	"Ich kann gerade nicht in den Kalender sehen. Soll ich einen Rückruf für Sie notieren?",
	"I cannot look into the calendar just now. Shall I note a call back for you?")
SAY_LINE(CHECK_OFF, "Sagen Sie mir gern, wann es Ihnen passt, dann sehe ich nach freien Terminen.",
	"Just tell me when it suits you, and I will look for free times.")
SAY_LINE(AT, "um {1}", "at {1}")
SAY_LINE(WITH, "{1} bei {2}", "{1} with {2}")
SAY_LINE(NO_PERSON, "Zu wem der Termin ist, kann ich bei dieser Leistung nicht aussuchen.",
	"I cannot choose who you see for this service.")

/* What was not understood, or does not exist */
SAY_LINE(WHICH_SERVICE,
	"Diese Leistung habe ich bei uns nicht gefunden. Wir bieten zum Beispiel {1} an. "
	"Was davon darf es sein?",
	"I did not find that service here. We offer for example {1}. Which one would you like?")
SAY_LINE(WHICH_SERVICE_ALONE, "Diese Leistung habe ich bei uns nicht gefunden. Wir bieten {1} an.",
	"I did not find that service here. We offer {1}.")
SAY_LINE(WHICH_STAFF,
	"Unter diesem Namen habe ich bei uns niemanden gefunden. Möglich ist {1}. "
	"Zu wem möchten Sie?",
	"I did not find anybody of that name here. You can see {1}. Who would you like?")
SAY_LINE(NO_SERVICES, "Ich kann gerade keine Termine vergeben. Soll ich einen Rückruf notieren?",
	"I cannot give appointments just now. Shall I note a call back for you?")
SAY_LINE(WHICH_TIME,
	"Diesen Zeitpunkt habe ich nicht verstanden. Welcher Tag und welche Uhrzeit passen Ihnen?",
	"I did not understand that time. Which day and time would suit you?")
SAY_LINE(OVER, "{1} ist schon vorbei. Welcher Tag passt Ihnen?",
	"{1} is already over. Which day would suit you?")

/* The phone rings */
SAY_LINE(HELLO, "{1}, guten Tag.", "{1}, hello.")

/* Services */
SAY_LINE(SERVICES, "Wir bieten an: {1}.", "We offer: {1}.")
SAY_LINE(SERVICE, "{1}, {2}", "{1}, {2}")
SAY_LINE(SERVICE_PRICED, "{1}, {2}, {3}", "{1}, {2}, {3}")
SAY_LINE(SERVICES_MORE, "Wir bieten zum Beispiel an: {1}. Dazu kommen noch {2} weitere.",
	"We offer for example: {1}. There are {2} more.")
SAY_LINE(SERVICES_MORE_ONE, "Wir bieten zum Beispiel an: {1}. Dazu kommt noch eine weitere.",
	"We offer for example: {1}. There is one more.")

/* Call back */
SAY_LINE(CALLBACK_TO, "Ich habe notiert, dass wir Sie unter der Nummer mit den Endziffern {1} zurückrufen.",
	"I have noted that we will call you back on the number ending in {1}.")
SAY_LINE(CALLBACK_WISH, "Ihren Zeitwunsch habe ich dazugeschrieben.",
	"I have added the time that you prefer.")
SAY_LINE(CALLBACK_PHONE, "Unter welcher Telefonnummer dürfen wir Sie zurückrufen?",
	"Which number may we call you back on?")

#include "desk/say_booking_table.h"

/* A person's changes */
SAY_LINE(SAVED, "Gespeichert: {1}.", "Saved: {1}.")
