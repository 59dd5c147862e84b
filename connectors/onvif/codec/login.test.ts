import { expect, test } from 'vitest'
import { authorization, readChallenge, usernameToken } from './login.ts'
import { parseXml, textOf } from './xml.ts'

const mufasa = { username: 'Mufasa', password: 'Circle of Life' }
const nonce = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v'
const realm = 'http-auth@example.org'
const digest = (algorithm: string) =>
  `Digest realm="${realm}", qop="auth, auth-int", algorithm=${algorithm}, nonce="${nonce}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
const request = {
  method: 'GET',
  path: '/dir/index.html',
  count: 1,
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
}
const answer = (...headers: string[]) => {
  const challenge = readChallenge(headers)
  return challenge && authorization(challenge, mufasa, request)
}

test('HTTP digest, by the examples of RFC 7616, 3.9.1', () => {
  expect(answer(digest('MD5'))).toContain('response="8ca523f5e9506fed4657c9700eebdbec"')
  expect(answer(digest('SHA-256'))).toContain(
    'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"',
  )
  expect(answer(digest('MD5'))).toContain('qop=auth, nc=00000001')
})

test('HTTP digest without qop, by the example of RFC 2069 as corrected', () => {
  const challenge = readChallenge([
    'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
  ])
  const login = { username: 'Mufasa', password: 'CircleOfLife' }
  expect(challenge && authorization(challenge, login, request)).toContain(
    'response="1949323746fe6a43ef61f9606e7febea"',
  )
})

test('the strongest of several challenges is taken, in one header or many', () => {
  expect(answer('Basic realm="x"', digest('MD5'), digest('SHA-256'))).toContain('algorithm=SHA-256')
  expect(answer(`Basic realm="x", ${digest('MD5')}`)).toContain('algorithm=MD5')
  expect(answer('Basic realm="x"')).toBe(`Basic ${Buffer.from('Mufasa:Circle of Life').toString('base64')}`)
})

test('a challenge that we cannot meet is none', () => {
  expect(answer()).toBeNull()
  expect(answer('Bearer realm="x"')).toBeNull()
  expect(answer('Digest realm="x", nonce="y", qop="auth-int"')).toBeNull()
  expect(answer('Digest realm="x", nonce="y", algorithm=SHA-512-256')).toBeNull()
  expect(answer('Digest realm="x"')).toBeNull()
})

test('a UsernameToken carries Base64(SHA-1(nonce + created + password))', () => {
  // Example of the ONVIF Application Programmer's Guide, 6.1.1.3.
  const bytes = Buffer.from('LKqI6G/AikKCQrN0zqZFlg==', 'base64')
  const login = { username: 'a<b', password: 'userpassword' }
  const token = parseXml(
    usernameToken(login, bytes, '2010-09-16T07:50:45Z').replace(
      's:mustUnderstand',
      'xmlns:s="http://www.w3.org/2003/05/soap-envelope" s:mustUnderstand',
    ),
  )
  const at = (name: string) => textOf(token, 'Security', 'UsernameToken', name)
  expect(at('Password')).toBe('tuOSpGlFlIXsozq4HFNeeGeFLEI=')
  expect(at('Nonce')).toBe('LKqI6G/AikKCQrN0zqZFlg==')
  expect(at('Username')).toBe('a<b')
})
