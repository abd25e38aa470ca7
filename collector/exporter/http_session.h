// SPDX-License-Identifier: Apache-2.0
// Part of http_server.cc: one connection, over Boost.Beast's parser and
// streams.
//
// A connection is always in one step, and every step but the handler has a
// deadline that closes the socket:
//
//   [TLS handshake] -> waiting -> header -> [body] -> handler -> writing
//                        ^                                          |
//                        +-------------- keep-alive ----------------+-> linger
#pragma once

#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/detect_ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/exporter/gzip.h"
#include "collector/exporter/http_core.h"

namespace heapledger::collector {

namespace beast = boost::beast;
namespace http = beast::http;
using TcpStream = beast::basic_stream<Tcp>;
using UnixStream = beast::basic_stream<Unix>;
// Not beast::ssl_stream: as of 1.74 its flat_stream takes a sequence that
// begins with an empty buffer for an empty one, and ends a long write early
// without an error.
using TlsStream = net::ssl::stream<TcpStream>;

// Room for a header at its limit and the start of a pipelined request.
inline constexpr std::size_t kReadBufferBytes = 64 << 10;
inline constexpr std::size_t kFirstReadBytes = 4096;
// After the last response: how long and how much a client may go on sending, so
// that closing with unread input does not reset the response away.
inline constexpr std::chrono::milliseconds kLingerTimeout{1000};
inline constexpr std::size_t kLingerBytes = 1 << 20;

template <typename Stream>
class Session final : public Connection {
 public:
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

  template <typename... Args>
  explicit Session(HttpServer::Impl& core, Args&&... args)
      : core_(core),
        stream_(std::forward<Args>(args)...),
        buffer_(kReadBufferBytes) {
    core_.Register(*this);
  }
  ~Session() override { core_.Deregister(*this); }

  void Start() override {
    core_.EnterWaiting(*this);
    Deadline(core_.options.header_timeout);
    if constexpr (kTls) {
      DetectTls();
    } else {
      WaitForRequest();
    }
  }

  void Proceed() override {
    if (match_.route == nullptr) {
      return Reply(
          MakeError(match_.error, match_.allow.empty()
                                      ? HttpHeaders()
                                      : HttpHeaders{{"Allow", match_.allow}}));
    }
    request_.authenticated =
        match_.route->access == Access::kGuarded && core_.KnowsClients(kTls);
    if (request_.method == HttpMethod::kPost) {
      unread_body_ = false;
      return PrepareBody();
    }
    Dispatch();
  }

  void Abort() override {
    core_.Deregister(*this);
    beast::get_lowest_layer(stream_).close();
  }

  void Reply(AnswerPtr answer) override {
    core_.CountResponse(answer->status);
    answer_ = std::move(answer);
    if (core_.stopping || unread_body_) close_after_ = true;
    if constexpr (kTls) {
      if (!secured_) return Write(stream_.next_layer());
    }
    Write(stream_);
  }

 private:
  std::shared_ptr<Session> Self() {
    return std::static_pointer_cast<Session>(shared_from_this());
  }

  void Deadline(std::chrono::milliseconds timeout) {
    beast::get_lowest_layer(stream_).expires_after(timeout);
  }

  // A step ended with an error that leaves nothing to say to the client.
  void Drop(const ErrorCode& error) {
    if (error == beast::error::timeout) core_.CountTimeout();
    Abort();
  }

  void DetectTls() {
    beast::async_detect_ssl(
        stream_.next_layer(), buffer_,
        [self = Self()](const ErrorCode& error, bool is_tls) {
          if (error) return self->Drop(error);
          if (is_tls) return self->Handshake();
          // A plain client on a TLS port: tell it in the words it speaks.
          self->core_.LeaveWaiting(*self);
          self->close_after_ = true;
          self->Reply(MakeError(400));
        });
  }

  void Handshake() {
    if constexpr (kTls) {
      stream_.async_handshake(
          net::ssl::stream_base::server, buffer_.data(),
          [self = Self()](const ErrorCode& error, std::size_t used) {
            if (error) return self->Drop(error);
            self->buffer_.consume(used);
            self->secured_ = true;
            self->WaitForRequest();
          });
    }
  }

