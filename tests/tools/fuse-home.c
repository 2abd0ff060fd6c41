/* A FUSE file system for tests, without a library: one empty folder, which its owner alone may look at (no allow_other), or
 * one that never answers.
 *
 *	fuse-home FOLDER UID [hang | allow_other | hang,allow_other | squash,allow_other]
 *
 * Mounts it on FOLDER and serves it in the background until it is unmounted. With hang it answers what the kernel asks
 * first and nothing more. With squash it does what an NFS server with root_squash does, which takes root for nobody: all
 * may ask what the folder is, its owner alone gets an answer about what is in it (nfsd_permission(), nfs_permission()).
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static uid_t owner;
static int squashes;

static void answer(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header header = {.unique = unique, .error = -error, .len = (uint32_t)sizeof(header)};
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)(uintptr_t)data, error ? 0 : size}};

	header.len += (uint32_t)parts[1].iov_len;
	if (writev(fuse, parts, 2) < 0)
		exit(0);
}

static void serve(int fuse, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
	struct fuse_attr_out attr = {
		.attr = {.ino = 1,
			.mode = S_IFDIR | 0700,
			.nlink = 2,
			.uid = owner,
			.gid = owner,
			.blksize = 4096},
	};
	struct fuse_open_out opened = {.fh = 1};
	struct fuse_statfs_out fs = {.st = {.bsize = 4096, .namelen = 255}};

	if (squashes && in->uid != owner && in->opcode != FUSE_INIT && in->opcode != FUSE_GETATTR &&
		in->opcode != FUSE_STATFS && in->opcode != FUSE_FORGET && in->opcode != FUSE_RELEASEDIR) {
		answer(fuse, in->unique, 13 /* EACCES */, NULL, 0);
		return;
	}
	switch (in->opcode) {
	case FUSE_INIT: answer(fuse, in->unique, 0, &init, sizeof(init)); break;
	case FUSE_GETATTR: answer(fuse, in->unique, 0, &attr, sizeof(attr)); break;
	case FUSE_OPENDIR: answer(fuse, in->unique, 0, &opened, sizeof(opened)); break;
	case FUSE_STATFS: answer(fuse, in->unique, 0, &fs, sizeof(fs)); break;
	case FUSE_READDIR:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS: answer(fuse, in->unique, 0, NULL, 0); break;
	case FUSE_LOOKUP: answer(fuse, in->unique, 2 /* ENOENT */, NULL, 0); break;
	case FUSE_FORGET: break;
	default: answer(fuse, in->unique, 38 /* ENOSYS */, NULL, 0); break;
	}
}

int main(int argc, char **argv)
{
	static _Alignas(8) char request[65536];
	const char *how = argc > 3 ? argv[3] : "";
	char options[128];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (argc < 3 || fuse < 0)
		return 2;
	owner = (uid_t)atoi(argv[2]);
	squashes = strstr(how, "squash") != NULL;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40700,user_id=%u,group_id=%u%s", fuse, owner,
		owner, strstr(how, "allow_other") ? ",allow_other" : "");
	if (mount("test", argv[1], "fuse.test", MS_NOSUID | MS_NODEV, options) < 0) {
		perror("fuse-home");
		return 1;
	}
	if (fork() != 0)
		return 0;
	close(0);
	close(1);
	close(2);
	for (int n = 0;; n++) {
		ssize_t size = read(fuse, request, sizeof(request));

		if (size < (ssize_t)sizeof(struct fuse_in_header))
			return 0;
		if (n == 0 || !strstr(how, "hang"))
			serve(fuse, (const struct fuse_in_header *)(const void *)request);
	}
}
