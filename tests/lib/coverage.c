/* What a program that counts lines and branches needs beside libgcov; ld(1)'s --wrap sends the calls here. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int __real_vfprintf(FILE *stream, const char *format, va_list arguments);
int __wrap_vfprintf(FILE *stream, const char *format, va_list arguments);

/* libgcov complains on standard error where it cannot write its counts: in a box that hides them, or as a user. A test
 * may look at that output; the counts of such a process are lost.
 */
int __wrap_vfprintf(FILE *stream, const char *format, va_list arguments)
{
	return strncmp(format, "profiling:", strlen("profiling:")) == 0
		       ? 0
		       : __real_vfprintf(stream, format, arguments);
}

#ifdef DUMP_AT_EXIT
/* nsbox-init ends by _exit(2), which writes no counts. It may have no number left for the files that they go into. */
void __gcov_dump(void); /* gcov.h, which clang does not have */
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
	syscall(SYS_close_range, 0, ~0U, 0);
	__gcov_dump();
	__real__exit(status);
}
#endif