  void WaitForRequest() {
    core_.EnterWaiting(*this);
    head_only_ = false;
    unread_body_ = false;
    parser_.emplace();
    parser_->header_limit(
        static_cast<std::uint32_t>(core_.options.max_header_bytes));
    parser_->body_limit(core_.options.max_body_bytes);
    if (!first_) Deadline(core_.options.idle_timeout);
    if (buffer_.size() > 0) return ReadHeader();  // It was pipelined.
    stream_.async_read_some(
        buffer_.prepare(kFirstReadBytes),
        [self = Self()](const ErrorCode& error, std::size_t size) {
          if (error) return self->Drop(error);
          self->buffer_.commit(size);
          self->ReadHeader();
        });
  }

  void ReadHeader() {
    // The first header's deadline began when the client connected.
    if (!first_) Deadline(core_.options.header_timeout);
    first_ = false;
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = Self()](const ErrorCode& error, std::size_t) {
          self->OnHeader(error);
        });
  }

  void OnHeader(const ErrorCode& error) {
    core_.LeaveWaiting(*this);
    if (error) return OnReadError(error);
    const auto& message = parser_->get();
    const bool has_body =
        parser_->chunked() || parser_->content_length().value_or(0) > 0;
    head_only_ = message.method() == http::verb::head;
    close_after_ = !message.keep_alive();
    if (message.version() != 10 && message.version() != 11) return Refuse(505);
    if (message.version() == 11 && message.count(http::field::host) != 1) {
      return Refuse(400);  // RFC 9112, 3.2.
    }
    const std::optional<HttpTarget> target =
        ParseTarget({message.target().data(), message.target().size()});
    const HttpRouter::Match match =
        core_.router.Find(target ? target->path : "", Method());
    // Until somebody reads it: it would be taken for the next request.
    unread_body_ = has_body;
    match_ = match;
    request_ = {};
    request_.method = Method().value_or(HttpMethod::kGet);
    if (target) {
      request_.path = target->path;
      request_.query = target->query;
    }
    TakeHeaders();
    if (match.route != nullptr && match.route->access == Access::kOpen) {
      return Proceed();
    }
    core_.Authenticate(shared_from_this(), Joined(http::field::authorization),
                       Peer());
  }

  // As guesses of passwords are counted: an address of IPv4, a network of IPv6.
  std::string Peer() {
    if constexpr (std::is_same_v<Stream, UnixStream>) {
      return "unix";
    } else {
      ErrorCode ignored;
      const auto address = beast::get_lowest_layer(stream_)
                               .socket()
                               .remote_endpoint(ignored)
                               .address();
      if (!address.is_v6() || address.to_v6().is_v4_mapped()) {
        return address.to_string();
      }
      const auto bytes = address.to_v6().to_bytes();
      return std::string(bytes.begin(), bytes.begin() + 8);
    }
  }

  std::optional<HttpMethod> Method() const {
    switch (parser_->get().method()) {
      case http::verb::get:
      case http::verb::head:
        return HttpMethod::kGet;
      case http::verb::post:
        return HttpMethod::kPost;
      default:
        return std::nullopt;
    }
  }

  void TakeHeaders() {
    // Not Authorization: whoever got this far may read, and no handler has to
    // know how.
    static constexpr std::array<std::pair<http::field, const char*>, 3> kTaken =
        {{{http::field::accept, "accept"},
          {http::field::content_type, "content-type"},
          {http::field::if_none_match, "if-none-match"}}};
    const auto& message = parser_->get();
    for (const auto& [field, name] : kTaken) {
      if (message.count(field) == 0) continue;
      request_.headers.emplace(name, Joined(field));
    }
    // Of webhooks; no field of Beast's.
    static constexpr const char* kSignature = "x-heapledger-signature";
    if (const auto value = message.find(kSignature); value != message.end()) {
      request_.headers.emplace(kSignature, std::string(value->value().data(),
                                                       value->value().size()));
    }
    accepted_ = AcceptsGzip(Joined(http::field::accept_encoding))
                    ? Encoding::kGzip
                    : Encoding::kIdentity;
  }

  // The value of a header; one that stands there several times is a list (RFC
  // 9110, 5.3).
  std::string Joined(http::field field) const {
    std::string joined;
    const auto [begin, end] = parser_->get().equal_range(field);
    for (auto line = begin; line != end; ++line) {
      if (line != begin) joined += ", ";
      joined.append(line->value().data(), line->value().size());
    }
    return joined;
  }

  void PrepareBody() {
    Deadline(core_.options.body_timeout);
    const auto& message = parser_->get();
    if (!beast::iequals(message[http::field::expect], "100-continue")) {
      return ReadBody();
    }
    static constexpr std::string_view kContinue =
        "HTTP/1.1 100 Continue\r\n\r\n";
    net::async_write(stream_, net::buffer(kContinue),
                     [self = Self()](const ErrorCode& error, std::size_t) {
                       if (error) return self->Drop(error);
                       self->ReadBody();
                     });
  }

  void ReadBody() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = Self()](const ErrorCode& error, std::size_t) {
                       if (error) return self->OnReadError(error);
                       self->request_.body =
                           std::move(self->parser_->get().body());
                       self->Dispatch();
                     });
  }

  void Dispatch() {
    core_.Dispatch(shared_from_this(), *match_.route, std::move(request_),
                   accepted_);
  }

  // The client closed between two requests, ran out of time, or sent what is
  // not HTTP; only the last can be answered.
  void OnReadError(const ErrorCode& error) {
    static const auto& category =
        http::make_error_code(http::error::bad_method).category();
    if (error.category() != category || error == http::error::end_of_stream ||
        error == http::error::partial_message) {
      return Drop(error);
    }
    if (error == http::error::header_limit ||
        error == http::error::buffer_overflow) {
      return Refuse(431);
    }
    if (error == http::error::body_limit) return Refuse(413);
    Refuse(error == http::error::bad_version ? 505 : 400);
  }

  // Answers a request after which the connection cannot be used any more.
  void Refuse(int status) {
    close_after_ = true;
    Reply(MakeError(status));
  }

  // Those of the configuration that the answer does not set itself.
  std::string ExtraHeaders() const {
    std::string text;
    for (const auto& [name, value] : core_.extra_headers()) {
      const std::string line = absl::StrCat("\r\n", name, ": ");
      if (answer_->head.find(line) != std::string::npos) continue;
      absl::StrAppend(&text, name, ": ", value, "\r\n");
    }
    return text;
  }

  template <typename Layer>
  void Write(Layer& layer) {
    Deadline(core_.options.write_timeout);
    head_ = absl::StrCat(
        answer_->head, ExtraHeaders(),
        close_after_ ? "Connection: close\r\n" : "Connection: keep-alive\r\n",
        "\r\n");
    const std::array<net::const_buffer, 2> buffers = {
        net::buffer(head_),
        head_only_ ? net::const_buffer() : net::buffer(answer_->body)};
    net::async_write(layer, buffers,
                     [self = Self(), size = net::buffer_size(buffers)](
                         const ErrorCode& error, std::size_t written) {
                       self->answer_.reset();
                       // A response cut short must not look like a whole one.
                       if (error || written != size) return self->Drop(error);
                       if (self->close_after_) return self->Linger();
                       self->WaitForRequest();
                     });
  }

  void Linger() {
    core_.EnterWaiting(*this);
    Deadline(kLingerTimeout);
    if constexpr (kTls) {
      if (secured_) {
        return stream_.async_shutdown(
            [self = Self()](const ErrorCode&) { self->Abort(); });
      }
    }
    ErrorCode ignored;
    beast::get_lowest_layer(stream_).socket().shutdown(
        net::socket_base::shutdown_send, ignored);
    Drain();
  }

  void Drain() {
    buffer_.consume(buffer_.size());
    beast::get_lowest_layer(stream_).async_read_some(
        buffer_.prepare(kFirstReadBytes),
        [self = Self()](const ErrorCode& error, std::size_t size) {
          self->drained_ += size;
          if (error || self->drained_ > kLingerBytes) return self->Abort();
          self->Drain();
        });
  }

  HttpServer::Impl& core_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  HttpRequest request_;
  HttpRouter::Match match_;
  Encoding accepted_ = Encoding::kIdentity;
  AnswerPtr answer_;
  std::string head_;
  std::size_t drained_ = 0;
  bool secured_ = false;
  bool first_ = true;
  bool head_only_ = false;
  bool unread_body_ = false;
  bool close_after_ = false;
};

}  // namespace heapledger::collector
