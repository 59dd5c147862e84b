import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { capability, pageSend } from '../core/capability.ts'
import type { Connector } from '../core/connector.ts'
import { catalogue } from './fixtures/catalogue.ts'
import { type LocatedFinding, loadText } from './load.ts'

const good = readFileSync(new URL('./fixtures/good.yaml', import.meta.url), 'utf8')

/** What is broken, what is replaced by what (`¶` marks where the finding must point), and the words that it must have. */
type Case = readonly [what: string, from: string, to: string, ...words: string[]]

const broken: Record<string, readonly Case[]> = {
  'the text': [
    ['a tab as indentation', '    host: 10.0.4.20', '¶\t\thost: 10.0.4.20', 'tab', 'spaces'],
    ['an entry too far right', '    unit: 1', '     ¶unit: 1', 'further in'],
    ['an entry too far left', '    unit: 1', '¶   unit: 1', 'indentation'],
    ['an open quote', 'name: Level 2', 'name: "Level 2', 'quote'],
    ['an open bracket', 'guards: [north/l2/ed]', 'guards: [north/l2/ed', 'bracket'],
    ['a duplicate key', '    unit: 1', '    unit: 1\n    ¶unit: 2', '`unit`', 'twice'],
    [
      'a duplicate device',
      '  fire-panel:',
      '  lobby-button:\n    connector: ed-panel\n  fire-panel:',
      'twice',
    ],
    ['a second document', 'responders:\n', '¶---\nresponders:\n', 'second document'],
    ['a tag', 'unit: 1', 'unit: !int ¶1', 'tag'],
    ['an alias without anchor', 'unit: 1', 'unit: ¶*one', 'quotes'],
    ['an anchor inside itself', 'guards: [north/l2/ed]', 'guards: &a [¶*a]', 'contains itself'],
    ['a merge key', '    unit: 1', '    unit: 1\n    ¶<<: { port: 5 }', 'not supported'],
    ['a reserved character', 'unit: 1', 'unit: ¶@1', 'quotes'],
    ['a directive for YAML 1.1', 'site: {', '%YAML 1.1\n---\n¶site: {', '%YAML'],
    [
      'a name that means something to JavaScript',
      '  fire-panel:',
      '  ¶__proto__: {}\n  fire-panel:',
      '__proto__',
    ],
    ['two keys on one line', 'unit: 1', 'unit: ¶1: 2', 'line of its own'],
  ],
  runners: [
    [
      'a worker where there are none',
      'type: pager',
      'type: pager\n    runs-on: ¶edge-1',
      'no worker `edge-1`',
      '`queue.workers`',
    ],
    [
      'a worker that does not exist',
      'connectors:\n',
      'queue: { redis: redis://127.0.0.1, workers: { edge-1: { key: { env: K } } } }\nconnectors:\n  sms: { type: pager, host: sms.example.org, runs-on: [edge-1, ¶edge-2] }\n',
      'no worker `edge-2`',
    ],
    [
      'a password in the URL of Redis',
      'connectors:\n',
      'queue: { redis: ¶redis://bridge:hunter2@10.0.0.1, workers: {} }\nconnectors:\n',
      'redis://USER@HOST',
    ],
    [
      'a key that is no reference',
      'connectors:\n',
      'queue: { redis: redis://127.0.0.1, workers: { edge-1: { key: ¶hunter2 } } }\nconnectors:\n',
      'key',
    ],
    [
      'certificates without TLS',
      'connectors:\n',
      'queue: { redis: redis://127.0.0.1, workers: {}, ¶tls: { ca: ca.pem } }\nconnectors:\n',
      'rediss://',
    ],
    [
      'a worker with the name of the bridge',
      'connectors:\n',
      'queue: { redis: redis://127.0.0.1, workers: { ¶bridge: { key: { env: K } } } }\nconnectors:\n',
      'bridge itself',
    ],
  ],
  faults: [
    [
      'a responder who does not exist',
      'plans:\n',
      'supervision: { maintenance: ¶superviser }\nplans:\n',
      'no responder `superviser`',
      'did you mean `supervisor`?',
    ],
    [
      'a second administrator who does not exist',
      'plans:\n',
      'supervision: { maintenance: security, administrators: [supervisor, ¶it] }\nplans:\n',
      'no responder `it`',
    ],
    [
      'a plan for a place that does not exist',
      'plans:\n',
      'supervision: { plans: { ed: { when: { place: ¶north/l9 }, to: security } } }\nplans:\n',
      'no place `north/l9`',
    ],
    [
      'a plan for faults of nothing known',
      'plans:\n',
      'supervision: { plans: { ed: { when: { fault: ¶cable }, to: security } } }\nplans:\n',
      '`fault`',
      '`cable`',
      '`link`',
    ],
    [
      'a plan that tells nobody who exists',
      'plans:\n',
      'supervision: { plans: { ed: { when: {}, to: [¶nobody] } } }\nplans:\n',
      'no responder `nobody`',
    ],
    [
      'a digest at no time of day',
      'plans:\n',
      'supervision: { digest: ¶7am }\nplans:\n',
      '`digest`',
      '"07:00"',
    ],
    ['a device that reports too seldom', '    test: 30d', '    test: 30d\n    reports: ¶40d', 'at most 31d'],
  ],
  fields: [
    ['an unknown section', 'plans:\n', '¶plan: {}\nplans:\n', '`plan`', 'did you mean `plans`?'],
    ['a missing section', 'connectors:\n', '¶conectors:\n', '`connectors`'],
    ['a missing name of the site', 'site: { name: Mercy North, ', '¶site: { ', '`name` is missing', 'a text'],
    ['an unknown field of a device', '    test: 30d', '    ¶tets: 30d', '`tets`', 'did you mean `test`?'],
    [
      'an unknown field of a place',
      'bay-1: { level: room, at',
      'bay-1: { level: room, ¶ta',
      'unknown field `ta`',
      '`at`',
    ],
    [
      'a missing level',
      'security-office: { level: room }',
      '¶security-office: {}',
      '`level` is missing',
      '`room`',
    ],
    [
      'a wrong level',
      'security-office: { level: room }',
      'security-office: { level: ¶rom }',
      '`rom`',
      'did you mean `room`?',
    ],
    ['a number for a text', 'name: Mercy North', 'name: ¶7', 'a text', 'quotes'],
    [
      'a list for a map',
      'site: { name: Mercy North, timezone: America/Chicago }',
      '¶site: [a]',
      '`site`',
      'a map of fields',
    ],
    ['nothing for a map', 'responders:\n', '¶responders:\nzzz:\n', '`responders`', 'not nothing'],
    ['a time zone that is none', 'America/Chicago', '¶America/Chicgo', 'IANA'],
    ['a duration without unit', 'test: 30d', 'test: ¶30', 'a number and a unit'],
    ['a duration in words', 'test: 30d', 'test: ¶30 days', '30s'],
    ['a duration that is too short', 'target: 90s', 'target: ¶1s', 'at least 10s'],
    ['a duration that is too long', 'limit: 15m', 'limit: ¶9h', 'at most 8h'],
    ['a boolean of YAML 1.1', 'silent: true', 'silent: ¶yes', 'write `true`'],
    [
      'a boolean of YAML 1.1 in a connector',
      'username: bridge',
      'username: bridge\n    verify: ¶off',
      'write `false`',
    ],
    ['a boolean in quotes', 'silent: true', 'silent: ¶"true"', 'without quotes'],
    ['a name with a space', '  fire-panel:', '  ¶fire panel:', 'letters, digits, dots'],
    ['a position with one number', 'at: [160, 84]', '¶at: [160]', '2'],
    ['a port for an address', 'places:\n', 'api: { listen: ¶8080x }\nplaces:\n', 'host:port'],
    ['a kind that is none', '    kind: weapon\n', '    kind: ¶wepon\n', 'did you mean `weapon`?'],
    ['a condition that is none', 'unless: on-the-way', 'unless: ¶on-his-way', '`on-the-way`'],
    [
      'a responder with neither page nor group',
      '    group: [security, supervisor]',
      '    label: all',
      '`page` is missing',
    ],
    ['an empty group', 'group: [security, supervisor]', '¶group: []', 'at least 1 entry'],
    [
      'two capabilities in one entry',
      '- door.highlight: { to: guarding }',
      '- ¶door.highlight: { to: guarding }\n            door.state: { to: guarding }',
      'one capability an entry',
    ],
    [
      'a step that does nothing',
      '        do:\n          - page.send: { to: security }\n      - at: 60s',
      '        ¶do: []\n      - at: 60s',
      'at least 1 entry',
    ],
    [
      'a target that is missing',
      '- door.highlight: { to: guarding }',
      '- ¶door.highlight: {}',
      '`to` is missing',
    ],
  ],
  connectors: [
    ['an unknown type', 'type: panel', 'type: ¶pannel', '`pannel`', 'did you mean `panel`?'],
    ['a missing type', '    type: panel\n', '', '`type` is missing'],
    ['an unknown field', '    poll: 20ms', '    ¶pol: 20ms', '`pol`', 'did you mean `poll`?'],
    ['a missing field', '    host: 10.0.4.20\n', '', '`host` is missing', 'Name or address of the panel'],
    ['a number in quotes', 'unit: 1', 'unit: ¶"1"', 'without quotes'],
    ['a number that is too large', 'unit: 1', 'unit: ¶256', 'at most 255'],
    ['a number with a fraction', 'unit: 1', 'unit: ¶1.5', 'a whole number'],
    ['a URL that is none', 'url: http://10.0.8.2/onvif/device_service', 'url: ¶10.0.8.2', 'a URL'],
    [
      'the name of the built-in one',
      '  pagers:\n',
      '  ¶console: { type: pager, host: x }\n  pagers:\n',
      'built-in',
    ],
    [
      'an alternative that is none',
      '  pagers:\n',
      '  hooks: { type: hook, auth: { by: ¶baerer } }\n  pagers:\n',
      'did you mean `bearer`?',
    ],
    [
      'an input of another shape',
      'input: { discrete: 4 }',
      'input: { ¶coil: 4 }',
      'unknown field `coil`',
      '`discrete`',
    ],
    ['an input that lacks a field', 'input: { discrete: 4 }', '¶input: {}', '`discrete` is missing'],
    [
      'an input where none is heard',
      'output: { token: ED-W }',
      '¶input: { token: ED-W }',
      'takes no `input`',
    ],
    ['neither input nor output', '    input: { discrete: 4 }\n', '', '`input` or an `output`'],
    ['an output that does not fit', 'output: { token: ED-W }', 'output: { token: ¶"" }', 'must not be empty'],
    ['a pager that does not fit', 'id: "5550101"', 'id: ¶"x"', '3 to 10 digits'],
    ['a finding of the connector itself', 'discrete: 4 }', 'discrete: ¶9999 }', '9,998 inputs'],
  ],
  secrets: [
    [
      'in plain',
      'password: { env: CAMERA_PASSWORD }',
      'password: ¶hunter2',
      '{ env: NAME }',
      '{ file: PATH }',
    ],
    ['in plain as a number', 'password: { env: CAMERA_PASSWORD }', 'password: ¶5550', '{ env: NAME }'],
    ['missing', '    password: { env: CAMERA_PASSWORD }\n', '', '`password` is missing', '{ env: NAME }'],
    ['of a third kind', '{ env: CAMERA_PASSWORD }', '{ ¶vault: hunter2 }', '`vault`'],
    ['in the API', 'places:\n', 'api: { token: ¶hunter2 }\nplaces:\n', '{ env: NAME }'],
    [
      'deep in a connector',
      '  pagers:\n',
      '  hooks: { type: hook, auth: { by: bearer, token: ¶hunter2 } }\n  pagers:\n',
      '{ env: NAME }',
    ],
    ['in a URL', 'url: http://10.0.8.2/', 'url: ¶http://bridge:hunter2@10.0.8.2/', 'password in this URL'],
    [
      'in a URL of a device',
      'url: http://10.0.9.3/',
      'url: ¶http://bridge:hunter2@10.0.9.3/',
      'password in this URL',
    ],
  ],
  names: [
    [
      'a connector',
      'connector: doors\n    output: { token: ED-W }',
      'connector: ¶door\n    output: { token: ED-W }',
      'no connector `door`',
      'did you mean `doors`?',
    ],
    [
      'a connector of a responder',
      '{ connector: pagers, id: "5550101"',
      '{ connector: ¶pager, id: "5550101"',
      'did you mean `pagers`?',
    ],
    [
      'a place',
      'place: north/l2/ed/triage-2',
      'place: ¶north/l2/ed/triage-3',
      'did you mean `north/l2/ed/triage-2`?',
    ],
    [
      'a place by a wrong path',
      'place: north/l2/ed/triage-2',
      'place: ¶ed/triage-2',
      'did you mean `north/l2/ed/triage-2`?',
    ],
    [
      'a place that a camera sees',
      'sees: { north/l2/ed/triage-2:',
      'sees: { ¶north/l2/ed/triage-9:',
      'did you mean `north/l2/ed/triage-2`?',
    ],
    [
      'a place that a door guards',
      'guards: [north/l2/ed]',
      'guards: [¶north/l2/de]',
      'did you mean `north/l2/ed`?',
    ],
    [
      'a place of a plan',
      'place: north/l1/lobby }',
      'place: ¶north/l1/loby }',
      'did you mean `north/l1/lobby`?',
    ],
    [
      'a place of a responder',
      'place: north/l1/security-office',
      'place: ¶north/l1/security',
      'no place `north/l1/security`',
    ],
    [
      'a place of an area',
      '  pagers:\n',
      '  hooks: { type: hook, areas: { gw: { place: ¶north/l2/de, precision: unit } } }\n  pagers:\n',
      'did you mean `north/l2/ed`?',
    ],
    [
      'an area more exact than its place',
      '  pagers:\n',
      '  hooks: { type: hook, areas: { gw: { place: north/l2/ed, precision: ¶room } } }\n  pagers:\n',
      "can't be known by room",
    ],
    ['a neighbour', 'beside: [ed-hall]', 'beside: [¶ed-hal]', 'did you mean `ed-hall`?'],
    ['itself as a neighbour', 'beside: [ed-hall]', 'beside: [¶triage-2]', 'not beside itself'],
    ['what contains it as a neighbour', 'beside: [ed-hall]', 'beside: [¶north/l2/ed]', 'contain one another'],
    ['a floor inside a room', 'bed-2: { level: bed }', 'bed-2: { level: ¶floor }', 'inside a room'],
    [
      'a member',
      'group: [security, supervisor]',
      'group: [security, ¶superviser]',
      'did you mean `supervisor`?',
    ],
    [
      'a group that contains itself',
      'group: [security, supervisor]',
      'group: [security, ¶everybody]',
      'contains itself',
    ],
    [
      'a responder',
      '- page.send: { to: everybody }\n          - door',
      '- page.send: { to: ¶evrybody }\n          - door',
      'did you mean `everybody`?',
    ],
    ['a capability', '- camera.snapshot:', '- ¶camera.snapshoot:', 'did you mean `camera.snapshot`?'],
    [
      'a device',
      'camera.snapshot: { to: nearest }',
      'camera.snapshot: { to: ¶cam-ed-4 }',
      'did you mean `cam-ed-3`?',
    ],
    [
      'a device for a person',
      '- page.send: { to: everybody }\n          - door',
      '- page.send: { to: ¶door-lobby }\n          - door',
      'is a device',
    ],
    [
      'a person for a device',
      'camera.snapshot: { to: nearest }',
      'camera.snapshot: { to: ¶security }',
      'is a responder',
    ],
    [
      'a device like a responder',
      '  supervisor:\n',
      '  ¶fire-panel:\n    page: { connector: pagers, id: "123" }\n  supervisor:\n',
      'a device `fire-panel` too',
    ],
    [
      'a device named nearest',
      '  fire-panel:\n',
      '  ¶nearest: { connector: ed-panel, input: { discrete: 77 } }\n  fire-panel:\n',
      'meaning of its own',
    ],
  ],
  'what plans ask for': [
    [
      'a capability that the device lacks',
      'camera.snapshot: { to: nearest }',
      'camera.snapshot: { to: ¶door-lobby }',
      "can't do `camera.snapshot`",
      '`door.state`',
    ],
    [
      'a person without pager',
      '{ connector: pagers, id: "5550101"',
      '{ connector: ¶doors, token: "5550101"',
      'no `page.send`',
    ],
    [
      'cameras for a page',
      '- page.send: { to: everybody }\n          - door',
      '- page.send: { to: ¶nearest }\n          - door',
      'means cameras',
    ],
    [
      'doors for a picture',
      'camera.snapshot: { to: nearest }',
      'camera.snapshot: { to: ¶guarding }',
      'means doors',
    ],
    [
      'cameras where none sees',
      'door.lockdown: { to: guarding, expires',
      'camera.snapshot: { to: ¶nearest }\n          - door.lockdown: { to: guarding, expires',
      'no camera sees it',
    ],
    ['doors where none guards', '    guards: [north/l1/lobby]\n', '', 'no door guards it'],
    [
      'an argument that does not exist',
      'camera.snapshot: { to: nearest }',
      'camera.snapshot: { to: nearest, ¶colour: red }',
      'unknown field `colour`',
    ],
    [
      'an argument that is missing',
      'to: beacon, on: true',
      'to: beacon',
      '`on` is missing',
      '`true` or `false`',
    ],
    ['an argument of another type', 'to: beacon, on: true', 'to: beacon, on: ¶on', 'write `true`'],
    ['a relay of a device without one', 'to: beacon, on', 'to: ¶lobby-button, on', 'has no `output`'],
    [
      'a message of its own',
      '- page.send: { to: everybody }\n          - door',
      '- page.send: { to: everybody, ¶message: x }\n          - door',
      'unknown field `message`',
    ],
    [
      'a release',
      'door.highlight: { to: guarding }',
      '¶door.release: { to: guarding, from: secure, before: locked }',
      '`limit:`',
    ],
    [
      'a preset of a camera without one',
      'camera.preset: { to: nearest }',
      'camera.preset: { to: ¶cam-x }',
      'no device `cam-x`',
    ],
    [
      'a preset that is not known',
      '{ preset: "2", perceptible: none } }',
      '{ perceptible: none } }',
      'with a preset',
    ],
    [
      'a preset for a button',
      '    guards: [north/l1/lobby]',
      '    guards: [north/l1/lobby]\n    ¶sees: { north/l1/lobby: {} }',
      'is no camera',
    ],
    [
      'a preset for a camera that is fixed',
      'device_service }\n    sees: { north/l2/ed/triage-2: { preset: "2"',
      'device_service, fixed: true }\n    sees: { north/l2/ed/triage-2: { preset: ¶"2"',
      "can't be turned",
    ],
  ],
  'who is told': [
    [
      'nobody',
      '          - page.send: { to: everybody }\n          - door.lockdown: { to: guarding, expires: 20s, limit: 15m }\n          - relay.set: { to: beacon, on: true, limit: 5m }\n      - at: 60s\n        unless: on-the-way\n        do:\n          - page.send: { to: everybody }',
      '          - door.lockdown: { to: guarding, expires: 20s, limit: 15m }',
      'tells nobody',
    ],
    [
      'nobody at once',
      '      - at: 0s\n        do:\n          - page.send: { to: security }\n      - at: 60s',
      '      - at: 5s\n        do:\n          - page.send: { to: security }\n      - at: 60s',
      'tells nobody before 5 s',
    ],
    [
      'nobody, once acknowledged, at once',
      '      - at: 0s\n        do:\n          - page.send: { to: everybody }',
      '      - at: 0s\n        unless: ¶acknowledged\n        do:\n          - page.send: { to: everybody }',
      'always goes out',
    ],
    [
      'nobody for a press nobody configured',
      '    when: {}',
      '    when: { place: north }',
      'unknown place',
      '`when: {}`',
    ],
    [
      'nobody for some kinds',
      '    when: {}',
      '    when: { kind: [duress, assist, weapon, medical, man-down, unknown] }',
      '`hold-up` or `hazard`',
    ],
  ],
  doors: [
    [
      'a lock on a delayed door',
      'guards: [north/l1/lobby]\n    egress: free',
      'guards: [north/l1/lobby]\n    egress: delayed',
      'delayed',
    ],
    [
      'a lock on a controlled door',
      'guards: [north/l1/lobby]\n    egress: free',
      'guards: [north/l1/lobby]\n    egress: controlled',
      'controlled',
    ],
    [
      'a lock on a door that says nothing',
      'guards: [north/l1/lobby]\n    egress: free',
      'guards: [north/l1/lobby]',
      'unknown',
    ],
    [
      'a lock on a door of another system',
      'guards: [north/l1/lobby]\n',
      'guards: [north/l1/lobby]\n    owner: infant protection\n',
      'infant protection',
    ],
    [
      'a lock on a door by name',
      'door.lockdown: { to: guarding, expires: 20s, limit: 15m }',
      'door.secure: { to: ¶door-x, limit: 15m }',
      'no device `door-x`',
    ],
    ['a lock without end', 'expires: 20s, limit: 15m', 'expires: 20s', '`limit` is missing'],
    [
      'a lockdown for an assist',
      'when: { kind: weapon, place: north/l1/lobby }',
      'when: { kind: assist, place: north/l1/lobby }',
      '`because:`',
    ],
    [
      'a lockdown for weapon and duress',
      'when: { kind: weapon, place',
      'when: { kind: [weapon, duress], place',
      '`because:`',
    ],
    [
      'a lock in a hold-up',
      'when: { kind: weapon, place',
      'when: { kind: [weapon, hold-up], place',
      'nothing locks',
    ],
    ['a lock for any kind', 'when: { kind: weapon, place', 'when: { place', 'name its kinds'],
    ['a lockable door without fire input', '    means: fire\n', '    means: nothing\n', '`fire: none`'],
    [
      'a fire input elsewhere',
      '    means: fire\n    place: north\n',
      '    means: fire\n    place: north/l1/security-office\n',
      '`fire: none`',
    ],
    [
      'a fire input without place',
      '    means: fire\n    place: north\n',
      '    means: fire\n',
      '`place` is missing',
    ],
    [
      'a hold-up that calls somebody in',
      'when: { kind: weapon, place: north/l1/lobby }',
      'when: { kind: hold-up, place: north/l1/security-office }',
      'nobody enters',
    ],
  ],
  silence: [
    [
      'a lamp beside the presser',
      'place: north/l1/lobby }\n    steps',
      'place: north/l1/lobby }\n    silent: true\n    steps',
      'beacon makes sound',
    ],
    [
      'a door that is heard',
      'place: north/l1/lobby }\n    steps',
      'place: north/l1/lobby }\n    silent: true\n    steps',
      'door-lobby makes sound',
      '`noise:`',
    ],
    [
      'a pager beside the presser',
      'place: north/l2/ed }\n',
      'place: north/l1/security-office }\n',
      'security makes vibrate',
    ],
    [
      'a camera that is seen to move',
      '{ preset: "2", perceptible: none }',
      '{ preset: "2" }',
      'cam-ed-3 makes motion',
      'for every press',
    ],
    [
      'something that may stand anywhere',
      '          - door.highlight: { to: guarding }',
      '          - relay.set: { to: ¶fire-lamp, on: true }',
      'no device `fire-lamp`',
    ],
  ],
  devices: [
    [
      'the same input twice',
      'input: { discrete: 5 }',
      '¶input: { discrete: 4 }',
      '`triage-2-button` has the same input',
    ],
    [
      'the same door twice',
      'output: { token: LOBBY }',
      '¶output: { token: ED-W }',
      '`door-ed-w` has the same output',
    ],
    [
      'a fire alarm with a kind',
      '    means: fire\n',
      '    means: fire\n    ¶kind: duress\n',
      'describes a press',
    ],
    [
      'a fire alarm that is silent',
      '    means: fire\n',
      '    means: fire\n    ¶silent: true\n',
      'describes a press',
    ],
  ],
  'what listens': [
    [
      'the API to everybody',
      'places:\n',
      'api: { listen: ¶"0.0.0.0:8080" }\nplaces:\n',
      '`tls` and `token`',
      '`plain-beyond-this-machine: true`',
    ],
    [
      'the API to everybody with a token only',
      'places:\n',
      'api: { listen: ¶"10.0.0.1:8080", token: { env: T } }\nplaces:\n',
      'add `tls`',
    ],
    ['the API at no port', 'places:\n', 'api: { listen: ¶"127.0.0.1:99999" }\nplaces:\n', '65535'],
    [
      'two at one port',
      '  pagers:\n',
      '  hooks: { type: hook, listen: ¶"127.0.0.1:8080" }\n  pagers:\n',
      'the API listens on',
    ],
  ],
}

