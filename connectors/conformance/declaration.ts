import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Connector, Finding, Opening } from '../../core/connector.ts'
import type { Json } from '../../core/fact.ts'
import type { Case } from './kit.ts'
import { foreignImports, hiddenDefaults, loadedBy, needless } from './loads.ts'
import { Random } from './random.ts'
import { lacksOf } from './schema.ts'
import type { Stage, Subject, Written } from './subject.ts'

const variations = 300

/** What core and people rely on before anything is opened. */
export const declarationCases = async (subjects: readonly [Subject, ...Subject[]]): Promise<Case[]> => {
  const { connector } = subjects[0]
  const stages: Stage[] = []
  for (const subject of subjects) {
    const stage = await subject.start()
    await stage.close()
    stages.push(stage)
  }
  const written = stages.map((stage) => stage.opening(stage.peer?.port ?? 0))
  const test = (name: string, run: () => void | Promise<void>): Case => ({ name, run: async () => run() })
  return [
    test('it says what it is', () => saysWhatItIs(connector)),
    test('every field is described, and unknown ones are refused', () => {
      const lacks = schemasOf(connector).flatMap(([name, schema]) => lacksOf(schema, name))
      assert.deepEqual(lacks, [])
    }),
    test('an unknown field is refused wherever it stands', () => {
      for (const each of written) refusesUnknown(connector, each)
    }),
    test('the subjects try all that it declares', () => triesAll(connector, stages, written)),
    test('the declaration imports only zod and core', async () => {
      assert.deepEqual(await foreignImports(connector.module), [])
    }),
    test('defaults stand in the schema only', async () => {
      assert.deepEqual(await hiddenDefaults(connector.module), [])
    }),
    test('a check loads nothing that talks', async () => {
      for (const each of written)
        assert.deepEqual(needless(await loadedBy(connector.module, each), connector.module), [])
    }),
    test('a good opening passes its check', () => {
      for (const each of written)
        assert.deepEqual(connector.check?.(parse(connector, each)).filter(({ fatal }) => fatal) ?? [], [])
    }),
    test('check and its neighbours are pure, and answer to everything that parses', () => {
      const random = new Random(randomInt(1_000_000_007))
      for (const each of written) answersToAll(connector, each, random)
    }),
  ]
}

const schemasOf = ({ config, input, output }: Connector) =>
  Object.entries({ config, input, output }).flatMap(([name, schema]) =>
    schema ? [[name, schema] as const] : [],
  )

const saysWhatItIs = ({ type, summary, module, contract, can = [], output }: Connector): void => {
  assert.match(type, /^[a-z][a-z0-9-]*$/, 'a type is one word in lower case')
  assert.match(summary, /^[A-Z].{10,200}\.$/, 'a summary is one sentence')
  assert.equal(contract, 1)
  assert.ok(existsSync(fileURLToPath(module)), '`module` is the URL of the declaration: import.meta.url')
  assert.equal(new Set(can.map(({ name }) => name)).size, can.length, 'each capability is declared once')
  assert.equal(
    can.length > 0,
    output !== undefined,
    'who can do something has outputs, and the other way round',
  )
  for (const { summary } of can) assert.match(summary, /\S.*\.$/, 'a capability has a sentence')
}

/** Puts a field that nobody knows at every place of the opening where an object stands. */
const refusesUnknown = (connector: Connector, written: Written): void => {
  const { config, inputs = {}, outputs = {} } = written
  const [input] = Object.values(inputs)
  const places = [
    ['config', connector.config, config],
    ['input', connector.input, input],
    ['output', connector.output, Object.values(outputs)[0]],
  ] as const
  for (const [name, schema, value] of places) {
    if (!schema || value === undefined) continue
    assert.ok(schema.safeParse(value).success, `the ${name} of the subject parses`)
    const more = { ...(value as object), 'nobody-knows-this': 1 }
    assert.equal(schema.safeParse(more).success, false, `the ${name} takes an unknown field`)
  }
}

const triesAll = (connector: Connector, stages: readonly Stage[], written: readonly Written[]): void => {
  const tried = new Set(stages.flatMap(({ trials = [] }) => trials.map(({ capability }) => capability)))
  const declared = (connector.can ?? []).map(({ name }) => name)
  assert.deepEqual([...tried].toSorted(), declared.toSorted(), 'a trial for each capability')
  // Without a peer and without a port of its own nothing can be pressed through this link: its presses come by the API.
  const isReached = stages.some(({ peer, listensOn }) => peer !== undefined || listensOn !== undefined)
  if (connector.input && isReached)
    assert.ok(
      stages.some(({ buttons = [] }) => buttons.length > 0),
      'a button',
    )
  stages.forEach(({ trials = [], buttons = [] }, nth) => {
    const { inputs = {}, outputs = {} } = written[nth] as Written
    for (const { output } of trials) assert.ok(output in outputs, `${output} is an output of the opening`)
    for (const { device } of buttons) assert.ok(device in inputs, `${device} is an input of the opening`)
  })
}

