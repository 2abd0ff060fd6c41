/* The smallest PID 1: lets go of the host's procfs, then sleeps. No C library, so that its exec is the kernel's alone. */
#include <sys/mount.h>
#include <sys/syscall.h>

static long call(long number, const void *first, long second)
{
	long result;

#if defined(__x86_64__)
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second)
			 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = (long)first;
	register long x1 __asm__("x1") = second;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	result = x0;
#else
#error "no system call for this machine"
#endif
	return result;
}

void _start(void);
void _start(void)
{
	call(SYS_umount2, "old", MNT_DETACH);
	for (;;)
		call(SYS_ppoll, 0, 0); /* without descriptors or time-out: until it is killed */
}
