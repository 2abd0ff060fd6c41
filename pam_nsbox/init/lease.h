/* What a box's PID 1, nsbox-init, and the processes outside say to each other.
 *
 * A lease is one session's hold on a box. nsbox-init watches the process that holds it by a pidfd, so a
 * lease ends when its holder closes the session, exits or is killed, and nobody has to clean up.
 *
 *   - To take a lease, send a LEASE_JOIN request, with a pidfd of the process that holds it, to the socket;
 *     the reply carries the lease's number. (Open a pidfd of nsbox-init before: who answers afterwards is the one
 *     that it stands for.)
 *   - To give it back, queue LEASE_SIGNAL_LEAVE with the number as its value (pidfd_send_signal(2)).
 *   - SIGTERM stops the box politely, SIGQUIT at once.
 *
 * The socket is named LEASE_SOCKET in nsbox-init's working directory, a file system of the box's own that is
 * mounted nowhere: /proc/PID/cwd leads root there and nobody else, and it goes away with nsbox-init.
 * The maker of the box need not ask: nsbox-init is born with its lease, and closes INIT_FD_RECORD when it is ready.
 *
 * An upgraded module meets the nsbox-init of boxes that are open: the structs here may only grow at their
 * end.
 */
#ifndef NSBOX_LEASE_H
#define NSBOX_LEASE_H

#include <stdint.h>

#define INIT_NAME	   "nsbox-init" /* of the process, as ps(1) shows it */
#define LEASE_SOCKET	   "lease"
#define LEASE_SIGNAL_LEAVE 40 /* a real-time signal, beyond those that the C libraries keep for themselves */

/* The host's mounts in the box's own file system, to be detached: "old-" and a character, from '0' on in ASCII's order, in
 * which no slash follows.
 */
#define LEASE_OLD_MOUNT	     "old-"
#define LEASE_OLD_MOUNT_LAST '~'

/* The descriptors of nsbox-init. The first two of them it makes itself, INIT_FD_PROC and INIT_FD_LOG may be missing, and it
 * is born with the others.
 */
enum {
	INIT_FD_SIGNALS,  /* its signalfd */
	INIT_FD_WAITING,  /* its epoll instance */
	INIT_FD_LISTEN,	  /* the socket that later sessions connect to */
	INIT_FD_RECORD,	  /* a pipe, in which are a struct box_record and a struct lease_request */
	INIT_FD_REGISTRY, /* LIVE_DIRECTORY, with its lock for the scope (box/live.h) */
	INIT_FD_STORE,	  /* the file system of the box's own, with its lock for the box */
	INIT_FD_PROC,	  /* a procfs of the box's PID namespace */
	INIT_FD_LOG,	  /* connected to the system log */
	INIT_FD_LEASE,	  /* the first lease, which has this number: a pidfd of the box's maker */
	INIT_FDS
};

enum { LEASE_JOIN = 1, LEASE_STATUS = 2 };

enum box_state { BOX_LIVE = 1, BOX_LINGERING = 2, BOX_STOPPING = 3 };

#define BOX_LIMITS 16 /* RLIM_NLIMITS of Linux */

struct box_limit {
	uint64_t soft, hard; /* as in struct rlimit64; UINT64_MAX: none */
};

/* What a box is, told by its maker, kept by nsbox-init, shown by nsboxctl. The strings are cleaned: no
 * control character, quote or backslash that could break a line of the log.
 */
struct box_record {
	char id[16];
	char policy[128];
	char user[256];
	char service[64];
	char from[256]; /* PAM_RHOST */
	char tty[64];
	char hostname[72];
	uint64_t digest;       /* of the policy's settings */
	uint64_t bounding_set; /* valid if bounding_set_given */
	int64_t scope_key;     /* the byte that nsbox-init keeps locked for its scope, or -1 */
	int64_t since;	       /* seconds since the epoch */
	uint32_t namespaces;   /* CLONE_NEW* */
	uint32_t scope;	       /* enum scope of policy.h */
	uint32_t timeout_stop_ms;
	uint8_t linger;
	uint8_t no_new_privileges;
	uint8_t bounding_set_given;
	uint8_t reserved;
	uint32_t n_limits; /* of limits, that are known */
	uint32_t reserved_2;
	struct box_limit limits
		[BOX_LIMITS]; /* by RLIMIT_*: the maker's, as pam_limits set them. nsbox-init fills them in
						from those that it is born with, before it sheds them */
};

/* Who takes a lease is told of in the log, by nsbox-init: so the caller does not wait for the log, and the log tells
 * everything about a box in its order.
 */
struct lease_request {
	uint32_t operation;
	uint32_t reserved;
	uint64_t digest; /* LEASE_JOIN: of the settings that its policy has today */
	char who[800];	 /* LEASE_JOIN: for the log, as key="value" without control characters */
};

struct lease_reply_head {
	int32_t error; /* 0 or a positive errno: ESHUTDOWN while the box stops, EMFILE with too many leases */
	uint32_t lease;	    /* LEASE_JOIN: its number */
	uint32_t leases;    /* how many there are now */
	uint32_t state;	    /* enum box_state */
	uint32_t processes; /* LEASE_STATUS: live ones but nsbox-init; 0 if the box has no PID namespace */
	uint32_t reserved;
};

struct lease_reply {
	struct lease_reply_head head;
	struct box_record record;
};

#endif
