// Load for Chronicle's HTTP API: batches of messages over many connections, from one thread, at a pace of its own.
//
// The pace is open: what is due is sent, on any connection that is free, whether or not earlier answers have come; a
// generator that fell behind catches up without pause. It is cheap, because it shares the machine with what it loads:
// a body is built once and, when it was refused, offered again as it is, as any client would; nothing is polled, and of
// an answer only what has to be counted is read.
//
// Promise: a batch counts as sent when its last byte was given to the kernel, and then as exactly one of stored,
// duplicate, refused, other or unanswered, line by line.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drill/chronicle_process.hpp"

namespace chronicle::drill {

using Time = std::chrono::steady_clock;

struct Count {
  std::uint64_t sent = 0;
  std::uint64_t stored = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t refused = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t other = 0;

  void add(const Count& more) {
    sent += more.sent;
    stored += more.stored;
    duplicates += more.duplicates;
    refused += more.refused;
    unanswered += more.unanswered;
    other += more.other;
  }
};

class Load {
 public:
  static constexpr std::size_t batch_lines = 100;

  /// `phase` names the streams, one a connection.
  Load(std::uint16_t port, const std::string& phase, std::size_t connections)
      : port_(port), poll_(epoll_create1(EPOLL_CLOEXEC)), clients_(connections) {
    for (std::size_t i = 0; i < connections; ++i) {
      clients_[i].stream = "load/" + phase + std::to_string(i);
      open(i);
      next_batch(clients_[i]);
      idle_.push_back(i);
    }
  }
  ~Load() {
    for (const Client& client : clients_) close(client.socket);
    close(poll_);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Offers so many messages a second (nothing: as fast as answers come), then waits for the last answers.
  Count offer(std::chrono::seconds time, std::optional<double> rate) {
    const auto began = Time::now();
    const auto end = began + time;
    std::uint64_t begun = 0;
    for (auto now = began; now < end; now = Time::now()) {
      const double seconds = std::chrono::duration<double>(now - began).count();
      const double due = rate ? seconds * *rate / static_cast<double>(batch_lines) : 1e18;
      for (; !idle_.empty() && static_cast<double>(begun) < due; ++begun) start_one();
      take_events(1);
    }
    const auto give_up = Time::now() + std::chrono::seconds(60);
    while (idle_.size() < clients_.size() && Time::now() < give_up) take_events(100);
    for (const Client& client : clients_) {
      if (client.is_busy) count_.unanswered += batch_lines;
    }
    return count_;
  }

 private:
  struct Client {
    int socket = -1;
    std::string stream;
    std::uint64_t first = 0;  // number of the batch's first line
    std::string request;
    std::size_t written = 0;
    std::string answer;
    bool is_busy = false;
  };

  void open(std::size_t number) {
    Client& client = clients_[number];
    if (client.socket >= 0) close(client.socket);
    client.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("Chronicle takes no connection");
    }
    fcntl(client.socket, F_SETFL, O_NONBLOCK);
    // Told once, at each change: no call for each request.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = number;
    epoll_ctl(poll_, EPOLL_CTL_ADD, client.socket, &event);
  }

  /// A line in fifty repeats one of the batch before.
  void next_batch(Client& client) const {
    std::string body;
    for (std::uint64_t n = client.first; n < client.first + batch_lines; ++n) {
      const std::uint64_t number = n % 50 == 0 && n >= batch_lines ? n - batch_lines + 1 : n;
      body += R"({"stream":")" + client.stream + R"(","key":")" + std::to_string(number) +
              R"(","payload":{"reading":12.5,"unit":"degrees","note":"overload drill"}})" + "\n";
    }
    client.request = "POST /api/messages HTTP/1.1\r\nHost: localhost:" + std::to_string(port_) +
                     "\r\nContent-Type: application/x-ndjson\r\nContent-Length: " + std::to_string(body.size()) +
                     "\r\n\r\n" + body;
  }

  void start_one() {
    const std::size_t number = idle_.front();
    idle_.pop_front();
    Client& client = clients_[number];
    client.is_busy = true;
    client.written = 0;
    push(number);
  }

  void take_events(int milliseconds) {
    epoll_event events[128];
    const int count = epoll_wait(poll_, events, 128, milliseconds);
    for (int i = 0; i < count; ++i) {
      const std::size_t number = events[i].data.u64;
      if ((events[i].events & EPOLLOUT) != 0U) push(number);
      if ((events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0U) pull(number);
    }
  }

  void push(std::size_t number) {
    Client& client = clients_[number];
    while (client.is_busy && client.written < client.request.size()) {
      const ssize_t n = ::send(client.socket, client.request.data() + client.written,
                               client.request.size() - client.written, MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return broken(number);
      client.written += static_cast<std::size_t>(n);
      if (client.written == client.request.size()) count_.sent += batch_lines;
    }
  }

  void pull(std::size_t number) {
    Client& client = clients_[number];
    char chunk[32'768];
    for (;;) {
      const ssize_t n = recv(client.socket, chunk, sizeof chunk, 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return broken(number);
      client.answer.append(chunk, static_cast<std::size_t>(n));
      if (is_answered(number)) return;
    }
  }

  bool is_answered(std::size_t number) {
    Client& client = clients_[number];
    const std::size_t end = client.answer.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string_view head = std::string_view(client.answer).substr(0, end);
    const std::size_t field = head.find("Content-Length: ");
    const std::size_t length = field == std::string_view::npos ? 0 : std::stoul(client.answer.substr(field + 16, 20));
    if (client.answer.size() < end + 4 + length) return false;
    const bool is_last = head.find("Connection: close") != std::string_view::npos;
    const bool is_taken = settle(std::stoi(client.answer.substr(9, 3)), client.answer.substr(end + 4));
    client.answer.clear();
    client.is_busy = false;
    if (is_taken) {
      client.first += batch_lines;
      next_batch(client);
    }
    if (is_last) open(number);
    idle_.push_back(number);
    return true;
  }

  /// True when the batch need not be offered again.
  bool settle(int status, std::string_view body) {
    if (occurrences(body, "\"status\":") == batch_lines) {
      const auto stored = occurrences(body, "\"status\":201");
      const auto duplicates = occurrences(body, "\"status\":200");
      const auto refused = occurrences(body, "\"status\":503");
      count_.stored += stored;
      count_.duplicates += duplicates;
      count_.refused += refused;
      count_.other += batch_lines - stored - duplicates - refused;
      return refused == 0;
    }
    (status == 503 ? count_.refused : count_.other) += batch_lines;
    return status != 503;
  }

  void broken(std::size_t number) {
    Client& client = clients_[number];
    if (client.is_busy) {
      // Unsent in part is not sent; the same batch is offered again.
      if (client.written == client.request.size()) count_.unanswered += batch_lines;
      client.is_busy = false;
      idle_.push_back(number);
    }
    client.answer.clear();
    open(number);
  }

  static std::uint64_t occurrences(std::string_view in, std::string_view what) {
    std::uint64_t count = 0;
    for (auto at = in.find(what); at != std::string_view::npos; at = in.find(what, at + what.size())) ++count;
    return count;
  }

  const std::uint16_t port_;
  const int poll_;
  std::vector<Client> clients_;
  std::deque<std::size_t> idle_;
  Count count_;
};

}  // namespace chronicle::drill
