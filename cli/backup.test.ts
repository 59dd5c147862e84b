import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { hold } from '../core/store/fixtures/hold.ts'
import { smallDisk, unmountAll } from '../test/promises/disk.ts'
import { cleanUp as cleanDisks } from '../test/promises/program.ts'
import { cleanUp, newDir, type Program, run, start } from './fixtures/program.ts'
import { siteText, writeSite } from './fixtures/site.ts'

afterEach(async () => {
  await cleanUp()
  unmountAll()
  await cleanDisks()
})

const startBridge = async (dir: string, data: string): Promise<{ program: Program; url: string }> => {
  const program = start(['run', '--config', writeSite(dir, siteText()), '--data', data])
  const [, url] = await program.says(/^ready: Test site at (http:\S+), data in /m)
  return { program, url: url as string }
}

/** The id of the incident; a press with a new key each time. */
const press = async (url: string, key: string): Promise<string> => {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ device: 'lobby-button', key })
  const response = await fetch(`${url}/v1/presses`, { method: 'POST', headers, body })
  expect([200, 201]).toContain(response.status)
  return ((await response.json()) as { incident: string }).incident
}

const keysIn = (data: string): string[] => {
  const db = new DatabaseSync(join(data, 'duress.db'), { readOnly: true })
  const rows = db.prepare('SELECT key FROM fact ORDER BY rowid').all()
  db.close()
  return rows.map((row) => String(row['key']))
}

const keepEvidence = (data: string, text: string): string => {
  const hash = createHash('sha256').update(text).digest('hex')
  mkdirSync(join(data, 'evidence'), { recursive: true })
  writeFileSync(join(data, 'evidence', hash), text)
  return hash
}

/** A data directory with a stopped bridge's records. */
const recorded = async (dir: string): Promise<string> => {
  const data = join(dir, 'data')
  const { program, url } = await startBridge(dir, data)
  await press(url, 'one')
  program.signal('SIGTERM')
  expect(await program.ended).toBe(0)
  return data
}

describe('a backup of a running bridge', () => {
  test('holds all that was recorded before it began, while presses come in, and a new bridge goes on from it', async () => {
    const dir = newDir()
    const data = join(dir, 'data')
    const { program, url } = await startBridge(dir, data)
    const picture = keepEvidence(data, 'a picture')
    const before: string[] = []
    // More than ten a second of one input are counted, not written.
    for (let n = 0; n < 8; n++) {
      before.push(`before-${n}`)
      await press(url, `before-${n}`)
    }
    let done = false
    const presses = (async () => {
      for (let n = 0; !done; n++) {
        await press(url, `during-${n}`)
        await new Promise((resolve) => setTimeout(resolve, 120))
      }
    })()
    const to = join(dir, 'backup')
    const { code, stdout } = await run('backup', '--data', data, '--to', to)
    done = true
    await presses
    expect(code).toBe(0)
    expect(stdout).toMatch(/Backed up to .*, 1 pieces of evidence/)
    // The bridge goes on as if nothing had been.
    const incident = await press(url, 'after')
    program.signal('SIGTERM')
    expect(await program.ended).toBe(0)

    const elsewhere = join(dir, 'elsewhere')
    const restored = await run('restore', '--from', to, '--data', elsewhere)
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(restored.stdout).toMatch(
      /^Restored to .*: what version \S+ had recorded until \d{4}-.*\nThe trail is whole: \d+ rows/,
    )
    const keys = keysIn(elsewhere)
    expect(before.filter((key) => !keys.includes(key))).toEqual([])
    expect(keys).not.toContain('after')
    expect(readFileSync(join(elsewhere, 'evidence', picture), 'utf8')).toBe('a picture')
    expect((await run('trail', 'verify', '--data', elsewhere)).code).toBe(0)

    const again = await startBridge(dir, elsewhere)
    // It knows the press keys of the backup, and goes on with its open incident.
    expect(await press(again.url, 'before-3')).toBe(incident)
    again.program.signal('SIGTERM')
    expect(await again.program.ended).toBe(0)
    const head = /head of its trail is (\S+)/.exec(stdout)?.[1] as string
    expect((await run('trail', 'verify', '--data', elsewhere, '--head', head)).code).toBe(0)
  })

  test('of a bridge that was killed has what only its journal had', async () => {
    const dir = newDir()
    const data = join(dir, 'data')
    const { program, url } = await startBridge(dir, data)
    await press(url, 'first')
    // While somebody else writes the file, it gets nothing.
    const release = hold(join(data, 'duress.db'))
    const incident = await press(url, 'last')
    program.signal('SIGKILL')
    await program.ended
    release()
    const [to, elsewhere] = [join(dir, 'backup'), join(dir, 'elsewhere')]
    expect((await run('backup', '--data', data, '--to', to)).code).toBe(0)
    expect((await run('restore', '--from', to, '--data', elsewhere)).code).toBe(0)
    expect(keysIn(elsewhere)).not.toContain('last')
    const again = await startBridge(dir, elsewhere)
    expect(await press(again.url, 'last')).toBe(incident)
    again.program.signal('SIGTERM')
    expect(await again.program.ended).toBe(0)
    expect(keysIn(elsewhere)).toContain('last')
  })

  test('is readable by its owner only, and laid out like the data: `trail` reads it', async () => {
    const dir = newDir()
    const data = await recorded(dir)
    const to = join(dir, 'backup')
    const { code, stdout } = await run('backup', '--data', data, '--to', to, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ to, evidence: 0, broken: null, damaged: [], files: 2 })
    expect(readdirSync(to).sort()).toEqual(['backup.json', 'duress.db', 'trail.key'])
    for (const name of readdirSync(to)) expect(statSync(join(to, name)).mode & 0o077).toBe(0)
    expect((await run('trail', 'verify', '--data', to)).code).toBe(0)
  })
})

