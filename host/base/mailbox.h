/* mailbox.h - work handed from any thread to the one that owns the mailbox.
 *
 * An item lies inside the sender's struct; the mailbox allocates nothing and cannot fail. Its run()
 * is called once, on the owner's thread, in the order of posting, and may free or post again the
 * item.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stdbool.h>

struct mailbox_item {
	struct mailbox_item *next; /* the mailbox's, from post to run */
	void (*run)(struct mailbox_item *item);
};

struct mailbox {
	struct mailbox_item *newest;
	void (*wake)(void *arg); /* from the poster's thread, only when the queue was empty */
	void *arg;
};

void mailbox_init(struct mailbox *mailbox, void (*wake)(void *arg), void *arg);
void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item);
/* Runs what is queued now; what arrives meanwhile wakes again. False: there was nothing. */
bool mailbox_drain(struct mailbox *mailbox);

#endif
