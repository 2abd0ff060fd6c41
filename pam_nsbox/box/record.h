/* What is told of a box and of a login to nsbox-init. */
#ifndef NSBOX_RECORD_H
#define NSBOX_RECORD_H

#include "box.h"

/* All of it but the limits, which nsbox-init knows. record is 0 before. scope_key: as in struct box_record. */
void record_fill(const struct box_request *request, int64_t scope_key, struct box_record *record);

/* A request for a lease, for this login. lease is 0 before. */
void record_fill_lease(const struct box_request *request, struct lease_request *lease);

#endif
