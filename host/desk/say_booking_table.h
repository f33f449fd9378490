/* say_booking_table.h - the sentences about bookings and changes, as in say_table.h, which includes
 * this one. Instants stand behind a colon, for they may begin with "heute". */

/* Book: what is missing */
SAY_LINE(BOOK_WHEN, "An welchem Tag und um wie viel Uhr möchten Sie kommen?",
	"Which day and what time would you like to come?")
SAY_LINE(BOOK_TIME, "Um wie viel Uhr möchten Sie kommen: {1}?",
	"What time would you like to come: {1}?")
SAY_LINE(BOOK_WHICH, "Welchen Termin möchten Sie: {1}?", "Which one would you like: {1}?")
SAY_LINE(BOOK_READINGS, "Wann genau meinen Sie: {1}?", "When exactly do you mean: {1}?")
SAY_LINE(BOOK_SERVICE, "Wofür möchten Sie kommen: {1}?", "What would you like to come for: {1}?")
SAY_LINE(BOOK_NAME, "Auf welchen Namen darf ich den Termin eintragen?",
	"What name may I put the appointment under?")
SAY_LINE(BOOK_CONTACT, "Unter welcher Telefonnummer können wir Sie erreichen?",
	"What phone number can we reach you on?")

/* Book: how it ended */
SAY_LINE(BOOKED, "Ihr Termin ist gebucht: {1}.", "Your appointment is booked: {1}.")
SAY_LINE(BOOKED_ALREADY, "Ihr Termin ist bereits gebucht: {1}.",
	"Your appointment is already booked: {1}.")
SAY_LINE(BOOKED_FOR, "Zu dieser Zeit ist bereits ein Termin auf den Namen {2} gebucht: {1}.",
	"There is already an appointment booked then under the name {2}: {1}.")
SAY_LINE(BOOK_REQUESTED, "Ihr Terminwunsch ist eingetragen: {1}. Wir müssen ihn noch bestätigen.",
	"Your request is entered: {1}. We still have to confirm it.")
SAY_LINE(BOOK_PENDING, "Ich habe den Termin vorgemerkt und bestätige per WhatsApp.",
	"I have noted the appointment and will confirm it by WhatsApp.")
SAY_LINE(BOOK_PENDING_MAIL, "Ich habe den Termin vorgemerkt und bestätige per E-Mail.",
	"I have noted the appointment and will confirm it by e-mail.")
SAY_LINE(BOOK_EXISTS, "Sie haben bereits einen Termin: {1}.",
	"You already have an appointment: {1}.")
SAY_LINE(BOOK_EXISTS_SOME, "Für Sie ist zu dieser Zeit bereits ein Termin eingetragen.",
	"There is already an appointment for you at that time.")
SAY_LINE(BOOK_LIMIT,
	"Mehr Termine kann ich für Sie leider nicht eintragen. Dürfen wir Sie zurückrufen?",
	"Sorry, I cannot enter more appointments for you. May we call you back?")
SAY_LINE(BOOK_REFUSED, "Diesen Termin konnte ich leider nicht buchen. Dürfen wir Sie zurückrufen?",
	"Sorry, I could not book that appointment. May we call you back?")
SAY_LINE(BOOK_NOT, "Diesen Termin konnte ich leider nicht buchen: {1}.",
	"Sorry, I could not book that appointment: {1}.")
SAY_LINE(BOOK_CANCELLED,
	"Dieser Termin wurde inzwischen abgesagt: {1}. Möchten Sie eine andere Zeit?",
	"That appointment has been cancelled since: {1}. Would you like another time?")
SAY_LINE(TIME_TAKEN, "Dieser Termin ist leider gerade vergeben worden: {1}.",
	"Sorry, that time has just been taken: {1}.")
SAY_LINE(TIME_NOT_FREE, "Zu dieser Zeit ist leider nichts frei: {1}.",
	"Sorry, nothing is free then: {1}.")
SAY_LINE(TRY_ANOTHER, "Nennen Sie mir bitte eine andere Zeit.", "Please tell me another time.")

/* Whose appointment */
SAY_LINE(WHO_NAME_DATE, "Auf welchen Namen und für welchen Tag ist der Termin eingetragen?",
	"What name and what day is the appointment under?")
SAY_LINE(WHO_NAME, "Auf welchen Namen ist der Termin eingetragen?",
	"What name is the appointment under?")
SAY_LINE(WHO_DATE, "Für welchen Tag ist der Termin eingetragen?", "What day is the appointment?")
SAY_LINE(WHO_TIME, "Um wie viel Uhr ist der Termin?", "What time is the appointment?")
SAY_LINE(WHO_NOT_BY_NUMBER, "Unter Ihrer Nummer finde ich keinen kommenden Termin.",
	"I find no upcoming appointment under your number.")
SAY_LINE(WHO_WHICH, "Welchen Termin meinen Sie: {1}?", "Which appointment do you mean: {1}?")
SAY_LINE(WHO_THIS, "Meinen Sie diesen Termin: {1}?", "Do you mean this appointment: {1}?")
SAY_LINE(WHO_NAMED, "Unter Ihrer Nummer steht dieser Termin auf den Namen {2}: {1}. Meinen Sie den?",
	"Under your number there is this appointment in the name of {2}: {1}. Is that the one you "
	"mean?")