const replace = (
  from: string,
  to: string,
): { text: string; line: number; column: number } | { text: string } => {
  const at = good.indexOf(from)
  if (at < 0) throw new Error(`the good config has no ${JSON.stringify(from)}`)
  const marked = `${good.slice(0, at)}${to}${good.slice(at + from.length)}`
  const text = marked.replace('¶', '')
  if (text === marked) return { text }
  const before = marked.slice(0, marked.indexOf('¶')).split('\n')
  return { text, line: before.length, column: before.at(-1)!.length + 1 }
}

const show = ({ line, column, message }: LocatedFinding) => `${line}:${column} ${message}`

test('a good config is accepted, and nothing in it is fatal', () => {
  const { site, findings } = loadText(good, catalogue, 'site.yaml')
  expect(findings.filter((finding) => finding.fatal).map(show)).toEqual([])
  expect(site?.name).toBe('Mercy North')
})

test('advice does not keep a config from running', () => {
  const say = (from: string, to: string) => {
    const { site, findings } = loadText(good.replace(from, to), catalogue)
    expect(site).not.toBeNull()
    return findings.map(show).join('\n')
  }
  expect(say('  pagers:\n', '  spare: { type: pager, host: x }\n  pagers:\n')).toContain(
    'no device and no responder is on `spare`',
  )
  expect(
    say('  everybody:\n', '  nurse:\n    page: { connector: pagers, id: "777" }\n  everybody:\n'),
  ).toContain('no plan tells `nurse`')
  expect(say('  beacon:\n', '  lamp: { connector: ed-panel, output: { coil: 9 } }\n  beacon:\n')).toContain(
    'nothing uses `lamp`',
  )
  expect(say('    place: north/l2/ed/triage-2\n', '')).toContain('has no place, unless its sender says one')
  expect(say('{ level: room, name: Triage 2,', '{ level: room, precision: bed, name: Triage 2,')).toContain(
    'only tells the room',
  )
  expect(say('perceptible: vibrate }\n  everybody', '}\n  everybody')).toContain(
    '`supervisor` is told in silent plans',
  )
  expect(
    say('when: { kind: duress, place: north/l2/ed }', 'when: { kind: medical, place: north/l2/ed }'),
  ).toContain('no device presses `medical`')
  expect(say('    when: {}', '    when: {}\n    silent: false')).not.toContain('never chosen')
  expect(
    say(
      '  anything:\n',
      '  twin: { when: {}, steps: [ { at: 0s, do: [ { page.send: { to: security } } ] } ] }\n  anything:\n',
    ),
  ).toContain('`anything` is never chosen: `twin`')
  expect(
    say(
      '      - at: 60s\n        unless: acknowledged\n        do:\n          - page.send: { to: supervisor }\n',
      '',
    ),
  ).toContain('nobody else is told')
  expect(
    say(
      '  anything:\n',
      '  robbed: { when: { kind: hold-up }, steps: [ { at: 0s, do: [ { page.send: { to: supervisor } } ] } ] }\n  anything:\n',
    ),
  ).toContain('answered in silence')
  expect(say('expires: 20s', 'expires: 5m')).toContain('a lock that comes so late')
  expect(say('plans:\n', 'plans:\n')).toContain('nobody is told of faults')
  const told = say('plans:\n', 'supervision: { maintenance: supervisor }\nplans:\n')
  expect(told).not.toContain('nobody is told of faults')
  const plan = '{ when: { fault: link, place: north/l2/ed }, to: supervisor }'
  expect(
    say('plans:\n', `supervision: { maintenance: supervisor, plans: { a: ${plan}, b: ${plan} } }\nplans:\n`),
  ).toContain('`b` is never chosen')
  expect(
    say('    egress: free\n    noise: none', '    egress: free\n    fire: none\n    noise: none'),
  ).toContain('covered by `fire-panel` all the same')
})

