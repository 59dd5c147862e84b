import * as acts from './check/acts.ts'
import * as devices from './check/devices.ts'
import * as doors from './check/doors.ts'
import * as responders from './check/responders.ts'
import * as runners from './check/runners.ts'
import * as silence from './check/silence.ts'
import type { Check, Subject } from './check/subject.ts'
import * as supervision from './check/supervision.ts'
import * as told from './check/told.ts'
import * as wiring from './check/wiring.ts'
import type { Problem } from './explain.ts'

export type { Section } from './check/subject.ts'

/** Every rule, by the promise that it serves. */
const checks: readonly Check[] = [
  // A press finds people.
  told.somebodyIsTold,
  told.everythingHasAPlan,
  told.plansAreReached,
  told.kindsArePressed,
  responders.pathsCanPage,
  responders.respondersAreUsed,
  // What a plan asks for can be done.
  acts.capabilitiesExist,
  acts.targetsExist,
  acts.namesAreClear,
  acts.targetsAreReached,
  acts.presetsAreKnown,
  acts.argumentsAreFree,
  // Nobody is locked in.
  doors.locksAreAllowed,
  doors.locksEnd,
  doors.lockdownHasReason,
  doors.holdUpLocksNothing,
  doors.holdUpCallsNobodyIn,
  doors.firesAreCovered,
  // Nobody is provoked.
  silence.silentIsSilent,
  silence.silenceIsHeard,
  silence.silentPathsAreDeclared,
  silence.holdUpIsSilent,
  // Devices mean what they should.
  devices.pressFieldsFit,
  devices.pressesHavePlaces,
  devices.areasAreKnown,
  devices.facetsFit,
  devices.phonesHaveTokens,
  devices.devicesAreUsed,
  // What is broken is repaired.
  supervision.faultsAreTold,
  supervision.faultsAreHeard,
  supervision.faultPlansAreReached,
  supervision.heartbeatIsObserved,
  supervision.watchdogHoldsARelay,
  // Wires are connected once, and not to everybody.
  wiring.addressesDiffer,
  wiring.connectorsAreUsed,
  wiring.apiIsGuarded,
  wiring.portsDiffer,
  wiring.urlsHoldNoSecrets,
  wiring.connectorsAgree,
  // Commands find somebody who carries them out.
  runners.workersExist,
  runners.workersAreUsed,
  runners.queueIsGuarded,
  runners.extensionsAreIsolated,
]

/** Checks the parts of a config against each other. Pure; finds all, not the first. */
export const checkSite = (subject: Subject): readonly Problem[] => checks.flatMap((check) => check(subject))
