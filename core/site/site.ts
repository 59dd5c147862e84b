import type { Perceptible } from '../capability.ts'
import type { Condition } from '../command.ts'
import type { Connector, NamedPlace, SecretRef } from '../connector.ts'
import type { Json, Kind, Level } from '../fact.ts'
import type { Assignment } from '../people/assignments.ts'
import type { FaultClass } from '../supervision/kinds.ts'
import type { SiteConfig } from './config.ts'

/** A node of the tree of places. */
export interface Place {
  /** Keys from the root, with slashes: `north/l2/ed/triage-2`. */
  readonly path: string
  readonly name: string
  readonly short: string
  readonly level: Level
  readonly parent: Place | null
  /** The only top of the tree: its name goes without saying. */
  readonly sole: boolean
  readonly children: readonly Place[]
  /** Neighbours, both ways. */
  readonly beside: readonly Place[]
  /** Time until somebody should be on the scene, ms; the closest that is configured on the way up. */
  readonly targetMs: number
  /** This and the next four: the closest that is configured on the way up; but `at`, which is its own. */
  readonly address: string | null
  readonly precision: Level | null
  readonly at: readonly [number, number] | null
  /** Its corners on the globe, its own only. */
  readonly outline: readonly (readonly [number, number])[] | null
  readonly floorPlan: string | null
  readonly camerasMayMove: boolean
  readonly noImage: boolean
}

/** A configured connector. */
export interface ConnectorEntry {
  readonly name: string
  readonly connector: Connector
  /** Parsed by the connector's schema. */
  readonly config: unknown
  /** Whether its links live in threads of their own. */
  readonly isolate: boolean
  /** Workers that act on its outputs, the preferred one first; none: the bridge does. */
  readonly runsOn: readonly string[]
}

/** One thing on a wire. */
export interface Device {
  readonly name: string
  readonly label: string
  readonly connector: string
  /** Name of the link that it is on: the connector's name, with the link's key where a connector has several. */
  readonly link: string
  readonly input: unknown
  readonly output: unknown
  /** The capabilities that it offers. */
  readonly can: ReadonlySet<string>
  readonly place: Place | null
  readonly means: 'press' | 'fire' | 'nothing'
  readonly kind: Kind
  readonly patterns: Readonly<Record<string, Kind>>
  readonly silent: boolean
  readonly person: string | null
  readonly token: SecretRef | null
  readonly perceptible: Perceptible | null
  readonly testEveryMs: number | null
  /** Worn by people: its silence is no fault until 14 days. */
  readonly worn: boolean
  /** How long it may say nothing before it is lost, ms; null: it is silent by nature. */
  readonly silentAfterMs: number | null
  readonly staleMs: number | null
  readonly camera: Camera | null
  readonly door: Door | null
}

export interface Camera {
  readonly sees: ReadonlyMap<
    string,
    { readonly preset: string | null; readonly perceptible: Perceptible | null }
  >
  readonly noImage: boolean
}

export interface Door {
  readonly guards: readonly Place[]
  readonly egress: 'free' | 'delayed' | 'controlled' | 'unknown'
  readonly owner: string | null
  readonly noise: Perceptible | null
  /** Names of the fire inputs that cover it, in order; empty only where the config says `fire: none`, or the door can't be locked. */
  readonly fireInputs: readonly string[]
  /** Whether we may ever lock it: its way out is free, nobody else owns it, and its connector can. */
  readonly lockable: boolean
}

/** One way to reach a responder. */
export interface ContactPath {
  /** The target's name in commands: the responder's, with `#2` and so on for further ways. */
  readonly name: string
  readonly responder: string
  readonly person: string | null
  readonly connector: string
  readonly link: string
  readonly address: unknown
  readonly place: Place | null
  readonly perceptible: Perceptible | null
}

export interface Responder {
  readonly name: string
  readonly label: string
  readonly paths: readonly ContactPath[]
}

export interface Plan {
  readonly name: string
  readonly kinds: ReadonlySet<Kind> | null
  readonly places: readonly Place[] | null
  readonly silent: boolean
  readonly steps: readonly Step[]
}

export interface Step {
  readonly index: number
  readonly atMs: number
  readonly unless: readonly Condition[]
  readonly do: readonly Act[]
}

export interface Act {
  readonly capability: string
  readonly to: readonly string[]
  readonly args: { readonly [name: string]: Json | undefined }
  readonly expiresMs: number | null
  readonly limitMs: number | null
}

/** Who is told of faults, and when. */
export interface Supervision {
  /** Those that say a place or a class, the most specific first. */
  readonly plans: readonly FaultPlan[]
  readonly maintenance: readonly ContactPath[]
  readonly administrators: readonly ContactPath[]
  /** Time of day of the site, "07:00". */
  readonly digest: string
  readonly holdOffMs: number
  readonly quietMs: number
  /** Outputs that are observed when a synthetic press has come in. */
  readonly heartbeat: { readonly to: readonly Device[]; readonly everyMs: number } | null
  /** The relay that is held for as long as the bridge lives. */
  readonly watchdog: { readonly relay: Device; readonly everyMs: number } | null
}

export interface FaultPlan {
  readonly name: string
  readonly classes: ReadonlySet<FaultClass> | null
  readonly places: readonly Place[] | null
  readonly to: readonly ContactPath[]
}

/** The whole config, compiled: everything that the alarm path would otherwise have to look up. */
export interface Site {
  /** Digest of the config that it came from; an incident pins it. */
  readonly revision: string
  /** What its connectors were taken from: the program's, and those that the config adds. */
  readonly catalogue: ReadonlyMap<string, Connector>
  readonly name: string
  readonly timezone: string
  /** What it was compiled from, so that a stored revision can be compiled again. */
  readonly source: SiteConfig
  readonly places: ReadonlyMap<string, Place>
  readonly connectors: ReadonlyMap<string, ConnectorEntry>
  readonly devices: ReadonlyMap<string, Device>
  /** Connectors that hear where devices are, by the places that their configs name. */
  readonly locating: ReadonlyMap<string, readonly NamedPlace[]>
  readonly responders: ReadonlyMap<string, Responder>
  /** The most specific first: deepest place, then with kinds, then as in the file. Never empty. */
  readonly plans: readonly Plan[]
  readonly people: SiteConfig['people']
  readonly supervision: Supervision
  /** Who carries what, as the lists of the config say; no part of the revision, since people change more often than wires. */
  readonly assignments: ReadonlyMap<string, Assignment>
  readonly incidents: SiteConfig['incidents']
  readonly api: SiteConfig['api']
  /** Workers on other machines; null: there are none. */
  readonly queue: NonNullable<SiteConfig['queue']> | null
}
