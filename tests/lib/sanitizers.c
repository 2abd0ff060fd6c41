/* The sanitizers' options, for programs whose environment is emptied. A report ends the program, and is kept where root alone
 * can write, for the end of the test. Leaks are left to valgrind: LeakSanitizer would tell those of every program.
 */
#define OPTIONS "log_path=/run/test/sanitizer:detect_leaks=0:abort_on_error=1:verify_asan_link_order=0"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return OPTIONS;
}

const char *__ubsan_default_options(void)
{
	return "log_path=/run/test/sanitizer:print_stacktrace=1";
}
