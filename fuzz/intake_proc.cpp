// Whatever stands in /proc, it is read without a fault and within bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chronicle/intake/line_follower.hpp"
#include "chronicle/intake/proc_parsers.hpp"
#include "chronicle/intake/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chronicle;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (parse_proc_stat(text).cores.size() > max_proc_rows) std::abort();
  if (parse_diskstats(text).disks.size() > max_proc_rows) std::abort();
  if (parse_net_dev(text).interfaces.size() > max_proc_rows) std::abort();
  static_cast<void>(parse_meminfo(text));
  static_cast<void>(parse_loadavg(text));
  static_cast<void>(parse_process_stat(text));
  static_cast<void>(parse_rfc3339(text));
  if (!is_utf8(clean_utf8(text))) std::abort();
  if (const auto at = parse_checkpoint(text); at && parse_checkpoint(to_string(*at)).value() != *at) std::abort();
  return 0;
}