const fatalOf = (text: string, of = catalogue): string =>
  loadText(text, of)
    .findings.filter((finding) => finding.fatal)
    .map(show)
    .join('\n')

test('a camera that is named is told which preset, unless it has one', () => {
  const named = good.replace('camera.preset: { to: nearest }', 'camera.preset: { to: cam-ed-3 }')
  expect(fatalOf(named)).toBe('')
  const bare = named.replace('{ preset: "2", perceptible: none }', '{ perceptible: none }')
  expect(fatalOf(bare)).toContain('which preset of `cam-ed-3`?')
  expect(fatalOf(bare.replace('to: cam-ed-3 }', 'to: cam-ed-3, preset: "2" }'))).toBe('')
})

test('a lock on a door by name is refused where its way out is not free', () => {
  const named = good.replace('door.lockdown: { to: guarding', 'door.lockdown: { to: [door-ed-w]')
  expect(fatalOf(named)).toBe('')
  expect(fatalOf(named.replace('egress: free', 'egress: delayed'))).toContain(
    'the way out through `door-ed-w` is delayed',
  )
})

test('where a lock is asked for only from some places, it is advice: the planner leaves it out', () => {
  const delayed = good.replace(
    'guards: [north/l2/ed]\n    egress: free',
    'guards: [north/l2/ed]\n    egress: delayed',
  )
  const everywhere = delayed.replace('kind: weapon, place: north/l1/lobby', 'kind: weapon')
  const { site, findings } = loadText(everywhere, catalogue)
  expect(site).not.toBeNull()
  expect(findings.map(show).join('\n')).toContain('the way out through `door-ed-w` is delayed')
})

