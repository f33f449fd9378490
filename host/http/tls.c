/* tls.c - see tls.h. Never writes a file and never logs; loading is any thread's, the rest the
 * listener's. */
#include "http/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/error.h"

#define FILE_MAX_BYTES ((size_t)256 * 1024)
#define SOON_MS ((int64_t)21 * 24 * 3600 * 1000)

/* Without a key exchange that a stolen key undoes later, and without CBC and SHA-1. */
const char tls_priorities[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-AES-128-CBC:-AES-256-CBC:-SHA1:"
	"%SERVER_PRECEDENCE";

struct tls {
	atomic_uint holders;
	gnutls_certificate_credentials_t credentials;
	int64_t begins_ms, expires_ms;
	bool key_is_open; /* others than its owner and group may read it */
	char *certificate, *key;
	size_t key_len;
};

/* ---- Files -------------------------------------------------------------------------------- */

static ssize_t read_all(int fd, char *to, size_t most)
{
	size_t n = 0;

	while (n < most) {
		ssize_t got = read(fd, to + n, most - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* Into memory of its own, of which no copy is left by growing. NULL: error says why. */
static char *read_file(struct error *error, const char *path, size_t *len, mode_t *mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) < 0)
		error_set(error, E_IO, "%s cannot be read: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size == 0 || (size_t)st.st_size > FILE_MAX_BYTES)
		error_set(error, E_INVALID, "%s is empty, larger than 256 KiB, or no file", path);
	else if (!(text = calloc(1, (size_t)st.st_size + 1)))
		error_set(error, E_NOMEM, "no memory for %s", path);
	else if ((n = read_all(fd, text, (size_t)st.st_size)) < 0)
		error_set(error, E_IO, "%s cannot be read: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	*len = (size_t)n;
	*mode = st.st_mode;
	return text;
}

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

/* ---- Loading ------------------------------------------------------------------------------ */

static int read_dates(struct tls *tls)
{
	gnutls_datum_t text = datum(tls->certificate);
	gnutls_x509_crt_t certificate;
	int rc = gnutls_x509_crt_init(&certificate);

	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM);
	if (rc >= 0) {
		tls->begins_ms = (int64_t)gnutls_x509_crt_get_activation_time(certificate) * 1000;
		tls->expires_ms = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * 1000;
	}
	gnutls_x509_crt_deinit(certificate);
	return rc;
}

static int take_pair(struct tls *tls)
{
	gnutls_datum_t certificate = datum(tls->certificate), key = datum(tls->key);

	return gnutls_certificate_set_x509_key_mem(
		tls->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
}

static int take_texts(
	struct error *error, struct tls *tls, const char *certificate, const char *key)
{
	int rc;

	if (gnutls_certificate_allocate_credentials(&tls->credentials) < 0)
		return error_set(error, E_NOMEM, "no memory for %s", certificate);
	if ((rc = read_dates(tls)) < 0)
		return error_set(error, E_INVALID, "%s holds no certificate in PEM: %s",
			certificate, gnutls_strerror(rc));
	rc = take_pair(tls);
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return error_set(error, E_INVALID, "%s is not the key of %s", key, certificate);
	if (rc < 0)
		return error_set(error, E_INVALID, "%s holds no private key in PEM: %s", key,
			gnutls_strerror(rc));
	return 0;
}

struct tls *tls_load(struct error *error, const char *certificate, const char *key)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	mode_t mode = 0;
	size_t len;

	if (!tls) {
		error_set(error, E_NOMEM, "no memory for %s", certificate);
		return NULL;
	}
	atomic_init(&tls->holders, 1);
	tls->certificate = read_file(error, certificate, &len, &mode);
	tls->key = tls->certificate ? read_file(error, key, &tls->key_len, &mode) : NULL;
	tls->key_is_open = mode & S_IROTH;
	if (tls->key && take_texts(error, tls, certificate, key) == 0)
		return tls;
	tls_unref(tls);
	return NULL;
}

void tls_forget_text(struct tls *tls)
{
	if (tls->key)
		crypto_wipe(tls->key, tls->key_len);
	free(tls->key);
	free(tls->certificate);
	tls->key = tls->certificate = NULL;
}

struct tls *tls_ref(struct tls *tls)
{
	if (tls)
		atomic_fetch_add(&tls->holders, 1);
	return tls;
}

void tls_unref(struct tls *tls)
{
	if (!tls || atomic_fetch_sub(&tls->holders, 1) > 1)
		return;
	tls_forget_text(tls);
	if (tls->credentials)
		gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
}

/* ---- What is asked of it ------------------------------------------------------------------ */

int64_t tls_expires_ms(const struct tls *tls)
{
	return tls->expires_ms;
}

const char *tls_warning(const struct tls *tls, int64_t now_ms, char text[256])
{
	long long days = (long long)((tls->expires_ms - now_ms) / 86400000);

	if (tls->expires_ms <= now_ms)
		snprintf(text, 256, "the certificate has ended: clients refuse it");
	else if (tls->begins_ms > now_ms)
		snprintf(text, 256, "the certificate is not valid yet: clients refuse it");
	else if (tls->expires_ms - now_ms < SOON_MS)
		snprintf(
			text, 256, "the certificate ends in %lld days: renew it, and reload", days);
	else if (tls->key_is_open)
		snprintf(text, 256, "everybody may read the key: chmod o-r");
	else
		return NULL;
	return text;
}

bool tls_use(struct tls *tls, void *session)
{
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) == 0;
}

bool tls_send_last(void *session, struct str text)
{
	bool sent = gnutls_record_send(session, text.ptr, text.len) == (ssize_t)text.len;

	if (sent)
		gnutls_bye(session, GNUTLS_SHUT_WR);
	return sent;
}

const char *tls_certificate_text(const struct tls *tls)
{
	return tls->certificate;
}

const char *tls_key_text(const struct tls *tls)
{
	return tls->key;
}
