/* What programs under the sanitizers need: options, for their environment is emptied. A report ends the program, and is
 * kept where root alone can write, for the end of the test; a unit test, which runs outside of the tests' machine, has no such
 * folder, and would make it. Leaks are left to valgrind: LeakSanitizer would tell those of every program.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER	 "/run/test"
#define LOG_PATH "log_path=" FOLDER "/sanitizer:"
#define OPTIONS	 "detect_leaks=0:abort_on_error=1:verify_asan_link_order=0"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
void __asan_handle_no_return(void);

/* Not by access(3): a sanitizer that is about to begin may stand before it. */
static int has_folder(void)
{
	return syscall(SYS_faccessat, AT_FDCWD, FOLDER, F_OK) == 0;
}

const char *__asan_default_options(void)
{
	return has_folder() ? LOG_PATH OPTIONS : OPTIONS;
}

const char *__ubsan_default_options(void)
{
	return has_folder() ? LOG_PATH "print_stacktrace=1" : "print_stacktrace=1";
}

/* Called before a call that does not return, to forget what it knows of the frames that are left. It does not know the stacks
 * of the intermediate process and the holder, would say so, and with that spoil the errno that they share with the caller.
 * Nothing here leaves frames but by a longjmp(3), which is intercepted by itself, or for good.
 */
void __asan_handle_no_return(void)
{
}
