import { z } from 'zod'
import { Perceptible } from '../capability.ts'
import { duration, SecretRef } from '../connector.ts'
import { Kind, Level } from '../fact.ts'
import { faultClasses } from '../supervision/kinds.ts'
import { Name, PlacePath } from './name.ts'
import { Plan } from './plan.ts'
import { Queue } from './queue.ts'

const Site = z.strictObject({
  name: z.string().min(1).max(100).describe('Name of the site, as people know it.'),
  timezone: z
    .string()
    .refine((zone) => Intl.supportedValuesOf('timeZone').includes(zone) || zone === 'UTC', {
      message: 'not a time zone: write an IANA name such as America/Chicago or UTC',
    })
    .describe('IANA time zone in which times are told to people, such as America/Chicago.'),
})

const Api = z
  .strictObject({
    listen: z
      .string()
      .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'write host:port, such as 127.0.0.1:8080')
      .default('127.0.0.1:8080')
      .describe('Where the HTTP API listens, as host:port.'),
    token: SecretRef.optional().describe('Bearer token that the API then demands of everybody.'),
    tls: z
      .strictObject({
        cert: z.string().describe('Path of the certificate chain, PEM.'),
        key: z.string().describe('Path of the private key, PEM.'),
      })
      .optional()
      .describe('Certificate and key; needed to listen beyond this machine.'),
    'plain-beyond-this-machine': z
      .boolean()
      .default(false)
      .describe('Listen beyond this machine without TLS or token all the same, for instance behind a proxy.'),
  })
  .prefault({})
  .describe('The HTTP API and status page.')

const Incidents = z
  .strictObject({
    join: duration('How long after its last press an incident takes in further ones.', {
      min: '10s',
      max: '1h',
    }).default(600_000),
    remind: duration('How often an unresolved incident without news reminds its responders.', {
      min: '1m',
      max: '12h',
    }).default(1_800_000),
    target: duration('Time until somebody should be on the scene, where a place says nothing.', {
      min: '10s',
      max: '1h',
    }).default(300_000),
    retain: duration('How long resolved incidents and their locations are kept.', { min: '1d' }).default(
      7_776_000_000,
    ),
  })
  .prefault({})
  .describe('Times that hold for all incidents.')

const People = z
  .strictObject({
    assignment: duration(
      'How long an assignment of a device to a person holds that says no end; a stale one names nobody.',
      { min: '1h', max: '400d' },
    ).default(15_552_000_000),
    roles: z
      .array(z.string().min(1).max(60))
      .max(200)
      .default([])
      .describe('Roles whose people should carry a device; `coverage` says which have none.'),
  })
  .prefault({})
  .describe('Who carries what.')

const to = (what: string) => z.union([Name, z.array(Name).min(1).max(50)]).describe(what)

const Supervision = z
  .strictObject({
    maintenance: to(
      'Responders who are told of faults of devices and links; without it nobody is.',
    ).optional(),
    administrators: to(
      'Responders who are told of faults of the bridge itself and of its ways to people; default: `maintenance`.',
    ).optional(),
    digest: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'write a time of day such as "07:00", in quotes')
      .default('07:00')
      .describe(
        'When the daily digest goes out (low battery, missing, test overdue), time of day of the site.',
      ),
    'hold-off': duration('How long a fault must last before anybody is paged for it.', { max: '1h' }).default(
      30_000,
    ),
    quiet: duration('How long a fault that came and went must be quiet before it counts as over.', {
      min: '1m',
      max: '24h',
    }).default(600_000),
    heartbeat: z
      .strictObject({
        to: to(
          'Devices whose answer is observed: a relay, a system that takes events, or a door that is read.',
        ),
        every: duration('How often each input link is tried out.', { min: '10s', max: '10m' }).default(
          60_000,
        ),
      })
      .optional()
      .describe(
        'A synthetic press through the wire of each input that allows it; two that do not come through are told to the administrators.',
      ),
    watchdog: z
      .strictObject({
        relay: z.string().describe('Device with the relay, on an input of another system.'),
        every: duration('How often it is written; its module must drop it by itself after a few of these.', {
          min: '1s',
          max: '1m',
        }).default(5_000),
      })
      .optional()
      .describe('A relay that is held for as long as the bridge lives, so that a dead bridge is seen.'),
    plans: z
      .record(
        Name,
        z.strictObject({
          when: z
            .strictObject({
              fault: z
                .union([z.enum(faultClasses), z.array(z.enum(faultClasses)).min(1)])
                .optional()
                .describe('For faults of these: device, link, path or system; default all.'),
              place: z
                .union([PlacePath, z.array(PlacePath).min(1)])
                .optional()
                .describe('For devices in these places; default everywhere.'),
            })
            .describe(
              'Which faults it is for; of several the one with the closest place, then with `fault`, wins.',
            ),
          to: to('Responders who are told instead.'),
        }),
      )
      .default({})
      .describe('Who else is told of some faults.'),
  })
  .prefault({})
  .describe('Who is told of faults, and when. Never mixed with presses.')

