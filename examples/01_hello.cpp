// An actor is a plain struct: no base class, no macro, no registration. Its messages are the overloads of handle().
#include <iostream>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Hello {};

struct Greeter {
  const char* handle(Hello) { return "hello, world"; }
};

int main() {
  backstage::Runtime runtime;
  auto greeter = runtime.spawn<Greeter>("greeter");
  std::cout << runtime.ask<Hello>(greeter).within(1s).value() << '\n';
}
