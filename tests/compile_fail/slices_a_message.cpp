// expect: this actor has no handle\(\) for exactly that message type
// What is derived from a message is another message: it would be sliced.
#include "backstage/actor/actor.hpp"

struct Reading {
  int value;
};
struct NamedReading : Reading {
  int name;
};
struct Sensor {
  void handle(Reading) {}
};

void use(backstage::Ref<Sensor> sensor, NamedReading reading) {
#ifdef RIGHT
  sensor.send(Reading(reading));
#else
  sensor.send(reading);
#endif
}
