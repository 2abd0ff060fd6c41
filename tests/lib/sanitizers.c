/* What programs under the sanitizers need: options, for their environment is emptied. A report ends the program, and is
 * kept where root alone can write, for the end of the test. Leaks are left to valgrind: LeakSanitizer would tell those of
 * every program.
 */
#define OPTIONS "log_path=/run/test/sanitizer:detect_leaks=0:abort_on_error=1:verify_asan_link_order=0"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
void __asan_handle_no_return(void);

const char *__asan_default_options(void)
{
	return OPTIONS;
}

const char *__ubsan_default_options(void)
{
	return "log_path=/run/test/sanitizer:print_stacktrace=1";
}

/* Called before a call that does not return, to forget what it knows of the frames that are left. It does not know the stacks
 * of the intermediate process and the holder, would say so, and with that spoil the errno that they share with the caller.
 * Nothing here leaves frames but by a longjmp(3), which is intercepted by itself, or for good.
 */
void __asan_handle_no_return(void)
{
}
