/* SPDX-License-Identifier: Apache-2.0
 * Certificates made on the spot, valid for an hour: an authority, and leaves for localhost and 127.0.0.1
 * signed by it.
 */
#ifndef JG_TEST_CERTS_H
#define JG_TEST_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

typedef struct jg_test_cert {
    EVP_PKEY *key;
    X509 *cert;
} jg_test_cert;

static inline void jg_test_cert_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    (void)X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

/** @param issuer NULL: an authority */
static inline jg_test_cert jg_test_cert_new(const char *name, const jg_test_cert *issuer)
{
    jg_test_cert made = {EVP_EC_gen("P-256"), X509_new()};
    (void)X509_set_version(made.cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(made.cert),
                           (long)((uintptr_t)made.cert >> 4 & 0xffffff) + 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(made.cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(made.cert), 3600);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(made.cert), "CN", MBSTRING_ASC,
                                     (const unsigned char *)name, -1, -1, 0);
    X509 *by = issuer ? issuer->cert : made.cert;
    (void)X509_set_issuer_name(made.cert, X509_get_subject_name(by));
    (void)X509_set_pubkey(made.cert, made.key);
    if (issuer)
        jg_test_cert_extend(made.cert, by, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    else
        jg_test_cert_extend(made.cert, by, NID_basic_constraints, "critical,CA:TRUE");
    (void)X509_sign(made.cert, issuer ? issuer->key : made.key, EVP_sha256());
    return made;
}

static inline void jg_test_cert_write(const jg_test_cert *cert, const char *cert_path, const char *key_path)
{
    FILE *file = fopen(cert_path, "w");
    (void)PEM_write_X509(file, cert->cert);
    (void)fclose(file);
    if (!key_path)
        return;
    file = fopen(key_path, "w");
    (void)PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL);
    (void)fclose(file);
}

static inline void jg_test_cert_free(jg_test_cert *cert)
{
    EVP_PKEY_free(cert->key);
    X509_free(cert->cert);
}

#endif
