/* What a program that counts lines and branches needs beside libgcov; ld(1)'s --wrap sends the calls here. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void); /* gcov.h, which clang does not have */
int __real_vfprintf(FILE *stream, const char *format, va_list arguments);
int __wrap_vfprintf(FILE *stream, const char *format, va_list arguments);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

/* libgcov complains on standard error where it cannot write its counts: in a box that hides them, or as a user. A test
 * may look at that output; the counts of such a process are lost.
 */
int __wrap_vfprintf(FILE *stream, const char *format, va_list arguments)
{
	return strncmp(format, "profiling:", strlen("profiling:")) == 0
		       ? 0
		       : __real_vfprintf(stream, format, arguments);
}

/* Whose memory this is: a process that was cloned to share it counts in it too, and leaves the writing to its owner. */
static pid_t owner;

static void take_over(void)
{
	owner = getpid();
}

__attribute__((constructor)) static void begin(void)
{
	take_over();
	pthread_atfork(NULL, NULL, take_over);
}

/* _exit(2) writes no counts: nsbox-init ends by it, and so do children of nsboxctl. They may have no descriptor left for the
 * files.
 */
void __wrap__exit(int status)
{
	if (getpid() == owner) {
		syscall(SYS_close_range, 0, ~0U, 0);
		__gcov_dump();
	}
	__real__exit(status);
}
