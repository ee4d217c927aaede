// The real Chronicle as a child process, and a plain blocking HTTP client for it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace chronicle::drill {

/// A new folder under the system's temporary one; gone with this object.
class DataFolder {
 public:
  DataFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "chronicle-drill-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  ~DataFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// A running Chronicle on a free port; killed with this object.
class ChronicleProcess {
 public:
  explicit ChronicleProcess(const std::string& data) {
    int out[2];
    if (pipe(out) != 0) throw std::runtime_error("pipe failed");
    const std::vector<std::string> words{CHRONICLE_BINARY, "--data",   data,    "--port", "0",
                                         "--no-host",      "--no-apt", "--log", "error"};
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      close(out[0]);
      close(out[1]);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(out[1]);
    out_ = out[0];
    read_port();
  }
  ~ChronicleProcess() {
    if (pid_ > 0) (void)end(SIGKILL);
    if (out_ >= 0) close(out_);
  }
  ChronicleProcess(const ChronicleProcess&) = delete;
  ChronicleProcess& operator=(const ChronicleProcess&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Sends the signal and waits for the end; the exit code, or -signal.
  int end(int signal) {
    ::kill(pid_, signal);
    // Its output has to be taken, or it would wait for us.
    char buffer[4096];
    while (::read(out_, buffer, sizeof buffer) > 0) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  /// "VmRSS" or "VmHWM", in bytes.
  [[nodiscard]] std::uint64_t memory(const std::string& field) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(field + ":")) return std::stoull(line.substr(field.size() + 1)) * 1024;
    }
    return 0;
  }

 private:
  void read_port() {
    std::string seen;
    char c = 0;
    constexpr std::string_view before = "http://127.0.0.1:";
    while (::read(out_, &c, 1) == 1) {
      seen += c;
      const auto at = seen.find(before);
      if (at == std::string::npos || c < '\n' || (c != '\n' && c != ' ') || seen.size() <= at + before.size())
        continue;
      port_ = static_cast<std::uint16_t>(std::stoi(seen.substr(at + before.size())));
      return;
    }
    throw std::runtime_error("Chronicle did not start; it said: " + seen);
  }
  pid_t pid_ = -1;
  int out_ = -1;
  std::uint16_t port_ = 0;
};

struct Answer {
  int status = 0;
  std::string body;
};

/// One kept-alive connection. Nothing: the connection broke (or was refused) before the whole answer was there.
class Connection {
 public:
  explicit Connection(std::uint16_t port) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{60, 0};
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up();
  }
  ~Connection() { give_up(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  [[nodiscard]] bool is_open() const noexcept { return socket_ >= 0; }

  std::optional<Answer> send(std::string_view method, std::string_view target, std::string_view body = {},
                             std::string_view headers = {}) {
    std::string request;
    request.reserve(body.size() + 256);
    request.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost:").append("*\r\n");
    request.replace(request.size() - 3, 1, std::to_string(port()));
    request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
    request.append(headers).append("\r\n").append(body);
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t n = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return broken();
      sent += static_cast<std::size_t>(n);
    }
    return receive();
  }

 private:
  std::optional<Answer> receive() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return broken();
    }
    Answer answer;
    answer.status = std::stoi(buffer_.substr(9, 3));
    const auto field = buffer_.find("Content-Length: ");
    const std::size_t length = field < end ? std::stoul(buffer_.substr(field + 16)) : 0;
    const bool closes = buffer_.substr(0, end).find("Connection: close") != std::string::npos;
    while (buffer_.size() < end + 4 + length) {
      if (!more()) return broken();
    }
    answer.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    if (closes) give_up();
    return answer;
  }
  bool more() {
    char chunk[16'384];
    const ssize_t n = recv(socket_, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(n));
    return true;
  }
  std::optional<Answer> broken() {
    give_up();
    return std::nullopt;
  }
  void give_up() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }
  [[nodiscard]] std::uint16_t port() const {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    getpeername(socket_, reinterpret_cast<sockaddr*>(&peer), &size);
    return ntohs(peer.sin_port);
  }
  int socket_ = -1;
  std::string buffer_;
};

}  // namespace chronicle::drill