test('a lockdown with its reason in writing is accepted', () => {
  const assist = good.replace('kind: weapon, place: north/l1/lobby', 'kind: assist, place: north/l1/lobby')
  expect(fatalOf(assist)).not.toBe('')
  expect(fatalOf(assist.replace('limit: 15m', 'limit: 15m, because: agreed with the fire marshal'))).toBe('')
})

test('silence leaves somebody to be told, for each place', () => {
  const station = good.replace(
    'id: "5550100", place: north/l1/security-office',
    'id: "5550100", place: north/l2/ed/bay-1',
  )
  expect(fatalOf(station)).toContain('nobody could be told at once of a press in `north/l2/ed`')
  expect(fatalOf(station.replace('page.send: { to: security }', 'page.send: { to: everybody }'))).toBe('')
  const quiet = good.replace('    kind: weapon\n', '    kind: medical\n    silent: true\n')
  expect(fatalOf(quiet)).toBe('')
  expect(fatalOf(quiet.replace('place: north/l1/security-office', 'place: north/l1/lobby'))).toContain(
    'its presses are silent',
  )
})

test('a connector of a third party that is wrong, or throws, is a finding', () => {
  const pagers = catalogue.get('pager')!
  const having = (change: Partial<Connector>) => new Map([...catalogue, ['pager', { ...pagers, ...change }]])
  const limit = capability({ ...pageSend, name: 'page.limited', args: z.object({ limit: z.number() }) })
  expect(fatalOf(good, having({ can: [pageSend, limit] }))).toContain(
    'the argument `limit` of its capability',
  )
  const fails = () => {
    throw new Error('boom')
  }
  expect(fatalOf(good, having({ check: fails }))).toContain("can't check this: boom")
  expect(fatalOf(good, having({ link: fails }))).toContain("can't work with this: boom")
})

