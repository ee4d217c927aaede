// Where the system gives no descriptor the launcher says which it wanted, and gives back what it had taken.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>

#include "backstage/base/need.hpp"
#include "backstage/launcher/service_manager.hpp"
#include "launcher/signals.hpp"

namespace {

using namespace backstage;

template <class F>
std::string need_of(F f) {
  try {
    f();
  } catch (const Need& need) {
    return need.error().describe();
  }
  return "nothing is wrong";
}

/// No descriptor is to be had as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    // UBSan's look at a vtable for the first time needs one.
    EXPECT_EQ(need_of([] { throw Need::fail(Error(Errc::invalid, "first")); }), "invalid: first");
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{0, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

TEST(Descriptors, L5_the_launchers_signals_say_which_descriptor_they_did_not_get) {
  std::string bell;
  std::string signals;
  std::string waiting;
  launcher_detail::Bell there;
  launcher_detail::Signals listening;
  {
    const NoDescriptors none;
    bell = need_of([] { const launcher_detail::Bell one; });
    signals = need_of([] { const launcher_detail::Signals one; });
    waiting = need_of([&] { (void)listening.wait(there, Duration(0)); });
  }
  EXPECT_EQ(bell, "unavailable: eventfd failed: Too many open files");
  EXPECT_EQ(signals, "unavailable: signalfd failed: Too many open files");
  // More to poll than the process may have open.
  EXPECT_EQ(waiting, "unavailable: poll failed: Invalid argument");
}

TEST(Descriptors, L5_signals_that_could_not_be_taken_are_the_processes_own_again) {
  struct sigaction before{};
  sigaction(SIGPIPE, nullptr, &before);
  {
    const NoDescriptors none;
    EXPECT_NE(need_of([] { const launcher_detail::Signals one; }), "nothing is wrong");
  }
  struct sigaction after{};
  sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGINT), 0);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

TEST(Descriptors, L1_the_service_manager_is_not_reached_without_a_socket_and_says_so) {
  std::string text;
  {
    const NoDescriptors none;
    const auto manager = systemd("@nobody", {});
    if (!manager) text = manager.error().describe();
  }
  EXPECT_EQ(text, "unavailable: no datagram socket: Too many open files");
}

}  // namespace
