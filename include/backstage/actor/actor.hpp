// Everything that actors need: refs, asking, contexts, specs, the runtime.
#pragma once

#include "backstage/actor/await.hpp"
#include "backstage/actor/context.hpp"
#include "backstage/actor/eol.hpp"
#include "backstage/actor/events.hpp"
#include "backstage/actor/inbox.hpp"
#include "backstage/actor/inspect.hpp"
#include "backstage/actor/interleaved.hpp"
#include "backstage/actor/monitor.hpp"
#include "backstage/actor/ref.hpp"
#include "backstage/actor/reply.hpp"
#include "backstage/actor/runtime.hpp"
#include "backstage/actor/service.hpp"
#include "backstage/actor/spawn.hpp"
#include "backstage/actor/timer.hpp"
#include "backstage/exec/when.hpp"
