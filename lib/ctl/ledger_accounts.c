/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_private.h"

/*
 * The accounts of the ledger: who comes, who goes, and who is still owed to the ledger although it
 * has gone.
 */

bool tp_amounts_equal(const struct tp_amounts *a, const struct tp_amounts *b)
{
	return a->sixteenths == b->sixteenths && a->frames == b->frames && a->bytes == b->bytes;
}

/* FNV-1a (Fowler, Noll, Vo), so that most of those with other names need no look at them. */
static uint64_t hash_of(const struct tp_ledger_account *account)
{
	const char *const names[] = {account->tenant, account->interface, account->class};
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < 3; i++)
		for (const char *c = names[i];; c++) {
			hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
			if (*c == '\0')
				break;
		}
	return hash;
}

struct tp_ledger_account *tp_ledger_account_new(const struct tp_charge *names)
{
	struct tp_ledger_account *account = calloc(1, sizeof(*account));

	if (account == NULL)
		return NULL;
	account->tenant = strdup(names->tenant);
	account->interface = strdup(names->interface);
	account->class = strdup(names->class);
	if (account->tenant == NULL || account->interface == NULL || account->class == NULL) {
		tp_ledger_account_free(account);
		return NULL;
	}
	account->hash = hash_of(account);
	return account;
}

void tp_ledger_account_free(struct tp_ledger_account *account)
{
	if (account == NULL)
		return;
	free(account->tenant);
	free(account->interface);
	free(account->class);
	free(account);
}

static int grow(struct tp_ledger_account ***array, uint32_t *room, uint64_t wanted)
{
	struct tp_ledger_account **grown;

	if (wanted <= *room)
		return 0;
	if (wanted < 2 * (uint64_t)*room)
		wanted = 2 * (uint64_t)*room;
	grown = realloc(*array, wanted * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	memset(grown + *room, 0, (wanted - *room) * sizeof(*grown));
	*array = grown;
	*room = (uint32_t)wanted;
	return 0;
}

int tp_ledger_reserve(struct tp_ledger *ledger, uint32_t accounts, uint32_t sources)
{
	int result = grow(&ledger->account, &ledger->room, (uint64_t)ledger->accounts + accounts);

	return result < 0 ? result : grow(&ledger->of_source, &ledger->sources, sources);
}

static void read_account(struct tp_ledger *ledger, struct tp_ledger_account *account)
{
	struct tp_amounts amounts;

	ledger->settings.read(ledger->settings.owner, account->source, &amounts);
	amounts.sixteenths -= account->start.sixteenths;
	amounts.frames -= account->start.frames;
	amounts.bytes -= account->start.bytes;
	if (tp_amounts_equal(&amounts, &account->now))
		return;
	account->now = amounts;
	ledger->moved = true;
}

void tp_ledger_read_account(struct tp_ledger *ledger, uint32_t index)
{
	if (ledger->account[index]->open)
		read_account(ledger, ledger->account[index]);
}

/* One that has gone and is still there, under the same names. */
static struct tp_ledger_account *find_gone(
	const struct tp_ledger *ledger, const struct tp_ledger_account *like)
{
	for (uint32_t i = 0; ledger->gone > 0 && i < ledger->accounts; i++) {
		struct tp_ledger_account *account = ledger->account[i];

		if (!account->open && account->hash == like->hash &&
			strcmp(account->interface, like->interface) == 0 &&
			strcmp(account->tenant, like->tenant) == 0 &&
			strcmp(account->class, like->class) == 0)
			return account;
	}
	return NULL;
}

void tp_ledger_come(struct tp_ledger *ledger, struct tp_ledger_account *account, uint32_t source)
{
	struct tp_ledger_account *again = find_gone(ledger, account);

	if (again != NULL) {
		tp_ledger_account_free(account);
		account = again;
		ledger->gone--;
	} else {
		ledger->account[ledger->accounts++] = account;
	}
	account->source = source;
	account->open = true;
	ledger->settings.read(ledger->settings.owner, source, &account->start);
	account->start.sixteenths -= account->now.sixteenths;
	account->start.frames -= account->now.frames;
	account->start.bytes -= account->now.bytes;
	ledger->of_source[source] = account;
}

void tp_ledger_go(struct tp_ledger *ledger, uint32_t source)
{
	struct tp_ledger_account *account = ledger->of_source[source];

	if (account == NULL)
		return;
	read_account(ledger, account);
	account->open = false;
	ledger->of_source[source] = NULL;
	ledger->gone++;
}

/* In memory they are all that is known of it. */
void tp_ledger_forget_settled(struct tp_ledger *ledger)
{
	if (!ledger->on_disk || ledger->writing.errand.running || ledger->asking.first != NULL)
		return;
	for (uint32_t i = 0; ledger->gone > 0 && i < ledger->accounts;) {
		struct tp_ledger_account *account = ledger->account[i];

		if (account->open || !tp_amounts_equal(&account->now, &account->base)) {
			i++;
			continue;
		}
		ledger->account[i] = ledger->account[--ledger->accounts];
		tp_ledger_account_free(account);
		ledger->gone--;
	}
}

int tp_ledger_open_accounts(struct tp_ledger *ledger)
{
	uint32_t count = ledger->settings.accounts;

	if (tp_ledger_reserve(ledger, count, count) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct tp_charge names = {0};
		struct tp_ledger_account *account;

		ledger->settings.name(ledger->settings.owner, i, &names);
		account = tp_ledger_account_new(&names);
		if (account == NULL)
			return -ENOMEM;
		tp_ledger_come(ledger, account, i);
	}
	return 0;
}

void tp_ledger_close_accounts(struct tp_ledger *ledger)
{
	for (uint32_t i = 0; i < ledger->accounts; i++)
		tp_ledger_account_free(ledger->account[i]);
	free(ledger->account);
	free(ledger->of_source);
}
