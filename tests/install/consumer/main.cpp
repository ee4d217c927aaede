#include <iostream>

#include "backstage/base/result.hpp"

namespace {

backstage::Result<int> half(int number) {
  if (number % 2 != 0) return backstage::Error{"an odd number has no half"};
  return number / 2;
}

}  // namespace

int main() {
  std::cout << half(42).value() << ' ' << half(7).error().describe() << '\n';
  return half(42).value() == 21 && !half(7).has_value() ? 0 : 1;
}