type Checked = Omit<Opening<unknown, unknown, unknown>, 'cursors'>

const parse = (connector: Connector, { config, inputs = {}, outputs = {} }: Written): Checked => ({
  name: 'under-test',
  config: connector.config.parse(config),
  inputs: new Map(Object.entries(inputs).map(([name, each]) => [name, connector.input?.parse(each)])),
  outputs: new Map(Object.entries(outputs).map(([name, each]) => [name, connector.output?.parse(each)])),
})

const answersToAll = (connector: Connector, written: Written, random: Random): void => {
  let parsed = 0
  for (let time = 0; time < variations; time++) {
    let opening: Checked
    try {
      opening = parse(connector, varied(written as unknown as Json, random) as unknown as Written)
    } catch {
      continue
    }
    parsed++
    try {
      answers(connector, opening)
    } catch (error) {
      const told = `seed ${random.seed}, ${JSON.stringify(opening.config)}: ${(error as Error).message}`
      throw new Error(told, { cause: error })
    }
  }
  assert.ok(parsed > 0, 'some variation of the opening parses')
}

const answers = (connector: Connector, opening: Checked): void => {
  const before = JSON.stringify([opening.config, [...opening.inputs], [...opening.outputs]])
  const findings = connector.check?.(opening) ?? []
  for (const finding of findings) mustBeFinding(finding, opening)
  assert.deepEqual(connector.check?.(opening) ?? [], findings, 'a check says the same twice')
  const stale = connector.staleAfterMs?.(opening.config) ?? null
  assert.ok(stale === null || stale > 0, 'staleAfterMs')
  const names = (connector.can ?? []).map(({ name }) => name)
  for (const name of names) {
    const ms = connector.attemptMs?.(opening.config, name) ?? 1
    assert.ok(Number.isFinite(ms) && ms > 0, `attemptMs of ${name}`)
  }
  for (const address of [...opening.inputs.values(), ...opening.outputs.values()])
    assert.equal(typeof (connector.link?.(opening.config, address) ?? ''), 'string', 'the key of a link')
  for (const address of opening.outputs.values()) {
    const lane = connector.lane?.(opening.config, address)
    assert.ok(!lane || (typeof lane.key === 'string' && lane.atOnce >= 1), 'a lane')
    for (const offered of connector.offers?.(opening.config, address) ?? [])
      assert.ok(names.includes(offered), `it offers ${offered}, which it does not declare`)
  }
  const after = JSON.stringify([opening.config, [...opening.inputs], [...opening.outputs]])
  assert.equal(after, before, 'nothing of the opening is changed')
}

const mustBeFinding = ({ path, message, fatal }: Finding, opening: Checked): void => {
  const [root, device] = path
  assert.ok(root === 'config' || root === 'inputs' || root === 'outputs', `a finding at ${path.join('.')}`)
  if (root !== 'config') assert.ok(opening[root].has(String(device)), `a finding about no device: ${device}`)
  assert.ok(message.length > 0 && message.length < 1_000, 'a finding has a message')
  assert.equal(typeof fatal, 'boolean')
}

const strange: readonly Json[] = [
  '',
  '0',
  'x'.repeat(64),
  '{{',
  '%',
  '../..',
  '1ms',
  '10s',
  '30d',
  0,
  1,
  65_535,
  true,
]

/** The same with one to three places left out, doubled or replaced: with more, most would not even parse. */
const varied = (value: Json, random: Random): Json => {
  let made = value
  for (let left = 1 + random.below(3); left > 0; left--) made = variedOnce(made, random)
  return made
}

const variedOnce = (value: Json, random: Random): Json => {
  let before = random.below(places(value))
  const walk = (each: Json): Json => {
    if (before-- === 0) return random.pick(strange)
    if (Array.isArray(each)) return each.map(walk)
    if (each === null || typeof each !== 'object') return each
    const fields = Object.entries(each).flatMap(([name, inner]) => {
      if (before !== 0) return [[name, walk(inner as Json)] as const]
      const fate = random.below(4)
      if (fate > 1) return [[name, walk(inner as Json)] as const]
      before--
      const one = [name, inner as Json] as const
      return fate === 0 ? [] : [one, [`${name}-2`, inner as Json] as const]
    })
    return Object.fromEntries(fields)
  }
  return walk(value)
}

/** How many values stand in it, itself among them. */
const places = (value: Json): number =>
  value === null || typeof value !== 'object'
    ? 1
    : Object.values(value).reduce<number>((sum, each) => sum + places(each as Json), 1)