interface PlaceNode {
  level: Level
  name?: string | undefined
  short?: string | undefined
  address?: string | undefined
  plan?: string | undefined
  precision?: Level | undefined
  target?: number | undefined
  beside?: string[] | undefined
  at?: [number, number] | undefined
  outline?: [number, number][] | undefined
  'cameras-may-move'?: boolean | undefined
  privacy?: 'no-image' | undefined
  in?: Record<string, PlaceNode> | undefined
}

/** One node of the tree of places. */
const Place: z.ZodType<PlaceNode, any> = z.lazy(() =>
  z.strictObject({
    level: Level.describe('What kind of place: campus, building, floor, unit, zone, room or bed.'),
    name: z.string().min(1).max(100).optional().describe('Name in words; default: its key.'),
    short: z.string().min(1).max(20).optional().describe('Name that fits a pager.'),
    address: z.string().max(200).optional().describe('Street address, told to responders from outside.'),
    plan: z.string().max(300).optional().describe('Path of the floor plan, SVG.'),
    precision: Level.optional().describe('How exactly presses must be located here.'),
    target: duration('Time until somebody should be on the scene.', { min: '10s', max: '1h' }).optional(),
    beside: z
      .array(z.string())
      .optional()
      .describe('Neighbouring places: keys in the same parent, or whole paths. Holds both ways.'),
    at: z.tuple([z.number(), z.number()]).optional().describe('Position on the floor plan, x and y.'),
    outline: z
      .array(z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)]))
      .min(3)
      .max(200)
      .optional()
      .describe('Corners of the place on the globe, latitude and longitude; GPS positions are found in it.'),
    'cameras-may-move': z
      .boolean()
      .optional()
      .describe('Cameras may turn here even in a silent incident, since nobody can see them move.'),
    privacy: z.literal('no-image').optional().describe('`no-image`: no picture is ever kept from here.'),
    in: z.record(Name, Place).optional().describe('Places inside this one.'),
  }),
)

/** Common to everything that can be acted upon. */
const perceptible = Perceptible.optional().describe(
  'What people nearby may notice when it acts: none, vibrate, sound, speech or motion. Undeclared counts as sound, a camera as motion.',
)

const connectorName = Name.describe('Name of the connector that it is reached by.')

