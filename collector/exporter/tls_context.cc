// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/config/read_file.h"

namespace heapledger::collector {
namespace {

template <typename Type, void (*kFree)(Type*)>
struct Freer {
  void operator()(Type* object) const { kFree(object); }
};
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

// OpenSSL's last word; takes all of them off its queue.
std::string SslReason() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "it is no PEM text" : reason;
}

// A key with a passphrase would ask for it on a terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

struct Pem {
  std::string name;  // for messages
  std::string text;
};

absl::StatusOr<Pem> ReadPem(const std::string& file, const std::string& text,
                            const std::string& what) {
  if (file.empty()) return Pem{what, text};
  auto read = ReadConfigFile(file);
  if (!read.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "read ", what, " ", file, ": ", std::string(read.status().message())));
  }
  return Pem{absl::StrCat(what, " ", file), *std::move(read)};
}

std::vector<Certificate> Certificates(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<Certificate> found;
  while (X509* const next =
             PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    found.emplace_back(next);
  }
  // The reader stops with an error at the end, too.
  if (!found.empty()) ERR_clear_error();
  return found;
}

absl::Status UseCertificate(const TlsConfig& config, SSL_CTX* context) {
  const auto pem =
      ReadPem(config.certificate_file, config.certificate, "TLS certificate");
  if (!pem.ok()) return pem.status();
  const std::vector<Certificate> chain = Certificates(pem->text);
  if (chain.empty() ||
      SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "read ", pem->name, ": ", SslReason(), "; it needs a PEM certificate"));
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "read ", pem->name, ": ", SslReason(), "; its chain cannot be used"));
    }
  }
  return absl::OkStatus();
}

absl::Status UseKey(const TlsConfig& config, SSL_CTX* context) {
  const auto pem = ReadPem(config.key_file, config.key, "TLS key");
  if (!pem.ok()) return pem.status();
  const Bio bio(
      BIO_new_mem_buf(pem->text.data(), static_cast<int>(pem->text.size())));
  const Key key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (!key) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", pem->name, ": ", SslReason(),
                     "; it needs a PEM private key without a passphrase"));
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", pem->name, ": ", SslReason(),
                     "; it needs the private key of the certificate"));
  }
  return absl::OkStatus();
}

// What a client's certificate has to satisfy; hangs on its SSL_CTX.
struct ClientPolicy {
  bool verify = false;
  std::vector<std::string> allowed_sans;
};

void FreePolicy(void*, void* policy, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<ClientPolicy*>(policy);
}

int PolicyIndex() {
  static const int index =
      SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, FreePolicy);
  return index;
}

std::string AddressText(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int size = ASN1_STRING_length(bytes);
  const int family = size == 4 ? AF_INET : AF_INET6;
  if (size != 4 && size != 16) return "";
  inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

std::string NameText(const GENERAL_NAME* name) {
  int type = 0;
  const void* const value = GENERAL_NAME_get0_value(name, &type);
  switch (type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI: {
      const auto* const text = static_cast<const ASN1_IA5STRING*>(value);
      return std::string(
          reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text)));
    }
    case GEN_IPADD:
      return AddressText(static_cast<const ASN1_OCTET_STRING*>(value));
    default:
      return "";
  }
}

bool HasAllowedName(X509* certificate, const ClientPolicy& policy) {
  if (policy.allowed_sans.empty()) return true;
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  bool allowed = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const std::string name = NameText(sk_GENERAL_NAME_value(names, i));
    allowed |= !name.empty() && std::ranges::find(policy.allowed_sans, name) !=
                                    policy.allowed_sans.end();
  }
  GENERAL_NAMES_free(names);
  return allowed;
}

int CheckClient(X509_STORE_CTX* store, void*) {
  const auto* const ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* const policy = static_cast<const ClientPolicy*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), PolicyIndex()));
  if (policy->verify && X509_verify_cert(store) != 1) return 0;
  if (HasAllowedName(X509_STORE_CTX_get0_cert(store), *policy)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

absl::Status UseClientCa(const TlsConfig& config, SSL_CTX* context) {
  const auto pem =
      ReadPem(config.client_ca_file, config.client_ca, "client CA");
  if (!pem.ok()) return pem.status();
  const std::vector<Certificate> authorities = Certificates(pem->text);
  if (authorities.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "read ", pem->name, ": ", SslReason(), "; it needs PEM certificates"));
  }
  for (const Certificate& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    SSL_CTX_add_client_CA(context, authority.get());
  }
  return absl::OkStatus();
}

absl::Status UseClientAuth(const TlsConfig& config, SSL_CTX* context) {
  if (config.client_auth == ClientAuth::kNone) return absl::OkStatus();
  auto policy = std::make_unique<ClientPolicy>();
  policy->verify = config.client_auth == ClientAuth::kVerifyIfGiven ||
                   config.client_auth == ClientAuth::kRequireAndVerify;
  policy->allowed_sans = config.client_allowed_sans;
  const bool require = config.client_auth == ClientAuth::kRequireAny ||
                       config.client_auth == ClientAuth::kRequireAndVerify;
  SSL_CTX_set_ex_data(context, PolicyIndex(), policy.release());
  SSL_CTX_set_cert_verify_callback(context, CheckClient, nullptr);
  SSL_CTX_set_verify(
      context,
      SSL_VERIFY_PEER | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
      nullptr);
  if (config.client_ca_file.empty() && config.client_ca.empty()) {
    return absl::OkStatus();
  }
  return UseClientCa(config, context);
}

absl::Status UseCiphers(const TlsConfig& config, SSL_CTX* context) {
  std::string list;
  for (const std::string& suite : config.cipher_suites) {
    // Those of TLS 1.3 cannot be chosen, as in the toolkit.
    if (suite.starts_with("TLS_AES_") || suite.starts_with("TLS_CHACHA20_")) {
      continue;
    }
    const std::string name = OPENSSL_cipher_name(suite.c_str());
    if (name == "(NONE)") {
      return absl::InvalidArgumentError(absl::StrCat(
          "cipher_suites: OpenSSL knows no \"", suite,
          "\"; write names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
    }
    absl::StrAppend(&list, list.empty() ? "" : ":", name);
  }
  if (!list.empty() && SSL_CTX_set_cipher_list(context, list.c_str()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cipher_suites: ", SslReason(), "; take other suites"));
  }
  std::string curves;
  for (const std::string& curve : config.curves) {
    absl::StrAppend(&curves, curves.empty() ? "" : ":", curve);
  }
  if (!curves.empty() &&
      SSL_CTX_set1_groups_list(context, curves.data()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "curve_preferences: ", SslReason(), "; take other curves"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SslContext> MakeTlsContext(const TlsConfig& config) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return absl::InternalError("TLS: " + SslReason());
  SSL_CTX_set_min_proto_version(
      context.get(), config.min_minor == 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(
      context.get(), config.max_minor == 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION |
                                         SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_NO_TICKET);
  if (config.prefer_server_cipher_suites) {
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  }
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  // Thousands of idle connections need no buffers.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  for (const auto& use : {UseCertificate, UseKey, UseClientAuth, UseCiphers}) {
    if (absl::Status status = use(config, context.get()); !status.ok()) {
      return status;
    }
  }
  return context;
}

}  // namespace heapledger::collector