SAY_LINE(WHO_OTHER, "Einen solchen Termin finde ich nicht, aber diesen: {1}. Meinen Sie den?",
	"I find no such appointment, but this one: {1}. Is that the one you mean?")
SAY_LINE(WHO_OTHERS, "Einen solchen Termin finde ich nicht, aber diese: {1}. Welchen meinen Sie?",
	"I find no such appointment, but these: {1}. Which one do you mean?")
SAY_LINE(WHO_CALLBACK,
	"Das kann ich am Telefon leider nicht sicher zuordnen. Wir rufen Sie zurück.",
	"I cannot match that with certainty on the phone. We will call you back.")
SAY_LINE(WHO_PHONE,
	"Das kann ich am Telefon leider nicht sicher zuordnen. Unter welcher Nummer dürfen wir Sie "
	"zurückrufen?",
	"I cannot match that with certainty on the phone. What number may we call you back on?")
SAY_LINE(CANNOT_LOOK, "Das kann ich gerade leider nicht nachsehen. Dürfen wir Sie zurückrufen?",
	"Sorry, I cannot look that up just now. May we call you back?")
SAY_LINE(LABEL_REQUESTED, "{1}, noch nicht bestätigt", "{1}, not confirmed yet")
SAY_LINE(LABEL_SERVICE, "{1}, {2}", "{1}, {2}")
SAY_LINE(LABEL_SERVICE_HOST, "{1}, {2} bei {3}", "{1}, {2} with {3}")

/* Find */
SAY_LINE(FIND_ONE, "Sie haben einen Termin: {1}.", "You have one appointment: {1}.")
SAY_LINE(FIND_SOME, "Sie haben {2} Termine: {1}.", "You have {2} appointments: {1}.")
SAY_LINE(FIND_MORE, "Sie haben {2} Termine. Die nächsten sind: {1}.",
	"You have {2} appointments. The next ones are: {1}.")

/* Reschedule */
SAY_LINE(MOVE_WHEN, "Auf welchen Tag und welche Uhrzeit möchten Sie Ihren Termin verlegen: {1}?",
	"Which day and time would you like to move your appointment to: {1}?")
SAY_LINE(MOVED, "Ihr Termin ist verlegt: {1}.", "Your appointment has been moved: {1}.")
SAY_LINE(MOVE_SAME, "Ihr Termin ist bereits so eingetragen: {1}.",
	"That is when your appointment already is: {1}.")
SAY_LINE(MOVE_REQUESTED,
	"Ihr Wunsch ist eingetragen: {1}. Wir müssen die neue Zeit noch bestätigen.",
	"Your request is entered: {1}. We still have to confirm the new time.")
SAY_LINE(MOVE_PENDING, "Ich habe die Verlegung vorgemerkt und bestätige per WhatsApp.",
	"I have noted the change and will confirm it by WhatsApp.")
SAY_LINE(MOVE_KEPT, "Ihr Termin bleibt bestehen: {1}.", "Your appointment stays as it is: {1}.")
SAY_LINE(MOVE_REFUSED, "Verlegen konnte ich Ihren Termin leider nicht. Dürfen wir Sie zurückrufen?",
	"Sorry, I could not move your appointment. May we call you back?")

/* Cancel */
SAY_LINE(CANCELLED, "Ihr Termin ist abgesagt: {1}.", "Your appointment is cancelled: {1}.")
SAY_LINE(CANCELLED_ALREADY, "Dieser Termin ist bereits abgesagt: {1}.",
	"That appointment is already cancelled: {1}.")
SAY_LINE(CANCEL_PENDING, "Ich habe die Absage vorgemerkt und bestätige per WhatsApp.",
	"I have noted the cancellation and will confirm it by WhatsApp.")
SAY_LINE(CANCEL_REFUSED,
	"Absagen konnte ich Ihren Termin leider nicht. Dürfen wir Sie zurückrufen?",
	"Sorry, I could not cancel your appointment. May we call you back?")

/* Changed by somebody else meanwhile */
SAY_LINE(CHANGED_TO, "Der Termin wurde inzwischen geändert. Er steht jetzt so im Kalender: {1}.",
	"The appointment has been changed meanwhile. It now stands like this: {1}.")
SAY_LINE(CHANGED_CANCELLED, "Der Termin wurde inzwischen abgesagt: {1}.",
	"The appointment has been cancelled meanwhile: {1}.")
SAY_LINE(CHANGED, "Der Termin wurde inzwischen geändert. Dürfen wir Sie zurückrufen?",
	"The appointment has been changed meanwhile. May we call you back?")
SAY_LINE(CHANGED_GONE, "Diesen Termin gibt es im Kalender nicht mehr. Dürfen wir Sie zurückrufen?",
	"That appointment is no longer in the calendar. May we call you back?")

/* What a call back is about: for the office */
SAY_LINE(ABOUT_FIND, "Frage nach einem Termin", "asks about an appointment")
SAY_LINE(ABOUT_RESCHEDULE, "möchte einen Termin verlegen", "wants to move an appointment")
SAY_LINE(ABOUT_CANCEL, "möchte einen Termin absagen", "wants to cancel an appointment")
