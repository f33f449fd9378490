/* request.h - reads the target and the headers of a request into a struct request. No I/O. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "http/listener.h"

/* Sets target, path and query. 0, or the status to answer with and *why. Absolute-form is
 * understood. Everything is copied to request->arena. */
unsigned request_read_target(struct request *request, struct str target, const char **why);

/* The body of a browser's form, decoded like a query: the first value of that name. False: it is
 * not there, or the body is no such form. */
bool request_form(const struct request *request, const char *name, struct str *value);

bool request_reads(const struct request *request); /* GET or HEAD: it changes nothing */

struct request_frame { /* what the headers say about the body */
	bool chunked, expects_continue;
	uint64_t length; /* 0 without Content-Length */
};
/* Lowers the names, in place, and checks what could be understood in two ways. minor: of HTTP/1. */
unsigned request_read_headers(struct request_pair *headers, size_t count, int minor,
	struct request_frame *frame, const char **why);

#endif
