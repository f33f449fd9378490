/* mailbox.c - a queue of many posters and one owner: a stack that the owner takes whole and turns
 * round. Without a lock; never blocks. post: any thread, drain: the owner's. */
#include "base/mailbox.h"

#include <assert.h>
#include <stddef.h>

void mailbox_init(struct mailbox *mailbox, void (*wake)(void *arg), void *arg)
{
	*mailbox = (struct mailbox){.wake = wake, .arg = arg};
}

/* Once the item is in, it may have run and be gone: nothing of it is touched afterwards. Since the
 * owner takes all items at once, an old address coming back (ABA) does no harm. */
void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item)
{
	struct mailbox_item *newest = __atomic_load_n(&mailbox->newest, __ATOMIC_RELAXED);

	assert(item->run);
	do
		item->next = newest;
	while (!__atomic_compare_exchange_n(
		&mailbox->newest, &newest, item, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	if (!newest && mailbox->wake)
		mailbox->wake(mailbox->arg);
}

bool mailbox_drain(struct mailbox *mailbox)
{
	struct mailbox_item *newest = __atomic_exchange_n(&mailbox->newest, NULL, __ATOMIC_ACQUIRE);
	struct mailbox_item *oldest = NULL, *next;

	if (!newest)
		return false;
	for (; newest; newest = next) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	for (; oldest; oldest = next) {
		next = oldest->next;
		oldest->run(oldest);
	}
	return true;
}