describe('a backup that does not come to its end', () => {
  const held = async (signal: NodeJS.Signals) => {
    const dir = newDir()
    const data = await recorded(dir)
    // Somebody reads this piece for as long as we like.
    const pipe = join(data, 'evidence', 'f'.repeat(64))
    mkdirSync(join(data, 'evidence'))
    await new Promise((made) => spawn('mkfifo', [pipe]).once('close', made))
    const to = join(dir, 'backup')
    const program = start(['backup', '--data', data, '--to', to])
    while (!existsSync(join(`${to}.unfinished`, 'evidence')))
      await new Promise((resolve) => setTimeout(resolve, 10))
    program.signal(signal)
    await program.ended
    rmSync(pipe)
    return { dir, data, to }
  }

  test('is gone when it was told to end', async () => {
    const { to } = await held('SIGTERM')
    expect([existsSync(to), existsSync(`${to}.unfinished`)]).toEqual([false, false])
  })

  test('has no name when it was killed, is not restored from, and the next one takes its place', async () => {
    const { dir, data, to } = await held('SIGKILL')
    expect(existsSync(to)).toBe(false)
    const restored = await run('restore', '--from', `${to}.unfinished`, '--data', join(dir, 'new'))
    expect(restored.code).toBe(1)
    expect(restored.stderr).toContain('is no finished backup')
    expect((await run('backup', '--data', data, '--to', to)).code).toBe(0)
    expect(existsSync(`${to}.unfinished`)).toBe(false)
  })

  test('leaves nothing on a disk that is too small, and says so', async () => {
    const dir = newDir()
    const data = await recorded(dir)
    keepEvidence(data, 'x'.repeat(3 * 1_048_576))
    const disk = smallDisk('2m')
    const to = join(disk, 'backup')
    const { code, stderr } = await run('backup', '--data', data, '--to', to)
    expect(code).toBe(1)
    expect(stderr).toMatch(/can't be backed up to .*: there is no room \[STORE_FAILED\]/)
    expect(readdirSync(disk).filter((name) => name.startsWith('backup'))).toEqual([])
  })
})

describe('restore refuses', () => {
  test('a data directory that a bridge has open, and one that holds records', async () => {
    const dir = newDir()
    const data = await recorded(dir)
    const to = join(dir, 'backup')
    await run('backup', '--data', data, '--to', to)
    const { program } = await startBridge(dir, data)
    const live = await run('restore', '--from', to, '--data', data)
    expect(live.code).toBe(1)
    expect(live.stderr).toContain('[DATA_IN_USE]')
    program.signal('SIGTERM')
    await program.ended
    const held = keysIn(data)
    const stopped = await run('restore', '--from', to, '--data', data)
    expect(stopped.code).toBe(1)
    expect(stopped.stderr).toContain('holds records already')
    expect(keysIn(data)).toEqual(held)
  })

  test.each([
    ['a store that was changed', 'duress.db', /is not what the backup wrote/],
    ['another key', 'trail.key', /is not what the backup wrote/],
  ])('a backup with %s, and leaves nothing', async (_what, name, why) => {
    const dir = newDir()
    const to = join(dir, 'backup')
    await run('backup', '--data', await recorded(dir), '--to', to)
    appendFileSync(join(to, name), 'x')
    const { code, stderr } = await run('restore', '--from', to, '--data', join(dir, 'new'))
    expect(code).toBe(1)
    expect(stderr).toMatch(why)
    expect(existsSync(join(dir, 'new'))).toBe(false)
  })

  test.each([
    ['of a newer version', { schema: 1_000 }, '[SCHEMA_TOO_NEW]'],
    ['that names files outside of itself', { files: { '../duress.db': '00' } }, 'outside of itself'],
    ['whose trail has lost its end', { trailHead: { seq: 9_999, chain: '0'.repeat(64) } }, '[CHAIN_BROKEN]'],
  ])('a backup %s', async (_what, change, why) => {
    const dir = newDir()
    const to = join(dir, 'backup')
    await run('backup', '--data', await recorded(dir), '--to', to)
    const path = join(to, 'backup.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }))
    const { code, stderr } = await run('restore', '--from', to, '--data', join(dir, 'new'))
    expect(code).toBe(1)
    expect(stderr).toContain(why)
    expect(existsSync(join(dir, 'new'))).toBe(false)
  })
})

test('a backup of a trail that is broken is made all the same, and says where it is', async () => {
  const dir = newDir()
  const data = await recorded(dir)
  const db = new DatabaseSync(join(data, 'duress.db'))
  db.exec(`UPDATE trail SET payload = '[]' WHERE seq = 2`)
  db.close()
  const to = join(dir, 'backup')
  const { code, stderr } = await run('backup', '--data', data, '--to', to)
  expect(code).toBe(1)
  expect(stderr).toMatch(/in the original and in the backup: row 2 of duress\.db: .* \[CHAIN_BROKEN\]/)
  expect(existsSync(join(to, 'backup.json'))).toBe(true)
})

test('neither is there: no data, or a backup that is already', async () => {
  const dir = newDir()
  const nothing = await run('backup', '--data', dir, '--to', join(dir, 'backup'))
  expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('there are no records in')])
  const there = await run('backup', '--data', await recorded(dir), '--to', dir)
  expect([there.code, there.stderr]).toEqual([1, expect.stringContaining('is there already')])
})
