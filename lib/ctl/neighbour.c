/* SPDX-License-Identifier: BSD-3-Clause */
#include "neighbour.h"

static void start_asking(struct tp_knowledge *knowledge)
{
	*knowledge = (struct tp_knowledge){
		.state = TP_NEIGHBOUR_ASKING, .wait_ms = TP_NEIGHBOUR_FIRST_MS};
}

static enum tp_question ask_all(struct tp_knowledge *knowledge, uint64_t now_ms)
{
	if (knowledge->wait_ms == 0)
		knowledge->wait_ms = TP_NEIGHBOUR_FIRST_MS;
	knowledge->due_ms = now_ms + knowledge->wait_ms;
	knowledge->wait_ms *= 2;
	if (knowledge->wait_ms > TP_NEIGHBOUR_LAST_MS)
		knowledge->wait_ms = TP_NEIGHBOUR_LAST_MS;
	knowledge->questions++;
	return TP_QUESTION_ALL;
}

static void start_verifying(struct tp_knowledge *knowledge)
{
	knowledge->state = TP_NEIGHBOUR_VERIFYING;
	knowledge->questions = 0;
	knowledge->doubtful = false;
	knowledge->claimed = 0;
}

static void know(struct tp_knowledge *knowledge, uint64_t mac, uint64_t now_ms)
{
	*knowledge = (struct tp_knowledge){
		.state = TP_NEIGHBOUR_KNOWN,
		.mac = mac,
		.due_ms = now_ms + TP_NEIGHBOUR_KNOWN_MS,
	};
}

static enum tp_question verify(struct tp_knowledge *knowledge, uint64_t now_ms)
{
	if (knowledge->questions == TP_NEIGHBOUR_PROBES) {
		start_asking(knowledge);
		return ask_all(knowledge, now_ms);
	}
	knowledge->questions++;
	knowledge->due_ms = now_ms + TP_NEIGHBOUR_PROBE_MS;
	return TP_QUESTION_ONE;
}

/* Somebody else is believed only when the known one has had every chance to answer. */
static enum tp_question verify_doubtful(struct tp_knowledge *knowledge, uint64_t now_ms)
{
	if (knowledge->questions < TP_NEIGHBOUR_PROBES) {
		knowledge->questions++;
		knowledge->due_ms = now_ms + TP_NEIGHBOUR_DOUBTED_MS;
		return TP_QUESTION_ALL;
	}
	if (knowledge->claimed != 0) {
		know(knowledge, knowledge->claimed, now_ms);
		return TP_QUESTION_NONE;
	}
	start_verifying(knowledge);
	return verify(knowledge, now_ms);
}

enum tp_question tp_knowledge_pass(struct tp_knowledge *knowledge, uint64_t now_ms)
{
	if (now_ms < knowledge->due_ms)
		return TP_QUESTION_NONE;
	if (knowledge->state == TP_NEIGHBOUR_ASKING)
		return ask_all(knowledge, now_ms);
	if (knowledge->state == TP_NEIGHBOUR_KNOWN)
		start_verifying(knowledge);
	return knowledge->doubtful ? verify_doubtful(knowledge, now_ms) : verify(knowledge, now_ms);
}

/* Another MAC than the known one was told: all are asked. */
static void doubt(struct tp_knowledge *knowledge, uint64_t now_ms)
{
	start_verifying(knowledge);
	knowledge->doubtful = true;
	knowledge->due_ms = now_ms;
}

static void told_another(struct tp_knowledge *knowledge, uint64_t mac, uint64_t now_ms)
{
	if (!knowledge->doubtful && now_ms >= knowledge->calm_ms)
		doubt(knowledge, now_ms);
	else if (knowledge->doubtful && knowledge->questions > 0 && knowledge->claimed == 0)
		knowledge->claimed = mac;
}

bool tp_knowledge_told(struct tp_knowledge *knowledge, uint64_t mac, uint64_t now_ms)
{
	uint64_t before = knowledge->mac;
	uint64_t calm_ms = knowledge->doubtful ? now_ms + TP_NEIGHBOUR_CALM_MS : 0;

	if (before != 0 && mac != before) {
		told_another(knowledge, mac, now_ms);
		return false;
	}
	if (knowledge->questions == 0)
		return false;
	know(knowledge, mac, now_ms);
	knowledge->calm_ms = calm_ms;
	return mac != before;
}

const char *tp_neighbour_state_name(enum tp_neighbour_state state)
{
	static const char *const names[] = {
		[TP_NEIGHBOUR_ASKING] = "asking",
		[TP_NEIGHBOUR_KNOWN] = "known",
		[TP_NEIGHBOUR_VERIFYING] = "verifying",
	};

	return names[state];
}