test('workers run outputs: what only hears does not run on one', () => {
  const { can: _none, ...deaf } = catalogue.get('panel') as Connector
  const queue = 'queue: { redis: redis://127.0.0.1, workers: { edge-1: { key: { env: K } } } }\n'
  const text = `${queue}${good.replace('type: panel', 'type: panel\n    runs-on: edge-1')}`
  expect(fatalOf(text, new Map([...catalogue, ['panel', deaf]]))).toContain('only hears')
  expect(fatalOf(text, catalogue)).toBe('')
})

test('all findings are said at once, in the order of the file', () => {
  const text = good
    .replace('unit: 1', 'unti: 1')
    .replace('discrete: 4', 'discrete: four')
    .replace('to: supervisor', 'to: superviser')
    .replace('limit: 15m', 'limit: forever')
  const { findings } = loadText(text, catalogue)
  const fatal = findings.filter((finding) => finding.fatal)
  const said = fatal.map(({ message }) => message).join('\n')
  for (const words of [
    'unknown field `unti`',
    '`unit` is missing',
    '`discrete`',
    'no responder `superviser`',
    '`limit`',
  ])
    expect(said).toContain(words)
  expect(fatal.map(({ line }) => line)).toEqual(fatal.map(({ line }) => line).sort((a, b) => a - b))
})

