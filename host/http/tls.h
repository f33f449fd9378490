/* tls.h - the certificate and key that the listener shows, over GnuTLS, which libmicrohttpd speaks.
 *
 * TLS 1.2 at least, only with forward secrecy and authenticated encryption. Loaded anew at each
 * reload; connections keep what they began with, and the key is wiped with the last of them.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "base/str.h"

struct error;
struct tls;

extern const char tls_priorities[]; /* of GnuTLS */

/* Reads both files (PEM). NULL and error: one cannot be read, is none, or they do not belong
 * together. One reference is the caller's. */
struct tls *tls_load(struct error *error, const char *certificate, const char *key);
struct tls *tls_ref(struct tls *tls); /* takes NULL */
void tls_unref(struct tls *tls);      /* takes NULL */

int64_t tls_expires_ms(const struct tls *tls); /* since 1970 */
/* NULL, or what a person should know: it ends soon, has ended, has not begun; others may read the
 * key. In text. */
const char *tls_warning(const struct tls *tls, int64_t now_ms, char text[256]);

/* Of one session of GnuTLS (gnutls_session_t), before its handshake: this certificate. */
bool tls_use(struct tls *tls, void *session);
/* Past libmicrohttpd, between its calls: all of text, or nothing; then the end. */
bool tls_send_last(void *session, struct str text);

/* What MHD_start_daemon() must have of both, NUL-terminated; wiped by tls_forget_text(). */
const char *tls_certificate_text(const struct tls *tls);
const char *tls_key_text(const struct tls *tls);
void tls_forget_text(struct tls *tls);

#endif
