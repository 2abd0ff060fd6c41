/* For LD_PRELOAD into a caller that runs under valgrind, so that boxes are really made there. valgrind refuses clone(2) with
 * CLONE_VM alone, and Debian 12's does not know the system calls that came with pidfds. Both are made on the real
 * processor here: the intermediate process and the holder run outside of valgrind, on the caller's memory as ever.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#ifdef __x86_64__

/* Calls since Linux 5.1, of which valgrind knows some; none before statmount(2) writes to memory. */
#define FIRST_NEW_CALL 424
#define STATMOUNT      457
#define LISTMOUNT      458

struct call {
	long number, arguments[6];
};

static long make_call(const struct call *call)
{
	register long fourth __asm__("r10");
	register long fifth __asm__("r8");
	register long sixth __asm__("r9");
	long result;

	fourth = call->arguments[3];
	fifth = call->arguments[4];
	sixth = call->arguments[5];
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(call->number), "D"(call->arguments[0]), "S"(call->arguments[1]),
			 "d"(call->arguments[2]), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "rcx", "r11", "memory");
	return result;
}

/* On the real processor there is no thread-local storage, so no errno. */
static long make_call_outside(long thread, const struct call *call)
{
	(void)thread;
	return make_call(call);
}

static long result_of(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

long syscall(long number, ...)
{
	struct call call = {.number = number};
	va_list arguments;
	long result;

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		call.arguments[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number < FIRST_NEW_CALL || !RUNNING_ON_VALGRIND)
		return result_of(make_call(&call));
	/* Which of the six were given is not known here. */
	VALGRIND_MAKE_MEM_DEFINED(&call, sizeof(call));
	result = (long)VALGRIND_NON_SIMD_CALL1(make_call_outside, &call);
	if (result >= 0 && number == STATMOUNT)
		VALGRIND_MAKE_MEM_DEFINED(call.arguments[1], call.arguments[2]);
	if (result > 0 && number == LISTMOUNT)
		VALGRIND_MAKE_MEM_DEFINED(call.arguments[1], result * (long)sizeof(uint64_t));
	return result_of(result);
}

/* The child needs the caller's thread-local storage, which is where its errno is. */
static long clone_outside(long thread, const struct call *call)
{
	register long child_tid __asm__("r10");
	register long storage __asm__("r8");
	long result;

	(void)thread;
	child_tid = 0;
	storage = call->arguments[3];
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "pop %%rax\n\t"
			 "pop %%rdi\n\t"
			 "call *%%rax\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov $60, %%eax\n\t" /* exit(2) */
			 "syscall\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone), "D"(call->arguments[0]), "S"(call->arguments[1]),
			 "d"(call->arguments[2]), "r"(child_tid), "r"(storage)
			 : "rcx", "r11", "memory");
	return result;
}

int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
	uintptr_t *top = (uintptr_t *)((uintptr_t)stack & ~(uintptr_t)15) - 2;
	struct call call = {.arguments = {flags | CLONE_SETTLS, (long)top}};
	va_list arguments;

	top[0] = (uintptr_t)function;
	top[1] = (uintptr_t)argument;
	va_start(arguments, argument);
	if (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD))
		call.arguments[2] = (long)va_arg(arguments, int *);
	va_end(arguments);
	__asm__("mov %%fs:0, %0" : "=r"(call.arguments[3]));
	return (int)result_of(RUNNING_ON_VALGRIND ? (long)VALGRIND_NON_SIMD_CALL1(clone_outside, &call)
						  : clone_outside(0, &call));
}

#endif