const Device = z.strictObject({
  connector: connectorName,
  label: z.string().min(1).max(100).optional().describe('Name in words; default: its key.'),
  input: z.unknown().optional().describe('Where it is heard; the fields depend on the connector.'),
  output: z.unknown().optional().describe('Where it is acted upon; the fields depend on the connector.'),
  place: PlacePath.optional().describe('Path of the place where it is.'),
  means: z
    .enum(['press', 'fire', 'nothing'])
    .default('press')
    .describe('What its input means: a press, a fire alarm, or nothing but its own health.'),
  kind: Kind.optional().describe('Kind of the press; default duress.'),
  patterns: z
    .record(z.string().max(40), Kind)
    .optional()
    .describe(
      'Kind by press pattern, such as `double: weapon`; patterns that are not listed are the kind of the device.',
    ),
  silent: z.boolean().optional().describe('A press on it is always silent.'),
  person: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe('Who carries it, for good; whoever carries it for a time is assigned instead.'),
  token: SecretRef.optional().describe('Bearer token with which this device may press over the API.'),
  perceptible,
  test: duration('How often it must be tested; default for what is worn: 180 d.').optional(),
  reports: duration('How often it says by itself that it lives; silent for 90 s longer, it is lost.', {
    min: '1s',
    max: '31d',
  }).optional(),
  worn: z
    .boolean()
    .optional()
    .describe(
      'Whether people wear it: then its silence is no fault until 14 days. Default: badges and phones without a place of their own.',
    ),
  stale: duration('How old a reading may get before it counts as unknown.', {
    min: '200ms',
    max: '1h',
  }).optional(),
  sees: z
    .record(
      PlacePath,
      z.strictObject({
        preset: z.string().min(1).max(64).optional().describe('Preset that shows the place.'),
        perceptible,
      }),
    )
    .optional()
    .describe('For a camera: the places that it shows, and by which preset.'),
  guards: z.array(PlacePath).optional().describe('For a door: the places that it leads to.'),
  egress: z
    .enum(['free', 'delayed', 'controlled', 'unknown'])
    .optional()
    .describe('For a door: the way out. Only `free` doors are ever locked; default unknown.'),
  owner: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'For a door: the system that owns it (infant protection, elopement, elevator, fire); it is then never commanded.',
    ),
  noise: Perceptible.optional().describe(
    'For a door: what people nearby notice when it locks; undeclared counts as sound.',
  ),
  fire: z
    .literal('none')
    .optional()
    .describe('For a door: `none` says in writing that no fire input covers it.'),
  privacy: z.literal('no-image').optional().describe('For a camera: no picture of it is ever kept.'),
})

const ContactPath = z
  .looseObject({
    connector: connectorName,
    place: PlacePath.optional().describe(
      'Where it is, if it is fixed, such as a console at a nursing station.',
    ),
    perceptible,
  })
  .describe('One way to reach the responder; the further fields depend on the connector.')

const Responder = z.union([
  z.strictObject({
    label: z.string().min(1).max(100).optional().describe('Name in words; default: its key.'),
    person: z.string().max(100).optional().describe('Who it is, as devices name their carrier.'),
    page: z
      .union([ContactPath, z.array(ContactPath).min(1).max(8)])
      .describe('How they are told; of several ways all are used.'),
  }),
  z.strictObject({
    label: z.string().min(1).max(100).optional().describe('Name in words; default: its key.'),
    group: z.array(Name).min(1).max(200).describe('The responders of the group.'),
  }),
])

/** Extensions that a config may name. */
export const extensionsMax = 50

/** The whole config, but for the parts that belong to a connector, which its own schemas describe. */
export const SiteConfig = z.strictObject({
  site: Site.describe('The site itself.'),
  api: Api,
  incidents: Incidents,
  people: People,
  supervision: Supervision,
  queue: Queue.optional(),
  extensions: z
    .array(z.string().min(1).max(300))
    .max(extensionsMax)
    .optional()
    .describe(
      'Paths, from the config on, of JavaScript or TypeScript modules, each with one further connector as its default export.',
    ),
  places: z.record(Name, Place).describe('The tree of places.'),
  connectors: z
    .record(
      Name.refine((name) => name !== 'console', '`console` is the built-in one'),
      z.looseObject({
        type: z.string().describe('Kind of connector.'),
        isolate: z
          .boolean()
          .optional()
          .describe(
            'Whether its links live in threads of their own, so that a defect there harms nothing else; default: only those of `extensions`.',
          ),
        'runs-on': z
          .union([Name, z.array(Name).min(1).max(8)])
          .optional()
          .describe(
            'Workers that act on its outputs, the preferred one first; the bridge itself stands in for them.',
          ),
      }),
    )
    .describe('The systems and wires that the bridge is connected to.'),
  devices: z.record(Name, Device).default({}).describe('The devices on them.'),
  responders: z.record(Name, Responder).default({}).describe('The people and groups who are told.'),
  plans: z.record(Name, Plan).describe('What is done for a press.'),
})
export type SiteConfig = z.infer<typeof SiteConfig>
export type DeviceConfig = SiteConfig['devices'][string]
