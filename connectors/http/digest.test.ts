import fc from 'fast-check'
import { expect, test } from 'vitest'
import { challengeIn, Digest } from './digest.ts'

test('the example of RFC 7616, 3.9.1, in both of its hashes', () => {
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ'
  const rest =
    'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
  for (const [algorithm, response] of [
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ]) {
    const digest = new Digest('Mufasa', 'Circle of Life')
    expect(digest.header('GET', '/dir/index.html')).toBe(null)
    expect(digest.take(`Digest ${rest}, algorithm=${algorithm}`, null)).toBe(true)
    expect(digest.header('GET', '/dir/index.html', cnonce)).toContain(`response="${response}"`)
  }
})

test('of several challenges the strongest digest is taken', () => {
  const basic = 'Basic realm="x"'
  const md5 = 'Digest realm="a, Digest b=", nonce="1", qop="auth"'
  const sha = 'Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth"'
  expect(challengeIn([basic, md5, sha])).toMatchObject({ algorithm: 'SHA-256', nonce: '2' })
  expect(challengeIn(`${sha}, ${basic}, Bearer realm="z"`)).toMatchObject({ nonce: '2', realm: 'a' })
  expect(challengeIn(basic)).toBe(null)
  expect(challengeIn('Digest realm="a", nonce="1", qop="auth-int"')).toBe(null)
  expect(challengeIn(undefined)).toBe(null)
})

test('a wrong password is not tried twice on a nonce just made for us', () => {
  const digest = new Digest('a', 'b')
  const challenge = 'Digest realm="x", nonce="1", qop="auth"'
  expect(digest.take(challenge, null)).toBe(true)
  expect(digest.take(challenge, 'Digest …')).toBe(false)
  expect(digest.take(`${challenge}, stale=true`, 'Digest …')).toBe(true)
})

test('any challenge gives one line of ASCII, or none', () => {
  const part = fc.constantFrom(
    'Digest ',
    'realm="',
    'nonce="',
    '"',
    '\\',
    ',',
    '=',
    'qop=auth',
    'algorithm=MD5',
    ' ',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 20 }), (parts) => {
      const digest = new Digest('us"er', 'secret-word')
      if (!digest.take(parts.join(''), null)) return
      expect(digest.header('GET', '/')).toMatch(/^Digest [ -~]*$/)
      expect(digest.header('GET', '/')).not.toContain('secret-word')
    }),
    { numRuns: 2_000 },
  )
})
