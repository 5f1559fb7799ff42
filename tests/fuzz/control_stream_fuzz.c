/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of requests cut anywhere: whatever the cuts, a client gets the answers that its lines
 * alone would get, in order, and then the end. Another client hangs up when it likes.
 *
 *   input: byte 0: bit 0 read only at the end, bit 1 the other client, too; bytes 1-8: lengths of
 *   the parts in which the rest is sent, over and over
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "control_answers.h"
#include "input.h"

#define CUTS 8

static struct tp_loop *loop;
static struct control_promises promises;
static struct tp_control_settings settings = {.handle = control_handle, .owner = &promises};
static char path[108];

static void close_all(void)
{
	tp_control_close(promises.control);
	tp_loop_free(loop);
}

static void set_up(void)
{
	const char *directory = getenv("TMPDIR");

	tp_log_set_level(TP_LOG_ERROR);
	snprintf(path, sizeof(path), "%s/control-fuzz-%d.sock",
		directory != NULL ? directory : "/tmp", getpid());
	settings.path = path;
	loop = tp_loop_new(NULL);
	EXPECT(loop != NULL);
	promises.control = tp_control_open(loop, &settings, NULL);
	EXPECT(promises.control != NULL);
	atexit(close_all);
}

static void settle(void)
{
	unsigned steps = 0;

	do {
		while (tp_loop_step(loop, 0) > 0)
			EXPECT(steps++ < 100000);
	} while (control_keep(&promises));
}

/* --- a client -------------------------------------------------------------------------------- */

struct text {
	char *bytes;
	size_t size;
};

static void append(struct text *text, const char *bytes, size_t size)
{
	text->bytes = realloc(text->bytes, text->size + size + 1);
	EXPECT(text->bytes != NULL);
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, sizeof(address.sun_path));
	EXPECT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	settle();
	return fd;
}

/* @return 0 at the end of the stream. */
static ssize_t listen_to(int fd, struct text *heard)
{
	char bytes[65536];
	ssize_t got;

	do {
		settle();
		got = recv(fd, bytes, sizeof(bytes), 0);
		if (got > 0)
			append(heard, bytes, (size_t)got);
	} while (got > 0);
	return got;
}

static void say(int fd, struct input input, const uint8_t cuts[CUTS], struct text *heard)
{
	for (unsigned i = 0; input.size > 0; i++) {
		const uint8_t *part;
		size_t size = input_take(&input, 1u + cuts[i % CUTS], &part);

		while (size > 0) {
			ssize_t sent = send(fd, part, size, MSG_NOSIGNAL);

			EXPECT(sent > 0 || errno == EAGAIN);
			if (sent < 0) /* it does not read on while an answer waits */
				listen_to(fd, heard);
			part += sent > 0 ? sent : 0;
			size -= sent > 0 ? (size_t)sent : 0;
			settle();
		}
	}
}

/* --- what should come ------------------------------------------------------------------------ */

static struct text expected_answers(struct input input)
{
	struct control_promises none = {NULL, 0, NULL};
	struct tp_control_settings direct = {.handle = control_handle, .owner = &none};
	struct text answers = {NULL, 0};
	const uint8_t *line, *end;

	while (input.size > 0 && (end = memchr(input.data, '\n', input.size)) != NULL) {
		size_t size = input_take(&input, (size_t)(end - input.data) + 1, &line);
		char *answer = tp_control_answer(&direct, (const char *)line, size - 1);

		append(&answers, answer, strlen(answer));
		free(answer);
	}
	return answers;
}

static void hang_up_soon(struct input input, const uint8_t cuts[CUTS])
{
	struct text heard = {NULL, 0};
	int fd = dial();

	input.size /= 2;
	say(fd, input, cuts, &heard);
	close(fd);
	settle();
	free(heard.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct text expected, heard = {NULL, 0};
	uint8_t how = input_u8(&input), cuts[CUTS];
	int fd;

	if (loop == NULL)
		set_up();
	input_fill(&input, cuts, sizeof(cuts));
	if (input.size >= TP_CONTROL_REQUEST_MAX)
		return 0;
	expected = expected_answers(input);
	fd = dial();
	if (how & 2)
		hang_up_soon(input, cuts);
	say(fd, input, cuts, &heard);
	EXPECT(how & 1 || listen_to(fd, &heard) < 0);
	shutdown(fd, SHUT_WR);
	EXPECT(listen_to(fd, &heard) == 0);
	EXPECT(heard.size == expected.size);
	EXPECT(heard.size == 0 || memcmp(heard.bytes, expected.bytes, heard.size) == 0);
	close(fd);
	settle();
	EXPECT(tp_control_clients(promises.control) == 0);
	free(expected.bytes);
	free(heard.bytes);
	return 0;
}
