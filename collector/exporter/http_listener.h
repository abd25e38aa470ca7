// SPDX-License-Identifier: Apache-2.0
// Part of http_server.cc: sockets that listen, TCP or Unix.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/exporter/http_core.h"
#include "collector/exporter/listen_address.h"

namespace heapledger::collector {

template <typename Protocol>
class Listener final : public Closer {
 public:
  Listener(HttpServer::Impl& core, typename Protocol::acceptor acceptor,
           std::string path)
      : core_(core), acceptor_(std::move(acceptor)), path_(std::move(path)) {
    Accept();
  }
  ~Listener() override { Close(); }

  void Close() override {
    ErrorCode ignored;
    acceptor_.close(ignored);
    if (!path_.empty()) ::unlink(path_.c_str());
    path_.clear();
  }

 private:
  void Accept() {
    acceptor_.async_accept(
        [this](const ErrorCode& error, typename Protocol::socket socket) {
          if (error == net::error::operation_aborted) return;
          if (!error) {
            core_.Admit(std::move(socket));
            return Accept();
          }
          core_.RetryAccept([this] {
            if (acceptor_.is_open()) Accept();
          });
        });
  }

  HttpServer::Impl& core_;
  typename Protocol::acceptor acceptor_;
  std::string path_;  // of a Unix socket, removed when closed
};

inline absl::Status ListenError(const ListenAddress& address,
                                const ErrorCode& error) {
  const std::string where =
      absl::StrCat("listen on ", address.ToString(), ": ");
  if (error == net::error::address_in_use) {
    return absl::AlreadyExistsError(absl::StrCat(
        where,
        address.kind == ListenAddress::Kind::kUnix
            ? std::string("the socket")
            : absl::StrCat("port ", address.port),
        " is taken by another program; end that one or choose another address "
        "with --listen ADDR:PORT"));
  }
  return absl::UnavailableError(
      absl::StrCat(where, error.message(),
                   "; choose another address with --listen ADDR:PORT"));
}

// A socket file whose server is gone refuses connections and may be replaced.
inline void RemoveStaleSocket(net::io_context& ioc, const std::string& path) {
  struct stat file = {};
  if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return;
  Unix::socket probe(ioc);
  ErrorCode error;
  probe.connect(Unix::endpoint(path), error);
  if (error == net::error::connection_refused) ::unlink(path.c_str());
}

template <typename Acceptor, typename Endpoint>
ErrorCode Bind(Acceptor& acceptor, const Endpoint& endpoint) {
  ErrorCode error;
  acceptor.open(endpoint.protocol(), error);
  if (error) return error;
  if constexpr (std::is_same_v<Endpoint, Tcp::endpoint>) {
    acceptor.set_option(net::socket_base::reuse_address(true), error);
    if (error) return error;
    if (endpoint.address().is_v6()) {
      // [::] then stands beside 0.0.0.0 and takes nothing from it.
      acceptor.set_option(net::ip::v6_only(true), error);
      if (error) return error;
    }
  }
  acceptor.bind(endpoint, error);
  return error;
}

}  // namespace heapledger::collector