test('a part that can not be read makes no findings about what refers to it', () => {
  const { findings } = loadText(good.replace('unit: 1', 'unit: one'), catalogue)
  expect(findings.filter((finding) => finding.fatal).map(show)).toHaveLength(1)
})

test('a text that is hostile is refused in bounded time', () => {
  const bomb = Array.from(
    { length: 30 },
    (_, i) => `a${i}: &a${i} [${i ? `*a${i - 1}, `.repeat(9) : 1}]`,
  ).join('\n')
  for (const text of [
    bomb,
    '['.repeat(50_000),
    '{a: '.repeat(50_000),
    '\u0000',
    '',
    '- a',
    '"',
    'x'.repeat(6_000_000),
  ])
    expect(loadText(text, catalogue).site).toBeNull()
})

for (const [about, cases] of Object.entries(broken))
  describe(`broken: ${about}`, () => {
    test.each(cases)('%s', (_what, from, to, ...words) => {
      const { text, ...at } = replace(from, to)
      const { site, findings } = loadText(text, catalogue, 'site.yaml')
      const fatal = findings.filter((finding) => finding.fatal)
      expect(site).toBeNull()
      const said = fatal.filter(({ message }) => words.every((word) => message.includes(word)))
      expect(said.map(show), `among ${fatal.map(show).join('\n')}`).not.toEqual([])
      if ('line' in at) expect(said.map(({ line, column }) => ({ line, column }))).toContainEqual(at)
      for (const finding of findings) expect(finding.message).not.toMatch(/hunter2|5550\b/)
    })
  })
