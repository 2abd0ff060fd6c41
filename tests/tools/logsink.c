/* A syslog daemon of one screen: every datagram that arrives on a socket becomes one line of a file.
 *
 *	logsink SOCKET FILE [SLOW]
 *
 * While there is a file SLOW, each takes most of a second.
 *
 * Control characters are written as {{NN}}, so that a test can tell a newline that a sender smuggled into a
 * message from the end of the message. The process goes on in the background once the socket takes messages;
 * the caller continues only then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char message[65536];

static int listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int size = 4 << 20;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0)
		return -1;
	/* syslog(3) drops what does not fit at once, and two hundred logins talk at the same moment. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

static void write_line(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\0' && i + 1 == length)
			break;
		if (c < ' ' || c == 127)
			fprintf(out, "{{%02x}}", c);
		else
			fputc(c, out);
	}
	fputc('\n', out);
	fflush(out);
}

int main(int argc, char **argv)
{
	ssize_t length;
	FILE *out;
	int fd;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: logsink SOCKET FILE [SLOW]\n");
		return 2;
	}
	fd = listen_on(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "logsink: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	out = fopen(argv[2], "ae");
	if (!out) {
		fprintf(stderr, "logsink: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	if (daemon(0, 0) < 0) {
		fprintf(stderr, "logsink: daemon: %s\n", strerror(errno));
		fclose(out);
		return 1;
	}
	for (;;) {
		length = recv(fd, message, sizeof(message), 0);
		if (length < 0 && errno != EINTR)
			return 1;
		if (length > 0)
			write_line(out, message, (size_t)length);
		if (argc == 4 && access(argv[3], F_OK) == 0)
			usleep(900000);
	}
}
