/* What a program that counts lines and branches needs beside libgcov; ld(1)'s --wrap sends the calls here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_stack_end;

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

/* _exit(2) writes no counts: nsbox-init ends by it, and so do children of nsboxctl. They may have no descriptor left for the
 * files. Who has a stack of his own counts in his parent's memory, and leaves the writing to him.
 */
void __wrap__exit(int status)
{
	const char here = 0;
	ptrdiff_t depth = (ptrdiff_t)((uintptr_t)__libc_stack_end - (uintptr_t)&here);

	if (depth > 0 && depth < 1 << 20) {
		syscall(SYS_close_range, 0, ~0U, 0);
		__gcov_dump();
	}
	__real__exit(status);
}
