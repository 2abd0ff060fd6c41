/* Whether the directories behind NSS are there.
 *
 * getgrouplist(3) asks one service after another and returns what came together; that one of them could not
 * be reached is known to it and lost (glibc, nss/initgroups.c: the status serves to choose the next service
 * alone). Nor does a look-up of a group that cannot exist tell: its error is that of the last service in the
 * line (nss/getXXbyYY_r.c), and behind "files ldap systemd" stands one that is always there. So each service
 * is asked itself, through the function that getgrouplist calls, _nss_SERVICE_initgroups_dyn, an interface
 * that glibc's manual documents ("NSS Module Internals") and nss.h declares.
 */
#ifndef NSBOX_POLICY_DIRECTORY_H
#define NSBOX_POLICY_DIRECTORY_H

#include "text.h"

#include <sys/types.h>

/* Asks each service of nsswitch.conf's line "initgroups", or else "group", for the user's groups, and reads /etc/group for
 * "files". Other services that need nothing outside this host are left out, as are those whose library is not installed:
 * NSS passes over them. What they say is added to gids, which may be NULL at first. 0, or -EAGAIN (or another -errno) and
 * why if one could not answer.
 */
int directory_check(const char *user, gid_t group, gid_t **gids, int *n_gids, struct sentence *why);

#endif
