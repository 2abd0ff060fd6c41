/* A user database of a test's own: passwd and group of a folder in place of NSS, and a host name of its own.
 */
#ifndef NSBOX_TESTS_FAKE_NSS_H
#define NSBOX_TESTS_FAKE_NSS_H

#define FAKE_HOSTNAME "host7.example.org"

extern const char *fake_nss_folder;
extern int fake_passwd_error, fake_group_error; /* error numbers that look-ups fail with, or 0 */

#endif
