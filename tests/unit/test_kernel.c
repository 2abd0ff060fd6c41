/* What box/kernel.h may do to its caller's memory: to errno, which a new box's first process shares with the process that
 * makes it, and to what lies beside a variable that some kernel takes for a larger one.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* The other process's error comes while the descriptor is closed. */
static int close_error, others_error;

static int fake_close(int fd)
{
	(void)fd;
	errno = close_error ? close_error : others_error;
	return close_error ? -1 : 0;
}

static int fake_fcntl(int fd, int command, int least)
{
	(void)fd, (void)command;
	return least;
}

/* lsm_get_self_attr(2), which fails with lsm_error or else succeeds. room is that of its third argument. */
static int lsm_error;

static long fake_syscall(size_t room, uint64_t *size)
{
	assert_true(room >= sizeof(*size));
	assert_int_equal(*size, 0);
	*size = UINT64_MAX; /* as Linux 6.8 does */
	errno = lsm_error;
	return lsm_error ? -1 : 1;
}

#define FOURTH(a, b, c, d, ...) d
#define ROOM(pointer)		_Generic((pointer), uint32_t * : 4, uint64_t * : 8, default : 0)
#define AS_SIZE(pointer)	_Generic((pointer), uint32_t * : (pointer), uint64_t * : (pointer), default : NULL)
#define syscall(...)                                                                                         \
	fake_syscall((size_t)ROOM(FOURTH(__VA_ARGS__, 0, 0, 0, 0)),                                          \
		(void *)AS_SIZE(FOURTH(__VA_ARGS__, 0, 0, 0, 0)))
#define close fake_close
#define fcntl fake_fcntl
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* of calls that do not come this far */
#include "box/kernel.h"
#pragma GCC diagnostic pop

static void an_error_of_whoever_shares_errno_is_not_taken_back(void **state)
{
	(void)state;
	others_error = EEXIST;
	errno = 0;
	{
		cleanup_fd int fd = 100;

		(void)fd;
	}
	assert_int_equal(errno, EEXIST);
	errno = 0;
	assert_int_equal(raise_fd(STDIN_FILENO), STDERR_FILENO + 1);
	assert_int_equal(errno, EEXIST);
}

static void a_close_that_fails_hides_no_error(void **state)
{
	(void)state;
	close_error = EIO;
	errno = ENOENT;
	{
		cleanup_fd int fd = 100;

		(void)fd;
	}
	assert_int_equal(errno, ENOENT);
	raise_fd(STDIN_FILENO);
	assert_int_equal(errno, ENOENT);
	close_error = 0;
}

/* The answers of SELinux (1, E2BIG), AppArmor (ENOENT), old kernels (ENOSYS) and filters (EPERM) leave it open. */
static void only_that_nobody_knows_exec_contexts_is_taken_for_none(void **state)
{
	const int open_errors[] = {0, E2BIG, ENOENT, ENOSYS, EPERM, EACCES, EINVAL, EFAULT};

	(void)state;
	for (size_t i = 0; i < sizeof(open_errors) / sizeof(*open_errors); i++) {
		lsm_error = open_errors[i];
		assert_true(sys_may_have_exec_context());
	}
	lsm_error = EOPNOTSUPP;
	assert_false(sys_may_have_exec_context());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_of_whoever_shares_errno_is_not_taken_back),
		cmocka_unit_test(a_close_that_fails_hides_no_error),
		cmocka_unit_test(only_that_nobody_knows_exec_contexts_is_taken_for_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
