import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { type Hospital, hospital } from '../fixtures/hospital.ts'

let at: Hospital | null = null
afterEach(async () => {
  await at?.close()
  at = null
})

const files = [
  ['/', 'text/html'],
  ['/status.js', 'text/javascript'],
  ['/walk', 'text/html'],
  ['/walk.js', 'text/javascript'],
  ['/status.css', 'text/css'],
  ['/status.svg', 'image/svg+xml'],
] as const

test('the page loads nothing from elsewhere, runs nothing inline and may not be framed', async () => {
  at = await hospital()
  for (const [path, type] of files) {
    const response = await fetch(at.api.url + path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(`${type}; charset=utf-8`)
    const policy = response.headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    const text = await response.text()
    expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/)
    if (type === 'text/html') expect(text).not.toMatch(/<style|<script>| style=| on\w+=/)
  }
})

test('whatever the bridge says is inserted as text', () => {
  for (const name of ['status.js', 'walk.js']) {
    const script = readFileSync(new URL(name, import.meta.url), 'utf8')
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/)
  }
})

test('the page holds nothing of the site, so that it may be loaded without a token', async () => {
  at = await hospital({ token: 'secret-token' })
  for (const [path] of files) {
    const { status, body } = await at.ask(path)
    expect(status).toBe(200)
    expect(body).not.toMatch(/Hospital|secret-token|door-ed/)
  }
})
