// barber: N customers want a haircut from one sleeping barber; whoever finds the R chairs of the waiting room taken comes
// again. One op is a haircut. The check: the sum of the numbers of those who left with one.
#include <deque>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

class Room;
class Customer;

struct Come {};
struct Enter {
  Ref<Customer> customer;
};
struct Full {};
struct Cut {
  Ref<Customer> customer;
};
struct Next {};
struct Done {};
struct Open {
  std::uint64_t customers;
  std::uint64_t chairs;
};

class Barber {
 public:
  explicit Barber(Ref<Room> room) : room_(room) {}
  void handle(Cut cut);

 private:
  Ref<Room> room_;
  Xorshift scissors_{12345};
};

class Customer {
 public:
  Customer(Ref<Room> room, std::uint64_t number) : room_(room), number_(number) {}
  void handle(Come, Context& cx) { enter(cx); }
  void handle(Full, Context& cx) { enter(cx); }
  void handle(Done, Context& cx);

 private:
  void enter(Context& cx);
  Ref<Room> room_;
  std::uint64_t number_;
};

class Room {
 public:
  void handle(Open open, Reply<std::uint64_t> done, Context& cx) {
    chairs_ = open.chairs;
    whole_.expect(open.customers, std::move(done));
    barber_ = cx.spawn<Barber>(backstage::unnamed, cx.self(this));
    for (std::uint64_t c = 0; c < open.customers; ++c) {
      cx.spawn<Customer>(backstage::unnamed, cx.self(this), c).send(Come{});
    }
  }
  void handle(Enter enter) {
    if (!cutting_) {
      cutting_ = true;
      barber_.send(Cut{enter.customer});
    } else if (waiting_.size() < chairs_) {
      waiting_.push_back(enter.customer);
    } else {
      enter.customer.send(Full{});
    }
  }
  void handle(Next) {
    cutting_ = !waiting_.empty();
    if (!cutting_) return;
    barber_.send(Cut{waiting_.front()});
    waiting_.pop_front();
  }
  void handle(Part part) { whole_.add(part); }

 private:
  Whole whole_;
  Ref<Barber> barber_;
  bool cutting_ = false;
  std::size_t chairs_ = 0;
  std::deque<Ref<Customer>> waiting_;
};

void Barber::handle(Cut cut) {
  for (int i = 0; i < 100; ++i) (void)scissors_.next();
  cut.customer.send(Done{});
  room_.send(Next{});
}
void Customer::enter(Context& cx) { room_.send(Enter{cx.self(this)}); }
void Customer::handle(Done, Context& cx) {
  room_.send(Part{number_});
  cx.stop();
}

}  // namespace

Outcome barber(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 2'000);
  const std::uint64_t r = settings.arg(1, 1'000);
  const double seconds = timed(settings, n, [r](backstage::Runtime& runtime, std::uint64_t customers) {
    const auto room = runtime.spawn(backstage::child<Room>(backstage::unnamed).mailbox(backstage::unbounded()));
    check("numbers of the customers", run<Open>(runtime, room, customers, r), customers * (customers - 1) / 2);
  });
  return {n, seconds, ""};
}

}  // namespace bench::savina
