// All of Backstage's runtime in one header: what most programs include.
#pragma once

#include "backstage/actor/actor.hpp"
#include "backstage/actor/resource.hpp"
#include "backstage/actor/route.hpp"
#include "backstage/actor/shared.hpp"
#include "backstage/application/application.hpp"
#include "backstage/launcher/launcher.hpp"
