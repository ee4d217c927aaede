// What an envelope knows of its message: the number of a descriptor, given when the first is built.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "backstage/mailbox/envelope.hpp"

namespace {

using backstage::detail::Envelope;
using backstage::detail::MessageDescriptor;

void describe(std::unique_ptr<MessageDescriptor>& descriptor) {
  descriptor.reset(new MessageDescriptor{.message = "Reading",
                                         .handle = nullptr,
                                         .abandon = nullptr,
                                         .actor = "Sensor",
                                         .size = sizeof(Envelope),
                                         .kind = backstage::detail::SendKind::plain,
                                         .weight = nullptr});
}

TEST(EnvelopeTest, finds_its_descriptor_whichever_thread_was_the_first_to_send_one) {
  std::array<std::unique_ptr<MessageDescriptor>, 64> descriptors;
  for (auto& descriptor : descriptors) describe(descriptor);
  std::array<std::vector<std::uint32_t>, 4> numbers;
  {
    std::vector<std::jthread> threads;
    for (auto& seen : numbers) {
      threads.emplace_back([&descriptors, &seen] {
        for (const auto& descriptor : descriptors) {
          const Envelope envelope(*descriptor, 7);
          EXPECT_EQ(&envelope.descriptor(), descriptor.get());
          EXPECT_EQ(envelope.generation, 7U);
          seen.push_back(envelope.number);
        }
      });
    }
  }
  for (const auto& seen : numbers) EXPECT_EQ(seen, numbers.front());
}

TEST(EnvelopeDeathTest, more_kinds_of_messages_than_there_are_numbers_for_are_named) {
  EXPECT_DEATH(
      {
        std::vector<std::unique_ptr<MessageDescriptor>> descriptors(backstage::detail::most_descriptors);
        for (auto& descriptor : descriptors) {
          describe(descriptor);
          const Envelope envelope(*descriptor, 1);
          if (&envelope.descriptor() != descriptor.get()) std::_Exit(0);
        }
      },
      "more than 65535 pairs of an actor's and a message's type \\(the last: Reading for Sensor\\)");
}

}  // namespace
